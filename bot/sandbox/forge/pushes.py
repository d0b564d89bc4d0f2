"""Moving refs, and what follows for pull requests."""

from collections.abc import Mapping
from dataclasses import replace

from bot.sandbox.forge import events
from bot.sandbox.forge.git import ABSENT, Move
from bot.sandbox.forge.history import contains
from bot.sandbox.forge.records import Pull
from bot.sandbox.forge.state import Repository, State

HEADS = "refs/heads/"


def push(state: State, repo: Repository, move: Move, actor: str) -> None:
    """Move a ref as a push would; `Moved` when it is not where it was expected."""
    with state.lock:
        repo.git.move(move)
        moved(state, repo, move, actor)


def received(state: State, repo: Repository, before: Mapping[str, str], actor: str) -> None:
    """After `git push`: everything that is not where it was has moved."""
    after = repo.git.refs("refs/")
    for ref in sorted(before.keys() | after.keys()):
        old, new = before.get(ref, ABSENT), after.get(ref, ABSENT)
        if old != new and ref.startswith((HEADS, "refs/tags/")):
            moved(state, repo, Move(ref, old, new), actor)


def moved(state: State, repo: Repository, move: Move, actor: str) -> None:
    """Tell of a ref that has moved, and let the pull requests follow."""
    repo.pushed_at = state.now()
    events.pushed(state, repo, move, actor)
    if not move.ref.startswith(HEADS):
        return
    branch = move.ref.removeprefix(HEADS)
    for pull in [pull for pull in repo.pulls.values() if pull.state == "open"]:
        if pull.head == branch:
            _head_moved(state, repo, pull, move.new, actor)
        elif pull.base == branch:
            _base_moved(state, repo, pull, move.new, actor)


def _head_moved(state: State, repo: Repository, pull: Pull, new: str, actor: str) -> None:
    if new == ABSENT:
        close(state, repo, pull, actor)
        return
    before = pull.head_sha
    pull = put(repo, replace(pull, head_sha=new, updated_at=state.now()))
    events.pull_request(state, repo, "synchronize", pull, actor, before=before, after=new)
    # GitHub closes a pull request that has nothing left to merge.
    if contains(repo.git, pull.base_sha, new):
        close(state, repo, pull, actor)


def _base_moved(state: State, repo: Repository, pull: Pull, new: str, actor: str) -> None:
    if new == ABSENT:
        close(state, repo, pull, actor)
    elif contains(repo.git, new, pull.head_sha):
        merged(state, repo, pull, new, actor)
    else:
        put(repo, replace(pull, base_sha=new))


def put(repo: Repository, pull: Pull) -> Pull:
    """Keep a pull request, with its head under refs/pull, where GitHub keeps it after the branch is gone."""
    repo.pulls[pull.number] = pull
    repo.git.run("update-ref", f"refs/pull/{pull.number}/head", pull.head_sha)
    return pull


def close(state: State, repo: Repository, pull: Pull, actor: str) -> Pull:
    """Close it unmerged."""
    now = state.now()
    login = state.user(actor).login
    pull = put(repo, replace(pull, state="closed", closed_at=now, closed_by=login, updated_at=now))
    events.pull_request(state, repo, "closed", pull, actor)
    return pull


def merged(state: State, repo: Repository, pull: Pull, merge: str, actor: str) -> Pull:
    """Note that it is part of the base branch since the commit `merge`."""
    now, login = state.now(), state.user(actor).login
    done = replace(
        pull,
        state="closed",
        closed_at=now,
        closed_by=login,
        merged_at=now,
        merged_by=login,
        merge_commit=merge,
        updated_at=now,
    )
    put(repo, done)
    events.pull_request(state, repo, "closed", done, actor)
    return done
