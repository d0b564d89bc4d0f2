"""Argo CD: its word about a rollout. `judge` is pure; `client` and `objects` fetch what it judges, in two ways."""

from bot.adapters.argocd.client import ArgoCDCluster
from bot.adapters.argocd.objects import ArgoCDObjects

__all__ = ["ArgoCDCluster", "ArgoCDObjects"]
