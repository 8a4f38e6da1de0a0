"""The OAuth2 providers that an auth collection may name, and a neutral mark for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PROVIDERS: Final[Mapping[str, str]] = {
    "apple": "Apple",
    "google": "Google",
    "microsoft": "Microsoft",
    "yandex": "Yandex",
    "facebook": "Facebook",
    "instagram2": "Instagram",
    "github": "GitHub",
    "gitlab": "GitLab",
    "bitbucket": "Bitbucket",
    "gitee": "Gitee",
    "gitea": "Gitea/Forgejo",
    "discord": "Discord",
    "twitter": "X/Twitter",
    "kakao": "Kakao",
    "vk": "ВКонтакте",
    "linear": "Linear",
    "notion": "Notion",
    "monday": "monday.com",
    "lark": "Lark",
    "box": "Box",
    "spotify": "Spotify",
    "trakt": "Trakt",
    "twitch": "Twitch",
    "patreon": "Patreon",
    "strava": "Strava",
    "wakatime": "WakaTime",
    "livechat": "LiveChat",
    "mailcow": "mailcow",
    "planningcenter": "Planning Center",
    "oidc": "OIDC",
    "oidc2": "OIDC",
    "oidc3": "OIDC",
}


def list_providers() -> list[dict[str, str]]:
    """Every provider with its name, the name to show, and a small SVG."""
    return [{"name": name, "displayName": shown, "logo": mark(shown)} for name, shown in PROVIDERS.items()]


def mark(name: str) -> str:
    """The first letter of a name in a circle, as SVG text."""
    letter = name[0].upper()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32" viewBox="0 0 32 32">'
        '<circle cx="16" cy="16" r="15" fill="none" stroke="currentColor" stroke-width="2"/>'
        '<text x="16" y="21.5" font-family="sans-serif" font-size="16" text-anchor="middle" fill="currentColor">'
        f"{letter}</text></svg>"
    )
