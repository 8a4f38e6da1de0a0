"""In with an account elsewhere: `{{ oauth2_form(records.users, provider="github") }}`, which takes JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from undercroft.api.auth.oauth2 import OAuth2Form, prove
from undercroft.errors import BadRequest
from undercroft.pages.entry.entering import enter
from undercroft.pages.entry.entry import Entry, Received, collection_of

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest


class NoProviderCode(BadRequest):
    """A form that waits for a provider came without what that gives."""

    code = "no_provider_code"
    default = "Nothing came back from there. It takes JavaScript, and a browser that lets a window open."


async def _take(visit: PageRequest, received: Received) -> str:
    if not received.text("code"):
        raise NoProviderCode
    form = OAuth2Form(
        provider=received.text("provider"),
        code=received.text("code"),
        code_verifier=received.text("codeVerifier"),
        redirect_url=received.text("redirectURL"),
    )
    arrival = await prove(visit.http, collection_of(visit, received), form)
    return await enter(visit, received, arrival.identity, "oauth2")


OAUTH2: Final = Entry(
    "oauth2",
    "Go on",
    _take,
    carries=("provider", "code", "codeVerifier", "redirectURL"),
    steps=("second-step",),
    attributes=lambda collection, carried: {
        "data-oauth2": carried.get("provider", ""),
        "data-options": f"/api/collections/{collection}/auth-methods",
    },
    counts_as=("auth-with-oauth2", "authWithOAuth2", "auth"),
)
