"""What the commands print and with which code they exit, on a working world in memory."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli import main
from bot.cli.exits import MEANINGS
from bot.cli.text import console, diff, table
from bot.config.faults import Fault, Faults
from bot.core.model import Kind
from bot.ports import Refused, Retryable
from tests.cli.bots import DIFF, NAME, Finding, MemoryBot, Story, gitops_bot, promoted
from tests.config.faulty import BOT, SHORTEST, bot_file

HEAVY = ("mlflow", "github", "git", "sqlalchemy", "flask", "pydantic", "ruamel", "rich", "requests")
COMMANDS = [
    "demo",
    "init",
    "serve",
    "promote",
    "status",
    "plan",
    "explain",
    "pins",
    "sweep",
    "release",
    "journal",
    "doctor",
    "config",
]


# --- help, version, options ---


def test_help_lists_every_command_and_every_exit_code() -> None:
    result = gitops_bot("--help")
    assert result.exit_code == 0
    assert list(main.commands) == COMMANDS
    for name in COMMANDS:
        assert f"\n  {name} " in result.output
    for code, meaning in MEANINGS.items():
        assert f"{code}  " in result.output
        assert meaning in result.output
    assert all(len(row) <= 80 for row in result.output.splitlines())


@pytest.mark.parametrize("name", [*COMMANDS, "config check", "config schema"])
def test_every_command_has_help_that_begins_with_a_sentence(name: str) -> None:
    result = gitops_bot(*name.split(), "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: gitops-bot {name} ")
    assert "..." not in result.output.split("Options:")[0].splitlines()[2]


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "bot", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {row.rpartition("|")[2].strip() for row in run.stderr.splitlines()}
    assert {"click", "bot.cli"} <= imported
    assert [name for name in imported if name.startswith("bot.") and not name.startswith("bot.cli")] == []
    assert {name.split(".")[0] for name in imported}.isdisjoint(HEAVY)


def test_the_version_is_that_of_the_package() -> None:
    result = gitops_bot("--version")
    assert result.exit_code == 0
    assert result.output.startswith("gitops-bot 0.")


def test_a_misspelt_command_is_an_error_of_usage() -> None:
    assert gitops_bot("staus").exit_code == 2


def test_the_options_may_stand_before_or_after_the_command(tmp_path: Path) -> None:
    path = str(bot_file(tmp_path, BOT.replace("data: data", "data: 5")))
    for arguments in (("--config", path, "config", "check"), ("config", "check", "--config", path)):
        result = gitops_bot(*arguments)
        assert result.exit_code == 2
        assert f"{path}:8:1: data: " in result.stderr


# --- failures ---


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Refused("the token may not merge: give it contents write"), 1, "the token may not merge"),
        (
            Faults([Fault("bot.yaml", 3, 5, "data", "it is missing", "Add it.")]),
            2,
            "bot.yaml:3:5: data: it is",
        ),
        (Retryable("MLflow does not answer"), 3, "MLflow does not answer (try again later)"),
        (ZeroDivisionError("secret detail"), 4, "This is a bug in the bot: ZeroDivisionError"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_failure_is_a_sentence_and_an_exit_code(error: Exception, code: int, said: str) -> None:
    result = gitops_bot("status", fails=error)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output
    assert "secret detail" not in result.output


def test_debug_lets_the_exception_through() -> None:
    result = gitops_bot("status", "--debug", fails=ZeroDivisionError("detail"))
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_sentence_with_escape_sequences_is_made_harmless() -> None:
    result = gitops_bot("status", fails=Refused("model \x1b[2Jevil\u202e"))
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "promote m 1 --alias a",
        "status",
        "plan",
        "explain a/b",
        "sweep",
        "release a/b",
        "journal",
        "doctor",
        "config check",
    ],
)
def test_without_a_config_file_every_command_says_how_to_name_one(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITOPS_BOT_CONFIG", raising=False)
    result = gitops_bot(*command.split())
    assert result.exit_code == 2
    assert result.stderr.startswith("bot.yaml: this file cannot be read: No such file")
    assert "--config or $GITOPS_BOT_CONFIG" in result.stderr


def test_a_misspelt_target_names_the_nearest() -> None:
    for command in ("explain", "plan", "release"):
        result = gitops_bot(command, "fraud-detector/prodution", bot=MemoryBot())
        assert result.exit_code == 2
        assert f"Did you mean `{NAME}`?" in result.stderr


# --- config ---


def test_config_check_says_every_fault_of_every_file(tmp_path: Path) -> None:
    bot = bot_file(tmp_path, BOT.replace("data: data", "data: 5"))
    (tmp_path / "promotions.yaml").write_text(SHORTEST.replace("champion", "latest") + "    merge: x\n")
    result = gitops_bot("config", "check", str(bot), str(tmp_path / "promotions.yaml"))
    assert result.exit_code == 2
    assert [row.split(": ")[1] for row in result.stderr.splitlines()] == [
        "data",
        "targets[0].when.alias",
        "targets[0].merge",
    ]


def test_config_check_of_good_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "promotions.yaml").write_text(SHORTEST)
    result = gitops_bot("config", "check", str(tmp_path / "promotions.yaml"))
    assert (result.exit_code, result.output) == (0, f"{tmp_path / 'promotions.yaml'}: fine\n")


def test_config_check_of_a_bot_that_runs_elsewhere_leaves_its_secrets_alone(tmp_path: Path) -> None:
    path = str(bot_file(tmp_path, f"{BOT}notify: [{{file: /run/secrets/nowhere}}]\n"))
    there = gitops_bot("config", "check", path)
    assert there.exit_code == 2
    assert "/run/secrets/nowhere" in there.stderr
    here = gitops_bot("config", "check", path, "--without-secrets")
    assert (here.exit_code, here.output) == (0, f"{path}: fine\n")


def test_config_check_without_files_takes_those_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITOPS_BOT_CONFIG", str(bot_file(tmp_path)))
    (tmp_path / "promotions.yaml").write_text("targets: 3")
    result = gitops_bot("config", "check", "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert answer["files"] == [str(tmp_path / "bot.yaml"), "promotions.yaml"]
    assert answer["faults"][0] | {"how": ""} == {
        "file": "promotions.yaml", "line": 1, "column": 1, "key": "targets", "what": "this is a number, not a list", "how": "",
    }  # fmt: skip


@pytest.mark.parametrize("file", ["bot", "promotions"])
def test_config_schema_prints_a_json_schema(file: str) -> None:
    result = gitops_bot("config", "schema", file)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == f"{file}.yaml"


# --- looking ---


def test_plan_shows_the_action_its_reason_and_the_exact_diff() -> None:
    bot = MemoryBot()
    promoted(bot)
    result = gitops_bot("plan", bot=bot)
    assert result.exit_code == 0
    assert result.output.startswith(f"{NAME}\n  open proposal: version 2 has its image: proposing it\n")
    assert "  wanted 2, pinned 1, live –\n" in result.output
    assert DIFF in result.output
    assert bot.memory.proposals == []


def test_plan_as_json_says_the_same() -> None:
    bot = MemoryBot()
    promoted(bot)
    (item,) = json.loads(gitops_bot("plan", NAME, "--json", bot=bot).stdout)
    assert item == {
        "target": NAME, "action": "open proposal", "because": "version 2 has its image: proposing it",
        "state": "proposed", "wanted": "2", "pinned": "1", "live": None, "diff": DIFF,
    }  # fmt: skip


def test_plan_and_explain_and_the_journal_say_the_same_sentence_as_the_pass() -> None:
    bot = MemoryBot()
    promoted(bot)
    gitops_bot("sweep", bot=bot)
    (planned,) = json.loads(gitops_bot("plan", "--json", bot=bot).stdout)
    explained = json.loads(gitops_bot("explain", NAME, "--json", bot=bot).stdout)
    journalled = json.loads(gitops_bot("journal", "--json", "--limit", "1", bot=bot).stdout)[0]
    (stood,) = json.loads(gitops_bot("status", "--json", bot=bot).stdout)["targets"]
    sentences = {item["because"] for item in (planned, explained, journalled, stood)}
    assert sentences == {"#1 for version 2 waits for a reviewer"}
    assert (stood["wanted"], stood["pinned"]) == (explained["wanted"], explained["pinned"]) == ("2", "1")


def held(bot: MemoryBot) -> None:
    promoted(bot)
    bot.sweep()
    bot.memory.person_closes(Kind.DEPLOY)


def paused(bot: MemoryBot) -> None:
    bot.memory.target = replace(bot.memory.target, paused=True)


def building(bot: MemoryBot) -> None:
    bot.memory.promote("2")
    bot.sweep()


def proposed(bot: MemoryBot) -> None:
    promoted(bot)
    bot.sweep()


def rolling(bot: MemoryBot) -> None:
    proposed(bot)
    bot.memory.person_merges(Kind.DEPLOY)
    bot.memory.cluster_syncs("rolling")
    bot.sweep()


def settled(bot: MemoryBot) -> None:
    rolling(bot)
    bot.memory.cluster_syncs("good")
    bot.sweep()


@pytest.mark.parametrize(
    ("story", "unblocked_by", "read"),
    [
        (
            lambda bot: None,
            "Promote a version of fraud-detector: the alias champion names none.",
            "on record",
        ),
        (promoted, "the next pass does it (`gitops-bot sweep` does it now)", "image"),
        (building, "The CI run https://ci.test/1.", "build"),
        (proposed, "Review and merge https://", "open"),
        (held, f"`gitops-bot release {NAME}`, or promote another version.", "closed"),
        (paused, "Set `paused: false` in promotions.yaml", "pin"),
        (rolling, "The rollout, or the checks after it", "verdict"),
        (settled, "Nothing is to be done", "live"),
    ],
)
def test_explain_says_what_would_move_a_target_and_what_was_read(
    story: Story, unblocked_by: str, read: str
) -> None:
    bot = MemoryBot()
    story(bot)
    result = gitops_bot("explain", NAME, bot=bot)
    assert result.exit_code == 0
    assert unblocked_by in result.output
    assert read in result.output.partition("What was read")[2]


def test_a_held_target_is_for_a_person_until_it_is_released() -> None:
    bot = MemoryBot()
    held(bot)
    assert gitops_bot("plan", bot=bot).exit_code == 1
    assert "alice closed #1" in gitops_bot("release", NAME, bot=bot).output
    assert gitops_bot("plan", bot=bot).exit_code == 0


def test_a_broken_promotions_file_is_said_and_is_for_a_person() -> None:
    bot = MemoryBot(problem="promotions.yaml:3:5: targets[0].model: this key is missing. Add it.")
    for command in ("status", "plan"):
        result = gitops_bot(command, bot=bot)
        assert result.exit_code == 1
        assert "promotions.yaml:3:5" in result.stderr


def test_status_before_the_first_look_says_so() -> None:
    result = gitops_bot("status", bot=MemoryBot())
    assert result.exit_code == 0
    assert result.output.splitlines()[0].split() == ["target", "wanted", "pinned", "live", "because"]
    assert "not looked at yet" in result.output


def test_the_journal_is_one_line_per_decision_when_piped() -> None:
    bot = MemoryBot()
    promoted(bot)
    bot.sweep()
    rows = gitops_bot("journal", NAME, bot=bot).output.splitlines()
    assert len(rows) == 1 + len(bot.journal.entries(NAME))
    assert NAME in rows[1]
    assert "waits for a reviewer" in rows[1]


def test_doctor_exits_with_what_is_bad_and_not_with_what_could_not_be_told() -> None:
    good, unknown = Finding("git", True, "found"), Finding("forge", None, "no answer", "Try again.")
    assert gitops_bot("doctor", bot=MemoryBot(findings=(good, unknown))).exit_code == 0
    result = gitops_bot(
        "doctor", bot=MemoryBot(findings=(good, Finding("data", False, "full", "Make room.")))
    )
    assert result.exit_code == 1
    assert "full. Make room." in result.output
    answer = json.loads(gitops_bot("doctor", "--json", bot=MemoryBot(findings=(good,))).stdout)
    assert answer == [{"what": "git", "good": True, "sentence": "found", "fix": ""}]


# --- acting ---


def test_sweep_acts_until_it_must_wait() -> None:
    bot = MemoryBot()
    promoted(bot)
    result = gitops_bot("sweep", bot=bot)
    assert result.exit_code == 0
    assert [proposal.version for proposal in bot.memory.open(Kind.DEPLOY)] == ["2"]
    assert "open proposal" in result.output


def test_promote_moves_the_alias() -> None:
    bot = MemoryBot()
    result = gitops_bot("promote", "fraud-detector", "2", "--alias", "champion", bot=bot)
    assert (result.exit_code, bot.memory.alias) == (0, "2")
    assert result.output == "fraud-detector version 2 now has the alias champion\n"


def test_serve_runs_the_bot() -> None:
    bot = MemoryBot()
    assert gitops_bot("serve", bot=bot).exit_code == 0
    assert bot.served == 1


# --- text ---


@pytest.mark.parametrize("width", [80, 60, 40])
def test_a_table_fits_its_terminal_and_loses_no_word(width: int) -> None:
    out = console(width, terminal=True)
    out.file = io.StringIO()
    table(
        out, ("target", "wanted", "pinned", "live", "because"), [(NAME, "12", "11", "11", "a sentence " * 20)]
    )
    printed = re.sub(r"\x1b\[[0-9;]*m", "", out.file.getvalue())
    assert NAME in printed
    assert printed.count("sentence") == 20
    assert all(len(row) <= width for row in printed.splitlines())


def test_a_diff_is_coloured_on_a_terminal_and_hostile_marks_in_it_are_not_acted_on() -> None:
    out = console(80, terminal=True)
    out.file = io.StringIO()
    diff(out, "-old\n+new \x1b[2J[red]x[/red]\n")
    printed = out.file.getvalue()
    assert "\x1b[32m+new" in printed
    assert "\x1b[2J" not in printed
    assert "[red]x[/red]" in printed
