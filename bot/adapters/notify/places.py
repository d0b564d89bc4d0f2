"""One place and how it is told. Its URL says which kind it is:

- the address of an incoming webhook as Slack, Teams, Discord, … show it, or a URL of Apprise (`pagerduty://…`,
  `mailtos://…`, `telegram://…`): that service, in its own form;
- any other `https://` address, with `#KEY` behind it where it is to be signed: a POST of the notice as JSON.

A place is told at least once; whoever minds hearing of the same thing twice compares the `id` of the JSON.
"""

import hashlib
import hmac
import ipaddress
import json
import logging
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import requests
import urllib3.exceptions
from requests.auth import HTTPBasicAuth

from bot.ports import Notice

if TYPE_CHECKING:
    import apprise

DELIVERY = "X-GitOps-Bot-Delivery"
SIGNATURE = "X-GitOps-Bot-Signature"


class Untold(Exception):
    """The place was not told; the message says why, without anything of its URL."""


def tell(url: str, notice: Notice, timeout: float) -> None:
    """Tell one place once; `timeout` in seconds. Raises `Untold`."""
    service = _service(url)
    if service is not None:
        _by_service(service, notice)
    else:
        _by_webhook(url, notice, timeout)


def signature(key: str, body: bytes) -> str:
    """The value of X-GitOps-Bot-Signature: `sha256=` and the HMAC of the body's bytes in hexadecimal digits."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def _service(url: str) -> Any:
    """Apprise's sender for this URL, or None for one that it does not know."""
    import apprise  # half a second, which only a bot with something to tell pays

    found = apprise.Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
    return found or None


@cache
def _asset() -> "apprise.AppriseAsset":
    import apprise

    # Its log lines repeat addresses and payloads, and these are secret.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise.AppriseAsset(
        app_id="gitops-bot",
        app_desc="GitOps commit bot",
        app_url="",
        image_url_logo="",
        image_url_mask="",
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )


def _by_service(service: Any, notice: Notice) -> None:
    import apprise

    sending = apprise.Apprise(asset=_asset())
    sending.add(service)
    told = sending.notify(
        title=notice.title,
        body=f"{notice.text}\n{notice.url}" if notice.url else notice.text,
        notify_type=apprise.NotifyType.FAILURE,
        # Plain text is escaped on its way, so that nothing in it acts.
        body_format=apprise.NotifyFormat.TEXT,
        interpret_escapes=False,
    )
    if not told:
        raise Untold(f"{service.service_name} did not take the notice")


def _by_webhook(url: str, notice: Notice, timeout: float) -> None:
    address, key, auth = _webhook(url)
    document = {
        "id": notice.id,
        "target": notice.target,
        "title": notice.title,
        "text": notice.text,
        "url": notice.url,
    }
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json", DELIVERY: quote(notice.id, safe="/:@ ")}
    if key:
        headers[SIGNATURE] = signature(key, body)
    try:
        with (
            requests.Session() as session,
            session.post(
                address,
                data=body,
                headers=headers,
                auth=auth,
                timeout=timeout,
                verify=True,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            status = response.status_code
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # The text of these repeats the address; the kind says enough.
        raise Untold(f"the webhook cannot be reached ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise Untold(f"the webhook answers {status}")


def _webhook(url: str) -> tuple[str, str, Any]:
    """The address as it is asked, the key, and the login that stands before the host, where there is one."""
    try:
        parts = urlsplit(url)
        host, login = parts.hostname or "", (parts.username, parts.password)
    except ValueError:
        raise Untold("its URL cannot be read") from None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise Untold("its URL is neither `https://…` nor one that Apprise knows")
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    name, password = login
    return bare, parts.fragment, HTTPBasicAuth(name, password or "") if name else _Nobody()


class _Nobody(requests.auth.AuthBase):
    """Without this, requests would send what it finds in ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
