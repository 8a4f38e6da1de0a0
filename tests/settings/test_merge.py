"""Changes laid over settings."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.settings.merge import BadSettings, merge, nest
from undercroft.settings.settings import Settings, Smtp, public
from undercroft.settings.validate import InvalidSettings, check_settings


def test_objects_merge():
    """What a change does not name stays."""
    changed = merge(Settings(), {"meta": {"appName": "Cellar"}})

    assert (changed.meta.app_name, changed.meta.sender_name) == ("Cellar", "Support")


def test_lists_are_replaced():
    """A list in a change takes the place of the one there was."""
    rules = [{"label": "/api/", "maxRequests": 1, "duration": 1}]

    assert len(merge(Settings(), {"rateLimits": {"rules": rules}}).rate_limits.rules) == 1


def test_null_is_the_zero_value():
    """Null empties a setting, and everything in a group."""
    changed = merge(Settings(), {"superuserIPs": None, "batch": None})

    assert (changed.superuser_ips, changed.batch.max_requests) == ((), 0)


def test_keys_in_any_letter_case():
    """Keys match in any letter case; unknown ones are ignored."""
    assert merge(Settings(), {"META": {"APPNAME": "x"}, "nope": 1}).meta.app_name == "x"


@pytest.mark.parametrize(
    "change",
    [
        {"meta": 5},
        {"meta": {"appName": 5}},
        {"batch": {"timeout": 1.5}},
        {"batch": {"timeout": "5"}},
        {"superuserIPs": "127.0.0.1"},
        {"logs": {"maxDays": 10**20}},
        {"rateLimits": {"rules": [5]}},
    ],
)
def test_wrong_types(change):
    """A value of another type is refused."""
    with pytest.raises(BadSettings):
        merge(Settings(), change)


def test_form():
    """A form names settings with dots and holds texts."""
    change = nest({"meta.appName": ["5"], "batch.timeout": ["7"], "batch.enabled": ["true"], "superuserIPs": ["::1"]})
    changed = merge(Settings(), change, is_text=True)

    assert (changed.meta.app_name, changed.batch.timeout, changed.batch.enabled) == ("5", 7, True)
    assert changed.superuser_ips == ("::1",)


def test_secrets_are_kept_but_not_shown():
    """A secret stays when a change does not name it, and no answer has it."""
    stored = merge(Settings(smtp=Smtp(password="hush")), {"smtp": {"username": "u"}})

    assert stored.smtp.password == "hush"
    assert b"hush" not in msgspec.json.encode(public(stored))
    assert b"secret" not in msgspec.json.encode(public(stored))


def test_defaults_are_valid():
    """What nobody changed satisfies every check."""
    check_settings(Settings())


@given(
    st.dictionaries(
        st.sampled_from(["meta", "batch", "smtp", "rateLimits", "superuserIPs", "backups"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5) | st.booleans(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["rules", "s3", "cron", "enabled", "appName", "label"]), inner, max_size=3
                )
            ),
        ),
        max_size=4,
    )
)
def test_any_change_ends_well(change):
    """Any change is taken or refused."""
    try:
        check_settings(merge(Settings(), change))
    except (BadSettings, InvalidSettings):
        return
