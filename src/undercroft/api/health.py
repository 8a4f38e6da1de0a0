"""Health: whether this server answers, and for superusers how it sees them."""

from __future__ import annotations

from typing import Any, Final

from undercroft.encryption.failures import KeysUnavailable
from undercroft.errors import Unavailable
from undercroft.http.request import Request
from undercroft.http.response import Response, json_response

HEALTH_PATH: Final = "/api/health"
_PROXY_HEADERS: Final = ("X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP", "Fly-Client-IP", "True-Client-IP")


async def health(request: Request) -> Response:
    """200 as soon as requests are answered; 503 without keys. The key is `code` here, not `status`."""
    if request.backend.keyring.is_locked:
        return unhealthy(KeysUnavailable())
    identity = request.identity
    data = _details(request) if identity is not None and identity.is_superuser else {}
    return json_response({"code": 200, "data": data, "message": "API is healthy."})


def unhealthy(problem: Unavailable) -> Response:
    """What health says where something is missing that not all can be answered without."""
    told = {"code": 503, "data": {"problem": problem.code}, "message": problem.message()}
    return json_response(told, 503, [(b"retry-after", b"%d" % problem.retry_after)])


def _details(request: Request) -> dict[str, Any]:
    trusted = {name.lower() for name in request.backend.settings.trusted_proxy.headers}
    told = (name for name in _PROXY_HEADERS if name.lower() in request.headers and name.lower() not in trusted)
    return {"canBackup": False, "possibleProxyHeader": next(told, ""), "realIP": request.client_ip}
