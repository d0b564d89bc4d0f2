"""GitHub's webhooks: only signed bytes are believed, and a delivery names the targets that it may concern."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.webhooks.github import BadDelivery, Hint, interpret, verify

SECRET = b"It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
TARGET = "fraud-detector/production"
BRANCH = f"gitops-bot/{TARGET}/v7"


def sent(signature: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": signature}


def event(**fields: Any) -> dict[str, Any]:
    repository = {"full_name": "acme/manifests", "default_branch": "main"}
    return {"repository": repository, "sender": {"login": "maria"}, **fields}


def pull_request(ref: str = BRANCH, *, repo: str | None = "acme/manifests", **fields: Any) -> dict[str, Any]:
    head = {"ref": ref, "sha": "1" * 40, "repo": {"full_name": repo} if repo else None}
    return event(**{"action": "closed", "number": 3, "pull_request": {"number": 3, "head": head}, **fields})


# --- Signatures ------------------------------------------------------------------------------------


def test_the_signature_of_githubs_documentation_is_believed() -> None:
    assert verify([SECRET], sent(SIGNATURE), BODY)


def test_the_header_is_found_in_any_case_as_proxies_rewrite_it() -> None:
    assert verify([SECRET], {"x-hub-signature-256": SIGNATURE}, BODY)


def test_one_changed_byte_anywhere_is_not_believed() -> None:
    for place in range(len(BODY)):
        changed = bytes(byte ^ (index == place) for index, byte in enumerate(BODY))
        assert not verify([SECRET], sent(SIGNATURE), changed)
    for place in range(len(SIGNATURE)):
        changed_signature = SIGNATURE[:place] + chr(ord(SIGNATURE[place]) ^ 1) + SIGNATURE[place + 1 :]
        assert not verify([SECRET], sent(changed_signature), BODY)
    for place in range(len(SECRET)):
        changed_secret = bytes(byte ^ (index == place) for index, byte in enumerate(SECRET))
        assert not verify([changed_secret], sent(SIGNATURE), BODY)


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 70])
def test_a_shortened_signature_is_not_believed(cut: int) -> None:
    assert not verify([SECRET], sent(SIGNATURE[:cut]), BODY)


def test_either_secret_is_believed_while_they_are_rotated() -> None:
    assert verify([b"the new one", SECRET], sent(SIGNATURE), BODY)
    assert verify([SECRET, b"the new one"], sent(SIGNATURE), BODY)
    assert verify(["It's a Secret to Everybody"], sent(SIGNATURE), BODY)


def test_nothing_is_believed_without_a_secret() -> None:
    empty = "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    assert not verify([], sent(SIGNATURE), BODY)
    assert not verify([b""], sent(empty), BODY)


def test_the_old_sha1_signature_is_not_enough() -> None:
    weak = "sha1=" + hmac.new(SECRET, BODY, hashlib.sha1).hexdigest()
    assert not verify([SECRET], {"X-Hub-Signature": weak}, BODY)
    assert not verify([SECRET], sent(weak), BODY)


@given(signature=st.text(), body=st.binary())
def test_no_header_makes_it_crash_or_believe(signature: str, body: bytes) -> None:
    assert not verify([SECRET], sent(signature), body)


@given(secret=st.binary(min_size=1), body=st.binary())
def test_what_the_secret_signed_is_believed(secret: bytes, body: bytes) -> None:
    right = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    assert verify([secret], sent(right), body)


# --- What a delivery hints at ----------------------------------------------------------------------


def test_a_pull_request_names_the_target_of_its_branch() -> None:
    hint = interpret("pull_request", pull_request(), delivery_id="a-guid")
    assert hint == Hint("maria", "pull_request", "a-guid", targets=frozenset({TARGET}))


def test_a_redelivery_has_the_same_id_and_says_the_same() -> None:
    first, again = (interpret("pull_request", pull_request(), delivery_id="a-guid") for _ in range(2))
    assert first == again
    assert first.delivery_id == "a-guid"


def test_a_review_names_the_target_as_it_may_unblock_the_merge() -> None:
    body = pull_request(action="submitted", review={"state": "approved"})
    assert interpret("pull_request_review", body).targets == {TARGET}


def test_a_revert_names_the_target_of_what_it_takes_back() -> None:
    assert interpret("pull_request", pull_request(f"gitops-bot/{TARGET}/revert-v7-12")).targets == {TARGET}


@pytest.mark.parametrize(
    "ref", ["main", "gitops-bot/../v7", f"gitops-bot/{TARGET}/v", f"{BRANCH}\n", "x" * 9999]
)
def test_a_branch_of_somebody_else_concerns_no_target(ref: str) -> None:
    assert interpret("pull_request", pull_request(ref)).targets == frozenset()


@pytest.mark.parametrize("repo", ["mallory/manifests", None])
def test_a_forks_branch_of_the_same_name_concerns_no_target(repo: str | None) -> None:
    assert interpret("pull_request", pull_request(repo=repo)).targets == frozenset()


def test_a_workflow_run_names_the_repository_and_the_build() -> None:
    run = {"event": "workflow_dispatch", "display_title": "Build v7 (gitops-bot-0123456789abcdef)"}
    hint = interpret("workflow_run", event(action="completed", workflow_run=run))
    assert (hint.workflow_repository, hint.correlation) == ("acme/manifests", "gitops-bot-0123456789abcdef")
    assert hint.targets == frozenset()
    assert hint.all_of_repository is None


def test_a_workflow_run_without_an_id_in_its_title_still_names_the_repository() -> None:
    run = {"event": "workflow_dispatch", "display_title": "Build"}
    hint = interpret("workflow_run", event(action="completed", workflow_run=run))
    assert (hint.workflow_repository, hint.correlation) == ("acme/manifests", None)


def test_a_workflow_run_that_a_push_started_is_no_build() -> None:
    run = {"event": "push", "display_title": "Fix a typo"}
    hint = interpret("workflow_run", event(action="completed", workflow_run=run))
    assert hint.workflow_repository is None


def test_a_push_to_the_base_branch_may_concern_every_target() -> None:
    hint = interpret("push", event(ref="refs/heads/main"))
    assert (hint.all_of_repository, hint.targets) == ("acme/manifests", frozenset())


def test_the_base_branch_is_the_configured_one_where_it_is_not_the_default_branch() -> None:
    live = interpret("push", event(ref="refs/heads/live"), base_branch="live")
    default = interpret("push", event(ref="refs/heads/main"), base_branch="live")
    assert (live.all_of_repository, default.all_of_repository) == ("acme/manifests", None)


def test_a_push_to_a_branch_of_the_bots_names_its_target() -> None:
    hint = interpret("push", event(ref=f"refs/heads/{BRANCH}"))
    assert (hint.all_of_repository, hint.targets) == (None, {TARGET})


@pytest.mark.parametrize("ref", ["refs/tags/main", "refs/heads/feature"])
def test_a_push_of_a_tag_or_another_branch_concerns_nothing(ref: str) -> None:
    assert interpret("push", event(ref=ref)) == Hint("maria", "push", "")


def test_a_status_names_the_targets_whose_branches_have_it_at_their_head() -> None:
    body = event(context="validate", branches=[{"name": "main"}, {"name": BRANCH}])
    assert interpret("status", body).targets == {TARGET}


def test_a_status_of_an_unknown_commit_may_concern_every_target() -> None:
    assert interpret("status", event(context="validate", branches=[])).all_of_repository == "acme/manifests"


def test_a_proof_names_its_target() -> None:
    hint = interpret("status", event(context=f"gitops-bot/{TARGET}", branches=[{"name": "main"}]))
    assert (hint.targets, hint.all_of_repository) == ({TARGET}, None)


def test_the_bots_own_proof_wakes_nothing() -> None:
    body = event(context=f"gitops-bot/{TARGET}", sender={"login": "Gitops-Bot[bot]"})
    assert interpret("status", body, own_login="gitops-bot[bot]").targets == frozenset()


def test_what_the_bot_does_to_labels_and_texts_wakes_nothing_but_a_person_doing_it_does() -> None:
    for action in ("labeled", "edited"):
        body = pull_request(action=action)
        assert interpret("pull_request", body, own_login="maria").targets == frozenset()
        assert interpret("pull_request", body, own_login="gitops-bot").targets == {TARGET}


def test_the_bots_own_merge_wakes_its_target() -> None:
    assert interpret("pull_request", pull_request(action="closed"), own_login="maria").targets == {TARGET}


@pytest.mark.parametrize("kind", ["check_suite", "check_run"])
def test_checks_name_the_target_of_their_branch_or_all_when_they_have_none(kind: str) -> None:
    def checked(branch: str | None) -> Hint:
        suite = {"head_branch": branch}
        return interpret(kind, event(**{kind: suite if kind == "check_suite" else {"check_suite": suite}}))

    assert checked(BRANCH).targets == {TARGET}
    assert checked("feature") == Hint("maria", kind, "")
    assert checked(None).all_of_repository == "acme/manifests"


def commented(text: str = "Sorry!\r\n/gitops-bot release", **fields: Any) -> dict[str, Any]:
    on_pull = {"number": 3, "pull_request": {}}
    return event(**{"action": "created", "issue": on_pull, "comment": {"body": text}, **fields})


@pytest.mark.parametrize("action", ["created", "edited"])
def test_a_comment_that_tells_the_bot_something_may_concern_every_target(action: str) -> None:
    assert interpret("issue_comment", commented(action=action)).all_of_repository == "acme/manifests"


@pytest.mark.parametrize(
    "body",
    [commented("Looks good"), commented(""), commented(issue={"number": 3}), commented(action="deleted")],
)
def test_a_comment_that_tells_the_bot_nothing_concerns_no_target(body: dict[str, Any]) -> None:
    assert interpret("issue_comment", body) == Hint("maria", "issue_comment", "")


def test_what_the_bot_itself_comments_concerns_no_target() -> None:
    assert interpret("issue_comment", commented(), own_login="Maria").all_of_repository is None


@pytest.mark.parametrize("kind", ["ping", "star", "", "💥"])
def test_an_event_that_concerns_nobody_hints_at_nothing(kind: str) -> None:
    assert interpret(kind, {"zen": "Keep it logically awesome."}) == Hint("", kind, "")


# --- Deliveries that are not GitHub's --------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "missing"),
    [
        ("pull_request", event(), "pull_request.head"),
        ("pull_request", event(pull_request={"head": {"repo": {"full_name": "acme/manifests"}}}), "pull_request.head.ref"),
        ("push", event(ref=7), "ref"),
        ("push", {"ref": "refs/heads/main"}, "repository.full_name"),
        ("push", event(ref="refs/heads/main", repository={"full_name": "../../etc"}), "repository.full_name"),
        ("workflow_run", event(workflow_run=[]), "workflow_run"),
        ("status", event(), "context"),
        ("check_run", event(check_run=None), "check_run"),
        ("issue_comment", event(), "issue"),
        ("issue_comment", commented(comment=None), "comment.body"),
    ],
)  # fmt: skip
def test_a_missing_key_is_named(kind: str, body: dict[str, Any], missing: str) -> None:
    with pytest.raises(BadDelivery) as caught:
        interpret(kind, body)
    assert missing in str(caught.value)
    assert kind in str(caught.value)


@pytest.mark.parametrize("body", [[], "text", None, 7])
def test_a_body_that_is_no_object_is_said_to_be_none(body: Any) -> None:
    with pytest.raises(BadDelivery, match="not a JSON object"):
        interpret("push", body)


KEYS = st.sampled_from(
    [
        "action", "sender", "login", "repository", "full_name", "default_branch", "pull_request", "head", "ref",
        "repo", "workflow_run", "event", "display_title", "context", "branches", "name", "check_suite", "check_run",
        "head_branch", "issue", "comment", "body",
    ]
)  # fmt: skip
TEXTS = st.sampled_from([BRANCH, "acme/manifests", "refs/heads/main", "main", "maria"]) | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
KINDS = st.sampled_from(
    ["pull_request", "pull_request_review", "workflow_run", "push", "status", "check_suite", "check_run", "issue_comment"]
)  # fmt: skip


@given(kind=KINDS | st.text(max_size=10), body=JSON, own=st.none() | TEXTS)
def test_any_json_at_all_is_understood_or_turned_away_with_a_sentence(
    kind: str, body: Any, own: str | None
) -> None:
    try:
        said, targets = "", interpret(kind, body, own_login=own).targets
    except BadDelivery as error:
        said, targets = str(error), frozenset()
    assert not said or kind in said
    assert all(target.count("/") == 1 for target in targets)
