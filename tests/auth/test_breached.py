"""The list of breached passwords: found in a file of any size, and refused when it is none."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from breached_lists import line_of, write_list
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.breached import BadPasswordList, BreachedPasswords

MANY = 120_000  # more than is checked from the first to the last


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A large list, with the ends of lines that downloaded ones have."""
    return write_list(tmp_path_factory.mktemp("large"), (f"password-{number}" for number in range(MANY)), "\r\n")


@given(held=st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=300))
@settings(max_examples=40, deadline=None)
def test_what_is_on_the_list(tmp_path_factory, held):
    """A password is found when it is on the list, and no other is."""
    breached = BreachedPasswords(write_list(tmp_path_factory.mktemp("list"), held))

    assert all(breached.holds(password) for password in held)
    assert not any(breached.holds(f"{password}?") for password in held if f"{password}?" not in held)


def test_large_list(large):
    """In a large list the first line, the last one and those between are found, and nothing of it stays in memory."""
    tracemalloc.start()
    breached = BreachedPasswords(large)
    in_order = large.read_text().splitlines()
    chosen = random.Random(7).sample(range(MANY), 500)
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()

    assert all(breached.holds(f"password-{number}") for number in chosen)
    assert not any(breached.holds(f"passphrase-{number}") for number in chosen)
    assert tracemalloc.get_traced_memory()[1] - before < 100_000
    tracemalloc.stop()
    ends = {in_order[0][:40], in_order[-1][:40]}
    held = [f"password-{number}" for number in range(MANY) if line_of(f"password-{number}")[:40] in ends]
    assert len(held) == 2
    assert all(breached.holds(password) for password in held)


@pytest.mark.parametrize("change", [str.lower, str.rstrip], ids=["small letters", "no end of the last line"])
def test_other_spellings(tmp_path, change):
    """Hashes in small letters are taken, and a last line that does not end."""
    path = write_list(tmp_path, [f"password-{number}" for number in range(300)])
    path.write_text(change(path.read_text()))

    breached = BreachedPasswords(path)

    assert all(breached.holds(f"password-{number}") for number in range(300))


BAD = {
    "empty": lambda _: "",
    "plain": lambda _: "123456\nqwertz\n",
    "of other hashes": lambda text: "".join(line[8:] + "\n" for line in text.splitlines()),
    "without counts": lambda text: "".join(line[:40] + "\n" for line in text.splitlines()),
    "out of order": lambda text: "".join(sorted(text.splitlines(keepends=True), key=lambda line: line[5:])),
    "cut off": lambda text: text[:-30],
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("size", ["small", "large"])
def test_refused(tmp_path, large, bad, size):
    """What is no list in the order of hashes is refused when it is opened."""
    text = large.read_text()
    path = tmp_path / "bad.txt"
    path.write_text(BAD[bad](text if size == "large" else "".join(text.splitlines(keepends=True)[:500])))

    with pytest.raises(BadPasswordList) as refused:
        BreachedPasswords(path)

    assert str(path) in refused.value.detail


def test_missing(tmp_path):
    """A file that is not there is refused, and so is a folder."""
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(BadPasswordList):
            BreachedPasswords(path)
