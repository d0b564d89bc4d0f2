"""What an edit and a promotion cost, measured against the usual ways in the same run: a table for people."""

import functools
import io
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.adapters.manifests import pins
from bot.adapters.manifests.repository import GitManifests
from bot.core.model import PinValue
from bot.core.names import deploy_branch
from bot.core.target import Alias, ContainerPin, KustomizePin, Pin, Target
from bot.sandbox.serving import Server
from tests.adapters.manifests.remote import Remote

IMAGE = "ghcr.io/acme/fraud-detector"
SIZES = (100, 5_000, 100_000)
TOGETHER = 100
DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: fraud-detector}}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: server
        image: {IMAGE}:v6  # the bot's
        ports: [{{containerPort: 8080}}]
"""
# A custom resource definition as bundles have them by the hundred: names, types and long descriptions.
DEFINITION = (
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  properties:\n"
    + "".join(
        f"    field{n}:\n      description: {'what this field is for, at some length ' * 3}\n      type: string\n"
        for n in range(150)
    )
)


def main() -> None:
    """Print both tables."""
    print(f"{'edit':<34}{'ours':>12}{'ruamel':>12}{'ratio':>8}")
    for name, text, rounds in (
        ("small file", DEPLOYMENT, 200),
        ("1 MB, many documents", bundle(1_000_000), 5),
        ("3.7 MB, many documents", bundle(3_700_000), 5),
    ):
        data = text.encode()
        assert edit(data) == text.replace(":v6", ":v7").encode()
        ours = median(functools.partial(edit, data), rounds)
        theirs = median(functools.partial(round_trip, text), 20 if rounds > 5 else 1)
        row(f"{name} ({len(text):,} B)", ours, theirs)
    with tempfile.TemporaryDirectory(prefix="bench-pins-") as folder:
        for size in SIZES:
            promotions(Path(folder) / str(size), size)
            shutil.rmtree(Path(folder) / str(size))


def row(name: str, ours: float, theirs: float) -> None:
    print(f"{name:<34}{ours:>9.2f} ms{theirs:>9.1f} ms{theirs / ours:>7.0f}x")


def bundle(size: int) -> str:
    return "---\n".join([DEFINITION] * (size // len(DEFINITION)) + [DEPLOYMENT])


def median(work: Callable[[], object], rounds: int) -> float:
    """Milliseconds of the median round."""
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


def target(pin: Pin, name: str = "fraud-detector/production") -> Target:
    return Target(name, name.partition("/")[0], Alias("champion"), IMAGE, (pin,))


def edit(data: bytes) -> bytes:
    at = target(ContainerPin("app.yaml"))
    return pins.edited(at, {"app.yaml": data}, PinValue("v7"))["app.yaml"]


def round_trip(text: str) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    documents: list[Any] = list(yaml.load_all(text))
    documents[-1]["spec"]["template"]["spec"]["containers"][0]["image"] = f"{IMAGE}:v7"
    yaml.dump_all(documents, io.StringIO())


@dataclass
class Counted:
    """A remote that counts the bytes of both directions."""

    remote: Remote
    moved: int = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.moved += int(environ.get("CONTENT_LENGTH") or 0)
        for part in self.remote(environ, start_response):
            self.moved += len(part)
            yield part


@contextmanager
def served(folder: Path, size: int) -> Iterator[Counted]:
    """A remote of this many files in folders of a hundred, with `TOGETHER` kustomizations among them."""
    remote = Remote(folder / "remote", folder / "work")
    remote.bare.mkdir(parents=True)
    remote.git("init", "-q", "--bare", "--initial-branch=main", str(remote.bare), at=folder)
    for key in ("http.receivepack", "uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        remote.git("config", key, "true", at=remote.bare)
    stream = [b"commit refs/heads/main\ncommitter Jo <jo@acme.dev> 1700000000 +0000\ndata 6\nBegin\n"]
    for number in range(size):
        apps = f"apps/{number // 100}/{number % 100}"
        is_pin = number < TOGETHER
        text = f"images:\n- name: {IMAGE}\n  newTag: v6\n" if is_pin else f"{DEPLOYMENT}# {number}\n"
        name = f"{apps}/kustomization.yaml" if is_pin else f"{apps}.yaml"
        stream.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n".encode())
    remote.git("fast-import", "--quiet", at=remote.bare, data=b"".join(stream))
    counted = Counted(remote)
    remote.server = Server(counted).start()
    try:
        yield counted
    finally:
        remote.server.stop()


@dataclass(frozen=True)
class Cost:
    """What a round of some work costs: medians. The CPU's share is that of the bot, its git, and the remote's."""

    time: float  # milliseconds, as are those of the CPU
    cpu: float
    bytes: float
    processes: float

    def __str__(self) -> str:
        return f"{self.time:>10.0f} ms{self.cpu:>8.0f} ms{self.bytes:>14,.0f}{self.processes:>15.0f}"


def promotions(folder: Path, size: int) -> None:
    folder.mkdir()
    with served(folder, size) as counted:
        manifests = GitManifests(counted.remote.url, folder / "mirror")
        write(manifests, 0, "v1")  # warm
        ours = cost(lambda n: write(manifests, 0, f"v{10 + n}"), counted, manifests, rounds=9)
        clone = cost(lambda n: cloned(counted.remote.url, folder / f"clone{n}", 10 + n), counted, rounds=3)
        emptied(counted.remote, manifests)
        many = cost(
            lambda n: together(manifests, f"v{900 + n}"), counted, manifests, rounds=3,
            after=lambda: emptied(counted.remote, manifests),
        )  # fmt: skip
        print(f"\n{size:,} files{'':<23}{'time':>9}{'CPU':>11}{'bytes':>14}{'git processes':>15}")
        print(f"{'  one promotion':<28}{ours}")
        print(f"{'  clone --depth=1, edit, push':<28}{clone}")
        print(f"{f'  {TOGETHER} promotions':<28}{many}")
        print(f"  {clone.time / ours.time:.1f} times as fast as the clone; {TOGETHER} cost", end=" ")
        print(f"{many.time / ours.time:.1f} times one ({many.cpu / ours.cpu:.1f} times its CPU)")


def cost(
    work: Callable[[int], object],
    counted: Counted,
    manifests: GitManifests | None = None,
    *,
    rounds: int,
    after: Callable[[], object] = lambda: None,
) -> Cost:
    """The median of so many rounds; `after` each something that is not measured."""
    took = []
    for number in range(rounds):
        before = reading(counted, manifests)
        work(number)
        took.append([now - then for now, then in zip(reading(counted, manifests), before, strict=True)])
        after()
    time_, cpu, moved, processes = (statistics.median(values) for values in zip(*took, strict=True))
    return Cost(time_, cpu, moved, processes if manifests else 4)


def reading(counted: Counted, manifests: GitManifests | None) -> tuple[float, ...]:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used) * 1000
    return time.perf_counter() * 1000, cpu, counted.moved, manifests.git_processes if manifests else 0


def emptied(remote: Remote, manifests: GitManifests) -> None:
    """Every branch but the base goes, so that a round does not pay for those before."""
    refs = remote.git("for-each-ref", "--format=delete %(refname)", "refs/heads/", at=remote.bare)
    gone = "".join(f"{line}\n" for line in refs.splitlines() if not line.endswith("/main"))
    remote.git("update-ref", "--stdin", at=remote.bare, data=gone.encode())
    manifests.fetch()


def write(manifests: GitManifests, number: int, tag: str, *, fetch: bool = True) -> str:
    if fetch:
        manifests.fetch()
    at = target(KustomizePin(f"apps/0/{number}"), f"m{number}/production")
    message = f"Deploy\n\nGitOps-Bot-Target: {at.name}\n"
    return manifests.write(
        at, deploy_branch(at.name, tag.removeprefix("v")), PinValue(tag), message, expect=None
    )


def together(manifests: GitManifests, tag: str) -> None:
    manifests.fetch()
    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(lambda number: write(manifests, number, tag, fetch=False), range(TOGETHER)))


def cloned(url: str, folder: Path, number: int) -> None:
    """The usual way, by the git command."""
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}

    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=Jo", "-c", "user.email=jo@acme.dev", *arguments], check=True, env=environ
        )

    git("clone", "--quiet", "--depth=1", url, str(folder))
    file = folder / "apps/0/1/kustomization.yaml"
    file.write_text(file.read_text().replace("v6", f"v{number}"))
    git("-C", str(folder), "commit", "--quiet", "--all", "--message", "Deploy")
    git("-C", str(folder), "push", "--quiet", "origin", f"HEAD:refs/heads/clone{number}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
