"""What a person configures of Flux for one folder; the times are seconds, Flux' own unless a test is in a hurry."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """A GitRepository `source` with its interval, and a Kustomization `name` over one folder of it.

    `health_poll` is how often health is looked at while it is waited for. `hook` is where events are posted, signed
    with `hook_key` as the Provider generic-hmac does. `receiver_token` opens the Receiver's path.
    """

    name: str
    path: str
    target_namespace: str
    namespace: str = "flux-system"
    source: str = "fleet"
    branch: str = "main"
    source_interval: float = 60.0
    interval: float = 600.0
    retry_interval: float | None = None
    timeout: float = 30.0
    wait: bool = True
    health_poll: float = 5.0
    hook: str | None = None
    hook_key: str = ""
    receiver_token: str = "hook"  # noqa: S105 -- a sandbox's default: all that it opens is a look at git

    @property
    def retry_after(self) -> float:
        """How long after a failure it is tried again."""
        return self.interval if self.retry_interval is None else self.retry_interval
