"""Every route of the API, with a path to it."""

from __future__ import annotations

from undercroft.api.router import Route
from undercroft.api.routes import ROUTES

GUARDED = [route for route in ROUTES if route.auth != "any"]
OPEN = [route for route in ROUTES if route.auth == "any"]


def path_of(route: Route, collection: str = "_superusers") -> str:
    """A path to a route, to what is there."""
    parts = {"collection": collection, "id": "x", "name": "x", "number": "0", "kind": "otp"}
    return route.pattern.format_map(parts | dict.fromkeys(("token", "key"), "x"))
