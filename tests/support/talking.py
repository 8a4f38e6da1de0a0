"""ASGI, spoken by hand."""

from __future__ import annotations

import asyncio


class Connection:
    """A client's end of an ASGI connection, which may leave after some pieces."""

    def __init__(self, app, path, headers=(), extensions=None, method="GET"):
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": b"",
            "query_string": b"",
            "headers": [(b"host", b"x"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("x", 80),
            "extensions": extensions or {},
        }
        self.app = app
        self.messages = []
        self.gone = asyncio.Event()
        self.is_asked = False

    async def receive(self):
        if not self.is_asked:
            self.is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.messages.append(message)
        await asyncio.sleep(0)

    async def talk(self):
        await self.app(self.scope, self.receive, self.send)
        return self

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages)
