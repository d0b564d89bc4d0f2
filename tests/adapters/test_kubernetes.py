"""The adapter for the Kubernetes API, against a small API server that speaks its shapes."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.kubernetes import KubernetesObjects
from bot.adapters.kubernetes.login import plugin, token_file
from bot.ports import Objects, Refused, Resource, Retryable
from tests.adapters.kubernetes_api import (
    TOKEN,
    USER,
    Api,
    authority,
    encoded,
    kubeconfig,
    serving_api,
    status,
)

pytestmark = pytest.mark.world

DEPLOYMENTS = Resource("apps/v1", "deployments")
PODS = Resource("v1", "pods")
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
POD = "/api/v1/namespaces/shop/pods"


@pytest.fixture
def api() -> Iterator[Api]:
    with serving_api() as served:
        yield served


@pytest.fixture
def objects(api: Api, tmp_path: Path) -> Objects:
    return KubernetesObjects(kubeconfig(tmp_path, api.url, {"token": TOKEN}), timeout=5)


# --- Reading ---------------------------------------------------------------------------------------


def test_an_object_is_read_as_the_api_tells_it(api: Api, objects: Objects) -> None:
    put = api.put(WEB, kind="Deployment", spec={"replicas": 2}, status={"unheardOf": [1]})
    assert objects.get(DEPLOYMENTS, "shop", "web") == put
    assert api.asked == [("GET", WEB, {}, f"Bearer {TOKEN}")]


def test_what_does_not_exist_is_none(objects: Objects) -> None:
    assert objects.get(DEPLOYMENTS, "shop", "nope") is None


def test_a_kind_of_object_that_the_cluster_does_not_know_has_none(api: Api, objects: Objects) -> None:
    api.instead += [(404, {}, b"404 page not found\n")] * 2
    unknown = Resource("argoproj.io/v1alpha1", "rollouts")
    assert objects.get(unknown, "shop", "web") is None
    assert objects.list(unknown, "shop") == []


def test_a_list_is_read_page_by_page_up_to_its_limit_and_every_item_says_its_kind(
    api: Api, objects: Objects
) -> None:
    for number in range(8):
        api.put(f"{POD}/web-{number}", metadata={"labels": {"app": "web"}})
    api.put(f"{POD}/other", metadata={"labels": {"app": "other"}})
    names = [item["metadata"]["name"] for item in objects.list(PODS, "shop", labels="app=web", limit=7)]
    assert names == [f"web-{number}" for number in range(7)]
    assert {(item["kind"], item["apiVersion"]) for item in objects.list(PODS, "shop")} == {("Pod", "v1")}
    assert len(objects.list(PODS, "shop")) == 9
    assert [query["limit"] for _, _, query, _ in api.asked[:3]] == ["7", "4", "1"]


def test_a_list_may_be_narrowed_by_a_field(api: Api, objects: Objects) -> None:
    api.put(f"{POD}/one")
    api.put(f"{POD}/two")
    found = objects.list(PODS, "shop", fields="metadata.name=two")
    assert [item["metadata"]["name"] for item in found] == ["two"]


def test_a_list_that_never_ends_is_given_up(api: Api, objects: Objects) -> None:
    page = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "again"}, "items": []}
    api.instead += [(200, {}, json.dumps(page).encode())] * 50
    assert objects.list(PODS, "shop") == []
    assert len(api.asked) == 20


# --- Logs ------------------------------------------------------------------------------------------


def test_the_last_lines_of_a_log_are_read_of_this_run_or_the_one_before(api: Api, objects: Objects) -> None:
    api.logs["web-1/server", "current"] = b"one\ntwo\nthree\n"
    api.logs["web-1/server", "previous"] = "zu groß\n".encode()
    assert objects.log("shop", "web-1", "server", previous=False, lines=2) == "two\nthree\n"
    assert objects.log("shop", "web-1", "server", previous=True, lines=2) == "zu groß\n"


def test_of_a_long_log_the_end_is_kept(api: Api, objects: Objects) -> None:
    lines = [f"{number:05} {'é' * 300}\n" for number in range(200)]
    api.logs["web-1/server", "current"] = "".join(lines).encode()
    text = objects.log("shop", "web-1", "server", previous=False, lines=200)
    assert text.endswith(lines[-1])
    assert 16_000 < len(text.encode()) <= 16 << 10


def test_a_container_that_never_ran_has_an_empty_log(objects: Objects) -> None:
    assert objects.log("shop", "web-1", "server", previous=True, lines=5) == ""


# --- Writing ---------------------------------------------------------------------------------------


def test_annotations_are_set_and_others_stay(api: Api, objects: Objects) -> None:
    api.put(WEB, metadata={"annotations": {"kept": "yes"}})
    objects.annotate(DEPLOYMENTS, "shop", "web", {"argocd.argoproj.io/refresh": "normal"})
    about = api.objects[WEB]["metadata"]
    assert about["annotations"] == {"kept": "yes", "argocd.argoproj.io/refresh": "normal"}
    assert api.asked[0][:3] == ("PATCH", WEB, {"fieldManager": "gitops-bot"})


def test_a_merge_patch_changes_a_field_and_takes_another_away(api: Api, objects: Objects) -> None:
    api.put(WEB, operation={"sync": {}}, spec={"replicas": 2, "paused": True})
    objects.patch(DEPLOYMENTS, "shop", "web", {"operation": None, "spec": {"replicas": 3}})
    assert "operation" not in api.objects[WEB]
    assert api.objects[WEB]["spec"] == {"replicas": 3, "paused": True}


def test_what_does_not_exist_cannot_be_changed(objects: Objects) -> None:
    with pytest.raises(Refused, match=r"there is no deployments\.apps nope in namespace shop"):
        objects.annotate(DEPLOYMENTS, "shop", "nope", {"a": "b"})


# --- What the cluster says instead -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "resource", "group"),
    [("get", "deployments", "apps"), ("patch", "deployments", "apps"), ("list", "pods", ""), ("get", "pods/log", "")],
)  # fmt: skip
def test_a_missing_right_is_named_with_the_role_that_grants_it(
    api: Api, objects: Objects, verb: str, resource: str, group: str
) -> None:
    api.forbidden.add(f"{verb} {resource}")
    asks = {
        "get deployments": lambda: objects.get(DEPLOYMENTS, "shop", "web"),
        "patch deployments": lambda: objects.patch(DEPLOYMENTS, "shop", "web", {}),
        "list pods": lambda: objects.list(PODS, "shop"),
        "get pods/log": lambda: objects.log("shop", "web-1", "server", previous=False, lines=1),
    }
    with pytest.raises(Refused) as refused:
        asks[f"{verb} {resource}"]()
    sentence = str(refused.value)
    assert f"the bot ({USER}) lacks the right to {verb} {resource}" in sentence
    assert "in namespace shop" in sentence
    assert f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}' in sentence
    assert "RoleBinding" in sentence


def test_a_no_of_admission_or_quota_is_not_taken_for_a_missing_right(api: Api, objects: Objects) -> None:
    said = status(403, "Forbidden", 'deployments.apps "web" is forbidden: exceeded quota: limit')
    api.instead.append((403, {}, json.dumps(said).encode()))
    with pytest.raises(Refused, match="exceeded quota") as refused:
        objects.patch(DEPLOYMENTS, "shop", "web", {})
    assert "Role" not in str(refused.value)


def test_a_login_that_is_not_accepted_is_refused(api: Api, objects: Objects) -> None:
    api.tokens.clear()
    with pytest.raises(Refused, match=r"login is not accepted by the cluster \(Unauthorized\)"):
        objects.get(DEPLOYMENTS, "shop", "web")


@pytest.mark.parametrize(
    ("code", "headers", "body", "after"),
    [
        (429, {"Retry-After": "7"}, b"", timedelta(seconds=7)),
        (429, {}, json.dumps(status(429, "TooManyRequests", "slow", retryAfterSeconds=3)).encode(), timedelta(seconds=3)),
        (503, {"Retry-After": "999999999999"}, b"", timedelta(hours=1)),
        (503, {"Retry-After": "soon"}, b"<html>", None),
        (500, {}, b"[1]", None),
        (409, {}, json.dumps(status(409, "Conflict", "the object has been modified")).encode(), None),
        (410, {}, json.dumps(status(410, "Expired", "the continue token is too old")).encode(), None),
    ],
)  # fmt: skip
def test_what_passes_by_itself_is_tried_again_when_the_cluster_says(
    api: Api, objects: Objects, code: int, headers: dict[str, str], body: bytes, after: timedelta | None
) -> None:
    api.instead.append((code, headers, body))
    with pytest.raises(Retryable) as retryable:
        objects.get(DEPLOYMENTS, "shop", "web")
    assert retryable.value.after == after


def test_a_date_to_come_again_is_understood(api: Api, objects: Objects) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    api.instead.append((503, {"Retry-After": then}, b""))
    with pytest.raises(Retryable) as retryable:
        objects.get(DEPLOYMENTS, "shop", "web")
    assert retryable.value.after is not None
    assert timedelta(seconds=80) < retryable.value.after < timedelta(seconds=100)


def test_a_request_that_the_cluster_rejects_is_refused_with_its_reason(api: Api, objects: Objects) -> None:
    said = status(422, "Invalid", 'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1')
    api.instead.append((422, {}, json.dumps(said).encode()))
    with pytest.raises(Refused, match=r"422 .*Invalid value: -1"):
        objects.patch(DEPLOYMENTS, "shop", "web", {"spec": {"replicas": -1}})


def test_the_login_never_follows_a_redirect(api: Api, objects: Objects) -> None:
    with serving_api() as elsewhere:
        api.instead.append((307, {"Location": f"{elsewhere.url}{WEB}"}, b""))
        with pytest.raises(Refused, match="redirects elsewhere"):
            objects.get(DEPLOYMENTS, "shop", "web")
        assert elsewhere.asked == []


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b"{}", b"[" * 100_000])
def test_what_is_no_api_of_kubernetes_is_said(api: Api, objects: Objects, body: bytes) -> None:
    api.instead.append((200, {}, body))
    with pytest.raises(Retryable, match="does not speak as the Kubernetes API does"):
        objects.get(DEPLOYMENTS, "shop", "web")


def test_an_endless_answer_is_cut_off(api: Api, objects: Objects) -> None:
    api.instead.append((200, {}, b" " * ((16 << 20) + 1)))
    with pytest.raises(Retryable, match="larger than 16 MiB"):
        objects.get(DEPLOYMENTS, "shop", "web")


def test_a_silent_cluster_is_left_alone_after_the_time_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}", {"token": TOKEN})
        with pytest.raises(Retryable, match=r"does not answer within 0\.2 s"):
            KubernetesObjects(path, timeout=0.2).get(DEPLOYMENTS, "shop", "web")


def test_an_answer_that_trickles_is_given_up(tmp_path: Path) -> None:
    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(100):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return
                gone.wait(0.02)

    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}", {"token": TOKEN})
        with pytest.raises(Retryable, match="too slowly"):
            KubernetesObjects(path, timeout=0.1).get(DEPLOYMENTS, "shop", "web")
        thread.join()


def test_a_cluster_that_is_gone_is_tried_again(tmp_path: Path) -> None:
    with serving_api() as api:
        path = kubeconfig(tmp_path, api.url, {"token": TOKEN})
    with pytest.raises(Retryable, match=r"cannot be reached \(ConnectError\)"):
        KubernetesObjects(path).get(DEPLOYMENTS, "shop", "web")


@pytest.mark.parametrize("name", ["", "..", "a/../b", "web?x=1", "Web", "web\n", "a" * 300, "%2e%2e"])
def test_a_hostile_name_never_becomes_a_path(api: Api, objects: Objects, name: str) -> None:
    with pytest.raises(Refused, match="is not a name in Kubernetes"):
        objects.get(DEPLOYMENTS, name, "web")
    assert api.asked == []


# --- Getting in ------------------------------------------------------------------------------------


def test_tls_is_trusted_by_the_ca_in_the_kubeconfig_only(tmp_path: Path) -> None:
    certificate = authority(tmp_path)
    with serving_api(certificate) as api:
        put = api.put(WEB)
        for given in (
            {"certificate-authority-data": encoded(certificate[0])},
            {"certificate-authority": "ca.crt"},
        ):
            path = kubeconfig(tmp_path, api.url, {"token": TOKEN}, **given)
            assert KubernetesObjects(path).get(DEPLOYMENTS, "shop", "web") == put
        path = kubeconfig(tmp_path, api.url, {"token": TOKEN})
        asked = len(api.asked)
        with pytest.raises(Refused, match=r"certificate is not trusted \(self.signed certificate\)"):
            KubernetesObjects(path).get(DEPLOYMENTS, "shop", "web")
        assert len(api.asked) == asked


def test_inside_a_pod_the_service_account_is_used_and_its_token_may_rotate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = authority(tmp_path)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "namespace").write_text("bots")
    with serving_api(certificate) as api:
        put = api.put(WEB)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", api.url.rpartition(":")[2])
        objects = KubernetesObjects(service_account=tmp_path)
        assert objects.get(DEPLOYMENTS, "shop", "web") == put
        (tmp_path / "token").write_text("the-next-token")
        api.tokens = {"the-next-token"}
        assert objects.get(DEPLOYMENTS, "shop", "web") == put


def test_a_token_file_is_read_again_after_a_minute_though_the_old_token_is_still_taken(
    tmp_path: Path,
) -> None:
    """A service account's old token is taken for long after it was replaced, and its use is counted as stale."""
    (tmp_path / "token").write_text(TOKEN)
    said, until = token_file(tmp_path / "token")()
    assert said == f"Bearer {TOKEN}"
    assert until is not None
    early = timedelta(seconds=30)
    assert timedelta(seconds=55) < until - early - datetime.now(UTC) <= timedelta(seconds=60)


def test_a_token_file_beside_the_kubeconfig_may_rotate(api: Api, tmp_path: Path) -> None:
    put = api.put(WEB)
    (tmp_path / "bot.token").write_text(TOKEN)
    objects = KubernetesObjects(kubeconfig(tmp_path, api.url, {"tokenFile": "bot.token"}))
    assert objects.get(DEPLOYMENTS, "shop", "web") == put
    (tmp_path / "bot.token").write_text("the-next-token")
    api.tokens = {"the-next-token"}
    assert objects.get(DEPLOYMENTS, "shop", "web") == put


def test_a_kubeconfig_that_was_replaced_is_read_again(api: Api, tmp_path: Path) -> None:
    put = api.put(WEB)
    path = tmp_path / "kubeconfig"
    objects = KubernetesObjects(path)
    with pytest.raises(Refused, match=r"kubeconfig .*/kubeconfig: it cannot be read \(No such file"):
        objects.get(DEPLOYMENTS, "shop", "web")
    kubeconfig(tmp_path, api.url, {"token": "an-old-token"})
    with pytest.raises(Refused, match="not accepted"):
        objects.get(DEPLOYMENTS, "shop", "web")
    kubeconfig(tmp_path, api.url, {"token": TOKEN})
    assert objects.get(DEPLOYMENTS, "shop", "web") == put


def test_another_context_of_the_kubeconfig_may_be_meant(api: Api, tmp_path: Path) -> None:
    put = api.put(WEB)
    path = kubeconfig(tmp_path, "https://elsewhere.invalid", {"token": "x"})
    document = json.loads(path.read_text())
    document["clusters"].append({"name": "second", "cluster": {"server": api.url}})
    document["users"].append({"name": "second", "user": {"token": TOKEN}})
    document["contexts"].append({"name": "second", "context": {"cluster": "second", "user": "second"}})
    path.write_text(json.dumps(document))
    assert KubernetesObjects(path, "second").get(DEPLOYMENTS, "shop", "web") == put
    with pytest.raises(Refused, match=r"context third: Context 'third' not found"):
        KubernetesObjects(path, "third").get(DEPLOYMENTS, "shop", "web")


def test_without_a_kubeconfig_and_outside_a_pod_a_person_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not run in a pod that has one: name a kubeconfig"):
        KubernetesObjects(service_account=tmp_path).get(DEPLOYMENTS, "shop", "web")
    with pytest.raises(Refused, match="a context needs a kubeconfig"):
        KubernetesObjects(context="here", service_account=tmp_path).get(DEPLOYMENTS, "shop", "web")


SECRET = "s3cr3t-in-the-kubeconfig"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"users: [{{token: {SECRET}", "it is not YAML at line 1"),
        (f"- {SECRET}", "it is not a kubeconfig"),
        ("\x00", "it is not YAML"),
        ("{}", "'clusters' is named in it and missing"),
        ("{clusters: 5, contexts: []}", "it is not a kubeconfig"),
        ("{clusters: [], contexts: [], current-context: gone}", "Context 'gone' not found"),
        ("{clusters: [], contexts: []}", "No current context set"),
        ("{clusters: [], contexts: [{name: a, context: {cluster: gone}}], current-context: a}", "'gone' is named in it"),
        (
            "{clusters: [{name: a, cluster: {server: 5}}], contexts: [{name: a, context: {cluster: a}}], current-context: a}",
            "Expected `str`, got `int`",
        ),
    ],
)  # fmt: skip
def test_a_broken_kubeconfig_is_refused_with_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(Refused) as refused:
        KubernetesObjects(path).get(DEPLOYMENTS, "shop", "web")
    assert str(refused.value).startswith(f"the kubeconfig {path}: ")
    assert sentence in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "user", "cluster", "sentence"),
    [
        ("http://cluster.example.com", {"token": SECRET}, {}, "must begin with https://"),
        (f"https://bot:{SECRET}@example.com", {}, {}, "carries a login"),
        ("https://example.com", {"token": f"{SECRET}\nX: y"}, {}, "not one line of plain characters"),
        ("https://example.com", {"token": SECRET, "as": "admin"}, {}, "it has `as:`"),
        ("https://example.com", {"auth-provider": {"name": "gcp"}}, {}, "it has `auth-provider:`"),
        ("https://example.com", {"token": SECRET}, {"proxy-url": "http://p"}, "it has `proxy-url:`"),
        ("https://example.com", {"token": SECRET}, {"tls-server-name": "k8s"}, "it has `tls-server-name:`"),
        ("https://example.com", {"token": SECRET}, {"certificate-authority": "gone.crt"}, "cannot be used (FileNotFoundError)"),
        ("https://example.com", {"token": SECRET}, {"certificate-authority-data": "!"}, "its certificates or keys cannot be used"),
        ("https://example.com", {"client-certificate-data": "aGVsbG8="}, {}, "its certificates or keys cannot be used"),
        ("https://example.com", {"tokenFile": "gone.token"}, {}, "gone.token cannot be read (No such file or directory)"),
    ],
)  # fmt: skip
def test_a_kubeconfig_that_cannot_be_followed_to_the_letter_is_refused(
    tmp_path: Path, url: str, user: Any, cluster: Any, sentence: str
) -> None:
    path = kubeconfig(tmp_path, url, user, **cluster)
    with pytest.raises(Refused) as refused:
        KubernetesObjects(path).get(DEPLOYMENTS, "shop", "web")
    assert sentence in str(refused.value)
    assert str(path.parent) in str(refused.value)
    assert SECRET not in str(refused.value)


# --- Programs that print a login -------------------------------------------------------------------

PROGRAM = """\
#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" >> "$FOLDER/runs"
cat "$FOLDER/credential"
"""


def program(folder: Path, api: Api, **more: Any) -> KubernetesObjects:
    """A login by a program beside the kubeconfig; it prints the file `credential`."""
    path = folder / "login"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    described = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./login",
        "env": [{"name": "FOLDER", "value": str(folder)}],
        "interactiveMode": "Never",
    }
    return KubernetesObjects(kubeconfig(folder, api.url, {"exec": described | more}))


def prints(folder: Path, token: str, **status_: Any) -> None:
    """What the program prints from now on."""
    (folder / "credential").write_text(json.dumps({"status": {"token": token, **status_}}))


def runs(folder: Path) -> list[Any]:
    """What the program was told, run by run."""
    return [json.loads(line) for line in (folder / "runs").read_text().splitlines()]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_program_logs_in_once_and_again_when_its_token_is_no_longer_taken(
    api: Api, tmp_path: Path, version: str
) -> None:
    put = api.put(WEB)
    objects = program(tmp_path, api, apiVersion=f"client.authentication.k8s.io/{version}")
    prints(tmp_path, TOKEN, expirationTimestamp="2999-01-01T00:00:00Z")
    for _ in range(3):
        assert objects.get(DEPLOYMENTS, "shop", "web") == put
    assert len(runs(tmp_path)) == 1
    assert runs(tmp_path)[0]["apiVersion"] == f"client.authentication.k8s.io/{version}"
    prints(tmp_path, "the-next-token")
    api.tokens = {"the-next-token"}
    assert objects.get(DEPLOYMENTS, "shop", "web") == put
    assert len(runs(tmp_path)) == 2


def test_a_program_that_asks_for_the_cluster_is_told_of_it(api: Api, tmp_path: Path) -> None:
    """Google's login asks for it, and does nothing without."""
    api.put(WEB)
    prints(tmp_path, TOKEN)
    program(tmp_path, api).get(DEPLOYMENTS, "shop", "web")
    program(tmp_path, api, provideClusterInfo=True).get(DEPLOYMENTS, "shop", "web")
    assert [run["spec"] for run in runs(tmp_path)] == [
        {"interactive": False},
        {"interactive": False, "cluster": {"server": api.url}},
    ]


def test_a_file_of_authorities_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {"server": "https://a", "certificate-authority": "ca.crt", "extensions": [extension]}
    described = {"apiVersion": "client.authentication.k8s.io/v1", "command": "x", "provideClusterInfo": True}
    assert plugin(described, tmp_path, cluster).cluster == {
        "server": "https://a", "certificate-authority-data": "UEVN", "config": {"audience": "x"},
    }  # fmt: skip
    assert plugin(described, tmp_path, {"certificate-authority": "gone.crt"}).cluster == {}


def test_a_login_that_expires_is_made_anew_before(api: Api, tmp_path: Path) -> None:
    api.put(WEB)
    objects = program(tmp_path, api)
    soon = datetime.now(UTC) + timedelta(seconds=5)
    prints(tmp_path, TOKEN, expirationTimestamp=soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for _ in range(2):
        objects.get(DEPLOYMENTS, "shop", "web")
    assert len(runs(tmp_path)) == 2
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("more", "output", "sentence"),
    [
        ({"command": "no-such-login", "installHint": "Install it."}, "", "no-such-login is not installed: Install it."),
        ({"command": "./kubeconfig"}, "", "cannot be started: Permission denied"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "", "must have an apiVersion of"),
        ({"env": [{"name": "A"}]}, "", "missing required field `value`"),
        ({"command": "sh", "args": ["-c", "echo no session >&2; exit 3"]}, "", "sh ended with 3: no session"),
        ({}, "{}", "did not print an ExecCredential"),
        ({}, f"{{{SECRET}", "did not print an ExecCredential"),
        ({}, json.dumps({"status": {"token": f"{SECRET}\n"}}), "the token is empty or not one line"),
        ({}, json.dumps({"status": {"clientCertificateData": SECRET}}), "the token is empty or not one line"),
    ],
)  # fmt: skip
def test_a_program_that_does_not_log_in_is_refused_with_what_it_says(
    api: Api, tmp_path: Path, more: dict[str, Any], output: str, sentence: str
) -> None:
    objects = program(tmp_path, api, **more)
    (tmp_path / "credential").write_text(output)
    with pytest.raises(Refused) as refused:
        objects.get(DEPLOYMENTS, "shop", "web")
    assert sentence in str(refused.value)
    assert SECRET not in str(refused.value)
    assert api.asked == []


# --- Discretion, threads, weight -------------------------------------------------------------------


@pytest.mark.parametrize("token", ["tök3n-that-nobody-may-see", "tok3n-that\nnobody-may-see"])
def test_the_token_is_never_shown(
    api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    (tmp_path / "bot.token").write_bytes(token.encode())
    caplog.set_level(logging.DEBUG)
    objects = KubernetesObjects(kubeconfig(tmp_path, api.url, {"tokenFile": "bot.token"}))
    with pytest.raises(Refused, match="not one line of plain characters") as refused:
        objects.get(DEPLOYMENTS, "shop", "web")
    assert "nobody-may-see" not in f"{refused.value!r}{refused.value}{objects!r}{vars(objects)}{caplog.text}"


def test_a_working_token_is_not_in_the_log_at_any_level(
    api: Api, objects: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.put(WEB)
    objects.get(DEPLOYMENTS, "shop", "web")
    assert caplog.records
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(objects)


def test_many_threads_may_ask_at_once(api: Api, objects: Objects) -> None:
    put = api.put(WEB)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(objects.get(DEPLOYMENTS, "shop", "web"))) for _ in range(16)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [put] * 16


def test_the_libraries_are_not_loaded_before_the_first_question() -> None:
    code = "import sys, bot.adapters.kubernetes as k; k.KubernetesObjects(); print(*{'httpx2', 'lightkube', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert (done.returncode, done.stdout.strip()) == (0, "")
