"""The moments of requests about accounts: the ways in, and what an account asks for."""

from __future__ import annotations

from undercroft.api.request_events import RequestEvent
from undercroft.auth.events import RecordAuthWithOAuth2
from undercroft.hooks.moment import Moments, TaggedMoment


class AccountMoments(Moments):
    """Every moment of a request about an account: around its endpoint, but for those that say otherwise."""

    record_auth_with_password_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/auth-with-password`, whether or not there is such an account.",
    )

    record_auth_with_oauth2_request = TaggedMoment(
        RecordAuthWithOAuth2,
        "Within `POST …/auth-with-oauth2`, once the provider has said who somebody is. Before `next()` another account "
        "can be chosen, or what a new one is made of changed; after it, the account is theirs, and has no token yet.",
    )

    record_auth_refresh_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/auth-refresh`.",
    )

    record_request_otp_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/request-otp`.",
    )

    record_auth_with_otp_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/auth-with-otp`.",
    )

    record_request_passkey_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/request-passkey`, which begins to make one.",
    )

    record_confirm_passkey_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/confirm-passkey`; after `next()` the account has it.",
    )

    record_auth_with_passkey_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/auth-with-passkey`.",
    )

    record_confirm_totp_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/confirm-totp`; after `next()` the account is asked for codes.",
    )

    record_auth_with_totp_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/auth-with-totp`.",
    )

    record_request_magic_link_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/request-magic-link`.",
    )

    record_auth_with_magic_link_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/auth-with-magic-link`.",
    )

    record_invite_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/invitations`; after `next()` the letter is on its way.",
    )

    record_accept_invitation_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/accept-invitation`; after `next()` there is an account, and it is in.",
    )

    record_request_verification_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/request-verification`.",
    )

    record_confirm_verification_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/confirm-verification`.",
    )

    record_request_password_reset_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/request-password-reset`.",
    )

    record_confirm_password_reset_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/confirm-password-reset`.",
    )

    record_request_email_change_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/request-email-change`.",
    )

    record_confirm_email_change_request = TaggedMoment(
        RequestEvent,
        "Around `POST …/confirm-email-change`.",
    )
