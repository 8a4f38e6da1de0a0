"""A visitor without scripts: follows no links by itself, keeps cookies, fills in forms as they stand in the page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from undercroft.testing import Answer, TestClient

OWN_PAGE = {"sec-fetch-site": "same-origin"}


class Sheet(HTMLParser):
    """The forms of a page: their actions, and what stands in their controls."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.inputs: dict[str, dict[str, str | None]] = {}
        self._in: tuple[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "form":
            self.forms.append({"action": found.get("action", ""), "id": found.get("id", ""), "fields": {}})
        name = found.get("name")
        if tag in ("input", "select", "textarea") and name and self.forms:
            self.inputs[name] = found
            is_off = found.get("type") in ("checkbox", "radio") and "checked" not in found
            if not is_off and found.get("type") != "file":
                self.forms[-1]["fields"][name] = found.get("value") or ""
            self._in = (tag, name) if tag in ("select", "textarea") else None
        if tag == "option" and self._in and "selected" in found:
            self.forms[-1]["fields"][self._in[1]] = found.get("value") or ""

    def handle_endtag(self, tag):
        if self._in and tag == self._in[0]:
            self._in = None

    def handle_data(self, data):
        if self._in and self._in[0] == "textarea":
            self.forms[-1]["fields"][self._in[1]] += data.removeprefix("\n")


class Visitor:
    """Somebody with a browser that runs no scripts."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.cookies: dict[str, str] = {}

    async def open(self, path: str, **headers: str) -> Answer:
        """Open a page."""
        return self._keep(await self.client.get(path, headers=self._headers(headers)))

    async def send(self, page: Answer | str, typed: dict[str, Any], number: int = 0, **headers: str) -> Answer:
        """Fill in a form of a page and send it."""
        text = page if isinstance(page, str) else page.text
        form = Sheet(text).forms[number]
        fields = {**form["fields"], **typed}
        return self._keep(await self.client.post(form["action"], form=fields, headers=self._headers(headers)))

    async def follow(self, answer: Answer) -> Answer:
        """Go where an answer sends one."""
        assert answer.status == 303, (answer.status, answer.text[:2000])
        return await self.open(answer.headers["location"].partition("#")[0])

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        told = {name.replace("_", "-"): value for name, value in more.items()}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**OWN_PAGE, **({"cookie": cookie} if cookie else {}), **told}

    def _keep(self, answer: Answer) -> Answer:
        line = answer.headers.get("set-cookie", "")
        if line:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return answer
