"""The whole REST API on one screen."""

from __future__ import annotations

from typing import Final

from undercroft.api import (
    apple_secret,
    batch,
    collection_tools,
    collections,
    dev_mail,
    files,
    health,
    mail_test,
    records,
    settings,
    setup_page,
    storage_test,
    uploads,
)
from undercroft.api.auth import (
    email_change,
    impersonate,
    methods,
    otp,
    password,
    password_reset,
    refresh,
    verification,
)
from undercroft.api.router import Route
from undercroft.pages import assets

_C: Final = "/api/collections/{collection}"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/api/collections", collections.list_, "superuser"),
    Route("POST", "/api/collections", collections.create, "superuser"),
    Route("PUT", "/api/collections/import", collection_tools.import_, "superuser"),
    Route("GET", "/api/collections/meta/scaffolds", collection_tools.scaffolds, "superuser"),
    Route("GET", "/api/collections/meta/oauth2-providers", collection_tools.providers, "superuser"),
    Route("POST", "/api/collections/meta/dry-run-view", collection_tools.dry_run, "superuser"),
    Route("GET", _C, collections.view, "superuser"),
    Route("PATCH", _C, collections.update, "superuser"),
    Route("DELETE", _C, collections.delete, "superuser"),
    Route("DELETE", f"{_C}/truncate", collections.empty, "superuser"),
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
    Route("POST", f"{_C}/request-otp", otp.request),
    Route("POST", f"{_C}/auth-with-otp", otp.log_in),
    Route("POST", f"{_C}/request-verification", verification.request),
    Route("POST", f"{_C}/confirm-verification", verification.confirm),
    Route("POST", f"{_C}/request-password-reset", password_reset.request),
    Route("POST", f"{_C}/confirm-password-reset", password_reset.confirm),
    Route("POST", f"{_C}/request-email-change", email_change.request, "auth"),
    Route("POST", f"{_C}/confirm-email-change", email_change.confirm),
    Route("POST", "/api/files/token", files.token, "auth"),
    Route("GET", "/api/files/{collection}/{id}/{name}", files.serve),
    Route("GET", "/api/settings", settings.read, "superuser"),
    Route("PATCH", "/api/settings", settings.change, "superuser"),
    Route("POST", "/api/settings/test/s3", storage_test.run, "superuser"),
    Route("POST", "/api/settings/apple/generate-client-secret", apple_secret.generate, "superuser"),
    Route("POST", "/api/settings/test/email", mail_test.send, "superuser"),
    Route("GET", "/api/health", health.health),
    Route("OPTIONS", uploads.PATH, uploads.discover, headers=uploads.COMMON),
    Route("OPTIONS", f"{uploads.PATH}/{{id}}", uploads.discover, headers=uploads.COMMON),
    Route("POST", uploads.PATH, uploads.create, headers=uploads.COMMON),
    Route("GET", f"{uploads.PATH}/{{id}}", uploads.look, headers=uploads.COMMON),
    Route("PATCH", f"{uploads.PATH}/{{id}}", uploads.append, headers=uploads.COMMON),
    Route("DELETE", f"{uploads.PATH}/{{id}}", uploads.terminate, headers=uploads.COMMON),
    Route("POST", f"{uploads.PATH}/{{id}}", uploads.overridden, headers=uploads.COMMON),
    Route("GET", "/_/mail", dev_mail.index),
    Route("GET", "/_/mail/{name}", dev_mail.letter),
    Route("GET", "/_/mail/{name}/html", dev_mail.html),
    Route("GET", "/_/mail/{name}/files/{number}", dev_mail.file),
    Route("GET", "/_/undercroft.js", assets.script),
    Route("GET", "/_/setup/{token}", setup_page.show),
    Route("POST", "/_/setup/{token}", setup_page.submit),
)
