"""Tokens that equal credentials share in this process."""

from __future__ import annotations

import os
from typing import Any

from prefect_integration_kit.kept import SharedValues, fingerprint

from .choosing import Identity
from .flow import TokenAuth
from .requests import MakeClient
from .sources import Source
from .tokens import TokenKeeper

_keepers: SharedValues[TokenKeeper] = SharedValues(maximum=256)

if hasattr(os, "register_at_fork"):
    # A lock that another thread held at the fork would never be released in the child.
    os.register_at_fork(after_in_child=_keepers.clear)


def keeper_of(source: Source, make_client: MakeClient, options: dict[str, Any]) -> TokenKeeper:
    """Give the keeper of a source's token.

    Args:
        source: Who issues the token.
        make_client: Makes clients to ask for it.
        options: What those clients are made with: who trusts other authorities asks for himself.
    """
    key = fingerprint(source.key(), options)
    return _keepers.get(key, lambda: TokenKeeper(lambda: source.fetch(make_client)))


def auth_of(identity: Identity, make_client: MakeClient, options: dict[str, Any]) -> TokenAuth:
    """Make what signs the requests of a client.

    Args:
        identity: Who asks.
        make_client: Makes clients to ask for tokens.
        options: What those clients are made with.
    """
    keepers = {name: keeper_of(source, make_client, options) for name, source in identity.sources.items()}
    return TokenAuth(keepers, identity.headers)


def forget_tokens() -> None:
    """Forget all tokens."""
    _keepers.clear()
