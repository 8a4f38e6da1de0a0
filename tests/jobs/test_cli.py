"""`undercroft jobs`, where there is nothing and where there is something."""

from __future__ import annotations

import pytest
from postgres import in_thread
from program import run

from undercroft.app import close_backend, open_backend


@pytest.fixture
def jobs(tmp_path, database):
    """Runs the command on new data."""
    where = ["--dir", "data", *(["--database", database] if database else [])]

    async def prepare():
        backend = await open_backend(tmp_path / "data", database)
        await close_backend(backend)

    in_thread(prepare())

    def command(*arguments):
        done = run("jobs", *arguments, *where, folder=tmp_path)
        return done.returncode, done.stdout + done.stderr

    return command


def test_an_empty_state_says_so(jobs):
    """With nothing to show there is a sentence, and no table."""
    assert jobs("list") == (0, "No job waits, and none was given up. Done in the last 7 days: 0.\n")
    assert jobs("retry", "--all") == (0, "There is nothing to try again.\n")


def test_a_job_from_beginning_to_end(jobs):
    """One is put in, shown, cancelled, and tried again."""
    code, told = jobs("run", "tidy", "--with", '{"n": 1}')
    job_id = told.split()[1]

    assert (code, "'tidy'" in told) == (0, True)
    assert f"{job_id}  tidy  waiting  0/5" in jobs("list")[1]
    shown = jobs("show", job_id)[1]
    assert 'With     {"n":1}' in shown
    assert jobs("cancel", job_id) == (0, f"Job {job_id} is cancelled.\n")
    assert jobs("cancel", job_id)[1] == f"undercroft: Job {job_id} is cancelled already.\n"
    assert jobs("retry", job_id)[1].startswith("1 job is tried again")


def test_jobs_of_one_name(jobs):
    """What is summed up is what was asked for."""
    jobs("run", "tidy")
    jobs("run", "sweep")

    assert jobs("list")[1].splitlines()[-1].startswith("Waiting: 2.")
    assert jobs("list", "--name", "tidy")[1].splitlines()[-1].startswith("Waiting: 1.")
    assert jobs("list", "--name", "rinse")[1].startswith("No job waits")


def test_what_is_wrong_is_told(jobs):
    """An unknown id, and arguments that are no object, are refused in a sentence."""
    assert "There is no job 'nope'" in jobs("show", "nope")[1]
    code, told = jobs("run", "tidy", "--with", "[1]")
    assert code == 2
    assert "JSON object" in told
