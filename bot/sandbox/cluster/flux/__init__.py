"""Plays Flux for a folder of the manifests repo: GitRepository, Kustomization, Receiver and events."""

from bot.sandbox.cluster.flux.follower import Follower
from bot.sandbox.cluster.flux.plan import Plan

__all__ = ["Follower", "Plan"]
