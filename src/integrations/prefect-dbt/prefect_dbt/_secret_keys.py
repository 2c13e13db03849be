"""Which keys of a target in `profiles.yml` hold secrets, told by the words in their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from prefect_integration_kit.redact import MASK

# Over the adapters' pages in https://docs.getdbt.com/docs/core/connect-data-platform/about-core-connections
_SECRET = re.compile(r"pass(word|phrase|wd)?$|^pwd$|secret|token|private_key|keyfile_json|credential|api_?key", re.I)
_NOT_SECRET = re.compile(r"path$|_ur[il]$|_endpoint$|_type$|_provider|duration|_seconds$|^method$", re.I)


def is_secret_key(name: str) -> bool:
    """Say whether the value under a key is secret, with all that is below it."""
    return _SECRET.search(name) is not None and _NOT_SECRET.search(name) is None


def masked(configs: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a mapping for people to read: without its secrets."""
    shown: dict[str, Any] = {}
    for key, value in configs.items():
        if is_secret_key(str(key)) and value is not None:
            shown[key] = MASK
        elif isinstance(value, Mapping):
            shown[key] = masked(cast("Mapping[str, Any]", value))
        else:
            shown[key] = value
    return shown
