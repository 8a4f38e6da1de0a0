"""The open resources that handlers work with, made by `app` and passed down by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from undercroft.auth.key_uses import KeyUses
from undercroft.auth.logins import Ended
from undercroft.auth.password_guesses import CountedPasswords
from undercroft.auth.passwords import PasswordPool
from undercroft.collections.catalog import Catalog, CatalogHolder
from undercroft.database.engine import Engine
from undercroft.errands import Errands
from undercroft.files.sealed import SealedFiles
from undercroft.files.staging import Staging
from undercroft.files.thumbnails import Thumbs
from undercroft.files.tus import Uploads
from undercroft.hooks.hooks import Hooks
from undercroft.jobs.declare import Jobs
from undercroft.keys.ring import Keyring
from undercroft.keys.tombstones import Tombstones
from undercroft.mail.carrier import Carrier
from undercroft.middleware.rate_limit import RateLimiter
from undercroft.query.plan import Plans
from undercroft.realtime.live import Live
from undercroft.records.filing import Filing
from undercroft.settings.settings import Settings, SettingsHolder


@dataclass(frozen=True, slots=True)
class Backend:
    """One running backend. `form_key` signs what is handed out in forms.

    `dev_url` is where a developer sees it, and empty where it is not run for one.
    `outgoing_networks` are private ones that what is set over HTTP may lead into.
    """

    directory: Path
    engine: Engine
    keyring: Keyring
    catalogs: CatalogHolder
    settings_holder: SettingsHolder
    passwords: PasswordPool
    files: SealedFiles
    thumbs: Thumbs
    staging: Staging
    filing: Filing
    uploads: Uploads
    plans: Plans
    form_key: bytes
    carrier: Carrier
    errands: Errands
    live: Live
    tombstones: Tombstones
    dev_url: str = ""
    outgoing_networks: Sequence[str] = ()
    hooks: Hooks = field(default_factory=Hooks)
    jobs: Jobs = field(default_factory=Jobs)
    limiter: RateLimiter = field(default_factory=RateLimiter)
    key_uses: KeyUses = field(default_factory=KeyUses)
    ended: Ended = field(default_factory=Ended)

    @property
    def counted_passwords(self) -> CountedPasswords:
        """The pool for requests from outside, which may not try one password after the other."""
        return CountedPasswords(self.engine, self.passwords)

    @property
    def catalog(self) -> Catalog:
        return self.catalogs.current

    @property
    def settings(self) -> Settings:
        return self.settings_holder.current
