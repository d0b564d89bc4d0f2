"""Workflow runs: dispatched, begun, finished, run again."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.sandbox.forge import events
from bot.sandbox.forge.documents.commits import page
from bot.sandbox.forge.records import Run
from bot.sandbox.forge.refusals import Refusal, invalid, not_found
from bot.sandbox.forge.state import Repository, State
from bot.sandbox.forge.workflows import Workflow, find

CONCLUSIONS = frozenset({
    "success", "failure", "cancelled", "skipped", "timed_out", "action_required", "neutral", "stale",
    "startup_failure",
})  # fmt: skip
_MOST_INPUTS = 25
log = logging.getLogger(__name__)

Start = Callable[[Run], object]


class Runs:
    """The runs of every repository. `on_dispatch` is whoever plays CI: called with each run on a thread of its own."""

    def __init__(self, state: State) -> None:
        """Without anybody who plays CI, runs stay queued."""
        self._state = state
        self.on_dispatch: Start | None = None

    def dispatch(
        self, repo: Repository, workflow: Workflow, ref: str, inputs: Mapping[str, str], actor: str
    ) -> Run:
        """Start a run. Refusals (422): no such ref, no workflow_dispatch there, inputs unknown, missing or not a choice."""
        sha, branch = _resolved(repo, ref)
        at_ref = find(self._state, repo, sha, workflow.file)
        if at_ref is None or at_ref.inputs is None:
            raise Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
        given = _checked(at_ref, inputs)
        with self._state.lock:
            now, number = self._state.now(), self._state.next_id()
            login = self._state.user(actor).login
            run = Run(
                id=number,
                repository=repo.name,
                workflow=workflow.file,
                workflow_id=workflow.id,
                workflow_name=at_ref.name,
                ref=branch,
                sha=sha,
                inputs=given,
                display_title=at_ref.title(given, login),
                number=sum(other.workflow == workflow.file for other in repo.runs.values()) + 1,
                actor=login,
                html_url=page(self._state, repo, f"/actions/runs/{number}"),
                created_at=now,
                updated_at=now,
                started_at=now,
            )
            return self._requested(repo, run)

    def rerun(self, repo: Repository, number: int, actor: str) -> Run:
        """Run it again under the same id, as its next attempt; 403 while it has not ended."""
        with self._state.lock:
            run = repo.runs.get(number)
            if run is None:
                raise not_found()
            if run.status != "completed":
                raise Refusal(403, "This workflow is already running")
            now = self._state.now()
            again = replace(
                run,
                attempt=run.attempt + 1,
                status="queued",
                conclusion=None,
                log="",
                updated_at=now,
                started_at=now,
                actor=self._state.user(actor).login,
            )
            return self._requested(repo, again)

    def begin(self, number: int) -> Run:
        """The run's job has started."""
        return self._changed(number, "in_progress", status="in_progress")

    def finish(self, number: int, conclusion: str, text: str) -> Run:
        """The run has ended with this conclusion and this log."""
        if conclusion not in CONCLUSIONS:
            raise ValueError(f"{conclusion!r} is no conclusion of a workflow run")
        return self._changed(number, "completed", status="completed", conclusion=conclusion, log=text)

    def find(self, number: int) -> tuple[Repository, Run]:
        """A run by its id; KeyError when there is none."""
        for repo in self._state.repositories.values():
            if number in repo.runs:
                return repo, repo.runs[number]
        raise KeyError(number)

    def _changed(self, number: int, action: str, **fields: str) -> Run:
        with self._state.lock:
            repo, run = self.find(number)
            run = replace(run, updated_at=self._state.now(), **fields)  # type: ignore[arg-type]
            repo.runs[number] = run
            events.workflow_run(self._state, repo, action, run)
            return run

    def _requested(self, repo: Repository, run: Run) -> Run:
        repo.runs[run.id] = run
        events.workflow_run(self._state, repo, "requested", run)
        if self.on_dispatch is not None:
            threading.Thread(
                target=_play, args=(self.on_dispatch, run), name=f"sandbox:run-{run.id}", daemon=True
            ).start()
        return run


def _play(start: Start, run: Run) -> None:
    try:
        start(run)
    except Exception:
        log.exception("the sandbox's CI crashed in run %s of %s", run.id, run.repository)


def _resolved(repo: Repository, ref: str) -> tuple[str, str]:
    """The commit of a branch or tag, and its short name."""
    for prefix in ("refs/heads/", "refs/tags/"):
        short = ref.removeprefix(prefix)
        sha = repo.git.resolve(prefix + short)
        if sha is not None:
            return sha, short
    raise Refusal(422, f"No ref found for: {ref}")


def _checked(workflow: Workflow, inputs: Mapping[str, str]) -> dict[str, str]:
    declared = workflow.inputs or {}
    unknown = sorted(inputs.keys() - declared.keys())
    if unknown:
        raise Refusal(422, f"Unexpected inputs provided: {unknown}")
    if len(inputs) > _MOST_INPUTS:
        raise invalid("WorkflowDispatch", "inputs")
    values = {name: inputs.get(name, field.default) for name, field in declared.items()}
    for name, field in declared.items():
        value = values[name]
        if field.required and not value:
            raise Refusal(422, f"Required input '{name}' not provided")
        if value and field.choices and value not in field.choices:
            raise Refusal(
                422, f"Provided value '{value}' for input '{name}' not in the list of allowed values"
            )
    return {name: value or "" for name, value in values.items()}
