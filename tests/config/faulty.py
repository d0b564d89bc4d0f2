"""Reading config for tests: good examples, and the faults of bad ones."""

from pathlib import Path

from bot.config.faults import Fault, Faults
from bot.config.promotions import parse_promotions
from bot.config.settings import load

SHORTEST = """\
targets:
  - name: fraud-detector/production
    model: fraud-detector
    when: {alias: champion}
    image: ghcr.io/acme/fraud-detector
    pins: [{kustomize: apps/fraud-detector/overlays/production}]
"""

BOT = """\
mlflow:
  url: http://127.0.0.1:5000
manifests:
  url: https://github.com/acme/manifests.git
  repository: acme/manifests
forge:
  token: {file: token}
data: data
"""


def promotions_faults(text: str | bytes) -> tuple[Fault, ...]:
    """The faults of a promotions.yaml; none when it is good."""
    try:
        parse_promotions(text if isinstance(text, bytes) else text.encode())
    except Faults as faults:
        return faults.faults
    return ()


def bot_file(folder: Path, text: str = BOT, token: str = "a-token\n") -> Path:
    """A bot.yaml in this folder, with the secret file that it names."""
    (folder / "token").write_text(token)
    (folder / "token").chmod(0o600)
    (folder / "bot.yaml").write_text(text)
    return folder / "bot.yaml"


def bot_faults(folder: Path, text: str) -> tuple[Fault, ...]:
    """The faults of a bot.yaml; none when it is good."""
    try:
        load(bot_file(folder, text))
    except Faults as faults:
        return faults.faults
    return ()
