"""Forms of pages: drawn from a collection, written by its rules, drawn again with what was typed."""

from __future__ import annotations

import json

import pytest
from visitor import Sheet, Visitor

from undercroft import testing
from undercroft.pages import submissions
from undercroft.testing import File

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
FIELDS = [
    {"name": "name", "type": "text", "required": True, "min": 2, "max": 60},
    {"name": "email", "type": "email", "required": True},
    {"name": "budget", "type": "number", "min": 100},
    {"name": "topic", "type": "select", "values": ["site", "app"]},
    {"name": "message", "type": "text", "max": 4000},
    {"name": "agreed", "type": "bool"},
    {"name": "files", "type": "file", "maxSelect": 2, "mimeTypes": ["image/png"], "protected": True},
    {"name": "status", "type": "text"},
]
GOOD = {
    "name": "Ann",
    "email": "ann@example.com",
    "budget": "250",
    "topic": "app",
    "message": "Hello\r\nthere",
    "agreed": "true",
}
PAGES = {
    "briefs.html": """{{ form(records.briefs, without=["status"], then="/thanks/{name}", labels={"name": "Your name"}) }}""",
    "preset.html": """{{ form(records.briefs, only=["name", "email"], preset={"status": "new"}) }}""",
    "again.html": """{{ form(records.briefs, only=["name", "email"], done="We have it.") }}""",
    "edit.html": "{% set brief = records.briefs.get(request.query.id) %}{{ form(brief, only=['name', 'files']) }}",
    "thanks/[who].html": "<p>Thank you, {{ params.who }}.</p>",
}


@pytest.fixture
async def site(tmp_path, database, monkeypatch):
    """A site with forms, and a collection that anybody may write to."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 0.0)
    for name, text in PAGES.items():
        path = tmp_path / "site" / "pages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    async with testing.client(tmp_path / "data", database, site=tmp_path / "site") as opened:
        root = await opened.superuser()
        await opened.post(
            "/api/collections",
            {"name": "briefs", "type": "base", "fields": FIELDS, "createRule": "", "viewRule": "", "updateRule": ""},
            as_=root,
        )
        yield opened


@pytest.fixture
def visitor(site):
    """Somebody without scripts."""
    return Visitor(site)


async def briefs(site):
    """All stored briefs."""
    answer = await site.get("/api/collections/briefs/records", as_=await site.superuser())
    return answer.json["items"]


async def test_form_has_the_fields_limits(visitor):
    """The browser demands what the field demands."""
    sheet = Sheet((await visitor.open("/briefs")).text)

    assert {name for name in sheet.inputs if not name.startswith("_")} == {
        *("name", "email", "budget", "topic", "message", "agreed", "files", submissions.TRAP),
    }
    assert sheet.inputs["name"] | {"aria-describedby": ""} == {
        "id": "form-briefs-name",
        "name": "name",
        "type": "text",
        "minlength": "2",
        "maxlength": "60",
        "required": "required",
        "autocomplete": "name",
        "aria-describedby": "",
        "value": None,
    } | {"value": ""}
    assert sheet.inputs["files"]["accept"] == "image/png"


async def test_sent_form_is_stored(site, visitor):
    """What was typed becomes a record, and the visitor is sent on."""
    answer = await visitor.send(await visitor.open("/briefs"), GOOD)

    assert (answer.status, answer.headers["location"]) == (303, "/thanks/Ann")
    stored = (await briefs(site))[0]
    assert {name: stored[name] for name in GOOD} == {**GOOD, "budget": 250, "message": "Hello\nthere", "agreed": True}


async def test_thanks_without_a_page_of_their_own(site, visitor):
    """A form that leads nowhere says itself that it was received."""
    sent = await visitor.send(await visitor.open("/again"), {"name": "Ann", "email": "ann@example.com"})

    assert "We have it." in (await visitor.follow(sent)).text
    assert "We have it." not in (await visitor.open("/again")).text


async def test_files_are_stored(site, visitor):
    """A form's files come to its record."""
    files = [File("a.png", PNG), File("b.png", PNG + b"2")]

    answer = await visitor.send(await visitor.open("/briefs"), {**GOOD, "files": files})

    assert answer.status == 303
    assert len((await briefs(site))[0]["files"]) == 2


async def test_failed_form_keeps_what_was_typed(site, visitor):
    """Each error stands beside its field, and nothing has to be typed again."""
    typed = {**GOOD, "name": "A", "budget": "lots", "email": "nonsense"}

    answer = await visitor.send(await visitor.open("/briefs"), typed)

    assert answer.status == 422
    sheet = Sheet(answer.text)
    assert sheet.forms[0]["fields"] | {"message": "Hello\nthere"} == {
        **sheet.forms[0]["fields"],
        "message": "Hello\nthere",
    }
    assert {name: sheet.forms[0]["fields"][name] for name in ("name", "email", "topic", "agreed")} == {
        "name": "A",
        "email": "nonsense",
        "topic": "app",
        "agreed": "true",
    }
    assert "Must be a number." in answer.text
    assert await briefs(site) == []


async def test_servers_own_errors_are_shown(site, visitor):
    """What only the server can tell stands beside the field as well."""
    answer = await visitor.send(await visitor.open("/briefs"), {**GOOD, "files": [File("a.png", b"no picture")]})

    assert answer.status == 422
    assert Sheet(answer.text).inputs["files"]["aria-invalid"] == "true"


async def test_failed_form_can_be_sent_again(site, visitor):
    """The form that was drawn again works."""
    failed = await visitor.send(await visitor.open("/briefs"), {**GOOD, "name": ""})

    assert (await visitor.send(failed, {"name": "Ann"})).status == 303


async def test_fields_not_offered_are_not_written(site, visitor):
    """What the page did not ask for cannot be slipped in."""
    await visitor.send(await visitor.open("/briefs"), {**GOOD, "status": "paid", "id": "x" * 15})

    stored = (await briefs(site))[0]
    assert (stored["status"], stored["id"] == "x" * 15) == ("", False)


async def test_altered_descriptor_is_refused(site, visitor):
    """A form that offers more than the page drew is none of ours."""
    page = await visitor.open("/briefs")
    descriptor = json.loads(Sheet(page.text).forms[0]["fields"]["_form"])
    descriptor["fields"].append("status")

    answer = await visitor.send(page, {**GOOD, "status": "paid", "_form": json.dumps(descriptor)})

    assert answer.status == 403
    assert await briefs(site) == []


async def test_expired_form_keeps_what_was_typed_and_works_again(site, visitor):
    """A form that was open too long is drawn anew with everything in it."""
    answer = await visitor.send(await visitor.open("/briefs"), {**GOOD, "_token": "5f000000.abc"})

    assert answer.status == 403
    assert Sheet(answer.text).forms[0]["fields"]["email"] == "ann@example.com"
    assert (await visitor.send(answer, {})).status == 303


@pytest.mark.parametrize(
    "headers",
    [{"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"sec_fetch_site": "none"}],
)
async def test_forms_of_other_sites_are_refused(site, visitor, headers):
    """A page of somebody else's cannot send our form, with whatever is in it."""
    answer = await visitor.send(await visitor.open("/briefs"), GOOD, **headers)

    assert answer.status == 403
    assert await briefs(site) == []


async def test_machines_that_fill_in_everything_are_told_yes(site, visitor):
    """The trap is invisible; whoever falls into it stores nothing, and is not told so."""
    answer = await visitor.send(await visitor.open("/briefs"), {**GOOD, submissions.TRAP: "http://spam.example"})

    assert answer.status == 303
    assert await briefs(site) == []


async def test_nobody_types_that_fast(site, visitor, monkeypatch):
    """A form that comes back at once was sent by a program."""
    monkeypatch.setattr(submissions, "MIN_SECONDS", 5.0)

    answer = await visitor.send(await visitor.open("/briefs"), GOOD)

    assert (answer.status, "very quick" in answer.text) == (403, True)
    assert await briefs(site) == []


async def test_guests_send_ten_forms_a_minute(site, visitor):
    """The eleventh has to wait, and keeps what was typed."""
    page = await visitor.open("/briefs")
    for _ in range(10):
        assert (await visitor.send(page, GOOD)).status == 303

    answer = await visitor.send(page, GOOD)

    assert answer.status == 429
    assert Sheet(answer.text).forms[0]["fields"]["name"] == "Ann"


async def test_scripts_get_json(site, visitor):
    """With JavaScript a form is told where to go, or what is wrong, without a page."""
    page = await visitor.open("/briefs")

    failed = await visitor.send(page, {**GOOD, "name": "A"}, accept="application/json")
    sent = await visitor.send(page, GOOD, accept="application/json")

    assert (failed.status, failed.json["data"]["name"]["code"]) == (422, "validation_min_text_constraint")
    assert (sent.status, sent.json) == (200, {"location": "/thanks/Ann"})


async def test_rules_decide_in_forms_too(site, visitor):
    """A form is no way around a rule."""
    page = await visitor.open("/briefs")
    root = await site.superuser()
    await site.patch("/api/collections/briefs", {"createRule": 'name != "Ann"'}, as_=root)

    assert (await visitor.send(page, GOOD)).status == 400
    assert await briefs(site) == []


async def test_record_is_edited_and_keeps_its_files(site, visitor):
    """Files join those that are there; a ticked one goes."""
    await visitor.send(await visitor.open("/briefs"), {**GOOD, "files": [File("a.png", PNG)]})
    brief = (await briefs(site))[0]
    page = await visitor.open(f"/edit?id={brief['id']}")
    assert Sheet(page.text).forms[0]["fields"]["name"] == "Ann"

    more = await visitor.send(page, {"name": "Anna", "files": [File("b.png", PNG)]})
    after = (await briefs(site))[0]
    fewer = await visitor.send(page, {"name": "Anna", "files-": brief["files"][0]})

    assert (more.status, fewer.status) == (303, 303)
    assert (after["name"], len(after["files"])) == ("Anna", 2)
    assert (await briefs(site))[0]["files"] == after["files"][1:]


async def test_markup_in_values_is_text(site, visitor):
    """What a visitor types is never HTML."""
    answer = await visitor.send(await visitor.open("/briefs"), {**GOOD, "name": "<", "message": "</textarea><script>x"})

    assert "<script>x" not in answer.text
    assert Sheet(answer.text).forms[0]["fields"]["message"] == "</textarea><script>x"


async def test_pages_with_forms_are_in_no_cache(visitor):
    """A form's token is for one visitor."""
    assert "no-store" in (await visitor.open("/briefs")).headers["cache-control"]


async def test_preset_values_are_the_pages_own(site, visitor):
    """What a page sets is written, and nobody else sets it."""
    page = await visitor.open("/preset")
    typed = {"name": "Ann", "email": "ann@example.com", "status": "paid"}

    assert (await visitor.send(page, typed)).status == 303
    assert (await briefs(site))[0]["status"] == "new"
    assert "status" not in Sheet(page.text).inputs
