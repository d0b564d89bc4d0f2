"""Pages for people: read and merge a pull request in a browser, without JavaScript."""

import secrets
from datetime import UTC, datetime
from urllib.parse import quote

import flask
from werkzeug.exceptions import HTTPException

from bot.sandbox.forge import page_forms
from bot.sandbox.forge.documents.pulls import pull_changes
from bot.sandbox.forge.git import Entry
from bot.sandbox.forge.history import blob, changes, commit, commits, entries, entry
from bot.sandbox.forge.markdown import coloured, rendered
from bot.sandbox.forge.mergeability import judge, opinions, statuses
from bot.sandbox.forge.records import Pull, Run
from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.state import Repository, State

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_SHOWN_BYTES = 512 * 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Sandbox": "forge",
    "Cache-Control": "no-store",
}


def pages_app(state: State, reviewer: str) -> flask.Flask:
    """The pages; whoever opens them acts as `reviewer`."""
    app = flask.Flask("bot.sandbox.forge", static_url_path="/-/static")
    app.url_map.merge_slashes = False
    token = secrets.token_urlsafe(24)
    app.jinja_env.globals |= {"reviewer": reviewer, "form_token": token, "link": quote, "markdown": rendered}
    app.jinja_env.globals["coloured"] = coloured
    app.jinja_env.filters["moment"] = _moment
    app.before_request(_from_here_only)
    app.after_request(_with_headers)
    app.register_error_handler(Refusal, lambda refusal: _error(refusal.sentence(), refusal.status))
    app.register_error_handler(HTTPException, lambda error: _error(error.name, error.code or 500))
    pages = _Pages(state)
    for rule, view in pages.rules().items():
        app.add_url_rule(rule, rule, view)
    page_forms.add(app, state, page_forms.Actor(reviewer, token), pages.pull)
    return app


def _from_here_only() -> None:
    # A name that an attacker points to loopback must not read the pages with their form token.
    if flask.request.host.rpartition(":")[0] not in LOOPBACK:
        flask.abort(403)


def _with_headers(response: flask.Response) -> flask.Response:
    response.headers.extend(_HEADERS)
    return response


def _error(sentence: str, status: int) -> tuple[str, int]:
    return flask.render_template("error.html", sentence=sentence, title=f"{status}"), status


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class _Pages:
    """One method per page."""

    def __init__(self, state: State) -> None:
        self._state = state

    def rules(self) -> dict[str, flask.typing.RouteCallable]:
        """Which page is where: as on GitHub, so that the addresses in documents lead somewhere."""
        repo = "/<owner>/<name>"
        return {
            "/": self.index,
            repo: self.folder,
            f"{repo}/tree/<path:place>": self.folder,
            f"{repo}/blob/<path:place>": self.file,
            f"{repo}/raw/<path:place>": self.raw,
            f"{repo}/commit/<sha>": self.commit,
            f"{repo}/commits/<path:place>": self.commits,
            f"{repo}/pulls": self.pulls,
            f"{repo}/pull/<int:number>": self.pull,
            f"{repo}/pull/<int:number>/files": self.pull,
            f"{repo}/actions": self.runs,
            f"{repo}/actions/workflows/<workflow>": self.runs,
            f"{repo}/actions/runs/<int:number>": self.run,
            f"{repo}/actions/runs/<int:number>/log.txt": self.log,
        }

    def index(self) -> str:
        """All repositories."""
        return flask.render_template("index.html", repositories=list(self._state.repositories.values()))

    def pulls(self, owner: str, name: str) -> str:
        """The pull requests of a repository, newest first."""
        repo, wanted = self._repository(owner, name), flask.request.args.get("state", "open")
        found = [
            p for p in reversed(repo.pulls.values()) if wanted not in {"open", "closed"} or p.state == wanted
        ]
        return flask.render_template("pulls.html", repo=repo, pulls=found, wanted=wanted)

    def pull(self, owner: str, name: str, number: int, refusal: str = "") -> str:
        """One pull request; opening the page finds out whether it can be merged."""
        repo = self._repository(owner, name)
        found = self._pull(repo, number)
        with self._state.lock:
            judgement = judge(self._state, repo, found)
        return flask.render_template(
            "pull.html",
            repo=repo,
            pull=found,
            refusal=refusal,
            judgement=judgement,
            labels=[repo.labels[label] for label in found.labels],
            comments=[comment for comment in repo.comments.values() if comment.number == number],
            statuses=statuses(repo, found.head_sha),
            opinions=opinions(repo, found),
            commits=list(reversed(commits(repo.git, f"{found.base_sha}..{found.head_sha}"))),
            changes=pull_changes(repo.git, found.base_sha, found.head_sha),
            protection=repo.protections.get(found.base),
        )

    def commit(self, owner: str, name: str, sha: str) -> str:
        """One commit with its differences and statuses."""
        repo = self._repository(owner, name)
        found = repo.git.commit_named(sha)
        if found is None:
            raise not_found()
        one = commit(repo.git, found)
        touched = changes(repo.git, one.parents[0] if one.parents else EMPTY_TREE, one.sha)
        said = statuses(repo, one.sha)
        return flask.render_template("commit.html", repo=repo, commit=one, changes=touched, statuses=said)

    def commits(self, owner: str, name: str, place: str) -> str:
        """The history of a branch."""
        repo = self._repository(owner, name)
        ref, start, _ = self._place(repo, place)
        return flask.render_template(
            "commits.html", repo=repo, ref=ref, commits=commits(repo.git, start, limit=100)
        )

    def folder(self, owner: str, name: str, place: str = "") -> str:
        """The files of a branch or commit; of the default branch unless told otherwise."""
        repo = self._repository(owner, name)
        if not place and not repo.git.branch(repo.default_branch):
            return flask.render_template(
                "folder.html", repo=repo, ref=repo.default_branch, path="", entries=[]
            )
        ref, sha, path = self._place(repo, place or repo.default_branch)
        listed = sorted(entries(repo.git, sha, path), key=lambda one: (one.kind != "tree", one.path))
        return flask.render_template("folder.html", repo=repo, ref=ref, path=path, entries=listed)

    def file(self, owner: str, name: str, place: str) -> str:
        """One file as text."""
        repo = self._repository(owner, name)
        ref, found, content = self._file(repo, place)
        text = content[:_SHOWN_BYTES].decode(errors="replace")
        return flask.render_template(
            "file.html", repo=repo, ref=ref, path=found.path, text=text, size=found.size
        )

    def raw(self, owner: str, name: str, place: str) -> flask.Response:
        """One file's bytes, as text whatever they are."""
        _, _, content = self._file(self._repository(owner, name), place)
        return flask.Response(content, mimetype="text/plain")

    def runs(self, owner: str, name: str, workflow: str | None = None) -> str:
        """The workflow runs, newest first."""
        repo = self._repository(owner, name)
        found = [run for run in reversed(repo.runs.values()) if workflow in {None, run.workflow}]
        return flask.render_template("runs.html", repo=repo, runs=found)

    def run(self, owner: str, name: str, number: int) -> str:
        """One run with its log."""
        repo = self._repository(owner, name)
        return flask.render_template("run.html", repo=repo, run=self._run(repo, number))

    def log(self, owner: str, name: str, number: int) -> flask.Response:
        """The log alone."""
        return flask.Response(self._run(self._repository(owner, name), number).log, mimetype="text/plain")

    def _repository(self, owner: str, name: str) -> Repository:
        found = self._state.repository(f"{owner}/{name}")
        if found is None:
            raise not_found()
        return found

    def _pull(self, repo: Repository, number: int) -> Pull:
        if number not in repo.pulls:
            raise not_found()
        return repo.pulls[number]

    def _run(self, repo: Repository, number: int) -> Run:
        if number not in repo.runs:
            raise not_found()
        return repo.runs[number]

    def _place(self, repo: Repository, place: str) -> tuple[str, str, str]:
        """A ref, its commit and a path, out of `ref/with/slashes/and/a/path`."""
        words = place.rstrip("/").split("/")
        for count in range(1, len(words) + 1):
            ref = "/".join(words[:count])
            sha = repo.git.branch(ref) or repo.git.commit_named(ref)
            if sha is not None:
                return ref, sha, "/".join(words[count:])
        raise not_found()

    def _file(self, repo: Repository, place: str) -> tuple[str, Entry, bytes]:
        ref, sha, path = self._place(repo, place)
        found = entry(repo.git, sha, path) if path else None
        if found is None or found.kind != "blob":
            raise not_found()
        return ref, found, blob(repo.git, found.sha)
