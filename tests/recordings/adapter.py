"""Puts recorded objects before the production judges: `judge(product, objects, claim, now)` for a replay."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.adapters.argocd.judge import judge as judge_argocd
from bot.adapters.flux.judge import judge as judge_flux
from bot.adapters.workload.judge import judge as judge_workload
from bot.core.target import Workload, WorkloadKind
from bot.core.verdict import Claim


def judge(product: str, objects: Sequence[Mapping[str, Any]], claim: Mapping[str, Any], now: datetime) -> str:
    """The outcome as a word. Products without a judge yet are inconclusive."""
    if product == "kubernetes":
        kind, _, workload = claim["object"].partition("/")
        asked = Workload(WorkloadKind(kind.lower()), workload, claim["namespace"])
        return judge_workload(asked, objects, claim_of(claim), now).outcome.value
    judges = {"argocd": judge_argocd, "flux": judge_flux}
    if product not in judges:
        return "inconclusive"
    return judges[product](_named(objects, claim), claim_of(claim), now).outcome.value


def _named(objects: Sequence[Mapping[str, Any]], claim: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the kinds that the claim names (a HelmRelease is applied via a Kustomization) only the objects that it names."""
    named = dict(claim[key].split("/", 1) for key in ("object", "via") if key in claim)
    return [
        item
        for item in objects
        if item.get("metadata", {}).get("name") == named.get(item.get("kind", ""), item["metadata"]["name"])
    ]


def claim_of(recorded: Mapping[str, Any]) -> Claim:
    """The claim of an expectation in the bot's own words."""
    return Claim(
        commit=recorded["commit"],
        image=recorded["image"],
        merged_at=datetime.fromisoformat(recorded["since_utc"]),
        settle=timedelta(seconds=recorded["settle"]),
        deadline=timedelta(seconds=recorded["deadline"]),
        revert=bool(recorded.get("revert", False)),
        contains=tuple(recorded.get("contains", ())),
        later=tuple(recorded.get("later", ())),
        repository_url=recorded.get("repo"),
        deployment=_name(recorded.get("deployment")),
    )


def _name(deployment: Mapping[str, Any] | str | None) -> str | None:
    return deployment["name"] if isinstance(deployment, Mapping) else deployment
