"""Url: a web address, read leniently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from undercroft.collections.fields.base import JSON, Stored
from undercroft.collections.fields.casts import as_text
from undercroft.collections.fields.checks import domain_lists_errors, is_domain_allowed, matches
from undercroft.collections.fields.encrypted import SealableField
from undercroft.errors import FieldError

_SCHEME: Final = r"(?:(?:ftp|tcp|udp|wss?|https?)://)"
_USER: Final = r"(?:\S+(?::\S*)?@)"
_LABEL: Final = r"[a-zA-Z0-9_\x{A1}-\x{FFFF}](?:[a-zA-Z0-9_\x{A1}-\x{FFFF}-]*[a-zA-Z0-9_\x{A1}-\x{FFFF}])?"
_HOST: Final = rf"(?:\[[0-9a-fA-F:.]+\]|{_LABEL}(?:\.{_LABEL})*\.?)"
_REST: Final = r"(?::\d{1,5})?(?:[/?#]\S*)?"
_FULL: Final = rf"^{_SCHEME}{_USER}?{_HOST}{_REST}$"
_BARE: Final = rf"^{_USER}?{_LABEL}(?:\.{_LABEL})+\.?{_REST}$"
_OTHER: Final = r"^(?:mailto:[^\s@]+@[^\s@]+|tel:[0-9+()., -]+)$"
_SHORTEST: Final = 4


def is_url(text: str) -> bool:
    """Whether the text has the form of an address; the scheme may be missing."""
    if not _SHORTEST <= len(text) <= 2083:
        return False
    return any(matches(form, text) for form in (_FULL, _BARE, _OTHER))


class UrlField(SealableField, frozen=True, kw_only=True):
    """An address, of some hosts only or of all but some."""

    type: ClassVar[str] = "url"

    except_domains: tuple[str, ...] = ()
    only_domains: tuple[str, ...] = ()

    def cast(self, value: JSON) -> Stored:
        return as_text(value)

    def check_value(self, value: Stored) -> FieldError | None:
        if not is_url(value):
            return FieldError("validation_invalid_url", "Must be a valid url.")
        if not is_domain_allowed(_host(value), self.except_domains, self.only_domains):
            return FieldError("validation_url_domain_not_allowed", "Url domain is not allowed.")
        return None

    def check_options(self) -> Mapping[str, Any]:
        return domain_lists_errors(self.except_domains, self.only_domains)


def _host(text: str) -> str:
    """`host[:port]` of an address with a scheme; `""` without one."""
    scheme, mark, rest = text.partition("://")
    if not mark or any(sign in scheme for sign in "/?#"):
        return ""
    for end in "/?#":
        rest = rest.partition(end)[0]
    return rest.rpartition("@")[2]
