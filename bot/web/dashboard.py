"""The dashboard: server-rendered pages that need no JavaScript. They only read, but for lifting a hold where allowed."""

import re
from datetime import UTC, datetime

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from bot.core.names import LABEL_RELEASED, TARGET
from bot.web import view
from bot.web.api import one
from bot.web.buttons import FIELD, Buttons
from bot.web.doors import Doors

_SHOWN = 200
_CODE = re.compile(r"`([^`\n]{1,300})`")


def blueprint(doors: Doors) -> Blueprint:
    """`/`, `/targets/<model>/<environment>`, and POST `.../release` if `doors.release` is there."""
    pages, buttons = Blueprint("dashboard", __name__), Buttons(doors)
    pages.add_app_template_filter(_sentence, "sentence")
    pages.add_app_template_filter(view.web_address, "web_address")
    pages.add_app_template_filter(_exactly, "exactly")
    pages.add_app_template_filter(lambda moment: view.ago(moment, doors.clock()), "ago")
    pages.add_app_template_filter(lambda moment: doors.clock() - moment > view.STALE, "stale")
    pages.add_app_template_filter(view.span, "span")
    pages.add_app_template_filter(view.rollout, "rollout")
    pages.add_app_template_filter(view.check, "check")

    @pages.get("/")
    def index() -> ResponseReturnValue:
        catalogue = doors.catalogue()
        shown = view.rows(catalogue, doors.journal.standings(), doors.queue.list())
        last = next(iter(doors.inbox.deliveries(1)), None)
        return render_template(
            "index.html",
            doors=doors,
            catalogue=catalogue,
            rows=shown,
            summary=view.summary(shown),
            delivery=last,
        )

    @pages.get("/targets/<model>/<environment>")
    def target(model: str, environment: str) -> ResponseReturnValue:
        row = one(doors, f"{model}/{environment}")
        if row is None:
            abort(404)
        entries = doors.journal.entries(row.name, _SHOWN)
        return render_template(
            "target.html",
            doors=doors,
            catalogue=doors.catalogue(),
            row=row,
            entries=entries,
            told=doors.repetitions([entry.id for entry in entries if entry.id is not None]),
            held=row.standing is not None and view.is_held(row.standing),
            label=LABEL_RELEASED,
            field=FIELD,
            form_token=buttons.token(row.name),
            released=request.args.get("released") == "1",
        )

    @pages.post("/targets/<model>/<environment>/release")
    def release(model: str, environment: str) -> ResponseReturnValue:
        name = f"{model}/{environment}"
        if doors.release is None or not TARGET.match(name) or name not in doors.catalogue().targets:
            abort(404)
        buttons.admit(name)
        doors.release(name)
        doors.wake(name)
        return redirect(url_for("dashboard.target", model=model, environment=environment, released=1), 303)

    return pages


def _exactly(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _sentence(text: str) -> Markup:
    """A sentence with what stands between backticks as code, and everything escaped."""
    parts = _CODE.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
