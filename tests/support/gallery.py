"""A gallery: one collection of pictures with thumbs, on any server."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from servers import Server

SIZES = ["40x20", "50x50", "50x50t", "50x50b", "60x60f", "0x33", "33x0", "300x200", "0x30f"]
PICTURES = {
    "name": "pictures",
    "type": "base",
    "viewRule": "",
    "createRule": "",
    "fields": [
        {"name": "image", "type": "file", "thumbs": SIZES, "maxSize": 20_000_000},
        {"name": "secret", "type": "file", "thumbs": SIZES, "protected": True},
    ],
}


@dataclass(frozen=True)
class Hung:
    """A picture in the gallery of a running server."""

    server: Server
    path: str

    def thumb(self, size: str) -> httpx.Response:
        """What is served when a thumb is asked for."""
        return self.server.call("GET", self.path, caller="guest", params={"thumb": size})


def build_gallery(server: Server) -> None:
    """Make the collection."""
    answer = server.call("POST", "/api/collections", PICTURES)
    assert answer.status_code == 200, answer.text


def hang(server: Server, name: str, content: bytes) -> Hung:
    """Upload a picture."""
    answer = server.call("POST", "/api/collections/pictures/records", caller="root", files={"image": (name, content)})
    assert answer.status_code == 200, answer.text
    record = answer.json()
    return Hung(server, f"/api/files/pictures/{record['id']}/{record['image']}")
