"""Routes for uploading blobs: in one request, in chunks, or by mounting what another repository holds."""

import flask

from bot.sandbox.image_registry.answers import Refusal, created
from bot.sandbox.image_registry.storage import Storage

_ONE = "/v2/<path:name>/blobs/uploads/<upload>"


def add_uploads(app: flask.Flask, storage: Storage) -> None:
    """Add them to the application."""

    @app.post("/v2/<path:name>/blobs/uploads/")
    def _open(name: str) -> flask.Response:
        asked = flask.request.args
        if "mount" in asked and storage.mount(name, asked["mount"], asked.get("from", name)):
            return created(f"/v2/{name}/blobs/{asked['mount']}", asked["mount"])
        upload = storage.open_upload(name)
        return _finish(name, upload) if "digest" in asked else _progress(storage, name, upload, 202)

    @app.patch(_ONE)
    def _append(name: str, upload: str) -> flask.Response:
        _check_range(storage, name, upload)
        storage.append(name, upload, flask.request.stream)
        return _progress(storage, name, upload, 202)

    @app.put(_ONE)
    def _finish(name: str, upload: str) -> flask.Response:
        _check_range(storage, name, upload)
        digest = flask.request.args.get("digest", "")
        storage.append(name, upload, flask.request.stream)
        storage.finish(name, upload, digest)
        return created(f"/v2/{name}/blobs/{digest}", digest)

    @app.get(_ONE)
    def _status(name: str, upload: str) -> flask.Response:
        return _progress(storage, name, upload, 204)

    @app.delete(_ONE)
    def _cancel(name: str, upload: str) -> flask.Response:
        storage.cancel(name, upload)
        return flask.Response(status=204)


def _check_range(storage: Storage, name: str, upload: str) -> None:
    size = storage.upload_size(name, upload)
    start = flask.request.headers.get("Content-Range", str(size)).partition("-")[0]
    if start != str(size):
        headers = _place(storage, name, upload)
        raise Refusal("BLOB_UPLOAD_INVALID", f"the next byte is {size}", status=416, headers=headers)


def _progress(storage: Storage, name: str, upload: str, status: int) -> flask.Response:
    return flask.Response(status=status, headers=_place(storage, name, upload))


def _place(storage: Storage, name: str, upload: str) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Range": f"0-{max(storage.upload_size(name, upload) - 1, 0)}",
        "Docker-Upload-UUID": upload,
    }
