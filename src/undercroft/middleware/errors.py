"""Where exceptions become responses: the only place that knows which status a problem has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from undercroft.database.engine import SqlError
from undercroft.errors import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    Gone,
    Locked,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    Problem,
    StorageFull,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    Unreadable,
)
from undercroft.files.store import StoreUnavailable
from undercroft.files.tus_protocol import NotAnUpload, UnknownTusVersion, WrongChecksum
from undercroft.http.response import Response, json_response

_STATUSES: Final[Mapping[type[Problem], int]] = {
    BadRequest: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    TooLarge: 413,
    Unprocessable: 422,
    Locked: 423,
    TooMany: 429,
    UnknownTusVersion: 412,
    NotAnUpload: 415,
    WrongChecksum: 460,
    Unreadable: 500,
    Unavailable: 503,
    StorageFull: 507,
}
_UNEXPECTED: Final = 500
_log = logging.getLogger("undercroft")


def respond(problem: Problem, request_id: str = "") -> Response:
    """The answer to a problem: `{"data", "message", "status"}`."""
    status = status_of(problem)
    return json_response(error_body(problem, request_id), status, wait_headers(problem))


def wait_headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    """When to try again, where that is known (RFC 9110, 10.2.3)."""
    seconds = problem.retry_after if isinstance(problem, (Unavailable, TooMany)) else 0
    return [(b"retry-after", b"%d" % seconds)] if seconds else []


def respond_unexpected(error: Exception, request_id: str) -> Response:
    """The answer to a fault of ours: logged whole, told in general, found again by the request's id."""
    _log.error("Request %s failed.", request_id, exc_info=error)
    return json_response({"data": {}, "message": Problem.default, "status": _UNEXPECTED}, _UNEXPECTED)


def status_of(problem: Problem) -> int:
    """The HTTP status of a problem, by the nearest family it belongs to."""
    return next((_STATUSES[family] for family in type(problem).__mro__ if family in _STATUSES), _UNEXPECTED)


def error_body(problem: Problem, request_id: str = "") -> dict[str, Any]:
    """What a problem looks like on the wire; what it does not tell is logged, with the request's id."""
    if isinstance(problem, Unreadable):
        _log.error("Request %s failed: %s. %s", request_id, problem.code, problem.detail, exc_info=problem)
    if isinstance(problem, SqlError):
        _log.warning("The database refused a statement: %s", problem.detail)
    if isinstance(problem, StoreUnavailable) and problem.detail:
        _log.warning("%s", problem.detail)
    data = {str(key): _render(value, request_id) for key, value in problem.data.items()}
    return {"data": data, "message": sentence(problem.message()), "status": status_of(problem)}


def sentence(text: str) -> str:
    """The text with a capital at its start and a period at its end."""
    stripped = text.strip()
    if not stripped:
        return Problem.default
    return stripped[0].upper() + stripped[1:] + ("" if stripped[-1] in ".?!" else ".")


def _render(value: Any, request_id: str) -> Any:
    if isinstance(value, FieldError):
        rendered: dict[str, Any] = {"code": value.code, "message": sentence(value.message)}
        return rendered | {"params": dict(value.params)} if value.params else rendered
    if isinstance(value, Problem):
        return error_body(value, request_id)
    if isinstance(value, Mapping):
        return {str(key): _render(inner, request_id) for key, inner in value.items()}
    return value
