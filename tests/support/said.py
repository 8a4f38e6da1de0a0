"""What each provider of OAuth2 answers when it is asked who somebody is, after its own documentation."""

from __future__ import annotations

from typing import Any

EMAIL, PICTURE = "ada@example.com", "https://pictures.example.com/ada.png"
PLAIN = {"name": "Ada", "email": EMAIL}
_PRIMARY = [
    {"email": "old@example.com", "verified": True, "primary": False},
    {"email": EMAIL, "verified": True, "primary": True},
]

SAID: dict[str, Any] = {
    "google": {"sub": "g1", "name": "Ada", "email": EMAIL, "picture": PICTURE, "email_verified": True},
    "microsoft": {"id": "m1", "displayName": "Ada", "mail": EMAIL, "userPrincipalName": "ada@tenant.example.com"},
    "yandex": {
        "id": "y1",
        "real_name": "Ada",
        "login": "ada",
        "default_email": EMAIL,
        "is_avatar_empty": False,
        "default_avatar_id": "1/a",
    },
    "facebook": {"id": "f1", "name": "Ada", "email": EMAIL, "picture": {"data": {"url": PICTURE}}},
    "instagram2": {"id": "0", "user_id": "i1", "name": "Ada", "username": "ada", "profile_picture_url": PICTURE},
    "github": {"id": 12345678901, "login": "ada", "name": "Ada", "email": "public@example.com", "avatar_url": PICTURE},
    "gitlab": {
        "id": 77,
        "username": "ada",
        "name": "Ada",
        "email": EMAIL,
        "avatar_url": PICTURE,
        "confirmed_at": "2020-01-01T00:00:00Z",
    },
    "bitbucket": {
        "uuid": "{b-1}",
        "username": "ada",
        "display_name": "Ada",
        "account_status": "active",
        "links": {"avatar": {"href": PICTURE}},
    },
    "gitee": {"id": 5, "login": "ada", "name": "Ada", "email": EMAIL, "avatar_url": PICTURE},
    "gitea": {
        "id": 6,
        "login": "ada",
        "full_name": "Ada",
        "email": "public@example.com",
        "avatar_url": PICTURE,
        "active": True,
    },
    "discord": {
        "id": "d1",
        "username": "ada",
        "global_name": "Ada",
        "discriminator": "0",
        "avatar": "a1",
        "email": EMAIL,
        "verified": True,
    },
    "twitter": {
        "data": {"id": "t1", "name": "Ada", "username": "ada", "profile_image_url": PICTURE, "confirmed_email": EMAIL}
    },
    "kakao": {
        "id": 8,
        "properties": {"nickname": "ada", "profile_image": PICTURE},
        "kakao_account": {"email": EMAIL, "is_email_verified": True, "is_email_valid": True},
    },
    "vk": {
        "response": [
            {"id": 9, "first_name": "Ada", "last_name": "Lovelace", "screen_name": "ada", "photo_max": PICTURE}
        ]
    },
    "linear": {
        "data": {
            "viewer": {
                "id": "l1",
                "displayName": "ada",
                "name": "Ada",
                "email": EMAIL,
                "avatarUrl": PICTURE,
                "active": True,
            }
        }
    },
    "notion": {
        "id": "bot",
        "name": "Bot",
        "bot": {
            "owner": {
                "type": "user",
                "user": {"id": "n1", "name": "Ada", "avatar_url": PICTURE, "person": {"email": EMAIL}},
            }
        },
    },
    "monday": {
        "data": {
            "me": {
                "id": "mo1",
                "enabled": True,
                "name": "Ada",
                "email": EMAIL,
                "is_verified": True,
                "photo_small": PICTURE,
            }
        }
    },
    "lark": {"code": 0, "data": {"union_id": "la1", "name": "Ada", "avatar_url": PICTURE, "email": EMAIL}},
    "box": {"id": "bx1", "name": "Ada", "login": EMAIL, "avatar_url": PICTURE, "status": "active"},
    "spotify": {"id": "s1", "display_name": "Ada", "images": [{"url": PICTURE}], "email": EMAIL},
    "trakt": {
        "user": {
            "username": "ada",
            "name": "Ada",
            "ids": {"slug": "ada", "uuid": "tr1"},
            "images": {"avatar": {"full": PICTURE}},
        }
    },
    "twitch": {
        "data": [{"id": "tw1", "login": "ada", "display_name": "Ada", "email": EMAIL, "profile_image_url": PICTURE}]
    },
    "patreon": {
        "data": {
            "id": "pa1",
            "attributes": {
                "email": EMAIL,
                "full_name": "Ada",
                "vanity": "ada",
                "image_url": PICTURE,
                "is_email_verified": True,
            },
        }
    },
    "strava": {"id": 10, "firstname": "Ada", "lastname": "Lovelace", "username": "ada", "profile": PICTURE},
    "wakatime": {
        "data": {
            "id": "w1",
            "display_name": "Ada",
            "username": "ada",
            "email": EMAIL,
            "photo": PICTURE,
            "photo_public": True,
            "is_email_confirmed": True,
        }
    },
    "livechat": {"account_id": "lc1", "name": "Ada", "email": EMAIL, "email_verified": True, "avatar_url": PICTURE},
    "mailcow": {"id": "mc1", "username": "ada@example.com", "email": EMAIL, "full_name": "Ada", "active": 1},
    "planningcenter": {
        "data": {"type": "Person", "id": "pc1", "attributes": {"status": "active", "name": "Ada", "avatar": PICTURE}}
    },
    "oidc": {
        "sub": "o1",
        "name": "Ada",
        "preferred_username": "ada",
        "picture": PICTURE,
        "email": EMAIL,
        "email_verified": True,
    },
    "oidc2": {"sub": "o2", "email": EMAIL, "email_verified": "true"},
    "oidc3": {"sub": "o3", "email": EMAIL},
}
"""All but `apple`, which has only a signed word."""

EMAILS: dict[str, Any] = {
    "github": _PRIMARY,
    "gitea": _PRIMARY,
    "bitbucket": {"values": [{"email": EMAIL, "is_primary": True, "is_confirmed": True}]},
}

UNVERIFIED: dict[str, tuple[dict[str, Any], Any]] = {
    "google": ({"email_verified": False}, None),
    "github": ({}, [{"email": EMAIL, "verified": False, "primary": True}]),
    "gitlab": ({"confirmed_at": None}, None),
    "bitbucket": ({}, {"values": [{"email": EMAIL, "is_primary": True, "is_confirmed": False}]}),
    "gitee": ({"email": ""}, [{"email": EMAIL, "state": "unconfirmed", "scope": ["primary"]}]),
    "gitea": ({}, [{"email": EMAIL, "verified": False, "primary": True}]),
    "discord": ({"verified": False}, None),
    "kakao": ({"kakao_account": {"email": EMAIL, "is_email_verified": False, "is_email_valid": True}}, None),
    "monday": ({"data": {"me": {"id": "mo1", "enabled": True, "email": EMAIL, "is_verified": False}}}, None),
    "patreon": ({"data": {"id": "pa1", "attributes": {"email": EMAIL, "is_email_verified": False}}}, None),
    "wakatime": ({"data": {"id": "w1", "email": EMAIL, "is_email_confirmed": False}}, None),
    "livechat": ({"email_verified": False}, None),
    "oidc": ({"email_verified": False}, None),
}
"""What those answer who say so when an address is not verified, over what they answer else; and of addresses."""

ENDED: dict[str, dict[str, Any]] = {
    "bitbucket": {"account_status": "inactive"},
    "gitea": {"active": False},
    "linear": {"data": {"viewer": {"id": "l1", "email": EMAIL, "active": False}}},
    "monday": {"data": {"me": {"id": "mo1", "enabled": False}}},
    "box": {"status": "inactive"},
    "mailcow": {"active": 0},
    "planningcenter": {"data": {"id": "pc1", "attributes": {"status": "inactive"}}},
}
"""What those answer who say so when an account is in use no more."""
