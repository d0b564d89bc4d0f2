"""Workloads in Kubernetes: do the pods run the release, all of them, and stay up? `judge` is pure; `client` reads."""

from bot.adapters.workload.client import WorkloadCluster

__all__ = ["WorkloadCluster"]
