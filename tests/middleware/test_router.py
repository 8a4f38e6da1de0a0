"""From paths to routes."""

import pytest

from undercroft.api.router import Route, Router, clean_path, escaped_path
from undercroft.api.routes import ROUTES


async def nothing(request):
    raise NotImplementedError


ROUTER = Router(
    [
        Route("GET", "/api/collections/{collection}/records/{id}", nothing),
        Route("GET", "/api/collections/{collection}", nothing),
        Route("DELETE", "/api/collections/{collection}/truncate", nothing),
        Route("PUT", "/api/collections/import", nothing),
        Route("GET", "/api/collections/meta/scaffolds", nothing),
        Route("GET", "/api/health", nothing),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "pattern", "params"),
    [
        ("GET", "/api/collections/a/records/b", "/api/collections/{collection}/records/{id}", ["a", "b"]),
        ("GET", "/api/collections/import", "/api/collections/{collection}", ["import"]),
        ("PUT", "/api/collections/import", "/api/collections/import", []),
        ("DELETE", "/api/collections/meta/truncate", "/api/collections/{collection}/truncate", ["meta"]),
        ("GET", "/api/collections/a%2Fb", "/api/collections/{collection}", ["a/b"]),
        ("GET", "/api/collections/%ff", "/api/collections/{collection}", ["\ufffd"]),
        ("GET", "/api/he%61lth", "/api/health", []),
    ],
)
def test_found(method, path, pattern, params):
    """A literal segment wins where its method is known; segments are unescaped one by one."""
    found = ROUTER.find(method, path)

    assert found is not None
    assert (found[0].pattern, list(found[1].values())) == (pattern, params)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/health"),
        ("GET", "/api/health/"),
        ("GET", "/api%2Fhealth"),
        ("GET", "/API/health"),
        ("GET", "/api/collections/"),
        ("GET", "/api/collections//records/x"),
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/{collection}"),
        ("PUT", "/api/collections/a"),
    ],
)
def test_not_found(method, path):
    """Another method, a slash too many or other letters lead nowhere."""
    assert ROUTER.find(method, path) is None


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/api/health", None),
        ("/api//health", "/api/health"),
        ("//evil.example/x", "/evil.example/x"),
        ("/api/./health", "/api/health"),
        ("/api/x/../health", "/api/health"),
        ("/api/x/..", "/api"),
        ("/../../etc//", "/etc/"),
        ("/api/.hidden", None),
    ],
)
def test_clean_path(path, clean):
    """Doubled slashes and dot segments are resolved, never to another host."""
    assert clean_path(path) == clean


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"path": "/api/x", "raw_path": b"/api/x"}, "/api/x"),
        ({"path": "/api/a/b", "raw_path": b"/api/a%2Fb"}, "/api/a%2Fb"),
        ({"path": "/back/api/x", "root_path": "/back"}, "/api/x"),
        ({"path": "/api/x", "root_path": "/back"}, "/api/x"),
        ({"path": "/backyard", "root_path": "/back"}, "/backyard"),
    ],
)
def test_escaped_path(scope, path):
    """The path is seen from where the app is mounted."""
    assert escaped_path(scope) == path


def test_each_endpoint_stands_once():
    """No route of the table is hidden behind another of the same method and pattern."""
    known = [(route.method, route.pattern) for route in ROUTES]

    assert len(set(known)) == len(known)
