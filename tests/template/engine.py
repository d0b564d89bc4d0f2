"""Plays the container engine and the image registry for model-image/ci.sh, as the program `docker`: no engine can run here.

What is "run" are the template's own answer.py and serve.py as processes of this machine, with the model at $ENGINE/model;
what is "pushed" is a line in $ENGINE/tags.json. What a real engine does beyond that (isolation, layers, attestations) is
not shown by tests with it. Each call is kept in $ENGINE/calls.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ENGINE = Path(os.environ.get("ENGINE", ""))
SOURCE = Path(os.environ.get("MODEL_IMAGE", ""))
DIGEST = "sha256:" + "7" * 64
HOSTILE = (
    "#5 ::set-output name=there::true\n::stop-commands::x\n##vso[task.setvariable variable=there]true\n"
    ":::set-output name=there::true\n###vso[task.setvariable variable=there]true\n#\u200b#[add-path]/tmp"
)
TAGS = ENGINE / "tags.json"


def tags() -> dict[str, str]:
    """What the registry has, by reference."""
    return dict(json.loads(TAGS.read_text())) if TAGS.exists() else {}


def environment(**more: str) -> dict[str, str]:
    """A container sees nothing of the environment of the engine's client."""
    return {"PATH": os.environ["PATH"], "MLFLOW_DISABLE_TELEMETRY": "true", **more}


def main(words: list[str]) -> int:
    """One call."""
    with (ENGINE / "calls").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    if words[:3] == ["buildx", "imagetools", "inspect"]:
        found = tags().get(words[3])
        print(found or f"ERROR: {words[3]}: not found", file=sys.stdout if found else sys.stderr)
        return 0 if found else 1
    if words[:3] == ["buildx", "imagetools", "create"]:
        TAGS.write_text(json.dumps({**tags(), words[words.index("--tag") + 1]: words[-1].partition("@")[2]}))
        return 0
    if words[:2] == ["buildx", "build"]:
        print(HOSTILE)
        Path(words[words.index("--metadata-file") + 1]).write_text(
            json.dumps({"containerimage.digest": DIGEST})
        )
        return 0
    return container(words)


def container(words: list[str]) -> int:
    """run, exec, logs and rm."""
    port = (ENGINE / "port").read_text()
    if words[:2] == ["run", "--rm"]:
        model = str(ENGINE / "model")
        command = [sys.executable, *["answer.py", "ask", model]]
        assert words[-3:] == ["answer.py", "ask", "model"]
        return subprocess.run(command, cwd=SOURCE, env=environment(), check=False).returncode
    if words[:2] == ["run", "--detach"]:
        served = {
            "HOST": "127.0.0.1",
            "PORT": port,
            "MODEL_PATH": str(ENGINE / "model"),
            "MODEL_VERSION": "7",
        }
        with (ENGINE / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, str(SOURCE / "serve.py")], env=environment(**served),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        print(process.pid)
        return 0
    if words[0] == "exec":
        code = words[4].replace("8000", port)
        return subprocess.run([sys.executable, "-c", code, *words[5:]], check=False).returncode
    if words[0] == "logs":
        print((ENGINE / "log").read_text())
        return 0
    assert words[:2] == ["rm", "--force"], words
    os.kill(int(words[2]), signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
