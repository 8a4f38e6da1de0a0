"""As `dying`, with the files in a bucket: a step is also the beginning and the end of any request to it.

python dying_s3.py DIRECTORY DATABASE DEED URL
"""

from __future__ import annotations

import functools
import sys

import dying
import obstore

from undercroft import testing
from undercroft.testing import File

REQUESTS = ("put_async", "delete_async", "head_async", "get_async")
EVERY = 10  # pieces of a large file between two steps


class Death(dying.Death):
    """Ends the process at a step, of which the requests to the bucket are some."""

    def watch(self, engine) -> None:
        """Count the transactions of an engine, and the requests."""
        super().watch(engine)
        for name in REQUESTS:
            setattr(obstore, name, self._watched(name, getattr(obstore, name)))

    def _watched(self, name, request):
        @functools.wraps(request)
        async def watched(client, key, *arguments, **options):
            self.step(f"before {name} {key}")
            if arguments and hasattr(arguments[0], "__aiter__"):
                arguments = (self._pieces(arguments[0]), *arguments[1:])
            answer = await request(client, key, *arguments, **options)
            self.step(f"after {name} {key}")
            return answer

        return watched

    async def _pieces(self, pieces):
        count = 0
        async for piece in pieces:
            count += 1
            if count % EVERY == 0:
                self.step(f"at piece {count}")
            yield piece


async def create_large(client, root, record):
    """A create with a file that goes in parts."""
    return await client.post(dying.RECORDS, form={"docs": File("n.bin", bytes(6 << 20))}, as_=root)


def main(directory: str, database: str, deed: str, url: str) -> None:
    dying.Death = Death
    dying.DEEDS["create_large"] = create_large
    dying.THINGS["fields"][1]["maxSize"] = 10 << 20
    testing.client = functools.partial(testing.client, files=url)
    dying.main(directory, database, deed)


if __name__ == "__main__":
    main(*sys.argv[1:])
