"""Short-lived signed tokens, as registries hand them out (facts/products.md, section 7: token flow)."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping

from bot.sandbox.image_registry.storage import NAME

_HEADER = b'{"alg":"HS256","typ":"JWT"}'
_SCOPE = re.compile(r"repository:(?P<name>[^:]+):(?P<actions>[a-z,*]*)\Z")

Access = dict[str, set[str]]
"""Repository to allowed actions: pull, push, delete."""


class Tokens:
    """Hands out tokens to users by name and password, and reads them again."""

    def __init__(self, users: Mapping[str, str], readers: Iterable[str], *, seconds: int) -> None:
        """`readers` are the users that may only pull; a token is good for `seconds`."""
        self._users = dict(users)
        self._readers = frozenset(readers)
        self.seconds = seconds
        self._key = secrets.token_bytes(32)

    def knows(self, user: str, password: str) -> bool:
        """Whether this is the user's password, in the same time for a near miss as for a far one."""
        expected = self._users.get(user)
        given = hmac.compare_digest((expected or "").encode(), password.encode())
        return expected is not None and given

    def grant(self, user: str | None, scopes: Iterable[str]) -> str:
        """A token with what the user may have of the scopes: silently less than asked, and nothing for nobody."""
        allowed = set() if user is None else {"pull"} if user in self._readers else {"pull", "push", "delete"}
        access: dict[str, list[str]] = {}
        for scope in scopes:
            found = _SCOPE.match(scope)
            if found and NAME.match(found["name"]):
                access[found["name"]] = sorted(allowed & set(found["actions"].split(",")))
        claims = {"sub": user or "", "exp": time.time() + self.seconds, "access": access}
        head = f"{_encode(_HEADER)}.{_encode(json.dumps(claims).encode())}"
        return f"{head}.{_encode(self._sign(head))}"

    def read(self, token: str) -> Access | None:
        """What a token allows; None when it is not ours or its time is over."""
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(_encode(self._sign(head)).encode(), signature.encode()):
            return None
        claims = json.loads(_decode(head.partition(".")[2]))
        if claims["exp"] < time.time():
            return None
        return {name: set(actions) for name, actions in claims["access"].items()}

    def _sign(self, head: str) -> bytes:
        return hmac.new(self._key, head.encode(), hashlib.sha256).digest()


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
