"""Cut from GitHub's published OpenAPI description what the sandbox's forge implements, with everything that this refers to.

    npm install @octokit/openapi@23.0.2
    python tests/sandbox/slim_openapi.py node_modules/@octokit/openapi/generated/api.github.com.json

writes github-openapi.json.gz beside this file (the description is GitHub's, under the MIT licence). Prose and examples are left out.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

DESCRIPTION = Path(__file__).with_name("github-openapi.json.gz")
METHODS = ("get", "post", "put", "patch", "delete")
REPOSITORY = "/repos/{owner}/{repo}"
PATHS = {
    "/user": "get",
    "/users/{username}": "get",
    "/rate_limit": "get",
    REPOSITORY: "get",
    f"{REPOSITORY}/branches": "get",
    f"{REPOSITORY}/branches/{{branch}}": "get",
    f"{REPOSITORY}/git/ref/{{ref}}": "get",
    f"{REPOSITORY}/git/refs": "post",
    f"{REPOSITORY}/git/refs/{{ref}}": "patch delete",
    f"{REPOSITORY}/git/matching-refs/{{ref}}": "get",
    f"{REPOSITORY}/contents/{{path}}": "get",
    f"{REPOSITORY}/collaborators/{{username}}/permission": "get",
    f"{REPOSITORY}/commits": "get",
    f"{REPOSITORY}/commits/{{ref}}": "get",
    f"{REPOSITORY}/commits/{{commit_sha}}/pulls": "get",
    f"{REPOSITORY}/commits/{{ref}}/status": "get",
    f"{REPOSITORY}/commits/{{ref}}/statuses": "get",
    f"{REPOSITORY}/commits/{{ref}}/check-runs": "get",
    f"{REPOSITORY}/statuses/{{sha}}": "post",
    f"{REPOSITORY}/compare/{{basehead}}": "get",
    f"{REPOSITORY}/pulls": "get post",
    f"{REPOSITORY}/pulls/{{pull_number}}": "get patch",
    f"{REPOSITORY}/pulls/{{pull_number}}/merge": "get put",
    f"{REPOSITORY}/pulls/{{pull_number}}/commits": "get",
    f"{REPOSITORY}/pulls/{{pull_number}}/files": "get",
    f"{REPOSITORY}/pulls/{{pull_number}}/reviews": "get post",
    f"{REPOSITORY}/pulls/{{pull_number}}/requested_reviewers": "get post",
    f"{REPOSITORY}/issues/{{issue_number}}": "get",
    f"{REPOSITORY}/issues/{{issue_number}}/comments": "get post",
    f"{REPOSITORY}/issues/comments/{{comment_id}}": "get patch delete",
    f"{REPOSITORY}/issues/{{issue_number}}/labels": "get post",
    f"{REPOSITORY}/issues/{{issue_number}}/labels/{{name}}": "delete",
    f"{REPOSITORY}/labels": "get post",
    f"{REPOSITORY}/labels/{{name}}": "get patch",
    f"{REPOSITORY}/actions/workflows": "get",
    f"{REPOSITORY}/actions/workflows/{{workflow_id}}": "get",
    f"{REPOSITORY}/actions/workflows/{{workflow_id}}/dispatches": "post",
    f"{REPOSITORY}/actions/workflows/{{workflow_id}}/runs": "get",
    f"{REPOSITORY}/actions/runs": "get",
    f"{REPOSITORY}/actions/runs/{{run_id}}": "get",
    f"{REPOSITORY}/actions/runs/{{run_id}}/rerun": "post",
    f"{REPOSITORY}/actions/runs/{{run_id}}/logs": "get",
    f"{REPOSITORY}/actions/runs/{{run_id}}/jobs": "get",
    f"{REPOSITORY}/hooks": "get post",
    f"{REPOSITORY}/hooks/{{hook_id}}": "get delete",
    f"{REPOSITORY}/hooks/{{hook_id}}/deliveries": "get",
    f"{REPOSITORY}/hooks/{{hook_id}}/deliveries/{{delivery_id}}": "get",
    f"{REPOSITORY}/hooks/{{hook_id}}/deliveries/{{delivery_id}}/attempts": "post",
}
WEBHOOKS = (
    "ping", "push", "issue-comment-created", "issue-comment-edited", "status", "workflow-run-requested",
    "workflow-run-in-progress", "workflow-run-completed", "pull-request-opened", "pull-request-synchronize",
    "pull-request-edited", "pull-request-closed", "pull-request-reopened", "pull-request-labeled",
    "pull-request-unlabeled", "pull-request-review-requested", "pull-request-review-submitted",
)  # fmt: skip
PROSE = (
    "description",
    "summary",
    "example",
    "examples",
    "externalDocs",
    "tags",
    "title",
    "x-github",
    "x-github-breaking-changes",
)


def slim(whole: dict[str, Any]) -> dict[str, Any]:
    """The description of `PATHS` and `WEBHOOKS`."""
    paths = {
        path: {
            key: value
            for key, value in whole["paths"][path].items()
            if key in methods.split() or key not in METHODS
        }
        for path, methods in PATHS.items()
    }
    hooks = {name: whole["x-webhooks"][name] for name in WEBHOOKS}
    kept = {
        "openapi": whole["openapi"],
        "info": {key: whole["info"][key] for key in ("title", "version", "license")},
        "servers": [{"url": "https://api.github.com"}],
        "paths": without_prose(paths),
        "x-webhooks": without_prose({name: bodies(hook) for name, hook in hooks.items()}),
        "components": {},
    }
    waiting = references(kept)
    while waiting:
        kind, name = waiting.pop().split("/")[2:]
        section = kept["components"].setdefault(kind, {})
        if name not in section:
            section[name] = without_prose(whole["components"][kind][name])
            waiting |= references(section[name])
    return kept


def bodies(hook: dict[str, Any]) -> dict[str, Any]:
    """Of a webhook, the schema of what is sent."""
    schema = hook["post"]["requestBody"]["content"]["application/json"]["schema"]
    return {"schema": schema}


def without_prose(node: Any, *, names: bool = False) -> Any:
    """The same without what is for readers; `names` says that the keys are names of properties."""
    if isinstance(node, list):
        return [without_prose(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_prose(value, names=key == "properties" and not names)
        for key, value in node.items()
        if names or key not in PROSE or (key == "description" and "content" in node)
    }


def references(node: Any) -> set[str]:
    """Every `$ref` below."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    here = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return here.union(*map(references, node.values()))


if __name__ == "__main__":
    text = json.dumps(slim(json.loads(Path(sys.argv[1]).read_text())), separators=(",", ":"), sort_keys=True)
    DESCRIPTION.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{DESCRIPTION.name}: {DESCRIPTION.stat().st_size} bytes")
