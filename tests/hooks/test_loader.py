"""The files of a site's hooks."""

from __future__ import annotations

import asyncio
import sys

import pytest

from undercroft.app import App
from undercroft.hooks.failures import BadHooks
from undercroft.hooks.loader import HookFiles
from undercroft.testing import TestClient, client

pytestmark = pytest.mark.sqlite_only(reason="about files, which are the same on both")
STAMP = """
from undercroft import on

@on.record_create("users")
async def stamp(event):
    event.record["name"] = {name!r}
"""
ACCOUNT = {"email": "a@example.com", "password": "password-1", "passwordConfirm": "password-1"}


def load(folder, **files):
    """Write files, and load them."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return HookFiles(folder).load()


def test_files_are_loaded_by_name(tmp_path):
    """Hooks of files that come first by name come first, in the order in which they stand in them."""
    two = "from undercroft import on\n@on.serve()\ndef a(event): ...\n@on.serve()\ndef b(event): ...\n"

    declared = load(tmp_path / "hooks", zebra=two, ant=two.replace("a(", "c("))

    assert [hook.function.__name__ for hook in declared] == ["c", "b", "a", "b"]


def test_two_functions_of_one_name(tmp_path):
    """A function that takes the name of another takes nothing else from it."""
    text = "from undercroft import on\n@on.serve()\ndef _(event): ...\n@on.stop()\ndef _(event): ...\n"

    assert [hook.moment for hook in load(tmp_path / "hooks", a=text)] == ["serve", "stop"]


def test_files_import_each_other(tmp_path):
    """A file whose name begins with `_` is for the others; it may declare hooks as well."""
    shared = "from undercroft import on\nRATE = 7\n@on.serve()\ndef warm(event): ...\n"

    declared = load(tmp_path / "hooks", _shared=shared, a="from ._shared import RATE\nassert RATE == 7\n")

    assert [hook.function.__name__ for hook in declared] == ["warm"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os\n\nx = 1 / 0\n", r"broken\.py, line 3: ZeroDivisionError: division by zero"),
        ("def f(:\n", r"broken\.py, line 1: SyntaxError: "),
        (
            "from undercroft import on\n\n\non.record_created('x')(len)\n",
            r"broken\.py, line 4: TypeError: .*no function",
        ),
        (
            "from undercroft import on\n@on.record_create\ndef f(event): ...\n",
            r"broken\.py, line 2: TypeError: .*parentheses",
        ),
        ("from undercroft import on\non.record_craete('x')\n", r"broken\.py, line 2: AttributeError: .*record_craete"),
        (
            "from undercroft import route\n@route.get('hello')\ndef f(r): ...\n",
            r"broken\.py, line 2: ValueError: .*no path",
        ),
        ("import sys\nsys.exit()\n", r"broken\.py: the file ends the program"),
        ("from ._nowhere import x\n", r"broken\.py, line 1: ModuleNotFoundError: "),
    ],
)
def test_a_file_that_cannot_be_loaded(tmp_path, text, message):
    """The error names the file, the line, and what is wrong with it."""
    with pytest.raises(BadHooks, match=message):
        load(tmp_path / "hooks", broken=text)


def test_a_file_that_cannot_be_loaded_leaves_nothing(tmp_path):
    """No half-loaded modules stay behind."""
    before = set(sys.modules)

    with pytest.raises(BadHooks):
        load(tmp_path / "hooks", a="x = 1\n", b="x = \n")

    assert not [name for name in set(sys.modules) - before if name.startswith("undercroft_hooks")]


async def test_a_server_does_not_start_with_a_broken_file(tmp_path):
    """A site whose hooks cannot be loaded is not served without them."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "a.py").write_text("x = \n")

    with pytest.raises(BadHooks):
        async with client(tmp_path / "data", hooks=tmp_path / "hooks"):
            pass


async def test_a_site_without_hooks(tmp_path):
    """A folder that is not there holds no hooks."""
    async with client(tmp_path / "data", hooks=tmp_path / "hooks") as opened:
        assert (await opened.get("/api/health")).status == 200


async def test_two_sites_in_one_process(tmp_path):
    """Each app has its own hooks, of files of the same name."""
    names = []
    for site in ("one", "two"):
        folder = tmp_path / site / "hooks"
        folder.mkdir(parents=True)
        (folder / "a.py").write_text(STAMP.format(name=site))
    async with (
        client(tmp_path / "1", hooks=tmp_path / "one/hooks") as one,
        client(tmp_path / "2", hooks=tmp_path / "two/hooks") as two,
    ):
        for opened in (one, two):
            root = await opened.superuser()
            answer = await opened.post("/api/collections/users/records", ACCOUNT, as_=root)
            names.append(answer.json["name"])

    assert names == ["one", "two"]


async def test_changed_files_are_loaded_again(tmp_path, caplog):
    """In development the next request finds what was changed; a mistake is told, and the old stays until it is mended."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    file = folder / "a.py"
    file.write_text(STAMP.format(name="old"))
    app = App(tmp_path / "data", hooks=folder, dev_url="http://127.0.0.1:8090")
    await app.start()
    try:
        opened = TestClient(app)
        root = await opened.superuser()

        async def make(number):
            account = ACCOUNT | {"email": f"{number}@example.com"}
            return (await opened.post("/api/collections/users/records", account, as_=root)).json["name"]

        names = [await make(1)]
        for number, text in enumerate((STAMP.format(name="new"), "x = \n", STAMP.format(name="mended")), 2):
            await asyncio.sleep(0.02)  # so that the file is newer, whatever the file system's clock
            file.write_text(text)
            names.append(await make(number))
    finally:
        await app.stop()

    assert names == ["old", "new", "new", "mended"]
    assert "a.py, line 1: SyntaxError" in caplog.text


async def test_a_hook_for_nobody(tmp_path, caplog):
    """A collection that is not there is named at the start, with the nearest one."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "a.py").write_text(STAMP.format(name="x").replace('"users"', '"user"'))

    async with client(tmp_path / "data", hooks=tmp_path / "hooks"):
        pass

    assert "is for 'user', and there is no such collection yet. Did you mean 'users'?" in caplog.text


async def test_start_and_end(tmp_path):
    """Hooks hear of the start before the first request, and of the end while all is open; they work as the system."""
    app, heard = App(tmp_path / "data"), []

    @app.on.serve()
    async def begin(event):
        heard.append(("serve", await event.records._superusers.count()))

    @app.on.stop()
    async def end(event):
        heard.append(("stop", await event.records._superusers.count()))

    await app.start()
    await app.stop()

    assert heard == [("serve", 0), ("stop", 0)]
