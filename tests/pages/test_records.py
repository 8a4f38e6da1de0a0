"""Records in pages: as the visitor, under the rules, with values apart from filters."""

from __future__ import annotations

import pytest

LIST = "{% for t in records.terms.list(sort='rank') %}{{ t.title }};{% endfor %}"
ONE = "{% set t = records.terms.first('slug = {:slug}', slug=params.slug) or not_found() %}{{ t.title }}"


async def test_visitor_sees_what_the_rules_allow(serve):
    """A page lists for each visitor what the API would list for them."""
    world = await serve({"pages/index.html": LIST})
    await world.add(title="Open", rank=1)
    await world.add(title="Draft", rank=2, published="", author=world.ada_id)

    assert await world.shown("/") == "Open;"
    assert await world.shown("/", as_=world.ada) == "Open;Draft;"


async def test_as_system_is_explicit(serve):
    """Only `as_system()` leaves the rules aside, and only for what it is asked."""
    world = await serve({"pages/index.html": "{{ records.as_system().terms.count() }}/{{ records.terms.count() }}"})
    await world.add(title="Open")
    await world.add(title="Draft", published="")

    assert await world.shown("/") == "2/1"


@pytest.mark.parametrize("slug", ["x' || id != '", 'x" || 1 = 1 || "', "{:slug}", "%", "x\\' || id != ''"])
async def test_values_are_bound(serve, slug):
    """Text of a visitor stays a value in a filter, whatever it holds."""
    world = await serve({"pages/index.html": ONE.replace("params", "request.query")})
    await world.add(title="Secret", slug="s")
    await world.add(title="Found", slug=slug)

    assert await world.shown("/", slug=slug) == "Found"
    assert (await world.get("/", slug=slug + "x")).status == 404


async def test_values_of_records(serve):
    """Fields are attributes: dates are moments, lists are lists, JSON is read, hidden ones are none."""
    world = await serve(
        {
            "pages/index.html": (
                "{% set t = records.terms.first() %}{{ t.published.year }}|{{ t.published | date('%-d %B %Y') }}|"
                "{{ t.tags | join('+') }}|{{ t.meta.deep[0] }}|{{ t.rank + 1 }}|{{ t.note is none }}|{{ t['title'] }}|"
                "{{ t.id | length }}|{{ t.collectionName }}|{{ t.author or 'nobody' }}"
            )
        }
    )
    await world.add(title="T", tags=["api", "web"], meta={"deep": [7]}, rank=1, note="for us")

    assert await world.shown("/") == "2026|4 March 2026|api+web|7|2|True|T|15|terms|nobody"


async def test_related_records(serve):
    """`expand` brings related records, each under its own rule; one that may not be seen prints as nothing."""
    world = await serve(
        {"pages/index.html": "{% set t = records.terms.first(expand='author') %}by {{ t.expand.author.name }}."}
    )
    await world.add(title="T", author=world.ada_id)

    assert await world.shown("/") == "by ."
    assert await world.shown("/", as_=world.ada) == "by Ada."


async def test_misspelt_field(serve):
    """A field that is not there is an error that names the nearest one, not an empty text."""
    world = await serve({"pages/index.html": "{{ records.terms.first().titel }}"}, is_dev=True)
    await world.add(title="T")

    answer = await world.get("/")

    assert answer.status == 500
    assert "no field &#39;titel&#39;. Did you mean &#39;title&#39;?" in answer.text


async def test_misspelt_collection(serve):
    """So is a collection."""
    world = await serve({"pages/index.html": "{{ records.term.count() }}"}, is_dev=True)

    answer = await world.get("/")

    assert answer.status == 500
    assert "Did you mean &#39;terms&#39;?" in answer.text


async def test_pages_of_a_list(serve):
    """A list comes in pages, by numbers from the URL, with a total when that is asked for."""
    page = "records.terms.list(sort='rank', page=request.query.page, per_page=2, total=true)"
    text = (
        f"{{% set p = {page} %}}{{% for t in p %}}{{{{ t.title }}}}{{% endfor %}} "
        "{{ p.previous }} {{ p.next }} {{ p.total }}"
    )
    world = await serve({"pages/index.html": text.replace("request.query.page", "request.query.page or 1")})
    for rank, title in enumerate("abcde"):
        await world.add(title=title, rank=rank)

    shown = [await world.shown("/", page=page) for page in ("1", "3", "x", "-1", "99999999999")]

    assert shown == ["ab 0 2 5", "e 2 0 5", "ab 0 2 5", "ab 0 2 5", "ab 0 2 5"]


async def test_one_record(serve):
    """`get` finds a record by its id, and answers 404 where the rule hides it."""
    world = await serve({"pages/[id].html": "{{ records.terms.get(params.id).title }}"})
    shown, hidden = await world.add(title="Open"), await world.add(title="Draft", published="")

    assert await world.shown(f"/{shown['id']}") == "Open"
    assert (await world.get(f"/{hidden['id']}")).status == 404
    assert (await world.get("/nothing")).status == 404


async def test_user_is_the_visitor(serve):
    """`user` is the visitor's record with what they may see of it, and none for a guest."""
    world = await serve({"pages/index.html": "{{ user.name if user else 'guest' }} {{ user.email if user }}"})

    assert await world.shown("/") == "guest "
    assert await world.shown("/", as_=world.ada) == "Ada ada@example.com"


@pytest.mark.parametrize("name", ["tokenKey", "password"])
async def test_secrets_of_the_visitor_stay_away(serve, name):
    """No template can print a visitor's password hash or token key."""
    world = await serve({"pages/index.html": f"[{{{{ user['{name}'] or '' }}}}]"})

    assert await world.shown("/", as_=world.ada) == "[]"


SCRIPT = """
from undercroft.errors import Invalid

async def post(request):
    form = await request.form()
    try:
        term = await request.records.terms.create(title=form.get("title", ""), author=form.get("author", ""))
        await request.records.terms.update(term.id, {"tags+": "api"})
    except Invalid as problem:
        return {"said": problem.data["title"].code}
    return {"said": (await request.records.terms.get(term.id)).tags[0]}

async def delete(request):
    await request.records.terms.delete(request.query["id"])
    return {"said": "gone"}
"""


async def test_scripts_write_as_the_visitor(serve):
    """A script creates and changes records under the visitor's rules, with the errors of the API."""
    world = await serve({"pages/new.html": "{{ said }}", "pages/new.py": SCRIPT})
    form = {"title": "T", "author": world.ada_id}

    assert (await world.client.post("/new", form=form, as_=world.ada)).text == "api"
    assert (await world.client.post("/new", form=form)).status == 400
    invalid = await world.client.post("/new", form={**form, "title": ""}, as_=world.ada)
    assert invalid.text == "validation_required"


async def test_scripts_delete_as_the_visitor(serve):
    """So is it with deleting."""
    world = await serve({"pages/new.html": "{{ said }}", "pages/new.py": SCRIPT})
    record = await world.add(title="T", author=world.ada_id)

    assert (await world.client.delete(f"/new?id={record['id']}")).status == 404
    assert (await world.client.delete(f"/new?id={record['id']}", as_=world.ada)).text == "gone"


async def test_null_rule_is_for_superusers(serve):
    """A page over a collection that only superusers may list is refused to others as the API refuses them."""
    world = await serve({"pages/index.html": "{{ records.terms.count() }}"})
    await world.client.patch("/api/collections/terms", {"listRule": None}, as_=world.root)

    assert (await world.get("/")).status == 403
    assert await world.shown("/", as_=world.root) == "0"


async def test_url_of_a_file(serve):
    """`file_url` leads to the file of a record."""
    world = await serve({"pages/index.html": "{{ file_url(records.docs.first(), 'a b.png', thumb='100x100') }}"})
    body = {"name": "docs", "type": "base", "listRule": "", "viewRule": "", "fields": []}
    await world.client.post("/api/collections", body, as_=world.root)
    record = await world.add("docs")

    assert await world.shown("/") == f"/api/files/docs/{record['id']}/a%20b.png?thumb=100x100"
