"""Webhooks and their deliveries."""

import flask

from bot.sandbox.forge import events
from bot.sandbox.forge.documents import actions as documents
from bot.sandbox.forge.records import Hook
from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.rest.door import actor, answer, given, nothing, paged, repository, services, state
from bot.sandbox.forge.state import Repository

api = flask.Blueprint("hooks", __name__)


def _hook(repo: Repository, number: int) -> Hook:
    if number not in repo.hooks:
        raise not_found()
    return repo.hooks[number]


@api.get("/repos/<owner>/<name>/hooks")
def list_hooks(owner: str, name: str) -> flask.Response:
    """The webhooks, without their secrets."""
    repo = repository(owner, name)
    return paged(list(repo.hooks.values()), lambda one: documents.hook(state(), repo, one))


@api.post("/repos/<owner>/<name>/hooks")
def create_hook(owner: str, name: str) -> flask.Response:
    """A new webhook, which is pinged."""
    repo, body = repository(owner, name), given()
    config = body.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("url"), str):
        raise Refusal(
            422, "Validation Failed", [{"resource": "Hook", "field": "url", "code": "missing_field"}]
        )
    listened = tuple(str(event) for event in body.get("events") or ("push",))
    made = add_hook(repo, config["url"], str(config.get("secret") or ""), listened, actor())
    return answer(documents.hook(state(), repo, made), 201)


def add_hook(repo: Repository, url: str, secret: str, listened: tuple[str, ...], login: str) -> Hook:
    """Keep a webhook and ping it."""
    with state().lock:
        made = Hook(state().next_id(), url, secret, listened, state().now())
        repo.hooks[made.id] = made
        services().courier.send(repo, made, "ping", None, events.ping(state(), repo, made, login))
    return made


@api.get("/repos/<owner>/<name>/hooks/<int:number>")
def get_hook(owner: str, name: str, number: int) -> flask.Response:
    """One webhook."""
    repo = repository(owner, name)
    return answer(documents.hook(state(), repo, _hook(repo, number)))


@api.delete("/repos/<owner>/<name>/hooks/<int:number>")
def delete_hook(owner: str, name: str, number: int) -> flask.Response:
    """Deliver nothing there any more."""
    repo = repository(owner, name)
    with state().lock:
        del repo.hooks[_hook(repo, number).id]
    return nothing()


@api.get("/repos/<owner>/<name>/hooks/<int:number>/deliveries")
def list_deliveries(owner: str, name: str, number: int) -> flask.Response:
    """What was tried, newest first."""
    repo = repository(owner, name)
    _hook(repo, number)
    found = [delivery for delivery in repo.deliveries.values() if delivery.hook == number]
    return paged(list(reversed(found)), lambda one: documents.delivery(repo, one))


@api.get("/repos/<owner>/<name>/hooks/<int:number>/deliveries/<int:delivery>")
def get_delivery(owner: str, name: str, number: int, delivery: int) -> flask.Response:
    """One try in full."""
    repo = repository(owner, name)
    _hook(repo, number)
    if delivery not in repo.deliveries:
        raise not_found()
    return answer(documents.delivery_in_full(repo, repo.deliveries[delivery]))


@api.post("/repos/<owner>/<name>/hooks/<int:number>/deliveries/<int:delivery>/attempts")
def redeliver(owner: str, name: str, number: int, delivery: int) -> flask.Response:
    """Try it again, under the same GUID."""
    repo = repository(owner, name)
    _hook(repo, number)
    services().courier.redeliver(repo, delivery)
    return answer({}, 202)
