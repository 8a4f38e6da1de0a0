"""Problems as answers."""

import msgspec
import pytest

from undercroft.collections.catalog import UnknownCollection
from undercroft.database.engine import UniqueViolation, WriteQueueFull
from undercroft.errors import (
    BadRequest,
    FieldError,
    Forbidden,
    Invalid,
    Problem,
    StorageFull,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unreadable,
)
from undercroft.middleware.errors import error_body, respond, respond_unexpected, sentence, status_of


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (BadRequest(), 400),
        (Invalid({}), 400),
        (UniqueViolation("t", ["a"]), 400),
        (Unauthenticated(), 401),
        (Forbidden(), 403),
        (UnknownCollection(), 404),
        (TooLarge(), 413),
        (TooMany(), 429),
        (Problem(), 500),
        (Unreadable(), 500),
        (WriteQueueFull(), 503),
        (StorageFull(), 507),
    ],
)
def test_status(problem, status):
    """A problem has the status of its nearest family."""
    assert status_of(problem) == status


def test_body():
    """Errors nest as the input did; params stand only where there are some."""
    data = {"fields": {0: {"name": FieldError("a_code", "must be x", {"min": 3})}}, "b": FieldError("c", "No.")}

    assert error_body(Invalid(data, "it failed")) == {
        "data": {
            "fields": {"0": {"name": {"code": "a_code", "message": "Must be x.", "params": {"min": 3}}}},
            "b": {"code": "c", "message": "No."},
        },
        "message": "It failed.",
        "status": 400,
    }


def test_problem_inside_a_problem():
    """A problem in the data of another is shown as an answer of its own would be."""
    inner = error_body(BadRequest("x", {"response": Forbidden()}))["data"]["response"]

    assert inner == {"data": {}, "message": "You are not allowed to perform this request.", "status": 403}


def test_retry_after():
    """Who comes when the server is busy is told when to come again."""
    assert (b"retry-after", b"1") in list(respond(WriteQueueFull()).headers)


def test_faults_of_ours_stay_ours(caplog):
    """An unexpected exception is logged whole under the request's id, and told in general."""
    response = respond_unexpected(ValueError("the secret is 7"), "r-1")

    assert response.status == 500
    assert msgspec.json.decode(response.body) == {"data": {}, "message": Problem.default, "status": 500}
    assert "r-1" in caplog.text
    assert "the secret is 7" in caplog.text


@pytest.mark.parametrize(("text", "whole"), [("a b", "A b."), ("Why?", "Why?"), ("x. ", "X."), ("", Problem.default)])
def test_sentence(text, whole):
    """Messages start with a capital and end with a period."""
    assert sentence(text) == whole


def test_what_cannot_be_read_is_logged(caplog):
    """What is stored and cannot be read is a fault of ours: the log has the details, under the request's id."""
    answer = respond(Unreadable("It is damaged.", detail="Row 7 is torn."), "r-1")

    assert (answer.status, b"Row 7" in answer.body) == (500, False)
    assert caplog.text.count("Row 7 is torn.") == caplog.text.count("r-1") == 1


def test_what_cannot_be_read_inside_a_problem(caplog):
    """That is so as well where it is the reason for another problem."""
    respond(BadRequest("x", {"response": Unreadable(detail="Row 7 is torn.")}), "r-1")

    assert caplog.text.count("Row 7 is torn.") == caplog.text.count("r-1") == 1
