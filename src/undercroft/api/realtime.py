"""Live updates: a connection that listens, and what it wants to hear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from undercroft.api.auth.own import came_with, claims_of
from undercroft.api.params import BadParameter
from undercroft.errors import FieldError, Invalid
from undercroft.http.body import DEFAULT_LIMIT
from undercroft.http.event_stream import HEADERS, EventStream
from undercroft.http.request import Request
from undercroft.http.response import Response, no_content
from undercroft.realtime.client import Client
from undercroft.realtime.live import Live
from undercroft.realtime.topics import LONGEST, MOST, parse_topic
from undercroft.realtime.wishes import Wish

_LARGEST: Final = 2**63 - 1


async def connect(request: Request) -> Response:
    """GET /api/realtime"""
    since, keeps_place = read_place(request)
    if request.method == "HEAD":
        return Response(200, b"", HEADERS)
    live = request.backend.live
    client = await live.connect(request.client_ip, since, keeps_place=keeps_place)
    return EventStream(_Feed(live, client), request.receive)


async def subscribe(request: Request) -> Response:
    """POST /api/realtime"""
    body = await request.body(DEFAULT_LIMIT)
    texts = body.texts or {}
    topics = texts.get("subscriptions") if body.texts is not None else body.data.get("subscriptions")
    client_id = str(body.data.get("clientId") or "")
    wish = Wish(read_topics(topics), request.identity, request.client_ip, _expiry(request), came_with(request))
    _check_topics(request, wish.topics)
    await request.backend.live.subscribe(client_id, wish)
    return no_content()


def read_place(request: Request) -> tuple[int | None, bool]:
    """The position in the change log that a client has reached, if it says so, and whether it keeps its place.

    It does when it asks for that with `since`, empty for "from now on". A browser that comes back
    tells with `Last-Event-ID` what it heard last. Raises `BadParameter`.
    """
    asked = request.query.get("since")
    last = (request.header(b"last-event-id") or b"").decode("latin-1")
    if _is_position(last):
        return int(last), True
    if asked is None:
        return None, False
    if asked and not _is_position(asked):
        raise BadParameter("since", "a position in the change log, or empty")
    return (int(asked) if asked else None), True


def read_topics(found: Any) -> list[str]:
    """The texts of the topics that were asked for. Raises `Invalid`."""
    topics = list(dict.fromkeys(str(text) for text in (found if isinstance(found, list) else [])))
    if len(topics) > MOST:
        raise Invalid({"subscriptions": _too_long(MOST)})
    errors = {str(at): _too_long(LONGEST) for at, text in enumerate(topics) if len(text) > LONGEST}
    if errors:
        raise Invalid({"subscriptions": errors}, "Something went wrong while processing your request.")
    return topics


class _Feed:
    """What a client is sent, for `EventStream`."""

    def __init__(self, live: Live, client: Client) -> None:
        self._live = live
        self._client = client

    def begin(self) -> None:
        """From now on a client that does not read can be cut."""
        self._client.begin()

    async def next(self) -> bytes:
        """What to send next."""
        return await self._client.take(self._live.reached)

    def leave(self) -> None:
        """Nobody is there any more."""
        self._live.broker.close(self._client)

    @property
    def was_cut(self) -> bool:
        """Whether it did not read."""
        return self._client.ending == "slow"


def _check_topics(request: Request, texts: Iterable[str]) -> None:
    """Raise `ScopeMissing` where an API key does not cover what a topic tells of."""
    grant = request.identity.grant if request.identity is not None else None
    if grant is None:
        return
    for topic in map(parse_topic, texts):
        collection = request.backend.catalog.find(topic.collection) if topic is not None else None
        if collection is not None:
            grant.check(collection, "read")
        else:
            grant.check_all("read")


def _expiry(request: Request) -> float:
    if request.identity is not None and request.identity.grant is not None:
        return request.identity.grant.expires
    claims = claims_of(request)
    return float(claims.exp) if claims else 0.0


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _LARGEST


def _too_long(most: int) -> FieldError:
    return FieldError("validation_length_too_long", f"The length must be no more than {most}.", {"min": 0, "max": most})
