"""Workflows and their runs."""

import re
from datetime import UTC, datetime, timedelta

import flask

from bot.sandbox.forge.documents import actions as documents
from bot.sandbox.forge.records import Run
from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.rest.door import (
    actor,
    answer,
    counted,
    given,
    nothing,
    repository,
    services,
    state,
    text,
)
from bot.sandbox.forge.state import Repository
from bot.sandbox.forge.workflows import Workflow, find, workflows

api = flask.Blueprint("actions", __name__)
_RANGE = re.compile(r"(?P<sign>>=|<=|>|<|)(?P<one>[^.<>]+?)(?:\.\.(?P<other>.+))?\Z")


def _workflow(repo: Repository, name: str) -> Workflow:
    """By file name or id, on the default branch: elsewhere GitHub does not know it."""
    main = repo.git.branch(repo.default_branch)
    found = find(state(), repo, main, name) if main else None
    if found is None:
        raise not_found()
    return found


@api.get("/repos/<owner>/<name>/actions/workflows")
def list_workflows(owner: str, name: str) -> flask.Response:
    """Those on the default branch."""
    repo = repository(owner, name)
    main = repo.git.branch(repo.default_branch)
    found = workflows(state(), repo, main) if main else []
    return counted(found, "workflows", lambda one: documents.workflow(state(), repo, one))


@api.get("/repos/<owner>/<name>/actions/workflows/<workflow>")
def get_workflow(owner: str, name: str, workflow: str) -> flask.Response:
    """One workflow."""
    repo = repository(owner, name)
    return answer(documents.workflow(state(), repo, _workflow(repo, workflow)))


@api.post("/repos/<owner>/<name>/actions/workflows/<workflow>/dispatches")
def dispatch(owner: str, name: str, workflow: str) -> flask.Response:
    """Start a run: 204, or 200 with the run where `return_run_details` asks for it (facts/products.md, 5.2)."""
    repo, body = repository(owner, name), given()
    found = _workflow(repo, workflow)
    ref = text(body, "ref", "WorkflowDispatch", required=True) or ""
    inputs = body.get("inputs") or {}
    if not isinstance(inputs, dict):
        raise Refusal(422, "Invalid request.\n\nFor 'inputs', it is not an object.")
    texts = {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in inputs.items()
    }
    run = services().runs.dispatch(repo, found, ref, texts, actor())
    newest = flask.request.headers.get("X-GitHub-Api-Version", "") >= "2026-03-10"
    if not body.get("return_run_details") and not newest:
        return nothing()
    document = documents.run(state(), repo, run)
    return answer({"workflow_run_id": run.id, "run_url": document["url"], "html_url": run.html_url})


@api.get("/repos/<owner>/<name>/actions/workflows/<workflow>/runs")
def list_runs_of(owner: str, name: str, workflow: str) -> flask.Response:
    """The runs of one workflow, newest first."""
    repo = repository(owner, name)
    return _listed(
        repo, [run for run in repo.runs.values() if run.workflow == _workflow(repo, workflow).file]
    )


@api.get("/repos/<owner>/<name>/actions/runs")
def list_runs(owner: str, name: str) -> flask.Response:
    """All runs, newest first."""
    repo = repository(owner, name)
    return _listed(repo, list(repo.runs.values()))


def _listed(repo: Repository, found: list[Run]) -> flask.Response:
    wanted = flask.request.args
    created = _between(wanted.get("created", ""))
    chosen = [
        run
        for run in found
        if wanted.get("event", "workflow_dispatch") == "workflow_dispatch"
        and wanted.get("status", run.status) in {run.status, run.conclusion}
        and wanted.get("branch", run.ref) == run.ref
        and wanted.get("head_sha", run.sha) == run.sha
        and wanted.get("actor", run.actor) == run.actor
        and created[0] <= run.created_at < created[1]
    ]
    chosen.sort(key=lambda run: run.id, reverse=True)
    return counted(chosen, "workflow_runs", lambda run: documents.run(state(), repo, run))


def _between(asked: str) -> tuple[datetime, datetime]:
    """A search for dates: `2026-05-04`, `>=…`, `<…`, `…..…`; a day lasts until the next one begins."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    found = _RANGE.match(asked.strip())
    if not asked or found is None:
        return first, last
    start, end = _moment(found["one"])
    if found["other"]:
        return (first if found["one"] == "*" else start), (
            last if found["other"] == "*" else _moment(found["other"])[1]
        )
    ranges = {
        ">=": (start, last),
        ">": (end, last),
        "<=": (first, end),
        "<": (first, start),
        "": (start, end),
    }
    return ranges[found["sign"]]


def _moment(written: str) -> tuple[datetime, datetime]:
    if written == "*":
        return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    try:
        start = datetime.fromisoformat(written)
    except ValueError as error:
        raise Refusal(422, f"created is not a date: {written[:40]}") from error
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    return start, start + (timedelta(seconds=1) if "T" in written else timedelta(days=1))


def _run(repo: Repository, number: int) -> Run:
    if number not in repo.runs:
        raise not_found()
    return repo.runs[number]


@api.get("/repos/<owner>/<name>/actions/runs/<int:number>")
def get_run(owner: str, name: str, number: int) -> flask.Response:
    """One run."""
    repo = repository(owner, name)
    return answer(documents.run(state(), repo, _run(repo, number)))


@api.post("/repos/<owner>/<name>/actions/runs/<int:number>/rerun")
def rerun(owner: str, name: str, number: int) -> flask.Response:
    """Run it again."""
    repo = repository(owner, name)
    _run(repo, number)
    services().runs.rerun(repo, number, actor())
    return answer({}, 201)


@api.get("/repos/<owner>/<name>/actions/runs/<int:number>/logs")
def get_logs(owner: str, name: str, number: int) -> flask.Response:
    """Where the log is. GitHub sends to an archive; the sandbox to a text."""
    run = _run(repository(owner, name), number)
    response = nothing(302)
    response.headers["Location"] = f"{run.html_url}/log.txt"
    return response


@api.get("/repos/<owner>/<name>/actions/runs/<int:number>/jobs")
def list_jobs(owner: str, name: str, number: int) -> flask.Response:
    """The one job of a run."""
    repo = repository(owner, name)
    return counted([_run(repo, number)], "jobs", lambda run: documents.job(state(), repo, run))
