"""Files of a batch: parts named `requests.0.photo` or `requests[0].photo` belong to its first request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from undercroft.collections.catalog import Catalog
from undercroft.files.staging import Wanted
from undercroft.http.upload import Upload
from undercroft.records.attachments import wanted_files

Files = Mapping[str, list[Upload]]
_NAME: Final = re.compile(r"requests(?:\.(0|[1-9]\d{0,3})|\[(0|[1-9]\d{0,3})\])\.(.+)", re.DOTALL)


def wanted_of_batch(catalog: Catalog) -> Callable[[str], Wanted | None]:
    """What is wanted of a file of a batch, by the name of its part.

    Which collection it is for is known only when all of the batch has come, so this is
    the most that any collection wants for a field of that name.
    """
    most: dict[str, Wanted] = {}
    for collection in catalog:
        for key, wanted in wanted_files(collection).items():
            other = most.get(key, wanted)
            most[key] = Wanted(max(wanted.most, other.most), wanted.is_encrypted or other.is_encrypted)

    def wanted_of(name: str) -> Wanted | None:
        found = _NAME.fullmatch(name)
        return most.get(found[3]) if found else None

    return wanted_of


def files_by_request(files: Mapping[str, list[Upload]]) -> Mapping[int, Files]:
    """The files of each request, by its place in the batch and then by their own keys."""
    by_place: dict[int, dict[str, list[Upload]]] = {}
    for name, uploads in files.items():
        found = _NAME.fullmatch(name)
        if found:
            own = by_place.setdefault(int(found[1] or found[2]), {})
            own.setdefault(found[3], []).extend(uploads)
    return by_place
