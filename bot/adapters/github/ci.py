"""The port `CI` on GitHub Actions: dispatch a workflow, and find its run again by its correlation id."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from github.GithubException import GithubException
from github.Workflow import Workflow as GitHubWorkflow
from github.WorkflowRun import WorkflowRun

from bot.adapters.github.client import Client
from bot.adapters.github.errors import sentence, translated
from bot.core.model import Build, BuildState
from bot.core.target import Workflow
from bot.ports import Refused, Retryable

LOOK_BACK = timedelta(days=30)
# A run's document has some 15 kB, and the one that is looked for is among the newest.
PAGE = 30
# GitHub shows a run in its list a few seconds after it took the dispatch.
LAG = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class _Dispatched:
    """A dispatch that was sent: the run's id when GitHub told it, and whether GitHub said at all that it took it."""

    at: datetime
    run: int | None = None
    certain: bool = True


class GitHubActions:
    """The port `CI`. A workflow must carry the input `correlation_id` in its `run-name`. Safe for several threads."""

    def __init__(
        self,
        token: Callable[[], str],
        *,
        api_url: str = "https://api.github.com",
        timeout: float = 15,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Asks nothing yet. `token` is called for every request; `timeout` in seconds for each."""
        self._client = Client(token, api_url, timeout, PAGE)
        self._clock = clock
        # What the list may not show yet. Lost with the process, which costs a repeated build at worst.
        self._dispatched: dict[tuple[Workflow, str], _Dispatched] = {}
        self._starting = threading.Lock()

    @property
    def calls(self) -> Mapping[str, int]:
        """Requests made so far, by HTTP method."""
        return self._client.calls

    def find(self, workflow: Workflow, correlation: str) -> Build | None:
        """The newest dispatched run of the last 30 days whose title carries the correlation id, in its newest attempt.

        While GitHub's list lags behind a dispatch of this process, that run is told as running.
        """
        known = self._dispatched.get((workflow, correlation))
        with translated(f"looking for runs of {_named(workflow)}"):
            run = self._listed(workflow, correlation)
            if known is not None and known.run is not None and (run is None or run.id < known.run):
                run = self._by_id(workflow, known.run) or run
            if run is not None:
                return _build(run, correlation)
            return self._unseen(workflow, correlation, known) if known is not None else None

    def start(self, workflow: Workflow, correlation: str, inputs: Mapping[str, str]) -> Build:
        """Dispatch the workflow with these inputs and `correlation_id`, unless a run with it exists: then that one.

        After an unclear answer it is looked up, and not dispatched again before GitHub's list must have shown it.
        """
        with self._starting:  # targets that share an image share the run
            found = self.find(workflow, correlation)
            if found is not None:
                return found
            self._dispatch(workflow, correlation, {**inputs, "correlation_id": correlation})
            found = self.find(workflow, correlation)
        if found is None:
            raise Retryable(f"GitHub has not said whether it started {_named(workflow)}")
        return found

    def _listed(self, workflow: Workflow, correlation: str) -> WorkflowRun | None:
        """GitHub lists newest first, and at most a thousand when filtered."""
        since = (self._clock() - LOOK_BACK).date().isoformat()
        runs = self._workflow(workflow).get_runs(event="workflow_dispatch", created=f">={since}")
        return next((run for run in runs if correlation in (run.display_title or "")), None)

    def _by_id(self, workflow: Workflow, number: int) -> WorkflowRun | None:
        try:
            return self._client.repository(workflow.repository).get_workflow_run(number).complete()
        except GithubException as error:
            if error.status != 404:
                raise
            return None

    def _unseen(self, workflow: Workflow, correlation: str, known: _Dispatched) -> Build | None:
        """What to say of a dispatch whose run is nowhere to be seen."""
        if self._clock() - known.at < LAG:
            if not known.certain:
                raise Retryable(f"GitHub has not said whether it started {_named(workflow)}", LAG / 8)
            url = f"{self._client.repository(workflow.repository).html_url}/actions/workflows/{workflow.file}"
            return Build("", correlation, BuildState.RUNNING, url, started_at=known.at)
        if known.run is not None or not known.certain:  # deleted since, or never started
            return None
        raise Refused(
            f"GitHub took the dispatch of {_named(workflow)}, but no run of it shows the correlation id: give the"
            " workflow a `run-name` that contains ${{ inputs.correlation_id }}"
        )

    def _dispatch(self, workflow: Workflow, correlation: str, inputs: Mapping[str, str]) -> None:
        key, now = (workflow, correlation), self._clock()
        try:
            with translated(f"starting {_named(workflow)} with the inputs {', '.join(sorted(inputs))}"):
                run = _dispatched(self._workflow(workflow), workflow.ref, dict(inputs))
        except Retryable as error:
            if getattr(error.__cause__, "status", None) in {403, 429}:  # a rate limit: surely not taken
                raise
            # The request may have arrived all the same, so that only the list can tell.
            self._dispatched[key] = _Dispatched(now, certain=False)
        else:
            self._dispatched[key] = _Dispatched(now, run)

    def _workflow(self, workflow: Workflow) -> GitHubWorkflow:
        return self._client.repository(workflow.repository).get_workflow(workflow.file)


def _dispatched(workflow: GitHubWorkflow, ref: str, inputs: dict[str, str]) -> int | None:
    """Dispatch and return the run's id where GitHub tells it (since 2026-02; older servers refuse to be asked)."""
    try:
        # PyGithub answers True to 204, whatever its types say.
        answer = cast(object, workflow.create_dispatch(ref, inputs, throw=True, return_run_details=True))
    except GithubException as error:
        if error.status not in {400, 422} or "return_run_details" not in sentence(error):
            raise
        workflow.create_dispatch(ref, inputs, throw=True)
        return None
    return answer.id if isinstance(answer, WorkflowRun) else None


def _build(run: WorkflowRun, correlation: str) -> Build:
    conclusion = run.conclusion or ""
    ended = BuildState.SUCCEEDED if conclusion == "success" else BuildState.FAILED
    return Build(
        id=str(run.id),
        correlation=correlation,
        state=ended if run.status == "completed" else BuildState.RUNNING,
        url=run.html_url,
        conclusion=conclusion,
        started_at=run.run_started_at,
        ended_at=run.updated_at if run.status == "completed" else None,
    )


def _named(workflow: Workflow) -> str:
    return f"the workflow {workflow.file} of {workflow.repository} at {workflow.ref}"
