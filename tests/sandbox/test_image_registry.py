"""The image registry of the sandbox: the OCI distribution protocol over a real socket."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.sandbox.image_layout import MANIFEST, BadImage, Settings, write_layer
from bot.sandbox.image_registry import ImageRegistry
from bot.sandbox.registry_client import RegistryClient, RegistryFailure
from tests.parts import require

pytestmark = pytest.mark.world

USERS = {"ci": "swordfish", "kubelet": "marlin"}
SETTINGS = Settings(
    ("python", "serve.py"), "/app", {"PORT": "8000"}, (8000,), {"org.mlflow.model.version": "7"}
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ImageRegistry]:
    server = ImageRegistry(tmp_path / "registry").start()
    yield server
    server.stop()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[ImageRegistry]:
    server = ImageRegistry(tmp_path / "guarded", users=USERS, readers=["kubelet"]).start()
    yield server
    server.stop()


def _push(client: RegistryClient, folder: Path, tag: str = "v1", repository: str = "acme/model") -> str:
    (folder / "content").mkdir(exist_ok=True)
    (folder / "content" / "weights").write_text("0.1 0.2")
    layer = write_layer({"/app/model": folder / "content"}, folder / "layer.tar.gz")
    return client.push(repository, tag, SETTINGS, [layer])


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _code(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["code"]


def _upload(registry: ImageRegistry, content: bytes, repository: str = "acme/model") -> str:
    opened = requests.post(f"{registry.url}/v2/{repository}/blobs/uploads/", timeout=5)
    place = registry.url + opened.headers["Location"]
    done = requests.put(place, params={"digest": _digest(content)}, data=content, timeout=5)
    assert done.status_code == 201
    return _digest(content)


def test_a_pushed_image_unpacks_to_the_same_files_and_settings(
    registry: ImageRegistry, tmp_path: Path
) -> None:
    client = RegistryClient(registry.host)
    digest = _push(client, tmp_path)
    assert client.resolve("acme/model", "v1") == digest
    unpacked = client.unpack("acme/model", digest, tmp_path / "unpacked")
    assert (unpacked.root / "app/model/weights").read_text() == "0.1 0.2"
    assert unpacked.entrypoint == ("python", "serve.py")
    assert unpacked.environment == {"PORT": "8000"}
    assert unpacked.labels == {"org.mlflow.model.version": "7"}


def test_what_was_pushed_is_still_there_after_a_restart(tmp_path: Path) -> None:
    first = ImageRegistry(tmp_path / "registry").start()
    digest = _push(RegistryClient(first.host), tmp_path)
    first.stop()
    second = ImageRegistry(tmp_path / "registry").start()
    try:
        assert RegistryClient(second.host).resolve("acme/model", "v1") == digest
    finally:
        second.stop()


def test_head_says_digest_type_and_size_and_sends_nothing(registry: ImageRegistry, tmp_path: Path) -> None:
    digest = _push(RegistryClient(registry.host), tmp_path)
    head = requests.head(f"{registry.url}/v2/acme/model/manifests/v1", timeout=5)
    full = requests.get(f"{registry.url}/v2/acme/model/manifests/{digest}", timeout=5)
    assert head.headers["Docker-Content-Digest"] == digest == _digest(full.content)
    assert head.headers["Content-Type"] == MANIFEST
    assert int(head.headers["Content-Length"]) == len(full.content)
    assert head.content == b""


def test_bytes_with_another_digest_are_not_taken(registry: ImageRegistry) -> None:
    opened = requests.post(f"{registry.url}/v2/acme/model/blobs/uploads/", timeout=5)
    place = registry.url + opened.headers["Location"]
    wrong = requests.put(place, params={"digest": _digest(b"right")}, data=b"wrong", timeout=5)
    assert _code(wrong) == (400, "DIGEST_INVALID")
    assert (
        requests.head(f"{registry.url}/v2/acme/model/blobs/{_digest(b'right')}", timeout=5).status_code == 404
    )


def test_a_manifest_under_another_digest_is_not_taken(registry: ImageRegistry) -> None:
    url = f"{registry.url}/v2/acme/model/manifests/{_digest(b'other')}"
    assert _code(requests.put(url, data=b"{}", headers={"Content-Type": MANIFEST}, timeout=5)) == (
        400,
        "DIGEST_INVALID",
    )


def test_a_blob_may_come_in_chunks_and_only_in_order(registry: ImageRegistry) -> None:
    opened = requests.post(f"{registry.url}/v2/acme/model/blobs/uploads/", timeout=5)
    place = registry.url + opened.headers["Location"]
    first = requests.patch(place, data=b"hello ", headers={"Content-Range": "0-5"}, timeout=5)
    assert (first.status_code, first.headers["Range"]) == (202, "0-5")
    gap = requests.patch(place, data=b"!", headers={"Content-Range": "11-11"}, timeout=5)
    assert (gap.status_code, gap.headers["Range"]) == (416, "0-5")
    requests.patch(place, data=b"world", headers={"Content-Range": "6-10"}, timeout=5)
    done = requests.put(place, params={"digest": _digest(b"hello world")}, timeout=5)
    assert done.status_code == 201
    assert requests.get(registry.url + done.headers["Location"], timeout=5).content == b"hello world"


def test_a_blob_of_one_repository_is_not_in_another_until_it_is_mounted(registry: ImageRegistry) -> None:
    digest = _upload(registry, b"secret weights", "acme/private")
    other = f"{registry.url}/v2/acme/other/blobs"
    assert _code(requests.get(f"{other}/{digest}", timeout=5)) == (404, "BLOB_UNKNOWN")
    mounted = requests.post(f"{other}/uploads/", params={"mount": digest, "from": "acme/private"}, timeout=5)
    assert mounted.status_code == 201
    assert requests.get(f"{other}/{digest}", timeout=5).content == b"secret weights"


def _manifest(config: str, layers: list[str]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"digest": config, "size": 2},
        "layers": [{"digest": layer, "size": 2} for layer in layers],
    }


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (_manifest(_digest(b"{}"), [_digest(b"nowhere")]), "MANIFEST_BLOB_UNKNOWN"),
        ({"schemaVersion": 2}, "MANIFEST_INVALID"),
        ([], "MANIFEST_INVALID"),
        ({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}, "MANIFEST_INVALID"),
    ],
)
def test_a_manifest_that_does_not_hold_together_is_not_taken(
    registry: ImageRegistry, document: object, code: str
) -> None:
    _upload(registry, b"{}")
    url = f"{registry.url}/v2/acme/model/manifests/v1"
    answer = requests.put(url, data=json.dumps(document), headers={"Content-Type": MANIFEST}, timeout=5)
    assert _code(answer) == (400, code)
    assert requests.head(url, timeout=5).status_code == 404


def test_unknown_things_have_their_codes(registry: ImageRegistry, tmp_path: Path) -> None:
    _push(RegistryClient(registry.host), tmp_path)
    base = f"{registry.url}/v2"
    assert _code(requests.get(f"{base}/acme/nothing/manifests/v1", timeout=5)) == (404, "NAME_UNKNOWN")
    assert _code(requests.get(f"{base}/acme/model/manifests/v2", timeout=5)) == (404, "MANIFEST_UNKNOWN")
    assert _code(requests.get(f"{base}/acme/model/blobs/{_digest(b'x')}", timeout=5)) == (404, "BLOB_UNKNOWN")
    assert _code(requests.get(f"{base}/acme/model/blobs/uploads/{'0' * 32}", timeout=5)) == (
        404,
        "BLOB_UPLOAD_UNKNOWN",
    )
    assert _code(requests.get(f"{base}/Acme/model/tags/list", timeout=5)) == (400, "NAME_INVALID")
    assert _code(requests.get(f"{base}/a%2F..%2F..%2Fx/tags/list", timeout=5)) == (400, "NAME_INVALID")


def test_tags_come_in_pages(registry: ImageRegistry, tmp_path: Path) -> None:
    client = RegistryClient(registry.host)
    for tag in ("v1", "v2", "v3"):
        _push(client, tmp_path, tag)
    url = f"{registry.url}/v2/acme/model/tags/list"
    assert requests.get(url, timeout=5).json() == {"name": "acme/model", "tags": ["v1", "v2", "v3"]}
    page = requests.get(url, params={"n": 2}, timeout=5)
    assert page.json()["tags"] == ["v1", "v2"]
    assert requests.get(registry.url + page.links["next"]["url"], timeout=5).json()["tags"] == ["v3"]


def test_a_deleted_manifest_is_gone_with_its_tags(registry: ImageRegistry, tmp_path: Path) -> None:
    client = RegistryClient(registry.host)
    digest = _push(client, tmp_path)
    _push(client, tmp_path, "latest")
    url = f"{registry.url}/v2/acme/model"
    assert requests.delete(f"{url}/manifests/{digest}", timeout=5).status_code == 202
    assert requests.get(f"{url}/tags/list", timeout=5).json()["tags"] == []
    assert _code(requests.get(f"{url}/manifests/v1", timeout=5)) == (404, "MANIFEST_UNKNOWN")


def test_nothing_refers_to_an_image(registry: ImageRegistry, tmp_path: Path) -> None:
    digest = _push(RegistryClient(registry.host), tmp_path)
    answer = requests.get(f"{registry.url}/v2/acme/model/referrers/{digest}", timeout=5)
    assert answer.headers["Content-Type"] == "application/vnd.oci.image.index.v1+json"
    assert answer.json()["manifests"] == []


def test_bytes_that_were_changed_on_disk_are_not_unpacked(registry: ImageRegistry, tmp_path: Path) -> None:
    client = RegistryClient(registry.host)
    digest = _push(client, tmp_path)
    layer = requests.get(f"{registry.url}/v2/acme/model/manifests/v1", timeout=5).json()["layers"][0][
        "digest"
    ]
    (tmp_path / "registry/blobs/sha256" / layer.removeprefix("sha256:")).write_bytes(b"something else")
    with pytest.raises(BadImage, match="not what their digest says"):
        client.unpack("acme/model", digest, tmp_path / "unpacked")


def test_without_a_token_the_answer_says_where_to_get_one(guarded: ImageRegistry) -> None:
    answer = requests.get(f"{guarded.url}/v2/acme/model/manifests/v1", timeout=5)
    assert _code(answer) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="{guarded.url}/token",service="{guarded.host}",scope="repository:acme/model:pull"'
    )


def test_each_user_gets_what_it_may_and_no_more(guarded: ImageRegistry, tmp_path: Path) -> None:
    digest = _push(RegistryClient(guarded.host, ("ci", "swordfish")), tmp_path)
    reader = RegistryClient(guarded.host, ("kubelet", "marlin"))
    assert reader.resolve("acme/model", "v1") == digest
    with pytest.raises(RegistryFailure, match="401"):
        _push(reader, tmp_path, "v2")
    with pytest.raises(RegistryFailure, match="401"):
        RegistryClient(guarded.host).resolve("acme/model", "v1")
    with pytest.raises(RegistryFailure, match="did not accept the login"):
        RegistryClient(guarded.host, ("ci", "marlin")).resolve("acme/model", "v1")


def _token(registry: ImageRegistry, scope: str) -> str:
    answer = requests.get(
        f"{registry.url}/token", params={"scope": scope}, auth=("ci", "swordfish"), timeout=5
    )
    return str(answer.json()["token"])


def _status(registry: ImageRegistry, token: str, repository: str = "acme/model") -> int:
    url = f"{registry.url}/v2/{repository}/tags/list"
    return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code


def test_a_token_is_good_for_its_scope_only(guarded: ImageRegistry, tmp_path: Path) -> None:
    _push(RegistryClient(guarded.host, ("ci", "swordfish")), tmp_path)
    token = _token(guarded, "repository:acme/model:pull")
    assert _status(guarded, token) == 200
    assert _status(guarded, token, "acme/other") == 401
    pushed = requests.post(
        f"{guarded.url}/v2/acme/model/blobs/uploads/",
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    assert pushed.status_code == 401


def test_a_changed_or_old_token_is_refused(guarded: ImageRegistry, tmp_path: Path) -> None:
    _push(RegistryClient(guarded.host, ("ci", "swordfish")), tmp_path)
    token = _token(guarded, "repository:acme/model:pull")
    changed = ("A" if token[0] != "A" else "B") + token[1:]
    assert _status(guarded, changed) == 401
    assert _status(guarded, "nonsense") == 401
    short = ImageRegistry(tmp_path / "guarded", users=USERS, token_seconds=-1).start()
    try:
        assert _status(short, _token(short, "repository:acme/model:pull")) == 401
    finally:
        short.stop()


def test_skopeo_pushes_reads_and_pulls(guarded: ImageRegistry, tmp_path: Path) -> None:
    skopeo = require("skopeo", "apt-get install -y --no-install-recommends skopeo")
    digest = _push(RegistryClient(guarded.host, ("ci", "swordfish")), tmp_path)
    authfile = tmp_path / "auth.json"
    # ci:swordfish in base64, as `skopeo login` writes it.
    authfile.write_text(json.dumps({"auths": {guarded.host: {"auth": "Y2k6c3dvcmRmaXNo"}}}))

    def run(*words: str) -> str:
        done = subprocess.run(
            [skopeo, "--insecure-policy", *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    source, copy = f"docker://{guarded.host}/acme/model:v1", f"docker://{guarded.host}/acme/copy:v9"
    login = ("--authfile", str(authfile))
    read = json.loads(run("inspect", "--tls-verify=false", *login, source))
    assert (read["Digest"], read["Labels"]) == (digest, {"org.mlflow.model.version": "7"})
    run("copy", "--src-tls-verify=false", *login, source, f"oci:{tmp_path}/pulled:v1")
    run("copy", "--dest-tls-verify=false", *login, f"oci:{tmp_path}/pulled:v1", copy)
    assert RegistryClient(guarded.host, ("ci", "swordfish")).resolve("acme/copy", "v9") == digest
