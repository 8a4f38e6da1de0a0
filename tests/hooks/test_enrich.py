"""What hooks leave of a record that is sent, on every way it may take."""

from __future__ import annotations

import pytest

TOKEN = "the-hidden-one"


@pytest.fixture
async def discreet(site):
    """A site whose posts have a body that only superusers see, by a hook, and a computed key."""

    @site.on.record_enrich("posts")
    async def hide(event):
        if event.identity is None or not event.identity.is_superuser:
            event.hide("body")
        event.record["shout"] = event.record["title"].upper()

    relation = {"name": "post", "type": "relation", "collectionId": site.ids["posts"], "maxSelect": 1}
    await site.collection("comments", {"name": "title", "type": "text"}, relation)
    await site.client.patch("/api/settings", {"batch": {"enabled": True}}, as_=site.root)
    post = await site.add("posts", title="one", body=TOKEN)
    await site.add("comments", title="c", post=post)
    site.ids["post"] = post
    return site


POSTS = "/api/collections/posts/records"
WAYS = {
    "list": lambda site: site.client.get(POSTS),
    "list of some fields": lambda site: site.client.get(POSTS, fields="title,body"),
    "view": lambda site: site.client.get(f"{POSTS}/{site.ids['post']}"),
    "view of a field": lambda site: site.client.get(f"{POSTS}/{site.ids['post']}", fields="body"),
    "create": lambda site: site.create("posts", title="two", body=TOKEN),
    "update": lambda site: site.update("posts", site.ids["post"], title="three"),
    "expand": lambda site: site.client.get("/api/collections/comments/records", expand="post"),
    "expand back": lambda site: site.client.get(POSTS, expand="comments_via_post.post"),
    "batch": lambda site: site.client.post(
        "/api/batch", {"requests": [{"method": "POST", "url": POSTS, "body": {"title": "four", "body": TOKEN}}]}
    ),
    "batch of a field": lambda site: site.client.post(
        "/api/batch",
        {"requests": [{"method": "POST", "url": f"{POSTS}?fields=body", "body": {"title": "five", "body": TOKEN}}]},
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_hook_hides_is_nowhere(discreet, way):
    """No answer has it."""
    answer = await WAYS[way](discreet)

    assert answer.status == 200, answer.text
    assert TOKEN not in answer.text


async def test_an_answer_that_is_given_again(discreet):
    """What is kept under an Idempotency-Key is shown as it would be now."""
    send = {"headers": {"idempotency-key": "key-1"}}
    first = await discreet.client.post(POSTS, {"title": "six", "body": TOKEN}, **send)
    again = await discreet.client.post(POSTS, {"title": "six", "body": TOKEN}, **send)

    assert again.headers["idempotency-replayed"] == "true"
    assert first.json == again.json
    assert TOKEN not in again.text


async def test_what_a_hook_adds(discreet):
    """Computed keys are in the answer, and can be picked."""
    shown = await discreet.client.get(POSTS, fields="shout")
    whole = await discreet.client.get(POSTS, as_=discreet.root)

    assert shown.json["items"] == [{"shout": "ONE"}]
    assert whole.json["items"][0]["body"] == TOKEN


async def test_a_hook_that_fails_shows_nothing(site):
    """Where a hook that hides cannot do it, nothing is sent."""
    post = await site.add("posts", title="one", body=TOKEN)

    @site.on.record_enrich("posts")
    async def fail(event):
        raise ValueError

    answer = await site.client.get(f"{POSTS}/{post}")

    assert answer.status == 500
    assert TOKEN not in answer.text


async def test_a_log_in(site):
    """Hooks say what an account is shown when it gets its token, add to the answer, and may refuse it."""
    account = {"email": "a@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    await site.create("users", site.root, **account, name="Ann")

    @site.on.record_auth_request("users")
    async def admit(event):
        event.record["greeting"] = f"Hello, {event.record['name']}"
        event.meta["plan"] = "free"
        if event.request.query.get("banned"):
            raise event.refuse("You are banned.")

    path = "/api/collections/users/auth-with-password"
    form = {"identity": "a@example.com", "password": "password-1"}
    answer = await site.client.post(path, form)
    banned = await site.client.post(path, form, banned="1")

    assert answer.json["record"]["greeting"] == "Hello, Ann"
    assert answer.json["meta"] == {"plan": "free"}
    assert (banned.status, banned.error.message) == (400, "You are banned.")
