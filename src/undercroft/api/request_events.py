"""Hooks around endpoints: what was asked before, and what will be answered after `next()`.

One mechanism for all of them. A hook may read the body, put another one in its place, refuse,
and change the answer. It runs once it is known who asks, and before any rule is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import msgspec

from undercroft.api import batch, collection_tools, collections, files, realtime, records, settings
from undercroft.api.auth import (
    email_change,
    invitations,
    magic_link,
    otp,
    passkey_login,
    passkeys,
    password,
    password_reset,
    refresh,
    totp,
    verification,
)
from undercroft.api.records import access_of
from undercroft.api.router import Handler, Route
from undercroft.collections.collection import Collection
from undercroft.hooks.failures import HookMisuseError
from undercroft.hooks.hook import Hook
from undercroft.http.body import read_bytes
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.records.events import SiteEvent
from undercroft.records.host import Work
from undercroft.records.saving import Outside

MOMENTS: Final[Mapping[Handler, str]] = {
    records.list_: "records_list_request",
    records.view: "record_view_request",
    records.create: "record_create_request",
    records.update: "record_update_request",
    records.delete: "record_delete_request",
    batch.batch: "batch_request",
    password.handler: "record_auth_with_password_request",
    refresh.handler: "record_auth_refresh_request",
    otp.request: "record_request_otp_request",
    otp.log_in: "record_auth_with_otp_request",
    magic_link.request: "record_request_magic_link_request",
    magic_link.log_in: "record_auth_with_magic_link_request",
    invitations.create: "record_invite_request",
    invitations.accept: "record_accept_invitation_request",
    passkeys.request: "record_request_passkey_request",
    passkeys.confirm: "record_confirm_passkey_request",
    passkey_login.log_in: "record_auth_with_passkey_request",
    totp.confirm: "record_confirm_totp_request",
    totp.log_in: "record_auth_with_totp_request",
    verification.request: "record_request_verification_request",
    verification.confirm: "record_confirm_verification_request",
    password_reset.request: "record_request_password_reset_request",
    password_reset.confirm: "record_confirm_password_reset_request",
    email_change.request: "record_request_email_change_request",
    email_change.confirm: "record_confirm_email_change_request",
    files.serve: "file_download_request",
    files.token: "file_token_request",
    collections.list_: "collections_list_request",
    collections.view: "collection_view_request",
    collections.create: "collection_create_request",
    collections.update: "collection_update_request",
    collections.delete: "collection_delete_request",
    collection_tools.import_: "collections_import_request",
    settings.read: "settings_list_request",
    settings.change: "settings_update_request",
    realtime.connect: "realtime_connect_request",
    realtime.subscribe: "realtime_subscribe_request",
}
"""The moment of each endpoint that has one."""
LIMIT: Final = 32 * 1024 * 1024


class RequestEvent(SiteEvent):
    """A request to an endpoint. `params` are the named parts of its path."""

    def __init__(self, request: Request, collection: Collection | None) -> None:
        super().__init__(Outside(Work(request.backend, request), access_of(request)))
        self.collection = collection
        self.params: Mapping[str, str] = request.params
        self._http = request
        self._response: Response | None = None
        self._body: bytes | None = None

    async def body(self) -> bytes:
        """What was submitted, at most 32 MiB; the endpoint reads it all the same. Raises `TooLarge`."""
        if self._body is None:
            self._body = await read_bytes(self._http, LIMIT)
            self._put_body(self._body)
        return self._body

    async def json(self) -> Any:
        """The JSON that was submitted; None for what is none."""
        try:
            return msgspec.json.decode(await self.body())
        except msgspec.DecodeError:
            return None

    def set_json(self, value: Any) -> None:
        """Have the endpoint read this in place of what was submitted."""
        headers = [pair for pair in self._http.asgi["headers"] if pair[0] not in (b"content-type", b"content-length")]
        self._body = msgspec.json.encode(value)
        length = b"%d" % len(self._body)
        self._http.asgi["headers"] = [*headers, (b"content-type", b"application/json"), (b"content-length", length)]
        self._put_body(self._body)

    @property
    def answer(self) -> Any:
        """After `next()`, the JSON that will be answered; None where it is none. Set it to answer something else."""
        if self._response is None:
            raise HookMisuseError("There is an answer after `await event.next()`.")
        try:
            return msgspec.json.decode(self._response.body)
        except msgspec.DecodeError:
            return None

    @answer.setter
    def answer(self, value: Any) -> None:
        if type(self._response) is not Response:
            raise HookMisuseError("There is no answer of JSON that could be changed.")
        self._response.body = msgspec.json.encode(value)

    @property
    def status(self) -> int:
        """After `next()`, the status of the answer."""
        if self._response is None:
            raise HookMisuseError("There is an answer after `await event.next()`.")
        return self._response.status

    def add_header(self, name: str, value: str) -> None:
        """Send a header with the answer, whatever that will be."""
        pair = name.lower().encode("latin-1"), value.encode("latin-1")
        self._http.route_headers = [*self._http.route_headers, pair]

    def _put_body(self, body: bytes) -> None:
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            return messages.pop() if messages else {"type": "http.disconnect"}

        self._http.receive = receive


def find_hooks(request: Request, route: Route) -> tuple[tuple[Hook, ...], Collection | None]:
    """The hooks around an endpoint, and the collection that its path names."""
    moment = MOMENTS.get(route.handler)
    registry = request.backend.hooks.registry
    if moment not in registry.moments or moment is None:
        return (), None
    name = request.params.get("collection")
    collection = request.backend.catalog.find(name) if name else None
    names = (collection.name, collection.id) if collection is not None else ()
    return registry.find(moment, *names), collection


async def answer_with_hooks(request: Request, route: Route) -> Response:
    """The answer of an endpoint, with the hooks that are around it. Raises what they raise."""
    hooks, collection = find_hooks(request, route)
    if not hooks:
        return await route.handler(request)
    event = RequestEvent(request, collection)

    async def deed() -> None:
        event._response = await route.handler(request)  # noqa: SLF001 - of one module

    work = Work(request.backend, request)
    await request.backend.hooks.run(hooks, event, deed, work.about)
    if event._response is None:  # noqa: SLF001 - likewise
        raise HookMisuseError("The endpoint was not reached.")
    return event._response  # noqa: SLF001 - likewise
