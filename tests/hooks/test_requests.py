"""Hooks around endpoints."""

from __future__ import annotations

import pytest

from undercroft.api.request_events import MOMENTS
from undercroft.api.routes import ROUTES
from undercroft.moments import On

# Those that come where an account is known, in the middle of an endpoint.
NOT_OF_A_ROUTE = {"record_auth_request", "record_auth_with_oauth2_request"}
POSTS = "/api/collections/posts/records"


def test_every_endpoint_is_there():
    """Every endpoint that has a moment is a route, and its moment can be bound."""
    handlers = {route.handler for route in ROUTES}

    assert set(MOMENTS) <= handlers
    assert all(hasattr(On, moment) for moment in MOMENTS.values())
    assert {each.name for each in On.all() if each.name.endswith("_request")} - NOT_OF_A_ROUTE == set(MOMENTS.values())


async def test_what_was_asked_and_answered(site):
    """A hook sees the request before, and the answer after."""
    seen = []

    @site.on.records_list_request("posts")
    async def look(event):
        seen.append((event.collection.name, event.params["collection"], event.request.query["page"]))
        await event.next()
        seen.append((event.status, event.answer["totalItems"]))

    await site.client.get(POSTS, page="1")

    assert seen == [("posts", "posts", "1"), (200, 0)]


async def test_another_answer(site):
    """A hook changes the answer, and adds headers to it."""

    @site.on.record_view_request("posts")
    async def change(event):
        await event.next()
        event.answer = {**event.answer, "seen": True}
        event.add_header("x-seen", "yes")

    post = await site.add("posts", title="one")
    answer = await site.client.get(f"{POSTS}/{post}")

    assert answer.json["seen"] is True
    assert answer.headers["x-seen"] == "yes"


async def test_another_body(site):
    """A hook reads what was sent, and has the endpoint read something else."""

    @site.on.record_create_request("posts")
    async def rename(event):
        sent = await event.json()
        event.set_json({"title": sent["headline"]})

    answer = await site.client.post(POSTS, {"headline": "one"})

    assert answer.json["title"] == "one"


async def test_a_body_that_was_only_read(site):
    """What a hook read is there for the endpoint as it came, forms with files included."""

    @site.on.record_create_request("posts")
    async def look(event):
        site.fired.append(b"two" in await event.body())

    answer = await site.client.post(POSTS, form={"title": "two"})

    assert answer.json["title"] == "two"
    assert site.fired == [True]


async def test_a_request_that_is_refused(site):
    """What a hook refuses does not reach the endpoint."""

    @site.on.record_delete_request("posts")
    async def refuse(event):
        raise event.refuse("Nothing is deleted here.")

    post = await site.add("posts", title="one")
    answer = await site.delete("posts", post)

    assert (answer.status, answer.error.message) == (400, "Nothing is deleted here.")
    assert await site.titles() == ["one"]


async def test_others_are_not_asked(site):
    """A hook of one collection is not called for another."""
    await site.collection("others")
    site.on.records_list_request("others")(lambda _: site.fired.append("others"))

    await site.client.get(POSTS)

    assert site.fired == []


@pytest.mark.parametrize(
    ("moment", "method", "path"),
    [
        ("settings_list_request", "GET", "/api/settings"),
        ("settings_update_request", "PATCH", "/api/settings"),
        ("collections_list_request", "GET", "/api/collections"),
        ("collection_view_request", "GET", "/api/collections/posts"),
        ("file_token_request", "POST", "/api/files/token"),
        ("record_auth_refresh_request", "POST", "/api/collections/_superusers/auth-refresh"),
        ("record_request_otp_request", "POST", "/api/collections/users/request-otp"),
        ("record_auth_with_password_request", "POST", "/api/collections/users/auth-with-password"),
        ("batch_request", "POST", "/api/batch"),
        ("file_download_request", "GET", "/api/files/posts/aaaaaaaaaaaaaaa/a.txt"),
        ("realtime_subscribe_request", "POST", "/api/realtime"),
    ],
)
async def test_moments_of_endpoints(site, moment, method, path):
    """The hook is called, whatever becomes of the request."""
    getattr(site.on, moment)()(lambda event: site.fired.append(event.request.path))

    await site.client.request(method, path, {}, as_=site.root)

    assert site.fired == [path]


async def test_who_may_not_ask_reaches_no_hook(site):
    """Endpoints for superusers have hooks for superusers."""
    site.on.settings_list_request()(lambda _: site.fired.append("called"))

    answer = await site.client.get("/api/settings")

    assert answer.status == 401
    assert site.fired == []


async def test_explanations(site):
    """A hook around a list is called also where the list is explained."""
    site.on.records_list_request()(lambda _: site.fired.append("called"))

    await site.client.get(POSTS, as_=site.root, headers={"x-undercroft-explain": "1"})

    assert site.fired == ["called"]
