"""Google's published descriptions of its REST APIs, as googleapiclient carries them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

_VARIABLE = re.compile(r"\{(\+?)(\w+)\}")


@dataclass(frozen=True)
class Method:
    """One method of one API."""

    id: str
    """`run.projects.locations.jobs.create`."""

    http_method: str
    path: str
    """`v2/{+parent}/jobs`."""

    parameters: Json
    """By name, as the document describes them."""

    request_schema: str
    """Name of the body's schema; empty when it takes no body."""

    response_schema: str
    document: Document

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its paths look like, without the first slash. Each variable is a group."""
        text, end = "", 0
        for found in _VARIABLE.finditer(self.path):
            variable = found[2]
            wanted = self.parameters[variable].get("pattern", "^.+$" if found[1] else "^[^/]+$")
            wanted = wanted.removeprefix("^").removesuffix("$").replace("(", "(?:").replace("(?:?:", "(?:")
            text += re.escape(self.path[end : found.start()]) + f"(?P<{variable}>{wanted})"
            end = found.end()
        return re.compile(text + re.escape(self.path[end:]))

    @property
    def specificity(self) -> tuple[int, int]:
        """Paths with more literal text, such as `:run`, are looked at first."""
        literal = _VARIABLE.sub("", self.path)
        return len(literal), -len(self.pattern.pattern)

    def match(self, http_method: str, path: str) -> dict[str, str] | None:
        """Give the variables of a path (unquoted), `None` if it is not this method's."""
        if http_method != self.http_method:
            return None
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values = found.groupdict()
        verb = self.path.rpartition("}")[2]
        if ":" not in verb and any(":" in value.rpartition("/")[2] for value in values.values()):
            return None  # a custom verb that this API has not
        return {name: unquote(value) for name, value in values.items()}


class Document:
    """A discovery document."""

    def __init__(self, data: Json) -> None:
        """Read the document.

        Args:
            data: The document, as JSON.
        """
        self.data = data
        self.schemas: Json = data["schemas"]
        self.methods = {method.id: method for method in self._walk(data)}
        self._by_path = sorted(self.methods.values(), key=lambda method: method.specificity, reverse=True)

    @property
    def api(self) -> str:
        """`run`."""
        return self.data["name"]

    @property
    def version(self) -> str:
        """`v2`."""
        return self.data["version"]

    @property
    def common_parameters(self) -> Json:
        """Query parameters of every method."""
        return self.data["parameters"]

    def find(self, http_method: str, path: str) -> list[tuple[Method, dict[str, str]]]:
        """Give the methods of a path, the most specific first, with the path's variables.

        Args:
            http_method: `GET` and so on.
            path: Without the first slash and the query, quoted.
        """
        found = ((method, method.match(http_method, path)) for method in self._by_path)
        return [(method, variables) for method, variables in found if variables is not None]

    def _walk(self, resource: Json) -> list[Method]:
        methods = [
            Method(
                id=data["id"],
                http_method=data["httpMethod"],
                path=self.data["servicePath"] + data["path"],
                parameters=data.get("parameters", {}),
                request_schema=data.get("request", {}).get("$ref", ""),
                response_schema=data.get("response", {}).get("$ref", ""),
                document=self,
            )
            for data in resource.get("methods", {}).values()
        ]
        for child in resource.get("resources", {}).values():
            methods += self._walk(child)
        return methods


@cache
def document(api: str, version: str) -> Document:
    """Read the document of an API, such as `run` and `v2`."""
    folder = files("googleapiclient") / "discovery_cache" / "documents"
    return Document(json.loads((folder / f"{api}.{version}.json").read_text(encoding="utf-8")))
