"""The app inside others: mounted, with and without a lifespan."""

import subprocess
import sys

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from undercroft.app import App
from undercroft.testing import TestClient

pytestmark = pytest.mark.sqlite_only("about the ASGI application, whichever database it has")


def browse(asgi):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=asgi), base_url="http://testserver")


async def test_mounted_without_a_lifespan(tmp_path):
    """In Starlette, below a path, the app opens at its first request."""
    app = App(tmp_path)
    async with browse(Starlette(routes=[Mount("/back", app=app)])) as browser:
        assert (await browser.get("/back/api/health")).json()["code"] == 200
        assert (await browser.get("/back/api/nope")).json()["message"] == "File not found."
        assert (await browser.get("/back/api//health")).headers["location"] == "/back/api/health"
    await app.stop()


async def test_lifespan(tmp_path):
    """A server's lifespan opens and closes the app."""
    app = App(tmp_path)
    told = await live(app, ["lifespan.startup", "lifespan.shutdown"])

    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(RuntimeError):
        _ = app.backend


async def test_lifespan_refused(tmp_path):
    """A directory that another server holds is refused at the start-up, in one sentence."""
    first = App(tmp_path)
    await first.start()

    assert await live(App(tmp_path), ["lifespan.startup"]) == ["lifespan.startup.failed"]
    await first.stop()


async def test_shared_directory(tmp_path):
    """Processes of one server share a directory and follow each other's settings."""
    first, second = App(tmp_path, shared=True), App(tmp_path, shared=True)
    await first.start()
    await second.start()
    client = TestClient(first)
    await client.patch("/api/settings", {"meta": {"appName": "Ours"}}, as_=await client.superuser())
    await wait_until(lambda: second.backend.settings.meta.app_name == "Ours")
    await first.stop()
    await second.stop()


async def test_superusers_wait_for_nothing(tmp_path):
    """What a superuser changes in one process is there at once when their next request reaches another."""
    first, second = App(tmp_path, shared=True), App(tmp_path, shared=True)
    await first.start()
    await second.start()
    one, other = TestClient(first), TestClient(second)
    token = await one.superuser()
    await other.get("/api/settings", as_=token)
    for number in range(3):
        await one.post("/api/collections", {"name": f"posts{number}", "type": "base"}, as_=token)
        await one.patch("/api/settings", {"meta": {"appName": f"Site {number}"}}, as_=token)

        assert (await other.get(f"/api/collections/posts{number}/records", as_=token)).status == 200
        assert (await other.get("/api/settings", as_=token)).json["meta"]["appName"] == f"Site {number}"
    await first.stop()
    await second.stop()


def test_app_of_the_package():
    """`undercroft.App` is the app, and the package itself waits for nothing."""
    code = "import sys, undercroft; assert 'apsw' not in sys.modules; print(undercroft.App.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "undercroft.app\n"


async def test_websockets_are_closed(tmp_path):
    """There is nothing to talk to over a websocket."""
    sent = []

    async def send(message):
        sent.append(message["type"])

    await App(tmp_path)({"type": "websocket"}, None, send)

    assert sent == ["websocket.close"]


async def live(app, messages):
    sent = []
    waiting = iter(messages)

    async def receive():
        return {"type": next(waiting)}

    async def send(message):
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    return sent


async def wait_until(holds):
    with anyio.fail_after(5):
        while not holds():  # noqa: ASYNC110 - another process changes it, which sets no event here
            await anyio.sleep(0.05)
