"""Who may press a button on a page: a person who was shown that page, and who knows the operator's password."""

import hashlib
import hmac
import logging
import secrets

from flask import abort, request
from werkzeug.datastructures import WWWAuthenticate

from bot.web.doors import Doors

FIELD = "form_token"  # the hidden field that every form carries

_log = logging.getLogger(__name__)


class Buttons:
    """Makes the tokens of forms and checks what comes back; the key lives as long as the process.

    There are no sessions: the browser says from where a form was sent, the token proves that whoever sent it could
    read the page, and HTTP basic authentication asks for the password, with any name.
    """

    def __init__(self, doors: Doors) -> None:
        """Tokens are good until the process ends; a page renews itself every few seconds."""
        self._doors = doors
        self._key = secrets.token_bytes(32)

    def token(self, target: str) -> str:
        """What the form about this target carries in its hidden field."""
        return hmac.new(self._key, target.encode(), hashlib.sha256).hexdigest()

    def admit(self, target: str) -> None:
        """Return when this request may do what it asks for; else end it with 403, or 401 and a question."""
        if not _same_origin():
            abort(403, "A button is pressed on this dashboard's own page only.")
        given = request.form.get(FIELD, "")
        if not hmac.compare_digest(self.token(target).encode(), given.encode("utf-8", "replace")):
            abort(403, "This form is from before the bot was started again: go back and reload the page.")
        if not self._knows_password(target):
            question = WWWAuthenticate("basic", {"realm": "the operator of gitops-bot", "charset": "UTF-8"})
            abort(401, "This needs the operator's password; any name will do.", www_authenticate=question)

    def _knows_password(self, target: str) -> bool:
        if self._doors.operator_token is None:
            return True
        # Werkzeug reads what it is sent as UTF-8, which is what the question asks for.
        given = request.authorization.password if request.authorization is not None else None
        if given is None:
            return False
        wanted = self._doors.operator_token().encode()
        known = hmac.compare_digest(wanted, given.encode("utf-8", "replace")) and wanted != b""
        if not known:
            _log.warning("a button was pressed with a wrong password, for %s", target)
        return known


def _same_origin() -> bool:
    """Whether a browser says that this page itself sent the form: another site must not press the button."""
    site = request.headers.get("Sec-Fetch-Site")
    return site == "same-origin" if site else request.headers.get("Origin") == request.host_url.rstrip("/")
