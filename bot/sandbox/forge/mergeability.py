"""May this pull request be merged now, and if not, which sentence says so."""

from dataclasses import dataclass

from bot.sandbox.forge.git import ABSENT, Move
from bot.sandbox.forge.history import distance
from bot.sandbox.forge.records import Protection, Pull, Status
from bot.sandbox.forge.state import Repository, State

NOT_MERGEABLE = "Pull Request is not mergeable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`mergeable` is None until somebody asked, `state` GitHub's mergeable_state, `refusal` empty when it may be merged.

    `test_merge` is the commit that was made to try it.
    """

    mergeable: bool | None
    state: str
    refusal: str
    test_merge: str | None = None


def known(repository: Repository, pull: Pull) -> Judgement:
    """What is known without trying the merge: nothing after the head or the base moved (facts/products.md, 5.6)."""
    found = repository.judged.get(pull.number)
    if pull.state != "open" or found is None or found[:2] != (pull.head_sha, pull.base_sha):
        return Judgement(None, "unknown", NOT_MERGEABLE)
    merge = found[2]
    if merge is None:
        return Judgement(False, "dirty", NOT_MERGEABLE)
    if pull.draft:
        return Judgement(True, "draft", "Pull Request is still a draft", merge)
    refusal = _refusal(repository, pull)
    if refusal:
        return Judgement(True, *refusal, merge)
    states = {status.state for status in statuses(repository, pull.head_sha).values()}
    return Judgement(True, "clean" if states <= {"success"} else "unstable", "", merge)


def judge(state: State, repository: Repository, pull: Pull) -> Judgement:
    """Try the merge, if that was not done for this head and this base, and say what is known then."""
    with state.lock:
        found = repository.judged.get(pull.number)
        if pull.state == "open" and (found is None or found[:2] != (pull.head_sha, pull.base_sha)):
            merge = _tried(state, repository, pull)
            repository.judged[pull.number] = (pull.head_sha, pull.base_sha, merge)
        return known(repository, pull)


def _tried(state: State, repository: Repository, pull: Pull) -> str | None:
    git, ref = repository.git, f"refs/pull/{pull.number}/merge"
    tree = git.merge_tree(pull.base_sha, pull.head_sha)
    if tree is None:
        return None
    message = f"Merge {pull.head_sha} into {pull.base_sha}"
    merge = git.commit_tree(tree, (pull.base_sha, pull.head_sha), message, state.person(pull.author))
    git.move(Move(ref, git.refs(ref).get(ref, ABSENT), merge))
    return merge


def statuses(repository: Repository, sha: str) -> dict[str, Status]:
    """The newest status of every context of a commit."""
    return {status.context: status for status in repository.statuses if status.sha == sha}


def opinions(repository: Repository, pull: Pull) -> dict[str, str]:
    """Every reviewer's last word: APPROVED or CHANGES_REQUESTED."""
    reviews = repository.reviews.get(pull.number, [])
    return {review.by: review.state for review in reviews if review.state != "COMMENTED"}


def _refusal(repository: Repository, pull: Pull) -> tuple[str, str] | None:
    """GitHub's mergeable_state and message for what the protection of the base branch still wants."""
    protection = repository.protections.get(pull.base, Protection())
    missing = _checks(repository, pull, protection)
    if missing:
        return "blocked", missing
    words = opinions(repository, pull)
    if protection.required_reviews:
        if "CHANGES_REQUESTED" in words.values():
            return "blocked", "Changes have been requested on the pull request."
        approvals = list(words.values()).count("APPROVED")
        if approvals < protection.required_reviews:
            return "blocked", _reviews_wanted(protection.required_reviews)
    if protection.strict and distance(repository.git, pull.base_sha, pull.head_sha)[1]:
        return "behind", "Head branch is not up to date with the base branch."
    return None


def _reviews_wanted(count: int) -> str:
    many = f"{count} approving reviews are" if count > 1 else "1 approving review is"
    return f"At least {many} required by reviewers with write access."


def _checks(repository: Repository, pull: Pull, protection: Protection) -> str:
    found = statuses(repository, pull.head_sha)
    words = {"failure": "failing", "error": "failing", "pending": "pending", "missing": "expected"}
    states = {name: found[name].state if name in found else "missing" for name in protection.required_checks}
    bad = {name: words[state] for name, state in states.items() if state != "success"}
    if len(bad) > 1:
        return f"{len(bad)} of {len(states)} required status checks have not succeeded: " + ", ".join(
            f"{name} is {word}" for name, word in sorted(bad.items())
        )
    return next((f'Required status check "{name}" is {word}.' for name, word in bad.items()), "")
