"""What dbt's manifest says of a project's nodes, in small.

A manifest holds a project, its packages and 500 macros of dbt's own: some 6 kB a node, and far more as Python objects.
`Manifest.read` walks it entry by entry and keeps a `DbtNode` of each node. Reading is total: a node of an unknown type
or with a field of an unexpected shape is kept without that field, so that a new release of dbt cannot break a run. The
shapes are those of schema versions 11 and 12, which dbt 1.7 to 1.12 write; see https://schemas.getdbt.com.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from ..errors import DbtManifestError
from ._json_entries import iter_json_entries

# Sections whose entries are nodes of the graph.
NODE_SECTIONS = (
    "nodes",
    "sources",
    "unit_tests",
    "functions",
    "exposures",
    "metrics",
    "semantic_models",
    "saved_queries",
)

EXECUTABLE_TYPES = frozenset({"model", "seed", "snapshot", "test", "unit_test", "function"})
TEST_TYPES = frozenset({"test", "unit_test"})

# Characters with a meaning in a selector: they separate selectors, or are operators or wildcards.
_SPECIAL_IN_SELECTOR = re.compile(r"[\s,+@*?\[\]]")
_SPECIAL_IN_PART = re.compile(r"[\s,+@*?\[\].]")


@dataclass(frozen=True)
class DbtNode:
    """One node of dbt's graph: a model, seed, snapshot, test, source, exposure...

    Attributes:
        unique_id: dbt's identifier, such as `model.shop.customers`.
        name: The node's name; it need not be unique.
        resource_type: `model`, `seed`, `snapshot`, `test`, `unit_test`, `source`, `exposure`, ...
        depends_on: Unique ids of the nodes that this one reads, ephemeral ones among them.
        depends_on_macros: Unique ids of the macros that this one calls.
        fqn: The parts of the fully qualified name, beginning with the package.
        package_name: The project or package that holds it.
        materialization: `table`, `view`, `incremental`, `ephemeral`, `seed`, `snapshot`, `test`, ...
        relation_name: Quoted name of the table or view in the database; `None` where there is none.
        database: Database, catalog or project of the relation.
        schema_name: Schema or dataset of the relation.
        alias: Name of the relation in its schema.
        original_file_path: Source file, relative to its package.
        path: Source file, relative to the folder of its type.
        config: The node's configuration without the entries that are empty.
        meta: Metadata that users gave, under `meta` or `config.meta`.
        description: The documentation, rendered.
        tags: Tags.
        checksum: Hash of the source code; `None` where dbt gives none, as for a seed of more than 1 MiB.
        enabled: False for what `enabled: false` turns off.
        source_name: For a source, the name of the group of tables.
        attached_node: For a generic test, the node that is tested.
        column_name: For a generic test of a column, the column.
        test_name: For a generic test, its kind, such as `not_null`.
        version: Version of a versioned model.
    """

    unique_id: str
    name: str
    resource_type: str
    depends_on: tuple[str, ...] = ()
    depends_on_macros: tuple[str, ...] = ()
    fqn: tuple[str, ...] = ()
    package_name: str = ""
    materialization: str | None = None
    relation_name: str | None = None
    database: str | None = None
    schema_name: str | None = None
    alias: str | None = None
    original_file_path: str | None = None
    path: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    description: str = ""
    tags: tuple[str, ...] = ()
    checksum: str | None = None
    enabled: bool = True
    source_name: str | None = None
    attached_node: str | None = None
    column_name: str | None = None
    test_name: str | None = None
    version: str | None = None

    @property
    def is_ephemeral(self) -> bool:
        """Whether the node is only inlined into those that read it, and is never run."""
        return self.resource_type == "model" and self.materialization == "ephemeral"

    @property
    def is_executable(self) -> bool:
        """Whether `dbt build` runs the node: not a source, an exposure, or an ephemeral or disabled model."""
        return self.resource_type in EXECUTABLE_TYPES and self.enabled and not self.is_ephemeral

    @property
    def is_test(self) -> bool:
        """Whether the node is a data test or a unit test."""
        return self.resource_type in TEST_TYPES

    @property
    def dbt_selector(self) -> str:
        """A value for dbt's `--select` that matches this node and no other.

        A name alone would also match a folder of that name, and a model's name its unit tests; characters that are
        operators in selectors are matched by `?`.
        """
        if self.resource_type == "source":
            parts = [self.package_name, self.source_name or "*", self.name]
            return "source:" + ".".join(_SPECIAL_IN_PART.sub("?", part) for part in parts)
        if self.resource_type == "exposure":
            parts = [self.package_name, self.name]
            return "exposure:" + ".".join(_SPECIAL_IN_PART.sub("?", part) for part in parts)
        name = ".".join(self.fqn) or self.name
        selector = f"fqn:{_SPECIAL_IN_SELECTOR.sub('?', name)},resource_type:{self.resource_type}"
        if self.original_file_path and not self.is_test:
            file_name = self.original_file_path.replace("\\", "/").rsplit("/", 1)[-1]
            selector += f",file:{_SPECIAL_IN_SELECTOR.sub('?', file_name)}"
        return selector

    @property
    def tested_nodes(self) -> tuple[str, ...]:
        """Unique ids of what a test tests: the node that it is attached to, else all that it reads."""
        if not self.is_test:
            return ()
        return (self.attached_node,) if self.attached_node else self.depends_on


def node_from_manifest(unique_id: str, data: Any) -> DbtNode | None:
    """Make a node of what a manifest holds under its unique id.

    Args:
        unique_id: The key of the entry.
        data: The entry, from a manifest or of the same shape.

    Returns:
        The node; `None` if the entry is no object at all.
    """
    if not isinstance(data, dict):
        return None
    raw = cast("dict[str, Any]", data)
    config, depends_on = _mapping(raw.get("config")), _mapping(raw.get("depends_on"))
    resource_type = _text(raw.get("resource_type")) or unique_id.partition(".")[0]
    return DbtNode(
        unique_id=unique_id,
        name=_text(raw.get("name")) or unique_id.rpartition(".")[2],
        resource_type=sys.intern(resource_type),
        depends_on=_texts(depends_on.get("nodes")),
        depends_on_macros=_texts(depends_on.get("macros")),
        fqn=_texts(raw.get("fqn")),
        package_name=sys.intern(_text(raw.get("package_name")) or ""),
        materialization=_interned(config.get("materialized")),
        relation_name=_text(raw.get("relation_name")),
        database=_interned(raw.get("database")),
        schema_name=_interned(raw.get("schema")),
        alias=_text(raw.get("alias")) or _text(raw.get("identifier")),
        original_file_path=_text(raw.get("original_file_path")),
        path=_text(raw.get("path")),
        config={sys.intern(key): value for key, value in config.items() if value not in _EMPTY},
        meta=_mapping(config.get("meta")) or _mapping(raw.get("meta")),
        description=_text(raw.get("description")) or "",
        tags=_texts(raw.get("tags")),
        checksum=_checksum(raw),
        enabled=config.get("enabled") is not False,
        source_name=_text(raw.get("source_name")),
        attached_node=_text(raw.get("attached_node")),
        column_name=_text(raw.get("column_name")),
        test_name=_text(_mapping(raw.get("test_metadata")).get("name")),
        version=_version(raw.get("version")),
    )


@dataclass(frozen=True)
class Manifest:
    """The nodes of a project and how they hang together.

    Attributes:
        nodes: All nodes by unique id: also sources, tests, exposures and what is ephemeral.
        dbt_version: The version of dbt that wrote the manifest; empty if it does not say.
        schema_version: The version of the manifest's schema, such as 12; `None` if it does not say.
        adapter_type: The kind of database, such as `duckdb`; `None` if it does not say.
        project_name: The name of the project; `None` if it does not say.
        macros: Hash of each macro's code and the macros that it calls, by unique id; empty unless asked for.
    """

    nodes: Mapping[str, DbtNode]
    dbt_version: str = ""
    schema_version: int | None = None
    adapter_type: str | None = None
    project_name: str | None = None
    macros: Mapping[str, tuple[str, tuple[str, ...]]] = field(
        default_factory=dict[str, "tuple[str, tuple[str, ...]]"], repr=False
    )

    @classmethod
    def read(cls, path: Path, *, with_macros: bool = False) -> Manifest:
        """Read a `manifest.json`.

        Args:
            path: The file.
            with_macros: Whether to keep the hashes of macros too.

        Raises:
            DbtManifestError: If the file is missing, no JSON, or no manifest.
        """
        try:
            return cls._of_entries(iter_json_entries(path), str(path), with_macros=with_macros)
        except FileNotFoundError as exc:
            raise DbtManifestError(
                f"There is no manifest at {path}. Run `dbt parse`, or any dbt command that writes artifacts, first."
            ) from exc
        except (OSError, ValueError, RecursionError) as exc:
            if isinstance(exc, DbtManifestError):
                raise
            raise DbtManifestError(
                f"The manifest at {path} cannot be read: {exc}. Write it anew with `dbt parse`."
            ) from exc

    @classmethod
    def from_data(cls, data: Mapping[str, Any], *, with_macros: bool = False) -> Manifest:
        """Take a manifest that is in memory already.

        Args:
            data: The content of a `manifest.json`.
            with_macros: Whether to keep the hashes of macros too.

        Raises:
            DbtManifestError: If it is no manifest.
        """
        return cls._of_entries(_entries(data), "in memory", with_macros=with_macros)

    @classmethod
    def _of_entries(cls, entries: Iterable[tuple[str, str, Any]], where: str, *, with_macros: bool) -> Manifest:
        nodes: dict[str, DbtNode] = {}
        macros: dict[str, tuple[str, tuple[str, ...]]] = {}
        metadata: dict[str, Any] = {}
        sections: set[str] = set()
        for section, key, value in entries:
            sections.add(section)
            if section == "metadata":
                metadata[key] = value
            elif section in NODE_SECTIONS and key:
                node = node_from_manifest(key, value)
                if node is not None:
                    nodes[key] = node
            elif with_macros and section == "macros":
                macro = _mapping(value)
                code = _text(macro.get("macro_sql")) or ""
                macros[key] = (_sha256(code), _texts(_mapping(macro.get("depends_on")).get("macros")))
        if not sections & {"metadata", *NODE_SECTIONS}:
            raise DbtManifestError(f"The manifest {where} is none: it has neither 'metadata' nor 'nodes'.")
        return cls(
            nodes=nodes,
            dbt_version=_text(metadata.get("dbt_version")) or "",
            schema_version=schema_version_of(metadata.get("dbt_schema_version")),
            adapter_type=_text(metadata.get("adapter_type")),
            project_name=_text(metadata.get("project_name")),
            macros=macros,
        )

    @cached_property
    def executable_nodes(self) -> Mapping[str, DbtNode]:
        """The nodes that `dbt build` runs, by unique id."""
        return {unique_id: node for unique_id, node in self.nodes.items() if node.is_executable}

    def upstream(self, unique_id: str) -> tuple[str, ...]:
        """Name the nodes that a node reads, seeing through ephemeral ones.

        Args:
            unique_id: The node; one that the manifest does not know reads nothing.

        Returns:
            Unique ids in the order of `depends_on`, each once; also sources, and ids that the manifest does not know.
        """
        node = self.nodes.get(unique_id)
        return tuple(through_ephemeral(node.depends_on, self.nodes)) if node else ()

    @cached_property
    def tests_by_node(self) -> Mapping[str, tuple[str, ...]]:
        """The tests that read each node, by the node's unique id."""
        tests: dict[str, list[str]] = {}
        for node in self.nodes.values():
            if node.is_test:
                for tested in self.upstream(node.unique_id):
                    tests.setdefault(tested, []).append(node.unique_id)
        return {unique_id: tuple(ids) for unique_id, ids in tests.items()}


def through_ephemeral(unique_ids: Iterable[str], nodes: Mapping[str, DbtNode]) -> Iterator[str]:
    """Replace ephemeral nodes by what they read, as deep as it goes; each id comes once.

    Args:
        unique_ids: Where to start.
        nodes: What is known, by unique id. An id that is not known stands for itself.
    """
    seen: set[str] = set()
    waiting = list(unique_ids)[::-1]
    while waiting:
        unique_id = waiting.pop()
        if unique_id in seen:
            continue
        seen.add(unique_id)
        node = nodes.get(unique_id)
        if node is not None and node.is_ephemeral:
            waiting.extend(reversed(node.depends_on))
        else:
            yield unique_id


def schema_version_of(url: Any) -> int | None:
    """Take the number out of a schema's address, such as `https://schemas.getdbt.com/dbt/manifest/v12.json`."""
    found = re.search(r"/v(\d+)\.json$", url) if isinstance(url, str) else None
    return int(found[1]) if found else None


_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for section, entries in data.items():
        if isinstance(entries, Mapping):
            for key, value in cast("Mapping[Any, Any]", entries).items():
                yield section, str(key), value
        else:
            yield section, "", entries


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _interned(value: Any) -> str | None:
    text = _text(value)
    return sys.intern(text) if text else None


def _version(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "" else None


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in cast("Iterable[Any]", value) if isinstance(item, str) and item)


def _mapping(value: Any) -> dict[str, Any]:
    """Keep what is an object, and its keys that are text."""
    if not isinstance(value, Mapping):
        return {}
    entries = cast("Mapping[Any, Any]", value)
    return {key: item for key, item in entries.items() if isinstance(key, str)}


def _checksum(raw: Mapping[str, Any]) -> str | None:
    """Hash of the source code: dbt's own, else made of the code. `path` and `none` say that dbt did not look at it."""
    given = raw.get("checksum")
    checksum = _mapping(given)
    if checksum.get("name") not in ("path", "none") and (text := _text(checksum.get("checksum")) or _text(given)):
        return text
    code = _text(raw.get("raw_code"))
    return _sha256(code) if code else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
