"""Workflows and their runs; webhooks and their deliveries."""

import json

from bot.sandbox.forge.documents.commits import api, page
from bot.sandbox.forge.documents.people import Document, node_id, optional_stamp, repository, stamp, user
from bot.sandbox.forge.git import Commit
from bot.sandbox.forge.history import commit
from bot.sandbox.forge.records import Delivery, Hook, Run
from bot.sandbox.forge.state import Repository, State
from bot.sandbox.forge.workflows import FOLDER, Workflow


def workflow(state: State, repo: Repository, found: Workflow) -> Document:
    """`workflow`."""
    return {
        "id": found.id,
        "node_id": node_id("Workflow", found.id),
        "name": found.name,
        "path": f"{FOLDER}/{found.file}",
        "state": "active",
        "created_at": stamp(repo.created_at),
        "updated_at": stamp(repo.created_at),
        "url": api(state, repo, f"/actions/workflows/{found.id}"),
        "html_url": page(state, repo, f"/blob/{repo.default_branch}/{FOLDER}/{found.file}"),
        "badge_url": page(state, repo, f"/actions/workflows/{found.file}/badge.svg"),
    }


def run(state: State, repo: Repository, found: Run) -> Document:
    """`workflow-run`."""
    home = repository(state, repo)
    return {
        "id": found.id,
        "name": found.workflow_name,
        "node_id": node_id("WorkflowRun", found.id),
        "check_suite_id": found.id,
        "check_suite_node_id": node_id("CheckSuite", found.id),
        "head_branch": found.ref,
        "head_sha": found.sha,
        "path": f"{FOLDER}/{found.workflow}",
        "display_title": found.display_title,
        "run_number": found.number,
        "run_attempt": found.attempt,
        "event": "workflow_dispatch",
        "status": found.status,
        "conclusion": found.conclusion,
        "workflow_id": found.workflow_id,
        **_run_addresses(state, repo, found),
        "pull_requests": [],
        "referenced_workflows": [],
        "actor": user(state, found.actor),
        "triggering_actor": user(state, found.actor),
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "run_started_at": stamp(found.started_at),
        "head_commit": _head_commit(commit(repo.git, found.sha)),
        "repository": home,
        "head_repository": home,
        "head_repository_id": repo.id,
    }


def _run_addresses(state: State, repo: Repository, found: Run) -> Document:
    url = api(state, repo, f"/actions/runs/{found.id}")
    return {
        "url": url,
        "html_url": found.html_url,
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{found.attempt - 1}" if found.attempt > 1 else None,
        "check_suite_url": api(state, repo, f"/check-suites/{found.id}"),
        "workflow_url": api(state, repo, f"/actions/workflows/{found.workflow_id}"),
    }


def _head_commit(head: Commit) -> Document:
    return {
        "id": head.sha,
        "tree_id": head.tree,
        "message": head.message,
        "timestamp": stamp(head.committer.at),
        "author": {"name": head.author.name, "email": head.author.email},
        "committer": {"name": head.committer.name, "email": head.committer.email},
    }


def job(state: State, repo: Repository, found: Run) -> Document:
    """`job`: a run of the sandbox has one."""
    url = api(state, repo, f"/actions/jobs/{found.id}")
    return {
        "id": found.id,
        "run_id": found.id,
        "run_url": api(state, repo, f"/actions/runs/{found.id}"),
        "run_attempt": found.attempt,
        "node_id": node_id("Job", found.id),
        "head_sha": found.sha,
        "head_branch": found.ref,
        "url": url,
        "html_url": found.html_url,
        "status": found.status,
        "conclusion": found.conclusion,
        "created_at": stamp(found.created_at),
        "started_at": stamp(found.started_at),
        "completed_at": optional_stamp(found.updated_at if found.status == "completed" else None),
        "name": "build",
        "steps": [],
        "check_run_url": api(state, repo, f"/check-runs/{found.id}"),
        "labels": ["sandbox"],
        "runner_id": 1,
        "runner_name": "sandbox",
        "runner_group_id": 1,
        "runner_group_name": "sandbox",
        "workflow_name": found.workflow_name,
    }


def hook(state: State, repo: Repository, found: Hook) -> Document:
    """`hook`; the secret is shown as stars, as GitHub does."""
    url = api(state, repo, f"/hooks/{found.id}")
    tries = [delivery for delivery in repo.deliveries.values() if delivery.hook == found.id]
    last = tries[-1] if tries else None
    response = {
        "code": last.status_code if last else None,
        "status": "unused"
        if last is None
        else "active"
        if 200 <= last.status_code < 300
        else "misconfigured",
        "message": last.status if last else None,
    }
    config = {"url": found.url, "content_type": "json", "insecure_ssl": "0"}
    return {
        "type": "Repository",
        "id": found.id,
        "name": "web",
        "active": True,
        "events": list(found.events),
        "config": config | ({"secret": "********"} if found.secret else {}),
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.created_at),
        "url": url,
        "test_url": f"{url}/tests",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": response,
    }


def delivery(repo: Repository, found: Delivery) -> Document:
    """`hook-delivery-item`."""
    return {
        "id": found.id,
        "guid": found.guid,
        "delivered_at": stamp(found.delivered_at),
        "redelivery": found.redelivery,
        "duration": round(found.duration, 2),
        "status": found.status,
        "status_code": found.status_code,
        "event": found.event,
        "action": found.action,
        "installation_id": None,
        "repository_id": repo.id,
        "throttled_at": None,
    }


def delivery_in_full(repo: Repository, found: Delivery) -> Document:
    """`hook-delivery`, with what was sent and answered."""
    headers = {
        "X-GitHub-Event": found.event,
        "X-GitHub-Delivery": found.guid,
        "Content-Type": "application/json",
    }
    request = {"headers": headers, "payload": json.loads(found.body)}
    response = {"headers": {}, "payload": found.answer}
    url = repo.hooks[found.hook].url
    return delivery(repo, found) | {"url": url, "request": request, "response": response}
