"""What the server refuses at its start: one sentence and an exit code for each reason."""

import socket

import apsw
import pytest
from network import free_port
from program import run, serving


def refused(folder, *arguments, **environment):
    done = run("serve", *arguments, folder=folder, **environment)

    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("undercroft: ")
    assert done.stderr.endswith((".\n", "?\n"))
    return done.returncode, done.stderr


def test_port_taken(tmp_path):
    """A port that another program listens on is refused before the data is touched."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, text = refused(tmp_path, "--http", f"127.0.0.1:{other.getsockname()[1]}")

    assert code == 3
    assert "is taken" in text
    assert not (tmp_path / "data").exists()


def test_port_of_another_server(tmp_path):
    """Two servers with data of their own do not share a port by accident."""
    port = free_port()
    (tmp_path / "first").mkdir()
    with serving(port, folder=tmp_path / "first"):
        code, _ = refused(tmp_path, "--http", f"127.0.0.1:{port}")

    assert code == 3


def test_address_of_another_machine(tmp_path):
    """An address that is not ours is refused."""
    code, text = refused(tmp_path, "--http", "192.0.2.1:8090")

    assert code == 9
    assert "192.0.2.1" in text


@pytest.mark.parametrize("workers", ["1", "2"])
def test_directory_in_use(tmp_path, workers):
    """A data directory that another server holds is refused, with that one's process id."""
    with serving(free_port(), "--workers", workers, folder=tmp_path) as first:
        code, text = refused(tmp_path, "--http", f"127.0.0.1:{free_port()}", "--workers", workers)

    assert code == 4
    assert str(first.pid) in text


def test_read_only(tmp_path):
    """A place that cannot be written is refused."""
    (tmp_path / "file").write_text("in the way")
    code, _ = refused(tmp_path, "--dir", "file/data", "--http", f"127.0.0.1:{free_port()}")

    assert code == 5


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--http", "8090"], {}, "HOST:PORT"),
        (["--workers", "0"], {}, "workers"),
        ([], {"UNDERCROFT_WORKRES": "2"}, "UNDERCROFT_WORKERS"),
        ([], {"UNDERCROFT_DEV": "maybe"}, "dev"),
    ],
)
def test_bad_config(tmp_path, arguments, environment, words):
    """A wrong option is refused with its name."""
    code, text = refused(tmp_path, *arguments, **environment)

    assert code == 2
    assert words in text


def test_unknown_option_in_the_file(tmp_path):
    """An option in undercroft.toml that nobody knows is refused with the nearest one."""
    (tmp_path / "undercroft.toml").write_text("orgins = ['*']")
    code, text = refused(tmp_path)

    assert code == 2
    assert "'origins'" in text


def test_newer_data(tmp_path):
    """Data that a later program wrote is refused."""
    made = run("superuser", "upsert", "a@example.com", "a-long-password", "--dir", "data", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    database = apsw.Connection(str(tmp_path / "data" / "data.db"))
    database.execute("INSERT INTO _migrations (number, name, at) VALUES (99999, 'later', '')")
    database.close()
    code, text = refused(tmp_path, "--http", f"127.0.0.1:{free_port()}")

    assert code == 7
    assert "99999" in text


def test_no_such_site(tmp_path):
    """A site that is not there is wrong usage."""
    done = run("serve", "nowhere", folder=tmp_path)

    assert done.returncode == 2
    assert "nowhere" in done.stderr
