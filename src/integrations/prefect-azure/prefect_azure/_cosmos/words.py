"""What Cosmos DB says in its errors, in plain words."""

from __future__ import annotations

import json
import re
from typing import Any, cast

# "Message: {json}\r\nActivityId: …, Request URI: …, RequestStats: …, SDK: …"
_TAIL = re.compile(
    r"\s*(?:,\s*)?(?:ActivityId:|Request URI:|RequestStats:|SDK: |Microsoft\.Azure\.Documents).*", re.DOTALL
)
_ACTION = re.compile(r"perform action \[([^\]]+)\]")
_SCOPE = re.compile(r"on resource \[([^\]]+)\]")
_PAYLOAD = re.compile(r"\s*Server used the following payload to sign:.*", re.DOTALL)


def plain_words(message: str) -> str:
    """Give the sentence in an error of Cosmos DB, without identifiers of the request and payloads.

    Args:
        message: What the SDK's exception says.
    """
    said = _PAYLOAD.sub("", _TAIL.sub("", message)).strip().removeprefix("Message:").strip()
    try:
        loaded: Any = json.loads(said)
    except ValueError:
        return said
    found = [text for text in _texts(loaded) if text]
    return "; ".join(found) or said


def denied_action(message: str) -> tuple[str, str]:
    """Give the action of data-plane RBAC that is not permitted, and the resource; empty where they are not named.

    Args:
        message: What the SDK's exception says.
    """
    action, scope = _ACTION.search(message), _SCOPE.search(message)
    return (action[1] if action else ""), (scope[1] if scope else "")


def _texts(loaded: Any) -> list[str]:
    if isinstance(loaded, dict):
        members = cast("dict[str, Any]", loaded)
        for name in ("errors", "Errors", "message"):
            if name in members:
                return _texts(members[name])
        return []
    if isinstance(loaded, list):
        return [text for each in cast("list[Any]", loaded) for text in _texts(each)]
    return [str(loaded).strip().rstrip(".")]
