"""Bodies of requests against Google's own schemas, before anything is sent.

googleapiclient carries the schemas, which it uses for parameters only. Google refuses an unknown field, too, but names
no remedy.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from .errors import GcpInvalidRequest

Json = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (Mapping,),
    "array": (list, tuple),
}
_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
    "array": "a list",
}


@lru_cache(maxsize=8)
def _schemas(api: str, version: str) -> Json:
    from importlib.resources import files

    folder = files("googleapiclient") / "discovery_cache" / "documents"
    return json.loads((folder / f"{api}.{version}.json").read_text(encoding="utf-8"))["schemas"]


def check_body(body: object, schema: str, *, api: str, version: str, subject: str, field: str) -> None:
    """Refuse a body that Google's schema does not allow.

    Args:
        body: The body.
        schema: Name of the schema, such as `Job`.
        api: Google's name of the API.
        version: Of the API.
        subject: What the request is about, for the error.
        field: What the caller calls the body.

    Raises:
        GcpInvalidRequest: Naming the first field that is wrong, what is wrong, and what is allowed. No value is quoted.
    """
    checker = _Checker(_schemas(api, version))
    checker.value({"$ref": schema}, body, field)
    if checker.problems:
        more = f" ({len(checker.problems) - 1} more problems)" if len(checker.problems) > 1 else ""
        raise GcpInvalidRequest(f"{subject}: {checker.problems[0]}{more}. Nothing was sent.", subject=subject)


class _Checker:
    def __init__(self, schemas: Json) -> None:
        self._schemas = schemas
        self.problems: list[str] = []

    def value(self, schema: Json, value: object, path: str) -> None:
        if value is None:
            return
        if reference := schema.get("$ref"):
            schema = {"type": "object", **self._schemas[reference]}
        kind = str(schema.get("type", "any"))
        if kind == "any":
            return
        if kind == "string" and schema.get("format") in ("int64", "uint64") and type(value) is int:
            return
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            self.problems.append(f"{path} is of type {type(value).__name__}; it must be {_WORDS[kind]}")
        elif kind == "array":
            for index, item in enumerate(cast("list[Any]", value)):
                self.value(schema["items"], item, f"{path}[{index}]")
        elif kind == "object":
            self._mapping(schema, cast("Mapping[Any, Any]", value), path)
        elif "enum" in schema and value not in schema["enum"]:
            known = ", ".join(name for name in schema["enum"] if not name.endswith("_UNSPECIFIED"))
            self.problems.append(f"{path} is none of {known}")

    def _mapping(self, schema: Json, value: Mapping[Any, Any], path: str) -> None:
        fields: Json = schema.get("properties", {})
        values = schema.get("additionalProperties")
        for key, item in value.items():
            if key in fields:
                if fields[key].get("readOnly"):
                    self.problems.append(f"{path}.{key} is for Google alone to set; leave it out")
                else:
                    self.value(fields[key], item, f"{path}.{key}")
            elif values is not None:
                self.value(values, item, f"{path}[{key!r}]")
            elif fields:
                near = difflib.get_close_matches(_camel(str(key)), fields, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(fields))}"
                self.problems.append(f"{path} has a field {key!r}, which is unknown{hint}".rstrip("?"))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
