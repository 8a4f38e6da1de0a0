"""The mails an auth collection sends until somebody writes better ones.

Placeholders are filled in when a mail is composed: `{APP_NAME}`, `{APP_URL}`,
`{TOKEN}`, `{OTP}`, `{OTP_ID}`, `{ALERT_INFO}`, `{CHANGE}` and `{RECORD:field}`.
"""

from __future__ import annotations

from typing import Final

from undercroft.collections.options import Template

_SIGNED: Final = "<p>Yours,<br>{APP_NAME}</p>"


def _letter(*paragraphs: str) -> str:
    return "\n".join(["<p>Hello,</p>", *(f"<p>{text}</p>" for text in paragraphs), _SIGNED])


def _button(page: str, label: str) -> str:
    link = f"{{APP_URL}}/_/#/auth/{page}/{{TOKEN}}"
    return f'<a class="btn" href="{link}" target="_blank" rel="noopener">{label}</a>'


VERIFICATION: Final = Template(
    subject="Confirm your address for {APP_NAME}",
    body=_letter(
        "An account at {APP_NAME} was opened with this address. Please confirm that it is yours:",
        _button("confirm-verification", "Confirm my address"),
    ),
)

RESET_PASSWORD: Final = Template(
    subject="A new password for {APP_NAME}",
    body=_letter(
        "Choose a new password here:",
        _button("confirm-password-reset", "Choose a new password"),
        "<i>If you did not ask for this, do nothing: your password stays as it is.</i>",
    ),
)

CONFIRM_EMAIL_CHANGE: Final = Template(
    subject="Your new address for {APP_NAME}",
    body=_letter(
        "From now on {APP_NAME} is to write to this address. Please confirm that it is yours:",
        _button("confirm-email-change", "Use this address"),
        "<i>If you did not ask for this, do nothing: no address is changed.</i>",
    ),
)

OTP: Final = Template(
    subject="Your code for {APP_NAME}",
    body=_letter(
        "Your one-time password is <strong>{OTP}</strong>.",
        "<i>If you did not ask for it, do nothing.</i>",
    ),
)

MAGIC_LINK: Final = Template(
    subject="Your link to {APP_NAME}",
    body=_letter(
        "Come in here; the link counts once:",
        _button("magic-link", "Sign in"),
        "<i>If you did not ask for it, do nothing.</i>",
    ),
)

INVITATION: Final = Template(
    subject="You are invited to {APP_NAME}",
    body=_letter(
        "There is a place for you at {APP_NAME}. Come in, and choose a password:",
        _button("invitation", "Accept the invitation"),
        "<i>If you do not expect this, do nothing: nobody has an account in your name.</i>",
    ),
)

ACCOUNT_CHANGE: Final = Template(
    subject="Your account at {APP_NAME} was changed",
    body=_letter(
        "{CHANGE}",
        "If it was you, all is well. If not, <strong>change your password now</strong>, and look through your account.",
    ),
)

AUTH_ALERT: Final = Template(
    subject="A login to {APP_NAME} from somewhere new",
    body=_letter(
        "Somebody logged in to your account from a place we have not seen before:",
        "<em>{ALERT_INFO}</em>",
        "If it was you, all is well. If not, <strong>change your password now</strong>:"
        " that ends the access of everybody who is logged in.",
    ),
)
