"""Whether what a controller complains of is an outage, a missing right or a person's doing, rather than the manifests.

A commit that could not be applied for such a reason is not refuted by it: taking it back could not be applied either.
"""

import re

# What names the manifests themselves decides, whatever else stands beside it.
_MANIFESTS = re.compile(
    r"(?i)\bis invalid\b|invalid value|denied the request|unknown field|field not declared|strict decoding|cannot unmarshal"
    r"|field is immutable|backoff ?limit"
)
_OUTAGE = re.compile(
    r"(?i)connection (?:refused|reset|timed out)|no such host|no route to host|dial tcp|i/o timeout|tls handshake|\beof\b|\bx509\b"
    r"|context deadline exceeded|client\.timeout|request timed out|etcdserver|failed (?:calling|to call) webhook"
    r"|conversion webhook|internal error occurred|code = unavailable|server is currently unable|server was unable"
    r"|service ?unavailable|too ?many ?requests|\b(?:server)?timeout\)|unauthori[sz]ed"
    r"|exceeded quota|is forbidden: user|is being terminated|\boperation (?:forcefully )?terminated\b"
)


def is_outage(message: str) -> bool:
    """Whether a message, which is hostile text, tells of nothing that another commit could mend. Never raises."""
    return _OUTAGE.search(message) is not None and _MANIFESTS.search(message) is None
