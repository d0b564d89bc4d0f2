"""The buttons on a pull request's page."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

import flask
from werkzeug.wrappers import Response

from bot.sandbox.forge import merging, pulls
from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.state import Repository, State


@dataclass(frozen=True, slots=True)
class Actor:
    """Who presses the buttons, and the token that every form of the pages carries."""

    login: str
    token: str = field(repr=False)


def add(app: flask.Flask, state: State, actor: Actor, show: Callable[[str, str, int, str], str]) -> None:
    """Add the forms; `show` renders the page of a pull request with a refusal on it."""

    @app.post("/<owner>/<name>/pull/<int:number>/<action>")
    def _pressed(owner: str, name: str, number: int, action: str) -> Response | tuple[str, int]:
        if not hmac.compare_digest(flask.request.form.get("token", "").encode(), actor.token.encode()):
            raise Refusal(
                403, "This form is not from here, or the sandbox was started again: reload the page"
            )
        repo = state.repository(f"{owner}/{name}")
        if repo is None or action not in _ACTIONS:
            raise not_found()
        pulls.find(repo, number)
        try:
            _ACTIONS[action](state, repo, number, actor.login)
        except Refusal as refusal:
            return show(owner, name, number, refusal.sentence()), refusal.status
        return flask.redirect(f"/{repo.name}/pull/{number}", 303)


def _merge(state: State, repo: Repository, number: int, login: str) -> None:
    """Merge the head that was on the page."""
    method, seen = flask.request.form.get("method", "merge"), flask.request.form.get("head") or None
    if method not in merging.METHODS:
        raise Refusal(422, "There is no such way to merge")
    merging.merge(state, repo, number, merging.Wish(method, sha=seen), login)


def _close(state: State, repo: Repository, number: int, login: str) -> None:
    pulls.set_state(state, repo, repo.pulls[number], "closed", login)


def _reopen(state: State, repo: Repository, number: int, login: str) -> None:
    pulls.set_state(state, repo, repo.pulls[number], "open", login)


def _approve(state: State, repo: Repository, number: int, login: str) -> None:
    pulls.review(state, repo, repo.pulls[number], "APPROVE", login)


def _comment(state: State, repo: Repository, number: int, login: str) -> None:
    text = flask.request.form.get("body", "").strip()
    if not text:
        raise Refusal(422, "A comment needs some text")
    pulls.comment(state, repo, repo.pulls[number], text[:65_536], login)


def _delete_branch(state: State, repo: Repository, number: int, login: str) -> None:
    if repo.pulls[number].state == "open":
        raise Refusal(422, "The pull request is still open")
    pulls.delete_branch(state, repo, repo.pulls[number].head, login)


_ACTIONS: dict[str, Callable[[State, Repository, int, str], None]] = {
    "merge": _merge,
    "close": _close,
    "reopen": _reopen,
    "approve": _approve,
    "comment": _comment,
    "delete-branch": _delete_branch,
}
