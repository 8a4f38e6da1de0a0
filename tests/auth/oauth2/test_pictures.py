"""The picture that a provider tells of: fetched when it is one, and never from inside."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from door import USERS
from idp import PNG

pytestmark = pytest.mark.anyio


async def test_a_picture(door):
    """The picture is fetched from the provider's own server, and kept as what it is."""
    door.idp.files["/ada.png"] = (200, "image/png", PNG)
    answer = await door.come(picture=f"{door.idp.url}/ada.png")

    record = answer.json["record"]
    assert record["avatar"].startswith("ada_")
    assert record["avatar"].endswith(".png")
    served = await door.client.get(f"/api/files/users/{record['id']}/{record['avatar']}")
    assert (served.status, served.body) == (200, PNG)


NO_PICTURES = {
    "no picture": (200, "image/png", b"<svg"),
    "nothing": (200, "image/png", b""),
    "not there": (404, "", PNG),
    "a page": (200, "text/html", b"<html>"),
    "too large": (200, "image/png", PNG * 99_000),
}


async def test_pictures_that_are_none(door):
    """Who has a picture that is none gets an account all the same, without it, and nothing is left of it."""
    door.idp.files = {f"/{n}.png": answer for n, answer in enumerate(NO_PICTURES.values())}
    came = [
        await door.come(sub=path, email=f"a{path[1]}@example.com", picture=door.idp.url + path)
        for path in door.idp.files
    ]

    assert [(answer.status, answer.json["record"]["avatar"]) for answer in came] == [(200, "")] * len(NO_PICTURES)
    assert set(door.idp.files) <= {asked.path for asked in door.idp.asked}
    assert list(door.client.backend.staging.own().iterdir()) == []


async def test_pictures_from_inside(door):
    """Only the provider's own server may be in a private network: what it says of pictures leads nowhere else there."""
    door.idp.files["/ada.png"] = (200, "image/png", PNG)
    port = urlsplit(door.idp.url).port
    hosts = (
        f"http://localhost:{port}",
        f"http://[::ffff:127.0.0.1]:{port}",
        "http://169.254.169.254",
        "file://",
        "http://[",
    )
    came = [
        await door.come(sub=f"s{n}", email=f"s{n}@example.com", picture=f"{host}/ada.png")
        for n, host in enumerate(hosts)
    ]

    assert [(answer.status, answer.json["record"]["avatar"]) for answer in came] == [(200, "")] * len(hosts)
    assert "/ada.png" not in [asked.path for asked in door.idp.asked]


async def test_a_picture_that_points_inside(door):
    """A redirect away from the provider's server is looked at again."""
    inside = f"http://localhost:{urlsplit(door.idp.url).port}/secret.png"
    door.idp.files |= {"/ada.png": (302, inside, b""), "/secret.png": (200, "image/png", PNG)}
    answer = await door.come(picture=f"{door.idp.url}/ada.png")

    assert (answer.status, answer.json["record"]["avatar"]) == (200, "")
    assert "/secret.png" not in [asked.path for asked in door.idp.asked]


async def test_an_encrypted_picture(door, tmp_path):
    """Where the field is encrypted so is the picture that was fetched for it."""
    fields = (await door.client.get(USERS, as_=door.root)).json["fields"]
    await door.options(fields=[each | ({"encrypted": True} if each["name"] == "avatar" else {}) for each in fields])
    door.idp.files["/ada.png"] = (200, "image/png", PNG)
    record = (await door.come(picture=f"{door.idp.url}/ada.png")).json["record"]

    served = await door.client.get(f"/api/files/users/{record['id']}/{record['avatar']}")
    assert (served.status, served.body) == (200, PNG)
    stored = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(PNG in content for content in stored)
