"""What a gRPC service of Google's refuses before it looks any closer: missing fields, names of the wrong form.

proto-plus classes carry no options, so field behaviour and name patterns are read where the SDK states them: in the
documentation of each field ("Required.", "Format: ``projects/{project}/…``"). Plain protobuf classes have them as
options (https://google.aip.dev/203, https://google.aip.dev/122).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

_FIELD = re.compile(r"^    (\w+) \(.*\):$")
_PATTERN = re.compile(r"``((?:projects|organizations|folders)/[^`\s]*[*{][^`\s]*)``")
_NAMES = frozenset({"name", "parent"})
_DEPTH = 12

# Types of fields as descriptors number them: string, bytes and enum are empty when they are absent.
_MESSAGE = 11
_SIZED = (9, 12, 14)


@dataclass(frozen=True)
class _Rules:
    required: frozenset[str]
    patterns: dict[str, tuple[re.Pattern[str], ...]]


def problem_with(request: Any) -> str | None:
    """Say what is wrong with a request, as Vertex AI words it, or `None`.

    Args:
        request: A message, of proto-plus or plain protobuf.
    """
    return _missing(request, "", _DEPTH) or _misnamed(request)


def _misnamed(request: Any) -> str | None:
    for field, patterns in _rules(_class_of(request)).patterns.items():
        value = getattr(request, field, "")
        if value and not any(pattern.fullmatch(value) for pattern in patterns):
            return f"Invalid resource field value in the request: {field} is {value!r}."
    return None


def _missing(message: Any, path: str, depth: int) -> str | None:
    cls = _class_of(message)
    plain: Any = cls.pb(message) if hasattr(cls, "pb") else message
    required = _rules(cls).required
    for field in plain.DESCRIPTOR.fields:
        name = f"{path}{field.name}"
        is_repeated = _is_repeated(field)
        value = getattr(plain, field.name)
        is_one_message = field.type == _MESSAGE and not is_repeated
        is_absent = not plain.HasField(field.name) if is_one_message else _is_empty(field, value)
        if is_absent:
            if field.name in required:
                return f"List of found errors:\t1.Field: {name}; Message: Required field is not set.\t"
        elif field.type == _MESSAGE and depth and not field.message_type.GetOptions().map_entry:
            # The wrapped form, whose classes are documented.
            wrapped = getattr(message, field.name)
            items = [(f"{name}.", wrapped)]
            if is_repeated:
                items = [(f"{name}[{index}].", item) for index, item in enumerate(wrapped)]
            for inner, item in items:
                if _is_message(item) and (found := _missing(item, inner, depth - 1)):
                    return found
    return None


def _class_of(value: Any) -> Any:
    return value.__class__


def _is_message(value: Any) -> bool:
    """Say whether it is a message; proto-plus turns some of them into values of Python, such as a datetime."""
    return hasattr(_class_of(value), "pb") or hasattr(value, "DESCRIPTOR")


def _is_repeated(field: Any) -> bool:
    known = getattr(field, "is_repeated", None)  # `label`, of older releases, is deprecated
    return field.label == field.LABEL_REPEATED if known is None else bool(known)


def _is_empty(field: Any, value: Any) -> bool:
    # 0 and false cannot be told from an absent number.
    is_counted = _is_repeated(field) or field.type in _SIZED
    return not value if is_counted else False


@cache
def _rules(cls: type[Any]) -> _Rules:
    return _documented_rules(cls) if hasattr(cls, "pb") else _declared_rules(cls)


def _documented_rules(cls: type[Any]) -> _Rules:
    docs: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (inspect.getdoc(cls) or "").splitlines():
        if match := _FIELD.match(line):
            lines = docs.setdefault(match[1], [])
        elif line and not line.startswith("    "):
            lines = []  # another section
        else:
            lines.append(line.strip())
    text = {field: " ".join(said).strip() for field, said in docs.items()}
    patterns = {field: tuple(map(_as_regex, _PATTERN.findall(said))) for field, said in text.items() if field in _NAMES}
    # A resource's own name is Google's to give, so what its documentation says of it is no rule for requests.
    return _Rules(
        frozenset(field for field, said in text.items() if said.startswith("Required.")),
        {field: found for field, found in patterns.items() if found and cls.__name__.endswith("Request")},
    )


def _declared_rules(cls: type[Any]) -> _Rules:
    from google.api import field_behavior_pb2  # pyright: ignore[reportMissingTypeStubs]

    behaviour: Any = field_behavior_pb2
    fields: list[Any] = list(cls.DESCRIPTOR.fields)
    required: set[str] = {
        field.name for field in fields if behaviour.REQUIRED in field.GetOptions().Extensions[behaviour.field_behavior]
    }
    return _Rules(frozenset(required), {})


def _as_regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\*|\{[^}]*\}", pattern)
    return re.compile("[^/]+".join(map(re.escape, parts)))
