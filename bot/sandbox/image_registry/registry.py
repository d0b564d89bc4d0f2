"""The registry as a server: routes of the distribution specification over `Storage` and `Tokens`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import flask

from bot.sandbox.image_registry.answers import Refusal, as_json, created
from bot.sandbox.image_registry.plain_http import PlainHttpServer
from bot.sandbox.image_registry.storage import NAME, Storage
from bot.sandbox.image_registry.tokens import Tokens
from bot.sandbox.image_registry.uploads import add_uploads

_MANIFEST_LIMIT = 4 << 20
_INDEX = "application/vnd.oci.image.index.v1+json"


class ImageRegistry:
    """A registry on loopback. With `users` (name to password) it wants tokens; `readers` of them may only pull.

    `url` is `http://127.0.0.1:PORT`, `host` the `127.0.0.1:PORT` that image names begin with.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        readers: Iterable[str] = (),
        token_seconds: int = 60,
    ) -> None:
        """Bind at once, so that `url` and `host` are known; answer after `start`."""
        tokens = None if users is None else Tokens(users, readers, seconds=token_seconds)
        self._server = PlainHttpServer(_app(Storage(folder), tokens), port=port)
        self.url = self._server.url
        self.host = self.url.removeprefix("http://")

    def start(self) -> "ImageRegistry":
        """Begin to answer."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop to listen; what was pushed stays on disk."""
        self._server.stop()


def _app(storage: Storage, tokens: Tokens | None) -> flask.Flask:
    app = flask.Flask("sandbox image registry")

    @app.errorhandler(Refusal)
    def _refuse(error: Refusal) -> flask.Response:
        return as_json(error.document(), error.status, error.headers)

    @app.after_request
    def _say_what_it_is(response: flask.Response) -> flask.Response:
        response.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        response.headers["X-Sandbox"] = "image registry"
        return response

    @app.get("/v2/")
    def _base() -> flask.Response:
        _admit(tokens, None)
        return as_json({})

    if tokens is not None:
        app.add_url_rule("/token", view_func=lambda: _token(tokens))

    @app.before_request
    def _check() -> None:
        name = (flask.request.view_args or {}).get("name")
        if name is not None:
            if not NAME.match(name):
                raise Refusal("NAME_INVALID", "this is not a repository name")
            _admit(tokens, name)

    _add_manifests(app, storage)
    _add_blobs(app, storage)
    add_uploads(app, storage)
    return app


def _add_manifests(app: flask.Flask, storage: Storage) -> None:
    @app.get("/v2/<path:name>/manifests/<reference>")
    def _get_manifest(name: str, reference: str) -> flask.Response:
        found = storage.manifest(name, reference)
        headers = {"Docker-Content-Digest": found.digest, "ETag": f'"{found.digest}"'}
        return flask.Response(found.content, mimetype=found.media_type, headers=headers)

    @app.put("/v2/<path:name>/manifests/<reference>")
    def _put_manifest(name: str, reference: str) -> flask.Response:
        if (flask.request.content_length or 0) > _MANIFEST_LIMIT:
            raise Refusal("SIZE_INVALID", "a manifest may have 4 MiB", status=413)
        content = flask.request.get_data(cache=False)
        digest = storage.put_manifest(name, reference, flask.request.mimetype, content)
        return created(f"/v2/{name}/manifests/{digest}", digest)

    @app.delete("/v2/<path:name>/manifests/<reference>")
    def _delete_manifest(name: str, reference: str) -> flask.Response:
        storage.delete_manifest(name, reference)
        return flask.Response(status=202)

    @app.get("/v2/<path:name>/tags/list")
    def _tags(name: str) -> flask.Response:
        tags = [tag for tag in storage.tags(name) if tag > flask.request.args.get("last", "")]
        page = tags[: max(flask.request.args.get("n", len(tags), int), 0)]
        link = (
            f'</v2/{name}/tags/list?n={len(page)}&last={page[-1]}>; rel="next"'
            if page and page != tags
            else ""
        )
        return as_json({"name": name, "tags": page}, headers={"Link": link} if link else {})

    @app.get("/v2/<path:name>/referrers/<digest>")
    def _referrers(name: str, digest: str) -> flask.Response:
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": []}
        return as_json(index, headers={"Content-Type": _INDEX})


def _add_blobs(app: flask.Flask, storage: Storage) -> None:
    @app.get("/v2/<path:name>/blobs/<digest>")
    def _get_blob(name: str, digest: str) -> flask.Response:
        path = storage.blob(name, digest).resolve()
        response = flask.send_file(path, mimetype="application/octet-stream", conditional=True, etag=digest)
        response.headers["Docker-Content-Digest"] = digest
        return response

    @app.delete("/v2/<path:name>/blobs/<digest>")
    def _delete_blob(name: str, digest: str) -> flask.Response:
        raise Refusal("UNSUPPORTED", "blobs are not deleted one by one here")


def _admit(tokens: Tokens | None, name: str | None) -> None:
    """Refuse with the challenge of the token flow, unless the request's token allows what it does."""
    if tokens is None:
        return
    needed = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(flask.request.method, "push")
    given = flask.request.headers.get("Authorization", "")
    access = tokens.read(given[7:]) if given[:7].lower() == "bearer " else None
    if access is not None and (name is None or needed in access.get(name, ())):
        return
    challenge = f'Bearer realm="{flask.request.host_url}token",service="{flask.request.host}"'
    if name is not None:
        challenge += f',scope="repository:{name}:{"pull,push" if needed == "push" else needed}"'
    if access is not None:
        challenge += ',error="insufficient_scope"'
    raise Refusal("UNAUTHORIZED", "authentication required", headers={"WWW-Authenticate": challenge})


def _token(tokens: Tokens) -> flask.Response:
    given = flask.request.authorization
    user = None
    if given is not None:
        user, password = given.username or "", given.password or ""
        if given.type != "basic" or not tokens.knows(user, password):
            headers = {"WWW-Authenticate": 'Basic realm="sandbox"'}
            raise Refusal("UNAUTHORIZED", "the user name or the password is wrong", headers=headers)
    scopes = [scope for text in flask.request.args.getlist("scope") for scope in text.split()]
    return as_json({"token": tokens.grant(user, scopes), "expires_in": tokens.seconds})
