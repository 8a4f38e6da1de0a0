"""Under --dev, what every letter to accounts looks like: each kind, for each collection, with an invented account."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import quote

from undercroft.api.auth.context import auth_collection
from undercroft.api.dev_mail import SAMPLES
from undercroft.api.dev_pages import check_developer, dev_page, letter_html, letter_parts
from undercroft.auth.sample_letters import KINDS, sample_letter
from undercroft.errors import NotFound
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.mail.folder import PAGE
from undercroft.mail.message import Letter, Mailbox

_TO: Final = Mailbox("ada@example.com", "Ada Lovelace")


async def index(request: Request) -> Response:
    """All kinds of letters, by collection."""
    check_developer(request)
    lists = "".join(
        f"<h2>{escape(collection.name)}</h2><ul>{''.join(_link(collection.name, kind) for kind in KINDS)}</ul>"
        for collection in request.backend.catalog
        if collection.is_auth
    )
    return dev_page("Letters", f'<p><a href="{PAGE}">What was sent</a></p>{lists}')


async def letter(request: Request) -> Response:
    """One kind of letter with both its parts."""
    found, name = _sample(request), request.params["collection"]
    heads = {"From": _shown(found.sender), "To": _shown(found.to[0]), "Subject": found.subject}
    rows = "".join(f"<tr><th>{title}</th><td>{escape(text)}</td></tr>" for title, text in heads.items())
    here = f"{SAMPLES}/{quote(name, safe='')}/{request.params['kind']}"
    content = f'<p><a href="{SAMPLES}">All letters</a></p><table>{rows}</table>'
    return dev_page(found.subject, content + letter_parts(f"{here}/html", found.text))


async def html(request: Request) -> Response:
    """Its HTML, for a frame in which nothing runs and nothing is loaded."""
    return letter_html(_sample(request).html)


def _sample(request: Request) -> Letter:
    """The letter that the path names. Raises `NotUnderDevelopment`, `NotFound` and `BadLetter`."""
    check_developer(request)
    kind = next((each for each in KINDS if each == request.params["kind"]), None)
    if kind is None:
        raise NotFound
    return sample_letter(auth_collection(request), kind, _TO, request.backend.settings.meta)


def _link(collection: str, kind: str) -> str:
    return f'<li><a href="{SAMPLES}/{quote(collection, safe="")}/{kind}">{kind}</a></li>'


def _shown(box: Mailbox) -> str:
    return f"{box.name} <{box.address}>" if box.name else box.address
