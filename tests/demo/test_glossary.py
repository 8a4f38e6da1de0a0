"""The demo, used as its visitors use it: in a browser, with scripts and without."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from chromium import running_chromium
from mail_server import ThreadedMailServer
from network import free_port
from nodejs import node_modules
from postgres import in_thread
from program import serving
from servers import PASSWORD, Server

from undercroft.app import close_backend, open_backend
from undercroft.auth.superusers import upsert_superuser
from undercroft.cli.demo import SUPERUSER
from undercroft.demo.glossary_data import SITE, STAFF_LOGIN, plant_glossary

MESSAGE = "We would like a shop for lamps, with a search that knows what “warm” means."
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 860}}
PAGES = (
    *("/", "/?text=cache", "/?text=nothing+fits", "/terms/acid", "/briefs", "/briefs/thanks", "/desk", "/nowhere"),
    *("/account/sign-in", "/account/code", "/account/reset", "/account/new-password", "/account/verify"),
)
STAFF_PAGES = (
    *("/desk", "/desk/terms", "/desk/terms/new", "/terms/acid"),
    *(
        "/account",
        "/account/password",
        "/account/new-address",
        "/account/passkeys",
        "/account/authenticator",
        "/account/sessions",
    ),
)


async def plant(data: Path) -> None:
    """What `undercroft demo` begins with."""
    backend = await open_backend(data)
    await upsert_superuser(backend, SUPERUSER, PASSWORD)
    await plant_glossary(backend, PASSWORD)
    await close_backend(backend)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A data directory with the glossary in it."""
    data = tmp_path_factory.mktemp("planted") / "data"
    in_thread(plant(data))  # the browser has a loop in this one
    return data


@pytest.fixture(scope="module")
def letters():
    """A mail server."""
    with ThreadedMailServer() as server:
        yield server


@pytest.fixture(scope="module")
def url(planted, letters, tmp_path_factory):
    """The glossary, served as in production, sending its mail to the mail server."""
    folder, port = tmp_path_factory.mktemp("glossary"), free_port()
    shutil.copytree(planted, folder / "data")
    with serving(port, str(SITE), "--dir", str(folder / "data"), folder=folder):
        server = Server(f"http://127.0.0.1:{port}")
        server.sign_in("root", "_superusers", SUPERUSER)
        smtp = {"enabled": True, "host": "127.0.0.1", "port": letters.catcher.port, "tls": False}
        assert server.call("PATCH", "/api/settings", {"smtp": smtp}).status_code == 200
        yield server.url


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    with running_chromium() as opened:
        yield opened


@pytest.fixture(params=["with scripts", "without scripts"])
def page(request, browser, url):
    """A page at the glossary's door."""
    context = browser.new_context(java_script_enabled=request.param == "with scripts", viewport=SIZES["desk"])
    context.set_default_timeout(20_000)
    opened = context.new_page()
    opened.goto(url)
    yield opened
    context.close()


def sign_in(page, url: str) -> None:
    """Go to the desk as one who works there."""
    page.goto(f"{url}/desk")
    page.fill("[name=identity]", STAFF_LOGIN)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Briefs").wait_for()


def test_search_finds_by_text_author_and_date(page, url):
    """A visitor narrows the list down, and follows a result."""
    page.fill("[name=text]", "flush")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("terms · show all").wait_for()

    assert "Write-ahead log" in page.locator("#results").inner_text()
    assert "CORS" not in page.locator("#results").inner_text()

    page.goto(f"{url}/?title=S&since=2025-04-01")
    assert page.locator("#results .terms strong").all_inner_texts() == ["SQL injection", "Secret"]
    page.get_by_role("link", name="Secret").click()
    page.get_by_role("heading", name="Secret", exact=True).wait_for()


def test_article_links_its_terms(page, url):
    """Terms in the text lead to their own pages; neighbours are a click away."""
    page.goto(f"{url}/terms/acid")
    assert "By Mara Lindqvist, published 4 March 2025, edited 11 February 2026" in page.locator("main").inner_text()

    page.locator(".prose a.term", has_text="transaction").click()
    page.get_by_role("heading", name="Transaction", exact=True).wait_for()
    page.get_by_role("link", name="Next").click()
    page.get_by_role("heading", name="Validation").wait_for()


def fill_in(page, url: str, tmp_path, name: str) -> None:
    """Type a brief with two files."""
    files = [tmp_path / "plan.pdf", tmp_path / "notes.txt"]
    files[0].write_bytes(PDF)
    files[1].write_text("Lamps, mostly.")
    page.goto(f"{url}/briefs")
    page.fill("[name=name]", name)
    page.fill("[name=email]", "ann@example.com")
    page.select_option("[name=budget]", "over 50,000")
    page.fill("[name=message]", MESSAGE)
    page.set_input_files("[name=attachments]", files)
    page.wait_for_timeout(2_200)  # nobody is that quick


def test_brief_reaches_the_desk_and_the_team(page, url, letters, tmp_path):
    """Sent with two files, mailed to the team, read at the desk, and given another status there."""
    sent = len(letters.catcher.letters)
    fill_in(page, url, tmp_path, "Ann Ekström")
    page.get_by_role("button", name="Send the brief").click()
    page.get_by_role("heading", name="Thank you").wait_for()

    letter = letters.wait(sent + 1)[-1]
    assert letter.recipients == ["desk@fathom.example"]
    assert "/desk/briefs/" in letter.body()
    assert "sent a brief" in letter.body()
    assert MESSAGE not in letter.body()  # which is encrypted where it is kept
    assert "ann@example.com" not in str(letter.message)

    sign_in(page, url)
    page.get_by_role("link", name="Ann Ekström").first.click()
    page.get_by_role("heading", name="Ann Ekström").wait_for()
    with page.expect_download() as download:
        page.locator(".files a").first.click()
    assert Path(download.value.path()).read_bytes() == PDF
    page.select_option("[name=status]", "answered")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert page.locator("dl .status").inner_text() == "answered"


def test_attachments_are_for_the_staff(page, url, browser, tmp_path):
    """Nobody who has only the address of a file gets it."""
    fill_in(page, url, tmp_path, "Eve Åberg")
    page.get_by_role("button", name="Send the brief").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    sign_in(page, url)
    page.get_by_role("link", name="Eve Åberg").first.click()
    address = url + page.locator(".files a").first.get_attribute("href")
    stranger = browser.new_context()

    assert page.request.get(address, headers={"Sec-Fetch-Site": "same-origin"}).status == 200
    assert stranger.request.get(address, headers={"Sec-Fetch-Site": "same-origin"}).status == 404
    stranger.close()


def test_errors_stand_beside_fields_and_nothing_is_lost(page, url, tmp_path):
    """What is wrong is marked, and what was typed stays."""
    fill_in(page, url, tmp_path, "A")
    page.fill("[name=message]", "Too short")
    page.locator("form.form").first.evaluate("form => form.setAttribute('novalidate', '')")
    page.get_by_role("button", name="Send the brief").click()
    page.get_by_text("Must be at least 2 character(s).").first.wait_for()

    assert page.locator("[name=name]").get_attribute("aria-invalid") == "true"
    assert page.input_value("[name=email]") == "ann@example.com"
    assert page.input_value("[name=message]") == "Too short"
    assert page.input_value("[name=budget]") == "over 50,000"


def test_staff_edits_a_term(page, url):
    """A term is edited at the desk, and reads so at once."""
    sign_in(page, url)
    page.goto(f"{url}/terms/batch")
    page.get_by_role("link", name="Edit this term").click()
    page.fill("[name=body]", "A batch carries **several** writes. See also the transaction.")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Batch", exact=True).wait_for()

    assert page.locator(".prose strong").inner_text() == "several"
    assert page.locator(".prose a.term").get_attribute("href") == "/terms/transaction"


def test_staff_writes_a_term(page, url):
    """A new term has a page of its own; a taken address is told beside its field."""
    sign_in(page, url)
    page.goto(f"{url}/desk/terms/new")
    for name, text in {"title": "Cache", "slug": "cache", "body": "Again."}.items():
        page.fill(f"[name={name}]", text)
    page.select_option("[name=category]", "data")
    page.get_by_role("button", name="Publish").click()

    page.get_by_text("Value must be unique.").first.wait_for()


def test_doors_are_shut_to_guests(page, url):
    """Who is not signed in sees the door, and nothing behind it."""
    page.goto(f"{url}/desk/terms")
    assert "Please sign in at the desk first." in page.locator("main").inner_text()
    page.get_by_role("link", name="To the desk").click()
    page.get_by_role("button", name="Sign in").wait_for()


def test_signing_out_shuts_the_door(page, url):
    """After signing out the desk is shut again."""
    sign_in(page, url)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{url}/desk")

    assert page.get_by_role("button", name="Sign in").is_visible()


def test_search_answers_as_one_types(browser, url):
    """With scripts the list follows the typing, and the address can be shared."""
    page = browser.new_page()
    page.goto(url)
    page.fill("[name=text]", "blind")
    page.get_by_text("show all").wait_for()

    assert page.locator("#results .terms strong").first.inner_text() == "Blind index"
    assert page.url.endswith("?text=blind")
    page.close()


def test_card_opens_on_hover_and_focus(browser, url):
    """A term's card is there for the mouse and for the keyboard, and Escape closes it."""
    page = browser.new_page()
    page.goto(f"{url}/terms/acid")
    card, term = page.locator("#term-card"), page.locator(".prose a.term").first
    term.hover()
    card.wait_for(state="visible")
    assert "More about Database" in card.inner_text()
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")
    page.mouse.move(0, 0)
    term.focus()
    card.wait_for(state="visible")
    page.close()


def test_desk_hears_of_new_briefs(browser, url):
    """A brief appears at the desk without reloading."""
    page = browser.new_page()
    sign_in(page, url)
    before = page.locator(".briefs li").count()
    brief = {"name": "Ida Holm", "email": "ida@example.com", "message": MESSAGE, "status": "new"}
    assert Server(url).call("POST", "/api/collections/briefs/records", brief, "guest").status_code == 200
    page.get_by_role("link", name="Ida Holm").first.wait_for(timeout=15_000)

    assert page.locator(".briefs li").count() > before
    page.close()


def test_desk_shows_what_came_before_it_listened(browser, url):
    """What happens between the making of a page and the first moment it listens is shown as well."""
    page, held = browser.new_page(), []
    page.route("**/api/realtime?*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright writes on it
    sign_in(page, url)
    deadline = time.monotonic() + 15
    while not held and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    brief = {"name": "Bo Nord", "email": "bo@example.com", "message": MESSAGE, "status": "new"}
    assert Server(url).call("POST", "/api/collections/briefs/records", brief, "guest").status_code == 200
    held[0].continue_()
    page.get_by_role("link", name="Bo Nord").first.wait_for(timeout=15_000)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_no_serious_barriers(browser, url, size, scheme):
    """axe-core finds nothing serious on any page, and nothing hangs over the edge of the screen."""
    axe = (node_modules() / "axe-core" / "axe.min.js").read_text()
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    found = [problem for path in PAGES for problem in barriers(page, url + path, axe)]
    sign_in(page, url)
    found += [problem for path in STAFF_PAGES for problem in barriers(page, url + path, axe)]
    page.goto(f"{url}/desk")
    brief = page.locator(".briefs a").first.get_attribute("href")
    found += barriers(page, url + brief, axe)
    context.close()

    assert found == []


def barriers(page, address: str, axe: str) -> list[str]:
    """What keeps somebody out of a page: serious and critical violations, and sideways scrolling."""
    page.goto(address)
    page.evaluate(axe)
    answer = page.evaluate("() => axe.run()")
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    serious = [found for found in answer["violations"] if found["impact"] in ("serious", "critical")]
    told = [f"{address}: {found['id']} {[node['html'] for node in found['nodes']][:2]}" for found in serious]
    return told + ([f"{address}: {wide} pixels too wide"] if wide > 0 else [])
