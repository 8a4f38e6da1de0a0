"""Where a file is fetched from the storage itself: public large files, if the operator wants it so."""

from __future__ import annotations

from typing import Final

from undercroft.files.sealed import SealedFiles
from undercroft.files.store import StoredFile
from undercroft.http.file_response import FileResponse
from undercroft.http.response import Header

_ONCE: Final[Header] = (b"cache-control", b"no-store")  # the address is good for a minute at most
_UNTOLD: Final[Header] = (b"referrer-policy", b"no-referrer")


def redirect_to_store(store: SealedFiles, file: StoredFile, kind: str, disposition: str) -> FileResponse | None:
    """Where the file is to be had, if its store gives it out; it is shown there as it would be here."""
    shown = {"content-type": kind, "content-disposition": disposition}
    link = store.link(file, shown)
    return FileResponse(307, [(b"location", link.encode()), _ONCE, _UNTOLD]) if link else None
