"""What settings must satisfy."""

import pytest

from undercroft.errors import FieldError
from undercroft.settings.merge import merge
from undercroft.settings.settings import Settings
from undercroft.settings.validate import InvalidSettings, check_settings

RULE = {"label": "/a/", "maxRequests": 1, "duration": 1}
S3 = {"accessKey", "bucket", "endpoint", "region", "secret"}


def errors_of(change):
    try:
        check_settings(merge(Settings(), change))
    except InvalidSettings as problem:
        return _codes(problem.data)
    return {}


def _codes(value):
    if isinstance(value, FieldError):
        return value.code
    return {key: _codes(inner) for key, inner in value.items()}


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"meta": {"appName": ""}}, {"meta": {"appName": "validation_required"}}),
        ({"meta": {"appName": "x" * 256}}, {"meta": {"appName": "validation_length_out_of_range"}}),
        ({"meta": {"appURL": "x y"}}, {"meta": {"appURL": "validation_is_url"}}),
        ({"meta": {"accentColor": "red"}}, {"meta": {"accentColor": "validation_length_invalid"}}),
        ({"meta": {"accentColor": "#zzzzzz"}}, {"meta": {"accentColor": "validation_is_hex_color"}}),
        ({"meta": {"senderAddress": "x"}}, {"meta": {"senderAddress": "validation_is_email"}}),
        ({"logs": {"maxDays": -1}}, {"logs": {"maxDays": "validation_min_greater_equal_than_required"}}),
        ({"smtp": {"host": "a b"}}, {"smtp": {"host": "validation_is_host"}}),
        (
            {"smtp": {"enabled": True, "host": "", "port": 0}},
            {"smtp": {"host": "validation_required", "port": "validation_required"}},
        ),
        ({"smtp": {"authMethod": "X"}}, {"smtp": {"authMethod": "validation_in_invalid"}}),
        ({"s3": {"enabled": True}}, {"s3": dict.fromkeys(S3, "validation_required")}),
        ({"backups": {"s3": {"enabled": True}}}, {"backups": {"s3": dict.fromkeys(S3, "validation_required")}}),
        ({"backups": {"cron": "@daily", "cronMaxKeep": 0}}, {"backups": {"cronMaxKeep": "validation_required"}}),
        ({"batch": {"enabled": True, "timeout": 0}}, {"batch": {"timeout": "validation_required"}}),
        (
            {"rateLimits": {"enabled": True, "rules": []}},
            {"rateLimits": {"rules": "validation_required"}},
        ),
        (
            {"rateLimits": {"rules": [{**RULE, "label": "a b"}, {**RULE, "audience": "x"}]}},
            {
                "rateLimits": {
                    "rules": {"0": {"label": "validation_match_invalid"}, "1": {"audience": "validation_in_invalid"}}
                }
            },
        ),
        (
            {"rateLimits": {"rules": [RULE, {**RULE, "audience": "@guest"}]}},
            {"rateLimits": {"rules": {"1": {"label": "validation_conflicting_rate_limit_rule"}}}},
        ),
        (
            {"superuserIPs": ["127.0.0.1", "x", ""]},
            {"superuserIPs": {"1": "validation_invlaid_ip_or_subnet", "2": "validation_required"}},
        ),
    ],
)
def test_refused(change, errors):
    """Each error has its code, at the place of its setting."""
    assert errors_of(change) == errors


@pytest.mark.parametrize(
    "change",
    [
        {"meta": {"appURL": "localhost:80"}},
        {"meta": {"accentColor": ""}},
        {"smtp": {"host": "::1"}},
        {"backups": {"cron": "", "cronMaxKeep": 0}},
        {"rateLimits": {"rules": [{**RULE, "audience": "@auth"}, {**RULE, "audience": "@guest"}]}},
        {
            "rateLimits": {
                "rules": [{**RULE, "label": label} for label in ("GET /a", "*:create", "posts:list", "posts")]
            }
        },
        {"superuserIPs": ["127.0.0.1", "10.0.0.0/8", "::1"]},
    ],
)
def test_allowed(change):
    """What makes sense passes."""
    assert errors_of(change) == {}


@pytest.mark.parametrize("text", ["@daily", "* * * * *", "*/5 1-2,3 * 12 0", "0 0 31 2 *"])
def test_cron(text):
    """Five fields or a macro are a cron expression."""
    assert errors_of({"backups": {"cron": text}}) == {}


@pytest.mark.parametrize(
    "text",
    ["x", "@reboot", "* * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *", "1- * * * *", "* * * jan *"],
)
def test_bad_cron(text):
    """What is none is refused."""
    assert errors_of({"backups": {"cron": text}}) == {"backups": {"cron": "validation_invalid_cron"}}
