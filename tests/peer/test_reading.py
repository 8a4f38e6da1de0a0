"""Lists and views answer what the peer answers: filters, sort, fields, expand, rules."""

from __future__ import annotations

import pytest
from cellar import record_id

from peer import Case, ask

WINES = "/wines/records"


def filtered(text, caller="guest", collection="wines", sort="id"):
    return Case(text, f"/{collection}/records", {"filter": text, "fields": "id", "sort": sort}, caller=caller)


FILTERS = [
    filtered(text)
    for text in (
        "vintage > 2018 && vintage <= 2021",
        "(colour = 'red' || sweet = true) && price != 9",
        "colour = 'red' || sweet = true && price = 0",
        "title ~ 'A'",
        "title ~ 'chalk%'",
        "title ~ '100\\%'",
        "title ~ '_wine'",
        "title !~ 'chalk'",
        "title:lower = 'granite'",
        "vintage = '2019'",
        "title = 5",
        "sweet = 'true'",
        "sweet = false",
        "bottled = ''",
        "bottled < '2021-01-01'",
        "bottled > @now",
        "region = null",
        "region != ''",
        "region.country = 'FR'",
        "region.name != 'Loire'",
        "grapes = 'merlot'",
        "grapes ?= 'merlot'",
        "grapes:each ?= 'merlot'",
        "grapes:each = 'merlot'",
        "grapes:each != 'riesling'",
        "grapes:length > 1",
        "fans:length = 0",
        "fans ~ 'anna'",
        "fans.name = 'Anna'",
        "fans.name ?= 'Anna'",
        "fans.name ?= 'Anna' && fans.name ?= 'Bruno'",
        "fans.email ?~ 'example'",
        "notes.stars >= 4",
        "notes.nose.0 = 'peach'",
        "notes = 5",
        "notes = ''",
        "notes = null",
        "notes ~ 'stone'",
        "shelf.lon > 1",
        "geoDistance(shelf.lon, shelf.lat, 6.9, 49.9) < 500",
        "strftime('%Y', bottled) = '2020'",
        "labels_via_wine.motto ~ 'stone'",
        "tastings_via_wine.score ?> 4",
        "title = 'Slate' // the sweet one",
        'title = "Sl\\"ate"',
        "null = ''",
        "price < vintage",
        "title = 'Órphan_wine'",
    )
]
REFUSED = [
    filtered(text)
    for text in (
        "nonsense = 1",
        "title",
        "title = ",
        "title == 'x'",
        "(title = 'x'",
        "title = 'x",
        "()",
        " ",
        "secret = 's1'",
        "vault_via_key.id = 'x'",
        "title.deeper = 1",
        "title:wrong = 1",
        "nosuch(1) = 1",
        "geoDistance(1, 2, 3) < 1",
        "@request.auth.id != ''",
        "@collection.vault.key = 'x'",
        "title = '@request.auth.id'",
        "region.a.b.c.d.e.f.g = 1",
    )
]
AS_ROOT = [
    filtered(text, "root")
    for text in (
        "secret = 's1'",
        "@request.auth.id != ''",
        "@collection.vault.key ?= 'under the mat'",
        "fans.email ?= 'bruno@example.com'",
        "@request.query.filter:isset = true",
        "@request.method = 'GET' && @request.context = 'default'",
    )
]
LISTS = [
    Case("every field", WINES, {"sort": "id"}),
    Case("hidden field for a superuser", WINES, {"sort": "id"}, caller="root"),
    Case("second page", WINES, {"sort": "id", "page": 2, "perPage": 3, "fields": "id"}),
    Case("past the end", WINES, {"page": 9, "fields": "id"}),
    Case("page size out of range", WINES, {"perPage": 5000, "sort": "id", "fields": "id"}),
    Case("page size zero", WINES, {"perPage": 0, "sort": "id", "fields": "id"}),
    Case("without total", WINES, {"skipTotal": "t", "sort": "id", "fields": "id"}),
    Case("page that is no number", WINES, {"page": "one"}),
    Case("skipTotal that is no boolean", WINES, {"skipTotal": "maybe"}),
    Case("sort by two", WINES, {"sort": "-colour,title", "fields": "title"}),
    Case("sort by relation", WINES, {"sort": "-region.name,id", "fields": "title"}),
    Case("sort by json path", WINES, {"sort": "-notes.stars,+id", "fields": "title"}),
    Case("sort by length", WINES, {"sort": "grapes:length,id", "fields": "title"}),
    Case("sort by the order of arrival", WINES, {"sort": "-@rowid", "fields": "title"}),
    Case("sort by unknown", WINES, {"sort": "nonsense"}),
    Case("sort by hidden", WINES, {"sort": "secret"}),
    Case("sort by nothing", WINES, {"sort": "title,"}),
    Case("nested fields", WINES, {"sort": "id", "fields": "title,notes.nose,shelf.lat"}),
    Case("all but one", WINES, {"sort": "id", "fields": "*,story:excerpt(8,true)"}),
    Case("unknown field modifier", WINES, {"fields": "title:loud(1)"}),
    Case("expand one", WINES, {"sort": "id", "expand": "region", "fields": "id,expand.region.name"}),
    Case("expand many", WINES, {"sort": "id", "expand": "fans", "fields": "id,expand"}),
    Case(
        "expand back", WINES, {"sort": "id", "expand": "tastings_via_wine.taster", "fields": "id,expand"}, caller="anna"
    ),
    Case("expand back to one", WINES, {"sort": "id", "expand": "labels_via_wine", "fields": "id,expand"}),
    Case("expand unknown", WINES, {"sort": "id", "expand": "nonsense,region.nonsense", "fields": "id,expand"}),
    Case("list under a rule, guest", "/tastings/records", {"sort": "id"}),
    Case("list under a rule, its owner", "/tastings/records", {"sort": "id"}, caller="bruno"),
    Case("list under a rule, superuser", "/tastings/records", {"sort": "id"}, caller="root"),
    Case("list without a rule", "/vault/records"),
    Case("list accounts", "/users/records", {"sort": "id", "fields": "id,email,name"}, caller="anna"),
    Case("list in an unknown collection", "/nowhere/records"),
    Case("collection by another case", "/WINES/records", {"sort": "id", "fields": "id"}),
]
VIEWS = [
    Case("view", f"{WINES}/{record_id('slate')}"),
    Case("view with expand", f"{WINES}/{record_id('slate')}", {"expand": "region,fans,labels_via_wine"}),
    Case("view that is not there", f"{WINES}/{record_id('nothing')}"),
    Case("view that the rule hides", f"/tastings/records/{record_id('tasting2')}"),
    Case("view that the rule shows", f"/tastings/records/{record_id('tasting2')}", caller="bruno"),
    Case("view without a rule", f"/vault/records/{record_id('key')}"),
    Case("view without a rule, superuser", f"/vault/records/{record_id('key')}", caller="root"),
    Case("own account", f"/users/records/{record_id('bruno')}", caller="bruno"),
    Case("another account", f"/users/records/{record_id('bruno')}", caller="anna"),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", [*FILTERS, *REFUSED, *AS_ROOT, *LISTS, *VIEWS], ids=str)
def test_same_answer(case, peer, ours):
    """The same request gets the same status and the same JSON."""
    assert ask(ours, case) == ask(peer, case)
