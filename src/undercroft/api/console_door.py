"""GET /_/: where a window is sent that has done what it was opened for, and where the links of letters lead.

What it is about is in the part of the address that only the browser sees: `#/auth/oauth2-redirect-success`,
`#/auth/confirm-verification/TOKEN`. A link leads on to the page of the site that it is for, if the site has one.
"""

from __future__ import annotations

from typing import Final

from undercroft.api.plain_page import plain_page
from undercroft.http.request import Request
from undercroft.http.response import Response

_SCRIPT: Final = """
const told = location.hash.slice(2);
const pages = {
  "confirm-verification": "verify", "confirm-password-reset": "new-password",
  "confirm-email-change": "confirm-address", "magic-link": "come-in", "invitation": "invitation",
};
const [, kind, token] = told.split("/");
function tell(title, text) {
  document.querySelector("h1").textContent = title;
  document.querySelector("p").textContent = text;
}
if (Object.hasOwn(pages, kind ?? "")) {
  tell("One moment", "You are led on.");
  const page = new URL(`../account/${pages[kind]}`, location.href);
  fetch(page, { method: "HEAD", credentials: "same-origin" }).then((answer) => {
    if (!answer.ok) throw new Error();
    location.replace(`${page}#${token}`);
  }).catch(() => tell("There is no page for this here",
    "The link is for an app that has no page at this address. Please open it in the app that sent you the letter."));
} else if (told === "auth/oauth2-redirect-success") {
  window.close();
} else if (told === "auth/oauth2-redirect-failure") {
  tell("That did not work", "You are not logged in. Close this window, and try again.");
}
"""


async def show(request: Request) -> Response:
    """A page that closes its window where it can, and else says that one can."""
    del request
    return plain_page("That is all", "<p>You can close this window.</p>", script=_SCRIPT, can_ask=True)
