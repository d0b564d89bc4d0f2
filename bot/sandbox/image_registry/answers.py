"""Answers of the OCI distribution specification: its refusals with their HTTP status, and what was created."""

from collections.abc import Mapping

import flask

STATUS = {
    "BLOB_UNKNOWN": 404,
    "BLOB_UPLOAD_INVALID": 400,
    "BLOB_UPLOAD_UNKNOWN": 404,
    "DENIED": 403,
    "DIGEST_INVALID": 400,
    "MANIFEST_BLOB_UNKNOWN": 400,
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_INVALID": 400,
    "NAME_UNKNOWN": 404,
    "SIZE_INVALID": 400,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED": 405,
}


class Refusal(Exception):
    """One error of the specification: its code, a sentence, and headers that belong to the answer."""

    def __init__(
        self, code: str, message: str, *, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """`status` is for the few places where the specification names another one than the code's usual."""
        super().__init__(message)
        self.code = code
        self.status = status or STATUS[code]
        self.headers = dict(headers or {})

    def document(self) -> dict[str, object]:
        """The body of the answer: `{"errors": [{"code", "message", "detail"}]}`."""
        return {"errors": [{"code": self.code, "message": str(self), "detail": None}]}


def created(location: str, digest: str) -> flask.Response:
    """201 with the place and the digest of what is there now."""
    return flask.Response(status=201, headers={"Location": location, "Docker-Content-Digest": digest})


def as_json(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> flask.Response:
    """A JSON answer; `headers` replace the usual ones."""
    response = flask.jsonify(document)
    response.status_code = status
    response.headers.update(headers or {})
    return response
