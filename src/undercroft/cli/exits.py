"""How a command ends that cannot do its work: an exit code for each reason not to start, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from undercroft.errors import Problem

FAILED: Final = 1
CODES: Final[Mapping[str, int]] = {
    "bad_config": 2,
    "port_taken": 3,
    "directory_in_use": 4,
    "directory_read_only": 5,
    "network_file_system": 6,
    "newer_data_format": 7,
    "sqlite_too_old": 8,
    "cannot_listen": 9,
    "database_refused": 10,
    "missing_driver": 11,
    "move_unfinished": 12,
    "database_in_use": 13,
    "bad_bucket": 2,
    "bad_password_list": 2,
    "missing_age": 11,
    "wrong_root": 78,
    "root_missing": 78,
    "bad_root": 78,
    "missing_s3_client": 11,
    "files_still_in_use": 13,
}


def exit_code(problem: Problem) -> int:
    """The exit code for a problem; 1 for those that have none of their own."""
    return CODES.get(problem.code, FAILED)


def told_of(problem: Problem) -> str:
    """What is said of a problem to whoever runs the program, who is told all."""
    return getattr(problem, "detail", "") or problem.message()
