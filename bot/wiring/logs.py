"""What the bot says to its operator, on standard error: text or JSON lines, and never a secret."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from urllib.parse import unquote, urlsplit

from bot.config.secret import Secret
from bot.config.settings import Settings
from bot.ports import Retryable

# Tokens that are minted while the bot runs are in no setting: known shapes are blotted out, too (facts/products.md, 5.4).
_TOKEN = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9._-]{20,}|github_pat_\w{20,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"
)
_SHORTEST = 6
_QUIET = ("httpcore2", "httpx2", "urllib3", "git", "github", "mlflow", "alembic", "waitress", "werkzeug")


def configure(settings: Settings) -> None:
    """Send the log to standard error as `log:` asks. The values of all secrets of the settings are blotted out."""
    handler = logging.StreamHandler(sys.stderr)
    known = [secret.value for _, secret in settings.secrets()]
    if settings.database is not None:
        known += [partial(_password, settings.database, written) for written in (str, unquote)]
    handler.setFormatter(Discreet(known, as_json=settings.log.format == "json"))
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _password(database: Secret, written: Callable[[str], str]) -> str:
    """The password in the database's URL, which somebody may say without the rest of it; empty where there is none."""
    try:
        return written(urlsplit(database.value()).password or "")
    except ValueError:
        return ""


class Discreet(logging.Formatter):
    """One line per record; whatever is a secret becomes `***`, in messages and tracebacks alike.

    Secrets are asked for on every record, as they rotate.
    """

    def __init__(self, secrets: Iterable[Callable[[], str]], *, as_json: bool) -> None:
        """`secrets` are the ways to read those that must never be shown."""
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self._secrets, self._as_json = tuple(secrets), as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as text or as a JSON object."""
        text = self._json(record) if self._as_json else super().format(record)
        for read in self._secrets:
            try:
                value = read()
            except Retryable:
                continue
            if len(value) >= _SHORTEST:
                text = text.replace(value, "***")
        return _TOKEN.sub("***", text)

    def _json(self, record: logging.LogRecord) -> str:
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        said |= {key: getattr(record, key) for key in ("target", "outcome") if hasattr(record, key)}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)
