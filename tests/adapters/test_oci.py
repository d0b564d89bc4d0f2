"""The port `Images`: one contract on the sandbox's registry and on Debian's, and what odd registries do to it."""

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.adapters.oci import OciImages
from bot.adapters.oci.images import registry_and_name
from bot.core.model import Image
from bot.ports import Refused, Retryable
from bot.sandbox.image_layout import INDEX, MANIFEST, Settings, write_layer
from bot.sandbox.image_registry import ImageRegistry
from bot.sandbox.image_registry.plain_http import PlainHttpServer
from bot.sandbox.processes import end, spawn
from bot.sandbox.registry_client import RegistryClient
from tests.parts import free_port, require

pytestmark = pytest.mark.world

LABELS = {"org.mlflow.model.name": "fraud-detector", "org.mlflow.model.version": "7"}


def _push(
    host: str, folder: Path, tag: str, labels: dict[str, str] = LABELS, login: tuple[str, str] | None = None
) -> str:
    (folder / "model").mkdir(exist_ok=True)
    layer = write_layer({"/app/model": folder / "model"}, folder / "layer.tar.gz")
    settings = Settings(("python", "serve.py"), "/app", labels=labels)
    return RegistryClient(host, login).push("acme/fraud-detector", tag, settings, [layer])


def _finder(host: str, login: tuple[str, str] | None = None) -> OciImages:
    return OciImages(lambda asked: login if asked == host else None, frozenset({host}))


class ImagesContract:
    """What every registry's images must look like through the port. `host` is an empty registry without a login."""

    def test_a_pushed_image_is_found_with_its_digest_and_labels(self, host: str, tmp_path: Path) -> None:
        digest = _push(host, tmp_path, "v7")
        repository = f"{host}/acme/fraud-detector"
        assert _finder(host).find(repository, "v7") == Image(repository, "v7", digest, LABELS)

    def test_an_image_without_labels_is_found(self, host: str, tmp_path: Path) -> None:
        digest = _push(host, tmp_path, "v7", {})
        assert _finder(host).find(f"{host}/acme/fraud-detector", "v7") == Image(
            f"{host}/acme/fraud-detector", "v7", digest
        )

    def test_a_missing_tag_and_a_missing_repository_are_no_image(self, host: str, tmp_path: Path) -> None:
        _push(host, tmp_path, "v7")
        assert _finder(host).find(f"{host}/acme/fraud-detector", "v8") is None
        assert _finder(host).find(f"{host}/acme/nothing", "v7") is None

    def test_a_tag_that_moves_is_seen_to_move(self, host: str, tmp_path: Path) -> None:
        images, repository = _finder(host), f"{host}/acme/fraud-detector"
        _push(host, tmp_path, "v7")
        images.find(repository, "v7")
        digest = _push(host, tmp_path, "v7", {"org.mlflow.model.version": "8"})
        found = images.find(repository, "v7")
        assert found == Image(repository, "v7", digest, {"org.mlflow.model.version": "8"})

    def test_an_index_is_pinned_itself_and_labelled_by_its_first_real_platform(
        self, host: str, tmp_path: Path
    ) -> None:
        attestation, real = _push(host, tmp_path, "x", {"is": "attestation"}), _push(host, tmp_path, "y")
        platforms = {attestation: ("unknown", "unknown"), real: ("linux", "amd64")}
        entries = [
            {"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": {"os": os_, "architecture": cpu}}
            for digest, (os_, cpu) in platforms.items()
        ]
        base = f"http://{host}/v2/acme/fraud-detector/manifests"
        for entry in entries:
            entry["size"] = len(
                requests.get(f"{base}/{entry['digest']}", headers={"Accept": MANIFEST}, timeout=5).content
            )
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        pushed = requests.put(f"{base}/v7", data=index, headers={"Content-Type": INDEX}, timeout=5)
        assert pushed.status_code == 201, pushed.text
        found = _finder(host).find(f"{host}/acme/fraud-detector", "v7")
        assert found is not None
        assert found.digest == f"sha256:{hashlib.sha256(index).hexdigest()}"
        assert found.labels == LABELS


class TestOnTheSandboxRegistry(ImagesContract):
    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[str]:
        registry = ImageRegistry(tmp_path / "registry").start()
        yield registry.host
        registry.stop()


class TestOnDebiansRegistry(ImagesContract):
    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[str]:
        program = require(
            "docker-registry", "apt-get install -y --no-install-recommends docker-registry", _is_a_registry
        )
        port = free_port()
        settings = tmp_path / "registry.yml"
        settings.write_text(
            f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
            f"storage: {{filesystem: {{rootdirectory: '{tmp_path / 'data'}'}}}}\n"
        )
        process = spawn([program, "serve", str(settings)], log=tmp_path / "registry.log")
        try:
            _wait_for(f"http://127.0.0.1:{port}/v2/", process)
            yield f"127.0.0.1:{port}"
        finally:
            end(process)


def _is_a_registry(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=_retries()))
    assert session.get(url, timeout=5).status_code == 200
    assert process.poll() is None


def _retries() -> Any:
    from urllib3.util.retry import Retry

    return Retry(total=8, connect=8, backoff_factor=0.1)


# --- logins ---

USERS = {"ci": "swordfish", "bot": "marlin"}
LOGIN = ("bot", "marlin")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[ImageRegistry]:
    registry = ImageRegistry(tmp_path / "guarded", users=USERS, readers=["bot"]).start()
    yield registry
    registry.stop()


def test_a_login_that_may_only_pull_is_enough(guarded: ImageRegistry, tmp_path: Path) -> None:
    digest = _push(guarded.host, tmp_path, "v7", login=("ci", "swordfish"))
    found = _finder(guarded.host, LOGIN).find(f"{guarded.host}/acme/fraud-detector", "v7")
    assert found is not None
    assert (found.digest, found.labels) == (digest, LABELS)


def test_a_missing_image_behind_a_login_is_no_image(guarded: ImageRegistry) -> None:
    assert _finder(guarded.host, LOGIN).find(f"{guarded.host}/acme/nothing", "v7") is None


def test_without_a_login_the_refusal_says_what_to_set(guarded: ImageRegistry) -> None:
    with pytest.raises(Refused, match=f"set credentials for the registry {guarded.host}"):
        _finder(guarded.host).find(f"{guarded.host}/acme/fraud-detector", "v7")


def test_a_wrong_password_is_a_refusal_that_does_not_repeat_it(guarded: ImageRegistry) -> None:
    with pytest.raises(Refused, match="may not pull acme/fraud-detector") as caught:
        _finder(guarded.host, ("bot", "herring")).find(f"{guarded.host}/acme/fraud-detector", "v7")
    assert "herring" not in str(caught.value)


def test_a_token_that_is_no_longer_good_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    first = ImageRegistry(tmp_path / "guarded", users=USERS).start()
    _push(first.host, tmp_path, "v7", login=("ci", "swordfish"))
    images = _finder(first.host, LOGIN)
    before = images.find(f"{first.host}/acme/fraud-detector", "v7")
    first.stop()
    # Another key: it takes none of the tokens of before.
    second = ImageRegistry(tmp_path / "guarded", users=USERS, port=int(first.host.partition(":")[2])).start()
    try:
        assert images.find(f"{first.host}/acme/fraud-detector", "v7") == before is not None
    finally:
        second.stop()


def test_tokens_that_never_work_are_a_refusal_and_not_an_endless_loop(tmp_path: Path) -> None:
    registry = ImageRegistry(tmp_path / "guarded", users=USERS, token_seconds=-1).start()
    try:
        with pytest.raises(Refused, match="may not pull"):
            _finder(registry.host, LOGIN).find(f"{registry.host}/acme/fraud-detector", "v7")
    finally:
        registry.stop()


# --- odd registries ---


@dataclass
class OddRegistry:
    """Answers by a function of (method, path) and keeps what it was sent."""

    answer: Callable[[str, str], tuple[int, dict[str, str], bytes]]
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.seen.append((method, path, environ.get("HTTP_AUTHORIZATION")))
        status, headers, body = self.answer(method, path)
        start(f"{status} Odd", [*headers.items(), ("Content-Length", str(len(body)))])
        return [b"" if method == "HEAD" else body]


@contextlib.contextmanager
def _odd(
    answer: Callable[[str, str], tuple[int, dict[str, str], bytes]],
) -> Iterator[tuple[str, OddRegistry]]:
    app = OddRegistry(answer)
    server = PlainHttpServer(app)
    server.start()
    try:
        yield server.url.removeprefix("http://"), app
    finally:
        server.stop()


CONFIG = json.dumps({"config": {"Labels": LABELS}}).encode()
BODY = json.dumps(
    {"config": {"digest": f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"}, "layers": []}
).encode()
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


def _serve_image(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Docker-Content-Digest": DIGEST}, CONFIG if "/blobs/" in path else BODY


def test_an_older_registry_that_names_no_digest_is_asked_for_the_bytes() -> None:
    with _odd(lambda method, path: (200, {}, CONFIG if "/blobs/" in path else BODY)) as (host, _):
        assert _finder(host).find(f"{host}/m", "v7") == Image(f"{host}/m", "v7", DIGEST, LABELS)


def test_bytes_that_do_not_fit_their_digest_are_never_used() -> None:
    with (
        _odd(lambda method, path: (200, {"Docker-Content-Digest": DIGEST}, b'{"config": {}}')) as (host, _),
        pytest.raises(Retryable, match="its digest does not fit"),
    ):
        _finder(host).find(f"{host}/m", "v7")


def test_labels_are_read_once_per_digest() -> None:
    with _odd(_serve_image) as (host, app):
        images = _finder(host)
        assert images.find(f"{host}/m", "v7") == images.find(f"{host}/m", "v7")
        assert [method for method, _, _ in app.seen] == ["HEAD", "GET", "GET", "HEAD"]


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [
        (429, {"Retry-After": "30"}, timedelta(seconds=30)),
        (429, {}, None),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, timedelta(0)),
        (503, {"Retry-After": "soon"}, None),
        (500, {"Retry-After": "99999999999"}, timedelta(hours=1)),
    ],
)
def test_a_busy_registry_is_asked_again_when_it_says(
    status: int, headers: dict[str, str], after: timedelta | None
) -> None:
    with _odd(lambda method, path: (status, headers, b"")) as (host, _), pytest.raises(Retryable) as caught:
        _finder(host).find(f"{host}/m", "v7")
    assert caught.value.after == after


def test_a_registry_that_does_not_answer_is_asked_again_later() -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(Retryable, match="does not answer"):
        _finder(host).find(f"{host}/m", "v7")


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (403, b"", "set credentials"),
        (404, b"<html>nginx</html>", "not as a registry does"),
        (404, b'{"errors": [{"code": "SOMETHING"}]}', "not as a registry does"),
        (418, b"", "answers 418"),
    ],
)
def test_an_answer_that_only_a_person_can_mend_is_refused(status: int, body: bytes, sentence: str) -> None:
    with _odd(lambda method, path: (status, {}, body)) as (host, _), pytest.raises(Refused, match=sentence):
        _finder(host).find(f"{host}/m", "v7")


def test_a_404_that_names_the_code_is_no_image() -> None:
    body = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "x", "detail": null}]}'
    with _odd(lambda method, path: (404, {}, body)) as (host, _):
        assert _finder(host).find(f"{host}/m", "v7") is None


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"\xff",
        b'{"config": {"digest": "sha256:../../x"}}',
        b'{"manifests": []}',
        b'{"manifests": 5}',
        b'{"manifests": [{"digest": 1}]}',
        b" " * (5 << 20),
    ],
    ids=range(8),
)
def test_a_document_that_is_no_image_is_refused(body: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    with (
        _odd(lambda method, path: (200, {"Docker-Content-Digest": digest}, body)) as (host, _),
        pytest.raises(Refused),
    ):
        _finder(host).find(f"{host}/m", "v7")


@pytest.mark.parametrize("labels", [None, 5, "x", [], {}])
def test_labels_of_an_odd_shape_are_no_labels(labels: object) -> None:
    config = json.dumps({"config": {"Labels": labels}}).encode()
    body = json.dumps({"config": {"digest": f"sha256:{hashlib.sha256(config).hexdigest()}"}}).encode()
    with _odd(lambda method, path: (200, {}, config if "/blobs/" in path else body)) as (host, _):
        found = _finder(host).find(f"{host}/m", "v7")
    assert found is not None
    assert found.labels == {}


def test_a_redirect_to_another_host_is_followed_without_the_login() -> None:
    with _odd(_serve_image) as (storage, elsewhere):

        def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
            if path == "/token":
                return 200, {}, b'{"token": "sesame"}'
            if app.seen[-1][2] != "Bearer sesame":
                challenge = f'Bearer realm="http://{host}/token",service="x",scope="repository:m:pull"'
                return 401, {"WWW-Authenticate": challenge}, b""
            return 307, {"Location": f"http://{storage}{path}"}, b""

        with _odd(answer) as (host, app):
            images = OciImages(lambda asked: LOGIN, frozenset({host, storage}))
            found = images.find(f"{host}/m", "v7")
    assert found is not None
    assert found.digest == DIGEST
    assert len(elsewhere.seen) == 3
    assert {authorization for _, _, authorization in elsewhere.seen} == {None}


def test_a_login_is_not_sent_without_tls_to_a_host_that_the_operator_did_not_name() -> None:
    with _odd(lambda method, path: (200, {}, b'{"token": "x"}')) as (thief, stolen):
        challenge = f'Bearer realm="http://localhost:{thief.partition(":")[2]}/token",service="x"'
        with (
            _odd(lambda method, path: (401, {"WWW-Authenticate": challenge}, b"")) as (host, _),
            pytest.raises(Refused),
        ):
            _finder(host, LOGIN).find(f"{host}/m", "v7")
    assert stolen.seen == []


@pytest.mark.parametrize(
    "challenge",
    ["", "Bearer", 'Bearer realm="http://["', 'Bearer realm="file:///etc/passwd"', 'Basic realm="x"', "Negotiate abc=",
     'Bearer realm=""', 'Bearer realm="https://127.0.0.1:1/token'],
)  # fmt: skip
def test_an_odd_challenge_is_no_crash(challenge: str) -> None:
    with (
        _odd(lambda method, path: (401, {"WWW-Authenticate": challenge}, b"")) as (host, _),
        pytest.raises((Refused, Retryable)),
    ):
        _finder(host, LOGIN).find(f"{host}/m", "v7")


def test_endless_redirects_end() -> None:
    with (
        _odd(lambda method, path: (302, {"Location": path + "x"}, b"")) as (host, app),
        pytest.raises(Retryable, match="again and again"),
    ):
        _finder(host).find(f"{host}/m", "v7")
    assert len(app.seen) == 4


@pytest.mark.parametrize(
    "location", ["http://10.255.255.1/x", "file:///etc/passwd", "ftp://x/y", "", "http://["]
)
def test_a_redirect_to_an_odd_place_is_not_followed(location: str) -> None:
    with (
        _odd(lambda method, path: (302, {"Location": location}, b"")) as (host, _),
        pytest.raises((Refused, Retryable)),
    ):
        _finder(host).find(f"{host}/m", "v7")


# --- names ---


@pytest.mark.parametrize(
    ("repository", "host", "name"),
    [
        ("nginx", "registry-1.docker.io", "library/nginx"),
        ("acme/model", "registry-1.docker.io", "acme/model"),
        ("docker.io/nginx", "registry-1.docker.io", "library/nginx"),
        ("index.docker.io/acme/model", "registry-1.docker.io", "acme/model"),
        ("ghcr.io/acme/team/model", "ghcr.io", "acme/team/model"),
        ("localhost/model", "localhost", "model"),
        ("127.0.0.1:5000/model", "127.0.0.1:5000", "model"),
        ("[::1]:5000/model", "[::1]:5000", "model"),
    ],
)
def test_a_repository_names_its_registry(repository: str, host: str, name: str) -> None:
    assert registry_and_name(repository) == (host, name)


@pytest.mark.parametrize(
    "repository",
    ["", "/", "ghcr.io/", "ghcr.io/Acme", "ghcr.io/a/../b", "ghcr.io/a?x=1", "ghcr.io/a:v1", "user@evil.example/a",
     "evil.example#x/a", "ghcr.io/a\n", "ghcr.io/" + "a" * 300, "ghcr.io/a//b"],
)  # fmt: skip
def test_what_is_no_repository_is_refused_before_anything_is_asked(repository: str) -> None:
    with pytest.raises(Refused, match="is not the name of an image repository"):
        OciImages().find(repository, "v7")


@pytest.mark.parametrize("tag", ["", "-v7", "v7\n", "v/7", "../v7", "a" * 129, "v7?x"])
def test_what_is_no_tag_is_refused_before_anything_is_asked(tag: str) -> None:
    with pytest.raises(Refused, match="is not a tag"):
        OciImages().find("ghcr.io/acme/model", tag)
