"""Deliveries of webhooks: signed POSTs in the background, recorded, never repeated by themselves.

Facts: facts/products.md, section 5.3.
"""

import hashlib
import hmac
import json
import queue
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import requests

from bot.sandbox.forge.records import Delivery, Hook
from bot.sandbox.forge.refusals import not_found
from bot.sandbox.forge.state import Repository, State

TIMEOUT = 10.0
_LOST = "failed to connect to host"


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Courier:
    """Delivers in order, one thread per hook. Tests can lose deliveries and hold them back."""

    def __init__(self, state: State) -> None:
        """Delivers from the first event on."""
        self._state = state
        self._queues: dict[int, queue.Queue[tuple[Repository, Hook, Delivery] | None]] = {}
        self._open = threading.Event()
        self._open.set()
        self._to_lose = 0
        self._stopped = False
        self._under_way = 0
        self._idle = threading.Condition()

    def publish(self, repo: Repository, event: str, action: str | None, payload: Mapping[str, Any]) -> None:
        """Queue an event for every hook of the repository that listens to it."""
        for hook in list(repo.hooks.values()):
            if event in hook.events or "*" in hook.events:
                self.send(repo, hook, event, action, payload)

    def send(
        self, repo: Repository, hook: Hook, event: str, action: str | None, payload: Mapping[str, Any]
    ) -> None:
        """Queue an event for one hook."""
        now, number = self._state.now(), self._state.next_id()
        body = json.dumps(payload).encode()
        self._put(repo, hook, Delivery(number, hook.id, str(uuid.uuid4()), event, action, body, now))

    def redeliver(self, repo: Repository, number: int) -> None:
        """Try a delivery again: same GUID, same body. 404 when it or its hook is unknown."""
        old = repo.deliveries.get(number)
        if old is None or old.hook not in repo.hooks:
            raise not_found()
        fresh = Delivery(
            self._state.next_id(), old.hook, old.guid, old.event, old.action, old.body, old.delivered_at
        )
        self._put(repo, repo.hooks[old.hook], replace(fresh, delivered_at=self._state.now(), redelivery=True))

    def lose(self, count: int) -> None:
        """Let the next deliveries get lost on their way; they are recorded as failed."""
        with self._idle:
            self._to_lose += count

    def hold(self) -> None:
        """Deliver nothing until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Deliver what was held."""
        self._open.set()

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until everything queued so far has been tried; whether that happened in time."""
        with self._idle:
            return self._idle.wait_for(lambda: self._under_way == 0, seconds)

    def stop(self) -> None:
        """Deliver nothing more."""
        self._stopped = True
        self._open.set()
        for waiting in self._queues.values():
            waiting.put(None)

    def _put(self, repo: Repository, hook: Hook, delivery: Delivery) -> None:
        with self._idle:
            if self._stopped:
                return
            self._under_way += 1
            if hook.id not in self._queues:
                self._queues[hook.id] = queue.Queue()
                work = threading.Thread(
                    target=self._work, args=(hook.id,), name=f"sandbox:hook-{hook.id}", daemon=True
                )
                work.start()
            self._queues[hook.id].put((repo, hook, delivery))

    def _work(self, number: int) -> None:
        waiting = self._queues[number]
        with requests.Session() as session:
            session.trust_env = False
            while (item := waiting.get()) is not None:
                self._open.wait()
                if self._stopped:
                    return
                repo, hook, delivery = item
                tried = self._tried(session, hook, delivery)
                with self._state.lock:
                    repo.deliveries[tried.id] = tried
                with self._idle:
                    self._under_way -= 1
                    self._idle.notify_all()

    def _tried(self, session: requests.Session, hook: Hook, delivery: Delivery) -> Delivery:
        with self._idle:
            lost = self._to_lose > 0
            self._to_lose -= lost
        if lost:
            return replace(delivery, status=_LOST)
        started = time.monotonic()
        try:
            answer = session.post(
                hook.url,
                data=delivery.body,
                headers=_headers(hook, delivery),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.Timeout:
            return replace(delivery, status="timed out", duration=time.monotonic() - started)
        except requests.RequestException:
            return replace(delivery, status=_LOST, duration=time.monotonic() - started)
        status = "OK" if answer.ok else f"Invalid HTTP Response: {answer.status_code}"
        took = time.monotonic() - started
        text = answer.text[:10_000]
        return replace(delivery, status=status, status_code=answer.status_code, duration=took, answer=text)


def _headers(hook: Hook, delivery: Delivery) -> dict[str, str]:
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/sandbox",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-Type": "repository",
    }
    if hook.secret:
        headers["X-Hub-Signature-256"] = signature(hook.secret, delivery.body)
    return headers
