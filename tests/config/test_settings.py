"""bot.yaml becomes settings, or every fault; secrets are named in it and never written into it."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.config.faults import Faults
from bot.config.settings import config_path, load, secret_warnings
from bot.ports import Retryable
from tests.config.faulty import BOT, bot_faults, bot_file

EVERYTHING = """\
mlflow:
  url: http://mlflow.ml.svc:5000/
  public_url: https://mlflow.acme.dev
  username: bot
  password: {file: token}
manifests: {url: "git@github.com:acme/manifests.git", repository: acme/manifests, branch: release}
forge: {kind: github, api_url: "https://github.acme.dev/api/v3", token: {file: token}}
data: /var/lib/gitops-bot
database: {file: token}
argocd: {url: "https://127.0.0.1:8443", token: {file: token}, insecure: true}
registries:
  ghcr.io: {username: bot, password: {file: token}}
  127.0.0.1:5000: {insecure: true}
webhooks: {mlflow: [{file: token}, {file: token}], github: [{file: token}]}
server: {host: 0.0.0.0, port: 9000, public_url: "https://bot.acme.dev"}
sweep: 2m
workers: 8
log: {level: debug, format: json}
merge_method: squash
"""


def test_the_shortest_file_takes_every_default(tmp_path: Path) -> None:
    settings = load(bot_file(tmp_path))
    assert settings.mlflow.url == "http://127.0.0.1:5000"
    assert settings.manifests.branch == "main"
    assert settings.forge.api_url == "https://api.github.com"
    assert settings.data == tmp_path / "data"
    assert settings.argocd is None
    assert settings.registries == {}
    assert settings.webhooks.mlflow == settings.webhooks.github == ()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert (settings.sweep, settings.workers) == (timedelta(minutes=5), 4)
    assert (settings.log.level, settings.log.format, settings.merge_method) == ("info", "text", "merge")


def test_every_key_reaches_its_setting(tmp_path: Path) -> None:
    settings = load(bot_file(tmp_path, EVERYTHING))
    assert settings.mlflow.url == "http://mlflow.ml.svc:5000"
    assert settings.manifests.url == "git@github.com:acme/manifests.git"
    assert settings.data == Path("/var/lib/gitops-bot")
    assert settings.argocd is not None
    assert settings.argocd.insecure
    assert settings.registries["127.0.0.1:5000"].insecure
    assert settings.server.port == 9000
    assert settings.sweep == timedelta(minutes=2)
    places = [".".join(map(str, steps)) for steps, _ in settings.secrets()]
    assert places == [
        "mlflow.password",
        "forge.token",
        "database",
        "argocd.token",
        "registries.ghcr.io.password",
        "webhooks.mlflow.0",
        "webhooks.mlflow.1",
        "webhooks.github.0",
    ]


# (what replaces what in the shortest file, or what is added; line of the fault, its key, what is wrong, the cure)
FAULTS = [
    ("url: http://127.0.0.1:5000", "", 1, "mlflow", "empty, not a mapping", "`mlflow: {url: "),
    ("http://127.0.0.1:5000", "127.0.0.1:5000", 2, "mlflow.url", "not an http(s) URL", "`https://`"),
    ("5000", "5000\n  usrname: x", 3, "mlflow.usrname", "no such key", "`username`"),
    ("5000", "5000\n  username: x", 1, "mlflow", "belong together", "both, or none"),
    ("5000", "5000\n  username: x\n  password: {file: token}\n  token: {file: token}", 1, "mlflow", "exclude", "Keep one"),
    ("https://github.com", "https://x:pw@github.com", 4, "manifests.url", "must not carry credentials", "Take `user"),
    ("https://github.com", "ext::sh -c x", 4, "manifests.url", "not an http(s) URL", "`https://`"),
    ("https://github.com", "--upload-pack=x", 4, "manifests.url", "not an http(s) URL", "`https://`"),
    ("repository: acme/manifests", "repository: acme", 5, "manifests.repository", "`acme`", "`acme/models`"),
    ("acme/manifests\nf", "acme/manifests\n  branch: a b\nf", 6, "manifests.branch", "`a b`", "`main`"),
    ("{file: token}", "ghp_0123456789", 7, "forge.token", "must not be written into this file", "`{env: NAME}`"),
    ("{file: token}", "12345", 7, "forge.token", "must not be written into this file", "`{env: NAME}`"),
    ("{file: token}", "", 7, "forge.token", "empty, not a mapping", "`token: {env: GITHUB_TOKEN}`"),
    ("{file: token}", "{}", 7, "forge.token", "missing", "exactly one"),
    ("{file: token}", "{env: a, file: b}", 7, "forge.token", "exclude", "exactly one"),
    ("{file: token}", "{env: ghp_0123456789}", 7, "forge.token.env", "not the name", "`{env: GITHUB_TOKEN}`"),
    ("{file: token}", "{env: NO_SUCH_VARIABLE_HERE}", 7, "forge.token", "NO_SUCH_VARIABLE_HERE is empty", "Set it"),
    ("{file: token}", "{file: nowhere}", 7, "forge.token", "No such file", "correct its place"),
    ("{file: token}", "{file: .}", 7, "forge.token", "Is a directory", "correct its place"),
    ("  token:", "  kind: gitlab\n  token:", 7, "forge.kind", "`gitlab` is not one of 'github'", "`kind: github`"),
    ("data: data", "", 1, "data", "missing", "`data: /var/lib/gitops-bot`"),
    ("data: data", "data: 5", 8, "data", "not a path", "relative to this file"),
    ("", "argocd: {url: https://a.b, token: {file: token}, insecure: true}", 9, "argocd", "this machine only", "Take"),
    ("", "argocd: {url: https://a.b}", 9, "argocd.token", "missing", "`token: {env: ARGOCD_TOKEN}`"),
    ("", "registries: {ghcr.io: {username: x}}", 9, "registries.ghcr.io", "belong together", "both"),
    ("", "registries: {ghcr.io: {pasword: x}}", 9, "registries.ghcr.io.pasword", "no such key", "`password`"),
    ("", "registries: {https://ghcr.io: {}}", 9, "registries.https://ghcr.io", "not a host", "`ghcr.io`"),
    ("", "registries: {ghcr.io: {insecure: true}}", 9, "registries", "this machine only, not for ghcr.io", "Take `insecure`"),
    ("", "webhooks: {mlflow: [sesame]}", 9, "webhooks.mlflow[0]", "must not be written", "`{env: NAME}`"),
    ("", "webhooks: {mlflow: {file: token}}", 9, "webhooks.mlflow", "a mapping, not a list", "`mlflow: [{env: "),
    ("", "server: {port: 0}", 9, "server.port", "greater than or equal to 1", "`port: 8080`"),
    ("", "server: {port: '80'}", 9, "server.port", "text, not a whole number", "`port: 8080`"),
    ("", "sweep: 1s", 9, "sweep", "between 5s and 1d", "`sweep: 5m`"),
    ("", "sweep: often", 9, "sweep", "`often` is not a duration", "`5m`"),
    ("", "workers: 0", 9, "workers", "greater than or equal to 1", "`workers: 4`"),
    ("", "log: {level: loud}", 9, "log.level", "`loud`", "`level: info`"),
    ("", "merge_method: octopus", 9, "merge_method", "`octopus`", "`merge_method: merge`"),
    ("", "mlfow: {}", 9, "mlfow", "no such key", "`mlflow`"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "key", "what", "how"), FAULTS)
def test_a_fault_names_file_line_key_and_cure(
    tmp_path: Path, old: str, new: str, line: int, key: str, what: str, how: str
) -> None:
    faults = bot_faults(tmp_path, BOT.replace(old, new, 1) if old else f"{BOT}{new}\n")
    fault = next(fault for fault in faults if fault.key.startswith(key))
    assert (fault.file, fault.line) == (str(tmp_path / "bot.yaml"), line)
    assert what in fault.what
    assert how in fault.how


@pytest.mark.parametrize(
    "literal", ["ghp_s3cr3ts3cr3t", "{env: ghp_s3cr3ts3cr3t}", "[s3cr3t]", "{env: 's3cr3t!'}"]
)
def test_a_secret_that_was_written_into_the_file_is_never_repeated(tmp_path: Path, literal: str) -> None:
    faults = bot_faults(tmp_path, BOT.replace("{file: token}", literal))
    assert len(faults) == 1
    assert "s3cr3t" not in str(faults[0])


def test_every_secret_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    text = EVERYTHING.replace("{file: token}", "{file: gone}")
    assert [fault.line for fault in bot_faults(tmp_path, text)] == [5, 7, 9, 10, 12, 14, 14, 14]


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(
        Faults, match=r"bot\.yaml: this file cannot be read: No such file.*--config or \$GITOPS_BOT_CONFIG"
    ):
        load(tmp_path / "bot.yaml")


def test_a_secret_never_shows_itself(tmp_path: Path) -> None:
    settings = load(bot_file(tmp_path, token="hunter2"))
    for shown in (repr(settings), str(settings), f"{settings.forge.token}", settings.model_dump_json()):
        assert "hunter2" not in shown
    assert repr(settings.forge.token) == "***"
    assert settings.forge.token.value() == "hunter2"


def test_a_secret_is_read_at_each_use_as_its_file_rotates(tmp_path: Path) -> None:
    token = load(bot_file(tmp_path, token="old\r\n")).forge.token
    assert token.value() == "old"
    (tmp_path / "token").write_text("new\n")
    assert token.value() == "new"
    (tmp_path / "token").unlink()
    with pytest.raises(Retryable, match="cannot be read: No such file"):
        token.value()
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(Retryable, match="is not text"):
        token.value()


def test_a_secret_of_the_environment_is_read_at_each_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_THIS_TEST", "one")
    token = load(bot_file(tmp_path, BOT.replace("file: token", "env: TOKEN_OF_THIS_TEST"))).forge.token
    assert token.value() == "one"
    monkeypatch.setenv("TOKEN_OF_THIS_TEST", "two")
    assert token.value() == "two"
    monkeypatch.delenv("TOKEN_OF_THIS_TEST")
    with pytest.raises(Retryable, match="TOKEN_OF_THIS_TEST is empty or not set"):
        token.value()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_secret_file_that_everybody_may_read_is_a_warning(tmp_path: Path, mode: int, warned: bool) -> None:
    settings = load(bot_file(tmp_path))
    (tmp_path / "token").chmod(mode)
    warnings = secret_warnings(settings)
    assert len(warnings) == int(warned)
    assert all(text.startswith("forge.token: the file ") and "chmod 600" in text for text in warnings)


def test_the_option_wins_over_the_environment_and_that_over_this_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GITOPS_BOT_CONFIG", raising=False)
    assert config_path() == Path("bot.yaml")
    monkeypatch.setenv("GITOPS_BOT_CONFIG", "/etc/gitops-bot/bot.yaml")
    assert config_path() == Path("/etc/gitops-bot/bot.yaml")
    assert config_path(Path("other.yaml")) == Path("other.yaml")
