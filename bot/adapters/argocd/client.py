"""Asks Argo CD's REST API about one Application (facts/products.md, 1.4; fixtures/argocd, section (d))."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.adapters.argocd.advice import advice, of_windows
from bot.adapters.argocd.conversation import Conversation, NoAnswerInTime
from bot.adapters.argocd.indirect import wants_tree
from bot.adapters.argocd.judge import judge
from bot.adapters.argocd.places import TREE
from bot.adapters.argocd.reading import is_stuck
from bot.adapters.argocd.tree import complaints
from bot.adapters.argocd.wording import out_of_reach
from bot.core.target import ArgoCD
from bot.core.telling import excerpt
from bot.core.verdict import Claim, Evidence, Outcome, Verdict
from bot.ports import Refused, Retryable


class ArgoCDCluster:
    """Fills the port `Cluster`; safe for several threads. Needs a token whose role may `get` the Applications.

    To end operations it must be allowed to `sync` them, too. The token goes to `url` only: redirects are not followed.
    Plain http is taken for loopback alone.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        *,
        timeout: float = 10,
        verify_tls: bool | str = True,
        base_branch: str | None = None,
    ) -> None:
        """`timeout` in seconds for each answer; `verify_tls` may be the path of a file of authorities to trust.

        `base_branch` is that of the manifests repo, for `advice`. Raises `Refused` when the token would go over the
        network unprotected.
        """
        self._talk = Conversation(url, token, timeout, verify_tls)
        self._base_branch = base_branch

    def __repr__(self) -> str:
        """Where it asks, never with what token."""
        return f"ArgoCDCluster({str(self._talk)!r})"

    def look(self, rollout: ArgoCD, claim: Claim, now: datetime) -> Verdict:
        """Judge one fresh read. Whatever keeps the answer away is INCONCLUSIVE, with what a person can do about it."""
        try:
            document = self._talk.application(rollout, {})
        except (Refused, Retryable) as problem:
            return out_of_reach(rollout.application, problem, now)
        verdict = judge([document], claim, now)
        if not wants_tree(document, verdict):
            return verdict
        tree = self._tree(rollout)
        verdict = judge([document, tree], claim, now)
        return (
            _with_pods(verdict, complaints(tree, claim.image), rollout, now)
            if verdict.outcome is Outcome.FAILED
            else verdict
        )

    def ask_to_sync(self, rollout: ArgoCD) -> None:
        """Have it compare with the repo now. It may go on after we have stopped to wait: that is no error.

        The right to `get` is enough: the server itself does the write (section (d)). With its controller down it
        never answers.
        """
        try:
            self._talk.application(rollout, {"refresh": "normal"})
        except NoAnswerInTime:
            return

    def terminate(self, rollout: ArgoCD) -> None:
        """End the operation of an earlier commit that is tried again and again (section (e); 04c, 04e).

        It is looked at first: one that gets on, or that is of the newest commit, is left alone, and none is done already.
        With `retry.refresh` the next try takes the newest commit by itself (04d). Needs the right to `sync`.
        """
        if is_stuck(self._talk.application(rollout, {})):
            self._talk.end_operation(rollout)

    def advice(self, rollout: ArgoCD) -> Sequence[str]:
        """What about the Application keeps verdicts from being right or quick; raises where it cannot be read."""
        found = advice(self._talk.application(rollout, {}), rollout, self._base_branch)
        return (*found, *of_windows(self._windows(rollout)))

    def _windows(self, rollout: ArgoCD) -> Mapping[str, Any]:
        """A deny window is nowhere in the Application (08); advice does without where this is not told."""
        try:
            return self._talk.about(rollout, {}, "/syncwindows")
        except (Refused, Retryable):
            return {}

    def _tree(self, rollout: ArgoCD) -> Mapping[str, Any]:
        """What the Application consists of; a failure is told without it where it is not told. The right to `get` will do."""
        try:
            return {**self._talk.about(rollout, {}, "/resource-tree"), "kind": TREE}
        except (Refused, Retryable):
            return {"kind": TREE}


def _with_pods(verdict: Verdict, said: Sequence[str], rollout: ArgoCD, now: datetime) -> Verdict:
    """A failure with what is wrong with the pods."""
    asked = f"Resource tree of {excerpt(rollout.application, 80)}"
    more = [Evidence("argocd", asked, now, text, Outcome.FAILED) for text in said]
    return replace(verdict, evidence=(*verdict.evidence, *more))
