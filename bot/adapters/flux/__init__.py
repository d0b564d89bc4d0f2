"""Flux: the word of its controllers about a rollout. `judge` is pure; `cluster` and `status` fetch what is judged."""

from bot.adapters.flux.cluster import FluxCluster
from bot.adapters.flux.status import FluxStatus

__all__ = ["FluxCluster", "FluxStatus"]
