"""Ends the S3 server of the tests when the last of its users is gone, however they went.

python s3_watch.py FOLDER PID DATA
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path


def main(folder: str, pid: str, data: str) -> None:
    """Wait for the lock that all users share, then clear away."""
    with (Path(folder) / "s3.users").open("ab") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        shutil.rmtree(data, ignore_errors=True)
        (Path(folder) / "s3.port").unlink(missing_ok=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
