"""The whole REST API on one screen."""

from __future__ import annotations

from typing import Final

from undercroft.api import apple_secret, batch, health, records, settings, setup_page
from undercroft.api.auth import impersonate, methods, password, refresh
from undercroft.api.router import Route

_C: Final = "/api/collections/{collection}"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", f"{_C}/records", records.list_),
    Route("GET", f"{_C}/records/{{id}}", records.view),
    Route("POST", f"{_C}/records", records.create),
    Route("PATCH", f"{_C}/records/{{id}}", records.update),
    Route("DELETE", f"{_C}/records/{{id}}", records.delete),
    Route("POST", "/api/batch", batch.batch),
    Route("GET", f"{_C}/auth-methods", methods.handler),
    Route("POST", f"{_C}/auth-with-password", password.handler),
    Route("POST", f"{_C}/auth-refresh", refresh.handler, "auth"),
    Route("POST", f"{_C}/impersonate/{{id}}", impersonate.handler, "superuser"),
    Route("GET", "/api/settings", settings.read, "superuser"),
    Route("PATCH", "/api/settings", settings.change, "superuser"),
    Route("POST", "/api/settings/apple/generate-client-secret", apple_secret.generate, "superuser"),
    Route("GET", "/api/health", health.health),
    Route("GET", "/_/setup/{token}", setup_page.show),
    Route("POST", "/_/setup/{token}", setup_page.submit),
)
