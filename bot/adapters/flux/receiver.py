"""A Receiver of Flux's notification-controller: one POST makes it fetch within half a second (README (c) of the recordings)."""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

import requests

from bot.ports import Refused, Retryable


class Receiver:
    """Asks Flux to fetch. The address is the secret (`/hook/` and a hash): it is told to nobody, not even in errors."""

    def __init__(self, url: Callable[[], str], *, timeout: float = 10) -> None:
        """`timeout` in seconds for connecting and for the answer. The address is read at each use."""
        self._url = url
        self._timeout = timeout

    def __call__(self) -> None:
        """POST once. `Refused` when a person must correct the address, `Retryable` when nobody answers."""
        url = self._url().strip()
        _check(url)
        try:
            with requests.post(
                url, timeout=self._timeout, allow_redirects=False, stream=True, auth=_no_login
            ) as response:
                status = response.status_code
        except requests.exceptions.SSLError:
            raise Refused("the certificate of Flux's Receiver is not trusted") from None
        except (requests.RequestException, OSError, ValueError) as error:
            # Their texts repeat the address.
            raise Retryable(f"Flux's Receiver cannot be reached ({type(error).__name__})") from None
        if status >= 300:
            raise _explained(status)


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps a .netrc file out of it."""
    return request


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if not host or not (scheme == "https" or (scheme == "http" and _is_loopback(host))):
        raise Refused(
            "the address of Flux's Receiver must begin with https://, as its path is a secret: correct it"
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _explained(status: int) -> Refused | Retryable:
    if status == 404:
        return Refused("Flux has no Receiver under this path: take `.status.webhookPath` of the Receiver")
    if status == 400:
        return Refused("Flux's Receiver wants a signed call: make one of `type: generic` for the bot")
    if status in (301, 302, 303, 307, 308):
        return Refused(
            "the address of Flux's Receiver redirects elsewhere, where the secret must not go: correct it"
        )
    if status >= 500 or status in (408, 429):
        return Retryable(f"Flux's Receiver answered {status}")
    return Refused(f"Flux's Receiver refused the call with {status}")
