"""What is told of that which stays shut."""

from __future__ import annotations

import pytest

from undercroft.encryption.failures import (
    BadKeySet,
    DecryptionFailed,
    KeyDestroyed,
    KeyDisabled,
    KeyNotMoved,
    KeysUnavailable,
    UnknownKey,
)
from undercroft.middleware.errors import respond, status_of


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (DecryptionFailed(), 500, "decryption_failed"),
        (UnknownKey(7), 500, "decryption_failed"),
        (KeyDisabled(7), 500, "key_disabled"),
        (KeyDestroyed(7), 500, "key_destroyed"),
        (BadKeySet("posts/title", "has no keys"), 500, "bad_key_set"),
        (KeyNotMoved(7, "is gone"), 409, "key_not_moved"),
        (KeysUnavailable(), 503, "keys_unavailable"),
    ],
)
def test_answers(problem, status, code):
    """What was sealed and cannot be opened is a fault of ours, never of whoever asks."""
    assert (status_of(problem), problem.code) == (status, code)


def test_keys_come_back():
    """Whoever asks while the keys cannot be had is told when to ask again."""
    assert (b"retry-after", b"5") in list(respond(KeysUnavailable()).headers)
