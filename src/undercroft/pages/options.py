"""Where a site is and how it behaves, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from undercroft.config import Config


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """A site: the folder of its pages and that of its static files, either of which may be missing.

    `is_dev` has changed files loaded again and errors shown. `headers` take the place of
    the usual headers of pages, by name; an empty value leaves one out. `has_fallback`
    answers paths that nothing else answers with `index.html` of the static files, for
    applications that do their own routing; only a site without pages does it. `accounts` is
    the collection whose accounts the ready pages are for; without one there are none.
    """

    pages: Path
    public: Path
    is_dev: bool = False
    has_timing: bool = False
    has_fallback: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    accounts: str = "users"

    @classmethod
    def of(cls, config: Config) -> SiteOptions:
        """The site of a configuration."""
        return cls(
            pages=Path(config.pages),
            public=Path(config.public),
            is_dev=config.dev,
            has_timing=config.server_timing,
            has_fallback=config.index_fallback,
            headers=config.headers,
            accounts=config.accounts,
        )

    @property
    def folder(self) -> Path:
        """Where what is served lies."""
        return self.pages if self.has_pages else self.public

    @property
    def has_pages(self) -> bool:
        """Whether there is a folder of pages."""
        return self.pages.is_dir()

    @property
    def is_there(self) -> bool:
        """Whether there is anything to serve."""
        return self.has_pages or self.public.is_dir()
