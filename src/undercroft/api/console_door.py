"""GET /_/: where a window is sent that has done what it was opened for.

What it has done is in the part of the address that only the browser sees: `#/auth/oauth2-redirect-success`.
"""

from __future__ import annotations

from typing import Final

from undercroft.api.plain_page import plain_page
from undercroft.http.request import Request
from undercroft.http.response import Response

_SCRIPT: Final = """
const told = location.hash.slice(2);
if (told === "auth/oauth2-redirect-success") {
  window.close();
} else if (told === "auth/oauth2-redirect-failure") {
  document.querySelector("h1").textContent = "That did not work";
  document.querySelector("p").textContent = "You are not logged in. Close this window, and try again.";
}
"""


async def show(request: Request) -> Response:
    """A page that closes its window where it can, and else says that one can."""
    del request
    return plain_page("That is all", "<p>You can close this window.</p>", script=_SCRIPT)
