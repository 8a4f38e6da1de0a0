"""Email: an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from undercroft.collections.fields.base import JSON, Stored
from undercroft.collections.fields.casts import as_text
from undercroft.collections.fields.checks import domain_lists_errors, is_domain_allowed, matches
from undercroft.collections.fields.encrypted import SealableField
from undercroft.errors import FieldError

_WIDE: Final = r"\x{A0}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFEF}"
_ATOM: Final = rf"[a-zA-Z0-9!#$%&'*+/=?^_`{{|}}~{_WIDE}-]+"
_QUOTED: Final = rf'"(?:[\x20\x21\x23-\x5B\x5D-\x7E{_WIDE}]|\\[\x20-\x7E])*"'
_LABEL: Final = rf"[a-zA-Z0-9{_WIDE}](?:[a-zA-Z0-9._~{_WIDE}-]*[a-zA-Z0-9{_WIDE}])?"
_TOP: Final = rf"[a-zA-Z{_WIDE}](?:[a-zA-Z0-9_~{_WIDE}-]*[a-zA-Z{_WIDE}])?"
_ADDRESS: Final = rf"^(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})@(?:{_LABEL}\.)+{_TOP}\.?$"


def is_email(text: str) -> bool:
    """Whether the text has the form of an email address with a full domain."""
    return matches(_ADDRESS, text) and ".." not in text.rpartition("@")[2]


class EmailField(SealableField, frozen=True, kw_only=True):
    """An email address, of some domains only or of all but some."""

    type: ClassVar[str] = "email"

    except_domains: tuple[str, ...] = ()
    only_domains: tuple[str, ...] = ()

    def cast(self, value: JSON) -> Stored:
        return as_text(value)

    def check_value(self, value: Stored) -> FieldError | None:
        if not is_email(value):
            return FieldError("validation_is_email", "Must be a valid email address.")
        domain = value.rpartition("@")[2]
        if not is_domain_allowed(domain, self.except_domains, self.only_domains):
            return FieldError("validation_email_domain_not_allowed", "Email domain is not allowed.")
        return None

    def check_options(self) -> Mapping[str, Any]:
        return domain_lists_errors(self.except_domains, self.only_domains)
