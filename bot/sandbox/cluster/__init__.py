"""Plays Argo CD for Applications on this machine: follows git, renders kustomize, really runs the model servers."""

from bot.sandbox.cluster.cluster import Cluster

__all__ = ["Cluster"]
