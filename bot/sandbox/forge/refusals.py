"""Why the forge does not do something, with GitHub's status code and message."""

from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"


class Refusal(Exception):
    """An answer that is no: HTTP status, message for people, and GitHub's `errors` list."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        """`errors` are objects with resource, field, code or message, for some addresses only sentences."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors

    def document(self) -> dict[str, Any]:
        """The JSON body."""
        body: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return body | {"documentation_url": DOCUMENTATION, "status": str(self.status)}

    def sentence(self) -> str:
        """For a person on a page."""
        told = [error.get("message") if isinstance(error, dict) else error for error in self.errors or []]
        return ". ".join([self.message, *(str(one) for one in told if one)])


def not_found() -> Refusal:
    """404, which also hides what one may not see."""
    return Refusal(404, "Not Found")


def invalid(resource: str, field: str, code: str = "invalid", **more: Any) -> Refusal:
    """422 about one field."""
    return Refusal(422, "Validation Failed", [{"resource": resource, "field": field, "code": code, **more}])


def unprocessable(resource: str, message: str) -> Refusal:
    """422 with a sentence of its own."""
    error = {"resource": resource, "code": "custom", "message": message}
    return Refusal(422, "Validation Failed", [error])
