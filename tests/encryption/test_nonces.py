"""No nonce is drawn twice, by however many processes."""

from __future__ import annotations

import subprocess
import sys

PROCESSES = 8
VALUES = 12_500  # of each process
STREAMS = 500

# The processes are forked after everything is prepared, so that whatever they could have in common they have.
DRAWING = f"""
import multiprocessing, sys
from undercroft.encryption.lifecycle import new_set
from undercroft.encryption.place import FieldPlace
from undercroft.encryption.streams import StreamSealer
from undercroft.encryption.values import FieldCipher

cipher = FieldCipher(new_set("value", "", "AES256_GCM"), FieldPlace("app", "posts", "title"))
key = new_set("file", "", "AES256_GCM_HKDF_STREAM").primary
cipher.seal(b"x", "r1")
StreamSealer(key, b"x")

def draw(number):
    nonces = b"".join(cipher.seal(b"x", "r1")[5:17] for _ in range({VALUES}))
    salts = b"".join(StreamSealer(key, b"x").header[1:33] for _ in range({STREAMS}))
    return nonces, salts

with multiprocessing.get_context("fork").Pool({PROCESSES}) as pool:
    drawn = pool.map(draw, range({PROCESSES}), 1)
for part in zip(*drawn):
    sys.stdout.buffer.write(b"".join(part))
"""


def test_no_nonce_twice():
    """A hundred thousand values and thousands of streams, sealed by eight processes with one key, share none."""
    drawn = subprocess.run([sys.executable, "-W", "error", "-c", DRAWING], check=True, capture_output=True).stdout
    split = PROCESSES * VALUES * 12
    nonces = {drawn[at : at + 12] for at in range(0, split, 12)}
    salts = {drawn[at : at + 32] for at in range(split, len(drawn), 32)}

    assert len(nonces) == PROCESSES * VALUES
    assert len(salts) == PROCESSES * STREAMS
