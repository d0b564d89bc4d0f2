"""Flux: the word of its controllers about a rollout. `judge` is pure; `cluster` and `status` fetch what is judged."""
