"""Workflow files: which of them can be dispatched, with which inputs, under which title."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.sandbox.forge.history import blob, entries
from bot.sandbox.forge.state import Repository, State

FOLDER = ".github/workflows"
# What follows `||` is for events other than a dispatch, and those are not played here.
_EXPRESSION = re.compile(r"\$\{\{\s*(?:github\.event\.)?inputs\.([A-Za-z_][\w-]*)\s*(?:\|\|[^}]*)?\}\}")
_ACTOR = re.compile(r"\$\{\{\s*github\.(?:actor|triggering_actor)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Input:
    """An input of workflow_dispatch."""

    name: str
    required: bool
    default: str | None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow file at a commit; `inputs` is None when it does not declare workflow_dispatch."""

    id: int
    file: str
    name: str
    run_name: str | None
    inputs: Mapping[str, Input] | None

    def title(self, inputs: Mapping[str, str], actor: str) -> str:
        """The display title of a run: `run-name` with its inputs put in, else the workflow's name."""
        if not self.run_name:
            return self.name
        text = _EXPRESSION.sub(lambda found: inputs.get(found[1], ""), self.run_name)
        return _ACTOR.sub(lambda found: actor, text)


def workflows(state: State, repo: Repository, commit: str) -> list[Workflow]:
    """The workflow files at a commit, by name. A file keeps its id."""
    found = []
    for entry in entries(repo.git, commit, FOLDER):
        file = entry.path.rpartition("/")[2]
        if entry.kind == "blob" and file.endswith((".yml", ".yaml")):
            with state.lock:
                number = repo.workflows.setdefault(file, 0) or state.next_id()
                repo.workflows[file] = number
            found.append(_read(number, file, blob(repo.git, entry.sha)))
    return found


def find(state: State, repo: Repository, commit: str, name: str) -> Workflow | None:
    """By file name, path or id."""
    for workflow in workflows(state, repo, commit):
        if name in {workflow.file, f"{FOLDER}/{workflow.file}", str(workflow.id)}:
            return workflow
    return None


@functools.lru_cache(maxsize=64)  # every look at a run asks, and files seldom change
def _read(number: int, file: str, content: bytes) -> Workflow:
    document = _document(content)
    # YAML 1.1 readers take the key `on` for True; this one is a 1.2 reader, and files are written for both.
    on = document.get("on", document.get(True))
    declared = on.get("workflow_dispatch") if isinstance(on, Mapping) else None
    dispatchable = "workflow_dispatch" in on if isinstance(on, str | list | Mapping) else False
    fields = (declared or {}).get("inputs") or {} if isinstance(declared, Mapping) else {}
    inputs = {str(name): _input(str(name), given) for name, given in fields.items()} if dispatchable else None
    run_name = document.get("run-name")
    name = str(document.get("name") or f"{FOLDER}/{file}")
    return Workflow(number, file, name, str(run_name) if run_name else None, inputs)


def _document(content: bytes) -> Mapping[Any, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(BytesIO(content))
    except (YAMLError, UnicodeDecodeError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _input(name: str, given: Any) -> Input:
    given = given if isinstance(given, Mapping) else {}
    default = given.get("default")
    text = None if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    choices = tuple(str(option) for option in given.get("options") or ())
    return Input(name, bool(given.get("required")), text, choices)
