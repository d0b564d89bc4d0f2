"""Queues of targets: in memory for one process."""
