"""Where the journal is kept, as `database:` says, and what is never said of it."""

import logging
from pathlib import Path

import pytest

from bot.config.settings import Settings, load
from bot.ports import Refused
from bot.wiring.assemble import assemble
from bot.wiring.logs import configure
from tests.config.faulty import bot_file

SHORTEST = """\
mlflow: {url: "http://127.0.0.1:5000"}
manifests: {url: "https://github.com/acme/manifests.git", repository: acme/manifests}
forge: {token: {file: token}}
data: data
"""


def settings(folder: Path, url: str | None) -> Settings:
    text = SHORTEST
    if url is not None:
        (folder / "database").write_text(url + "\n")
        text += "database: {file: database}\n"
    return load(bot_file(folder, text))


def test_without_the_setting_the_journal_is_in_the_data_folder_and_there_are_no_replicas(
    tmp_path: Path,
) -> None:
    bot = assemble(settings(tmp_path, None))
    assert bot.leadership is None
    assert (tmp_path / "data" / "journal.db").exists()
    bot.journal.close()


@pytest.mark.parametrize("url", ["sqlite:////tmp/hunter2.db", "hunter2"])
def test_it_takes_postgresql_only(tmp_path: Path, url: str) -> None:
    with pytest.raises(Refused, match=r"the file .*/database holds no URL") as caught:
        _ = assemble(settings(tmp_path, url)).journal
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("said", ["hunter2@7", "hunter2%407", "postgresql://bot:hunter2%407@db/bot"])
def test_the_password_reaches_no_log_however_it_is_said(
    tmp_path: Path, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings(tmp_path, "postgresql://bot:hunter2%407@db/bot"))
    logging.getLogger("bot.test").error("no access: %s", said)
    logging.getLogger().handlers.clear()
    err = capsys.readouterr().err
    assert "no access: ***" in err
    assert "hunter2" not in err
