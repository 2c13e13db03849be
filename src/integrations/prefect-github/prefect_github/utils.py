"""Small helpers that the modules of tasks share."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

__all__ = ["camel_to_snake_case", "initialize_return_fields_defaults", "strip_kwargs"]

SNAKE_CASE_REGEX1 = re.compile(r"(.)([A-Z][a-z]+)")
SNAKE_CASE_REGEX2 = re.compile(r"([a-z0-9])([A-Z])")


def camel_to_snake_case(string: str) -> str:
    """Write a name as in Python: `lowerCamelCase` and `CamelCase` become `lower_camel_case` and `camel_case`.

    Args:
        string: The name in camel case. What is in snake case already stays as it is.

    Returns:
        The name in snake case.
    """
    return SNAKE_CASE_REGEX2.sub(r"\1_\2", SNAKE_CASE_REGEX1.sub(r"\1_\2", string)).lower()


def initialize_return_fields_defaults(config_path: Path | str) -> defaultdict[str, list[str]]:
    """Read which fields tasks return unless they are told.

    Args:
        config_path: A JSON file: for the path of each answer, such as `repository.issues`, a list of fields.

    Returns:
        The lists by path; a path that the file does not name has an empty list.

    Raises:
        ValueError: If the file does not hold that.
    """
    config: Any = json.loads(Path(config_path).read_text(encoding="utf-8"))
    try:
        return defaultdict(list, TypeAdapter(dict[str, list[str]]).validate_python(config, strict=True))
    except ValidationError as exc:
        raise ValueError(f"{config_path}: holds no JSON object with lists of fields by path.") from exc


def strip_kwargs(**kwargs: Any) -> dict[str, Any]:
    """Drop keywords that are `None`: sgqlc writes them as `null`, which is not the same to GitHub as leaving them out.

    Args:
        kwargs: The keywords.

    Returns:
        Those that are not `None`, in their order.
    """
    return {name: value for name, value in kwargs.items() if value is not None}
