"""Sorting the hashes of more passwords than memory holds: into 256 files by their first byte, then each by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from undercroft.breached import digest_of

Heard = Callable[[int, int], None]
"""Is told how much is done, of twice the bytes of the list, and how many passwords that were."""

_BUCKETS: Final = 256
_DIGEST: Final = 20
_EVERY: Final = 100_000


def prepare_list(source: Path, target: Path, heard: Heard) -> int:
    """Write the file that passwords are looked up in; how many are in it. It is there when it is complete.

    With no password at all there is none. Raises `OSError`.
    """
    partial = target.with_name(f"{target.name}.partial")
    size = source.stat().st_size
    try:
        with TemporaryDirectory(prefix=".passwords-", dir=target.parent) as folder, partial.open("wb") as stream:
            buckets = [Path(folder) / f"{number:02x}" for number in range(_BUCKETS)]
            _distribute(source, buckets, heard)
            count = 0
            for number, bucket in enumerate(buckets, 1):
                count += _write_sorted(bucket, stream)
                heard(size + size * number // _BUCKETS, count)
        if count:
            partial.replace(target)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return count


def _distribute(source: Path, buckets: list[Path], heard: Heard) -> None:
    """Put the hash of each line into the file of its first byte."""
    with ExitStack() as stack:
        files = [stack.enter_context(bucket.open("wb")) for bucket in buckets]
        with source.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if secret := line.rstrip(b"\r\n"):
                    digest = digest_of(secret)
                    files[digest[0]].write(digest)
                if number % _EVERY == 0:
                    heard(lines.tell(), number)


def _write_sorted(bucket: Path, stream: BinaryIO) -> int:
    counts = Counter(_digests(bucket.read_bytes()))
    bucket.unlink()
    stream.writelines(b"%s:%d\n" % (digest.hex().upper().encode(), counts[digest]) for digest in sorted(counts))
    return len(counts)


def _digests(content: bytes) -> Iterator[bytes]:
    return (content[at : at + _DIGEST] for at in range(0, len(content), _DIGEST))
