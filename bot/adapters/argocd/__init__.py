"""Argo CD: the cluster's word about a rollout. `judge` is pure; `client` fetches what it judges."""

from bot.adapters.argocd.client import ArgoCDCluster

__all__ = ["ArgoCDCluster"]
