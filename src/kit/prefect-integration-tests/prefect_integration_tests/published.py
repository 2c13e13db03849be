"""What releases of a package have published: names and parameters, in a file that only grows.

A module's name stands at the beginning of a line, what it offers is indented below it: a name, or what can be called
with the parameters that it takes by name.

```text
prefect_acme.storage
  AcmeBucket(bucket_name, bucket_folder)
  AcmeBucket.read_path(path)
  DEFAULT_PORT
```
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Names = dict[str, dict[str, list[str] | None]]

_LINE = re.compile(r"(?P<name>[\w.]+)(?:\((?P<parameters>[\w, ]*)\))?")


def parse(text: str) -> Names:
    """Read such a file.

    Args:
        text: Its content.

    Returns:
        For each module its names, those that can be called with their parameters.

    Raises:
        ValueError: If a line is of another form; the message gives its number.
    """
    found: Names = {}
    names: dict[str, list[str] | None] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not line.startswith(" "):
            names = found.setdefault(line.strip(), {})
        elif match is None or names is None:
            raise ValueError(f"Line {number} is no name with or without parameters below a module: {line!r}")
        else:
            parameters = match["parameters"]
            names[match["name"]] = None if parameters is None else [p for p in parameters.split(", ") if p]
    return found


def resolve(module: Any, name: str) -> Any:
    """Get what a module offers under a name such as `AcmeBucket.read_path`.

    Raises:
        AttributeError: If there is no such thing. A field of a model without a default is one.
    """
    found = module
    for part in name.split("."):
        found = found.model_fields[part] if part in getattr(found, "model_fields", ()) else getattr(found, part)
    return found


def refused(member: Any, parameters: list[str]) -> Iterator[str]:
    """Yield the parameters that something does not take by name.

    Args:
        member: A function, task, flow, method or class.
        parameters: Their names.
    """
    if not parameters:
        return
    known, takes_any = _known(member)
    if not takes_any:
        yield from (name for name in parameters if name not in known)


def _known(member: Any) -> tuple[set[str], bool]:
    fields: dict[str, Any] | None = getattr(member, "model_fields", None)
    known = set(fields or ()) | {str(field.alias) for field in (fields or {}).values() if field.alias}
    if inspect.isclass(member):
        known |= set(getattr(member, "__annotations__", ())) if fields is None else set()
    try:
        signature = inspect.signature(getattr(member, "fn", member))
    except (TypeError, ValueError):  # made by C
        return known, fields is None and not known
    kinds = inspect.Parameter
    named = {kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY}
    known |= {name for name, each in signature.parameters.items() if each.kind in named}
    # A model that keeps what it does not know does not use it.
    is_open = fields is None and any(each.kind is kinds.VAR_KEYWORD for each in signature.parameters.values())
    return known, is_open
