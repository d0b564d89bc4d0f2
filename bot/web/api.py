"""The small JSON API: what the dashboard shows, for scripts. Reads only; times are RFC 3339 in UTC."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue

from bot.ports import Delivery, Entry, Queued
from bot.web import view
from bot.web.doors import Doors

_MOST = 500


def blueprint(doors: Doors) -> Blueprint:
    """/targets, /targets/<model>/<environment>, /queue, /deliveries; `?limit=` up to 500 where there is a list."""
    routes = Blueprint("api", __name__)

    @routes.get("/targets")
    def targets() -> ResponseReturnValue:
        catalogue = doors.catalogue()
        shown = view.rows(catalogue, doors.journal.standings(), doors.queue.list())
        return jsonify(
            commit=catalogue.commit, problem=catalogue.problem, targets=[_target(row) for row in shown]
        )

    @routes.get("/targets/<model>/<environment>")
    def target(model: str, environment: str) -> ResponseReturnValue:
        name = f"{model}/{environment}"
        row = one(doors, name)
        entries = doors.journal.entries(name, _limit())
        if row is None:
            abort(404)
        told = doors.repetitions([entry.id for entry in entries if entry.id is not None])
        return jsonify(**_target(row), timeline=[_entry(entry, told) for entry in entries])

    @routes.get("/queue")
    def queue() -> ResponseReturnValue:
        return jsonify(queue=[_queued(item) for item in doors.queue.list()])

    @routes.get("/deliveries")
    def deliveries() -> ResponseReturnValue:
        return jsonify(deliveries=[_delivery(item) for item in doors.inbox.deliveries(_limit())])

    return routes


def one(doors: Doors, name: str) -> view.Row | None:
    """A target of the catalogue, or one that was in it: the journal still tells of that. None for any other name."""
    target, standing = doors.catalogue().targets.get(name), doors.journal.standings().get(name)
    if target is None and standing is None:
        return None
    queued = next((item for item in doors.queue.list() if item.target == name), None)
    return view.row(name, target, standing, queued)


def _limit() -> int:
    return min(max(request.args.get("limit", 100, type=int), 1), _MOST)


def _target(row: view.Row) -> dict[str, Any]:
    standing = row.standing
    proposals = standing.proposals if standing is not None else ()
    return {
        "target": row.name,
        "configured": row.target is not None,
        "state": row.state.value,
        **{cell.title: cell.value for cell in row.cells},
        "action": standing.action if standing is not None else None,
        "because": row.sentence,
        "looked_at": _when(standing.looked_at) if standing is not None else None,
        "failures": standing.failures if standing is not None else 0,
        "proposals": [
            {"number": number, "url": view.web_address(url), "title": title}
            for number, url, title in proposals
        ],
    }


def _entry(entry: Entry, told: Mapping[int, tuple[datetime, int]]) -> dict[str, Any]:
    first, times = told.get(entry.id or 0, (entry.at, 1))
    return {
        "at": _when(entry.at),
        "first_at": _when(first),
        "times": times,
        "action": entry.action,
        "because": entry.because,
        "outcome": entry.outcome,
        "detail": entry.detail,
        "version": entry.version,
        "commit": entry.commit,
        "url": view.web_address(entry.url),
        "seconds": entry.seconds,
    }


def _queued(item: Queued) -> dict[str, Any]:
    return {
        "target": item.target,
        "state": item.state,
        "due_in_seconds": _seconds(item.due_in),
        "failures": item.failures,
        "problem": item.problem,
    }


def _delivery(item: Delivery) -> dict[str, Any]:
    return {
        "sender": item.sender,
        "id": item.id,
        "event": item.event,
        "received_at": _when(item.received_at),
        "targets": list(item.targets),
    }


def _when(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _seconds(length: timedelta | None) -> float | None:
    return length.total_seconds() if length is not None else None
