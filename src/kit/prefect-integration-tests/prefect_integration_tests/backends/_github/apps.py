"""GitHub Apps: their keys, installations and the tokens of these, checked as GitHub checks them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .._git.json_api import ApiRefusal, Json

# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
_MAX_SECONDS = 600

_numbers = itertools.count(1)


@dataclass
class Installation:
    """An App at an organization or user.

    Attributes:
        id: Its number.
        owner: Whose it is.
        is_organization: Whether that is an organization.
        repositories: What it is installed for, by names without the owner.
        permissions: What it may.
        suspended: Whether it may do nothing for the time being.
    """

    id: int
    owner: str
    is_organization: bool = True
    repositories: set[str] = field(default_factory=lambda: {"etl"})
    permissions: dict[str, str] = field(default_factory=lambda: {"contents": "read", "issues": "write"})
    suspended: bool = False


@dataclass
class AppAtGitHub:
    """An App.

    Attributes:
        id: Its number.
        client_id: Its other name.
        private_key: A key of it, in PEM form.
        installations: Where it is installed.
    """

    id: int
    client_id: str
    private_key: str = field(repr=False)
    public_key: str = field(repr=False)
    installations: list[Installation] = field(default_factory=list[Installation])

    def install(self, owner: str, **changes: Any) -> Installation:
        """Install it.

        Args:
            owner: An organization, or a user with `is_organization=False`.
            changes: Other fields of the installation.
        """
        made = Installation(next(_numbers) + 40_000_000, owner, **changes)
        self.installations.append(made)
        return made


@lru_cache(maxsize=4)
def key_pair(number: int) -> tuple[str, str]:
    """Make a private and a public key, in PEM form, as GitHub makes them; once in a process for each number."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def made_app() -> AppAtGitHub:
    """Make an App; all of a process have the same key."""
    number = next(_numbers)
    return AppAtGitHub(123_000 + number, f"Iv23li{number:014d}", *key_pair(1))


def app_of(authorization: str, apps: list[AppAtGitHub], now: float) -> AppAtGitHub:
    """Find who has signed a request.

    Args:
        authorization: The header.
        apps: All that there are.
        now: Time of the server, in seconds since 1970.

    Raises:
        ApiRefusal: If it is nobody, or the times are not as GitHub wants them.
    """
    found = re.fullmatch(r"Bearer ([\w-]+\.[\w-]+\.[\w-]+)", authorization)
    if found is None:
        raise ApiRefusal(401, {"message": "A JSON web token could not be decoded"})
    try:
        said: Json = jwt.decode(found[1], options={"verify_signature": False})
        issuer = str(said["iss"])
        app = next(app for app in apps if issuer in (str(app.id), app.client_id))
        options: Any = {"verify_exp": False, "verify_iat": False, "require": ["iat", "exp", "iss"]}
        claims: Json = jwt.decode(found[1], app.public_key, algorithms=["RS256"], options=options)
        begins, ends = int(claims["iat"]), int(claims["exp"])
    except (jwt.exceptions.PyJWTError, KeyError, ValueError):
        raise ApiRefusal(401, {"message": "A JSON web token could not be decoded"}) from None
    except StopIteration:
        raise ApiRefusal(404, {"message": "Integration not found"}) from None
    if begins > now + 1:
        text = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        raise ApiRefusal(401, {"message": text})
    if ends <= now:
        text = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the "
        raise ApiRefusal(401, {"message": f"{text}assertion expires"})
    if ends > now + _MAX_SECONDS:
        raise ApiRefusal(401, {"message": "'Expiration time' claim ('exp') is too far in the future"})
    return app
