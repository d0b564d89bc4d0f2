"""Merging a pull request: merge, squash or rebase, without a work tree."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.forge import pushes
from bot.sandbox.forge.git import ABSENT, Move, Person
from bot.sandbox.forge.history import commits
from bot.sandbox.forge.mergeability import NOT_MERGEABLE, judge
from bot.sandbox.forge.records import Pull
from bot.sandbox.forge.refusals import Refusal
from bot.sandbox.forge.state import Repository, State


@dataclass(frozen=True, slots=True)
class Wish:
    """How to merge: `sha` is the head that was judged; title and message replace GitHub's own when given."""

    method: str = "merge"
    sha: str | None = None
    title: str | None = None
    message: str | None = None


def merge(state: State, repo: Repository, number: int, wish: Wish, actor: str) -> Pull:
    """Merge exactly this head into the base branch, and return the pull request with its merge commit.

    Refusals are GitHub's: 409 when the head is another, 405 when it cannot be merged or the protection wants more.
    """
    with state.lock:
        pull = repo.pulls[number]
        if wish.sha is not None and pull.state == "open" and wish.sha != pull.head_sha:
            raise Refusal(409, "Head branch was modified. Review and try the merge again.")
        refusal = judge(state, repo, pull).refusal
        if refusal:
            raise Refusal(405, refusal)
        made = _METHODS[wish.method](state, repo, pull, wish, state.person(actor))
        move = Move(f"refs/heads/{pull.base}", pull.base_sha, made)
        repo.git.move(move)
        done = pushes.merged(state, repo, pull, made, actor)
        pushes.moved(state, repo, move, actor)
        head = repo.git.branch(pull.head)
        if repo.delete_branch_on_merge and head == pull.head_sha and pull.head not in repo.protections:
            pushes.push(state, repo, Move(f"refs/heads/{pull.head}", head, ABSENT), actor)
        return done


def _title(wish: Wish, default: str) -> str:
    return wish.title or default


def _whole(title: str, message: str | None) -> str:
    return f"{title}\n\n{message}" if message else title


def _merge(state: State, repo: Repository, pull: Pull, wish: Wish, by: Person) -> str:
    title = _title(wish, f"Merge pull request #{pull.number} from {repo.owner}/{pull.head}")
    message = _whole(title, pull.title if wish.message is None else wish.message)
    tree = _tree(repo, pull.base_sha, pull.head_sha)
    return repo.git.commit_tree(tree, (pull.base_sha, pull.head_sha), message, by)


def _squash(state: State, repo: Repository, pull: Pull, wish: Wish, by: Person) -> str:
    found = list(reversed(commits(repo.git, f"{pull.base_sha}..{pull.head_sha}")))
    one = found[0] if len(found) == 1 else None
    title = _title(wish, f"{one.title if one else pull.title} (#{pull.number})")
    told = one.body if one else "\n\n".join(f"* {commit.message}" for commit in found)
    message = _whole(title, told if wish.message is None else wish.message)
    tree = _tree(repo, pull.base_sha, pull.head_sha)
    author = state.person(pull.author)
    return repo.git.commit_tree(tree, (pull.base_sha,), message, author, by)


def _rebase(state: State, repo: Repository, pull: Pull, wish: Wish, by: Person) -> str:
    tip = pull.base_sha
    for commit in reversed(commits(repo.git, f"{pull.base_sha}..{pull.head_sha}")):
        if len(commit.parents) > 1:
            raise Refusal(405, "This branch can't be rebased")
        # With the commit's parent as the only parent, `merge-tree` takes that for the merge base: a cherry-pick.
        stand_in = repo.git.commit_tree(f"{tip}^{{tree}}", commit.parents, "stand-in", by)
        tree = repo.git.merge_tree(stand_in, commit.sha)
        if tree is None:
            raise Refusal(405, "This branch can't be rebased due to conflicts")
        tip = repo.git.commit_tree(tree, (tip,), commit.message, commit.author, by)
    return tip


def _tree(repo: Repository, base: str, head: str) -> str:
    tree = repo.git.merge_tree(base, head)
    if tree is None:
        raise Refusal(405, NOT_MERGEABLE)
    return tree


_METHODS: dict[str, Callable[[State, Repository, Pull, Wish, Person], str]] = {
    "merge": _merge,
    "squash": _squash,
    "rebase": _rebase,
}
METHODS = frozenset(_METHODS)
