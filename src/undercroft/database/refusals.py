"""Why a server does not start on a data directory: one class a reason, one sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

from undercroft.errors import Problem

ALLOW_NETWORK = "UNDERCROFT_ALLOW_NETWORK_FILE_SYSTEM"


class StartRefused(Problem):
    """The data directory cannot be served, or not by this program."""

    code = "start_refused"


class DirectoryInUse(StartRefused):
    """Another server holds the directory."""

    code = "directory_in_use"

    def __init__(self, directory: Path, pid: str) -> None:
        super().__init__(
            f"The data directory {directory} is in use by another server (process {pid or 'unknown'}): "
            "stop that one, or choose another directory with --dir."
        )


class DatabaseInUse(StartRefused):
    """Servers or other commands are connected to the database."""

    code = "database_in_use"

    def __init__(self, name: str) -> None:
        super().__init__(f"Other programs of Undercroft are connected to {name}: stop them, then try again.")


class DirectoryReadOnly(StartRefused):
    """The directory cannot be made or written."""

    code = "directory_read_only"

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(
            f"The data directory {directory} cannot be written ({reason}): "
            "make it writable for the user that runs the server, or choose another with --dir."
        )


class NetworkFileSystem(StartRefused):
    """The directory lies on a file system whose locks and shared memory cannot be trusted."""

    code = "network_file_system"

    def __init__(self, directory: Path, kind: str) -> None:
        super().__init__(
            f"The data directory {directory} is on a network file system ({kind}), where SQLite can lose data: "
            f"move it to a local disk, or set {ALLOW_NETWORK}=1 to take the risk."
        )


class SqliteTooOld(StartRefused):
    """The SQLite that apsw was built with lacks what we rely on."""

    code = "sqlite_too_old"

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(
            f"SQLite {found} is too old, {needed} is needed: install apsw from its wheel, which carries a current one."
        )


class MissingDriver(StartRefused):
    """The driver of the wanted database is not installed."""

    code = "missing_driver"

    def __init__(self) -> None:
        super().__init__("PostgreSQL needs its driver: pip install 'undercroft[postgres]'.")


class DatabaseRefused(StartRefused):
    """The database server is not there, is too old, or does not let us in."""

    code = "database_refused"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"The database {place} cannot be used ({reason}): check its URL, and that the server runs.")


class NewerDataFormat(StartRefused):
    """A later program has written the data."""

    code = "newer_data_format"

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"The data has format {found}, and this program knows formats up to {known}: "
            "install the Undercroft that wrote it or a later one, or restore a backup made before the upgrade."
        )
