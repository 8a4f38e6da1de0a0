"""What every test may ask for."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend():
    """Async tests run under asyncio."""
    return "asyncio"
