"""Look into blocks and other models: their values, and which of these are secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic import Secret as PydanticSecret

SOUNDS_SECRET = re.compile(r"(^|_)(password|passwd|secret|token|api_key|private_key|secret_(access_)?key|passphrase)$")
"""Names of what is secret."""


def values(model: BaseModel) -> dict[str, Any]:
    """Read the fields of a model as they could be given to its constructor: nested models stay models.

    Args:
        model: A block or another pydantic model.
    """
    return {name: getattr(model, name) for name in type(model).model_fields}


def plain_values(value: Any) -> Any:
    """Turn a model into plain data with its secrets in the open, so that two can be compared by value.

    Where a block was saved does not matter; its class does.

    Args:
        value: A model, a container of models, or anything else.
    """
    if isinstance(value, SecretStr | SecretBytes):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        found = {name: plain_values(each) for name, each in values(value).items()}
        return (type(value).__qualname__, found)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {plain_values(key): plain_values(each) for key, each in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_values(each) for each in cast("list[Any]", value)]
    return value


def secret_fields(value: Any, path: str = "") -> dict[str, str]:
    """Find all secrets in a model, nested ones included.

    Args:
        value: A model, a container, or anything else.
        path: Where `value` stands.

    Returns:
        Each secret's value by dotted path.
    """
    if isinstance(value, SecretStr):
        return {path: value.get_secret_value()}
    if isinstance(value, SecretBytes):
        return {path: value.get_secret_value().decode("utf-8", "replace")}
    if isinstance(value, PydanticSecret):  # Prefect's `SecretDict`: all that it holds is secret
        return _texts(cast("PydanticSecret[Any]", value).get_secret_value(), path)
    members: dict[str, Any] = {}
    if isinstance(value, BaseModel):
        members = values(value)
    elif isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        members = {str(key): each for key, each in mapping.items()}
    elif isinstance(value, list | tuple):
        sequence = cast("list[Any]", value)
        members = {str(number): each for number, each in enumerate(sequence)}
    found: dict[str, str] = {}
    for name, member in members.items():
        found |= secret_fields(member, f"{path}.{name}" if path else name)
    return found


def _texts(value: Any, path: str) -> dict[str, str]:
    """All texts of a mapping, nested ones included, by dotted path."""
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for name, member in cast("Mapping[Any, Any]", value).items():
            found |= _texts(member, f"{path}.{name}")
        return found
    return {path: value} if isinstance(value, str) else {}


def construction_error(cls: type[BaseModel], given: Mapping[str, Any]) -> Exception | None:
    """Build a model and return the error, if there is one.

    Args:
        cls: The model.
        given: The fields.
    """
    try:
        cls(**given)
    except (ValueError, TypeError, AttributeError) as exc:
        return exc
    return None
