"""One server a data directory, and the reasons not to start on one."""

import os
import signal
import subprocess
import sys

import pytest

from undercroft.database.lock import check_sqlite, find_file_system, lock_directory
from undercroft.database.refusals import (
    ALLOW_NETWORK,
    DirectoryInUse,
    DirectoryReadOnly,
    NetworkFileSystem,
    SqliteTooOld,
    StartRefused,
)

HOLD = """
import sys, pathlib
from undercroft.database.lock import lock_directory
lock = lock_directory(pathlib.Path(sys.argv[1]), {})
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def mounts(tmp_path, *lines):
    path = tmp_path / "mountinfo"
    path.write_text("\n".join(lines))
    return path


def test_a_directory_is_made(tmp_path):
    """A first start needs no preparation."""
    with lock_directory(tmp_path / "new" / "data", {}) as lock:
        assert lock.directory.is_dir()


def test_a_second_server_is_refused(tmp_path, holder):
    """The answer names the process that is in the way."""
    with pytest.raises(DirectoryInUse) as caught:
        lock_directory(tmp_path, {})

    assert str(holder.pid) in caught.value.message()
    assert isinstance(caught.value, StartRefused)


def test_a_killed_server_holds_nothing(tmp_path, holder):
    """The lock ends with its process, however that ends."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()

    lock_directory(tmp_path, {}).release()


def test_a_released_directory_is_free(tmp_path):
    """The next one may have it, in the same process too."""
    with lock_directory(tmp_path, {}), pytest.raises(DirectoryInUse, match=str(os.getpid())):
        lock_directory(tmp_path, {})
    lock_directory(tmp_path, {}).release()


def test_a_directory_that_cannot_be_made(tmp_path):
    """What is in the way is said in one sentence."""
    (tmp_path / "file").write_text("")

    with pytest.raises(DirectoryReadOnly, match="--dir"):
        lock_directory(tmp_path / "file" / "data", {})


def test_a_read_only_directory_is_refused(tmp_path, monkeypatch):
    """The reason is the system's own. (The superuser may write anywhere, so the system is played here.)"""

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DirectoryReadOnly, match="Permission denied"):
        lock_directory(tmp_path, {})


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused(tmp_path, kind):
    """Locks and shared memory cannot be trusted there; who knows better says so."""
    table = mounts(
        tmp_path, "1 0 8:1 / / rw - ext4 /dev/a rw", f"2 1 0:50 / {tmp_path} rw shared:1 - {kind} host:/x rw"
    )

    with pytest.raises(NetworkFileSystem, match=kind):
        lock_directory(tmp_path, {}, table)
    with pytest.raises(NetworkFileSystem):
        lock_directory(tmp_path, {ALLOW_NETWORK: "0"}, table)
    lock_directory(tmp_path, {ALLOW_NETWORK: "1"}, table).release()


def test_the_nearest_mount_counts(tmp_path):
    """Of mounts on the way the deepest, of two on one point the later, and names may hold spaces."""
    place = tmp_path / "a b"
    place.mkdir()
    point = str(place).replace(" ", "\\040")
    lines = [
        "1 0 8:1 / / rw - nfs h:/ rw",
        f"2 1 8:2 / {point} rw - nfs h:/ rw",
        f"3 1 8:3 / {point} rw - xfs /dev/b rw",
    ]

    assert find_file_system(place, mounts(tmp_path, *lines)) == "xfs"
    assert find_file_system(tmp_path, mounts(tmp_path, *lines)) == "nfs"


def test_no_list_of_mounts_is_no_refusal(tmp_path):
    """Other systems have none."""
    assert find_file_system(tmp_path, tmp_path / "nope") == ""


@pytest.mark.parametrize("version", ["3.45.3", "3.7.17", "2.8.17"])
def test_an_old_sqlite_is_refused(version):
    """The answer says what is needed and where it comes from."""
    with pytest.raises(SqliteTooOld, match=r"3\.46\.0.*apsw"):
        check_sqlite(version)


@pytest.mark.parametrize("version", ["3.46.0", "3.54.1", "4.0.0"])
def test_a_current_sqlite_is_fine(version):
    """Versions compare as numbers."""
    check_sqlite(version)
