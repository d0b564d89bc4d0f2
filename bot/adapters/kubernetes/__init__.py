"""Kubernetes: a cluster's objects, for the adapters that judge them."""

from bot.adapters.kubernetes.objects import KubernetesObjects

__all__ = ["KubernetesObjects"]
