"""When a node need not be built again: what it was built of is known, and is still the same.

One record stands in the result storage for each relation. It holds the fingerprint of the node that was built last
(code, macros, configuration, variables), the versions of everything that it read, and the version of what came of it.
A node is reused only if the record's fingerprint is that of now; before a node is built its record is withdrawn. So a
change that is taken back, a build that failed half way, or a parent that was built anew all lead to a new build, which
keys made of the content alone would miss.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast
from uuid import uuid4

from ._manifest import DbtNode, Manifest

if TYPE_CHECKING:
    from prefect.filesystems import WritableFileSystem
    from prefect.results import ResultStore

__all__ = ["BuildRecord", "BuildRecords", "CacheOptions", "Fingerprints"]

_ENV_VAR = re.compile(rb"""env_var\(\s*['"]([^'"]+)['"]""")
_SOURCE_SUFFIXES = frozenset({".sql", ".yml", ".yaml", ".py"})
_GENERATED_FOLDERS = frozenset({"target", "logs", ".git", ".venv", "node_modules"})


@dataclass(frozen=True)
class CacheOptions:
    """Which nodes are reused when nothing that they are made of has changed, and for how long.

    A node is built again when its code, a macro that it calls, its configuration, the project's variables, the values
    of environment variables that the project reads, dbt's version or its relation have changed; when anything that it
    reads was built again; and when a source that it reads, however far up, has new data. Whether a source has new data
    is known only of those with a `freshness` and a `loaded_at_field` (or metadata of the database): what reads other
    sources is always built. The database itself is not asked: a table that something else dropped or changed is not
    noticed. Build with `full_refresh=True` then.

    Attributes:
        storage: Where the records are kept: a file system block, its name as in `s3-bucket/dbt`, or a folder. Prefect's
            default result storage when `None`. Runs on several machines need one that all of them reach.
        expiration: How long a build may be reused; for ever when `None`.
        expire_with_sources: Whether a build may be reused only as long as the sources that it reads stay within their
            `warn_after` (else `error_after`).
        exclude_materializations: Materializations that are always built. An incremental model adds to what is there,
            so building it again is not the same as leaving it.
        exclude_resource_types: Types that are always run. Tests and snapshots look at data rather than at code.
    """

    storage: WritableFileSystem | str | Path | None = None
    expiration: timedelta | None = None
    expire_with_sources: bool = False
    exclude_materializations: Collection[str] = frozenset({"incremental"})
    exclude_resource_types: Collection[str] = frozenset({"test", "unit_test", "snapshot"})

    def __post_init__(self) -> None:
        if self.expiration is not None and self.expiration <= timedelta():
            raise ValueError(f"expiration of the cache is {self.expiration}; it must be longer than nothing.")

    def allows(self, node: DbtNode) -> bool:
        """Say whether a node may be reused at all.

        Args:
            node: The node.
        """
        return (
            node.is_executable
            and node.resource_type not in self.exclude_resource_types
            and (node.materialization or "") not in self.exclude_materializations
            and not _has_contract(node)
        )


class BuildRecord(TypedDict):
    """What is known of the last build of a relation."""

    fingerprint: str | None
    """Hash of everything that the build was made of; `None` while a build is under way or after one that failed."""
    version: str
    """Names this build; what reads the relation remembers it."""
    artifact: dict[str, Any]
    """dbt's entry of `run_results.json`."""


@dataclass
class Fingerprints:
    """Hashes of what nodes are made of.

    Attributes:
        manifest: The project, read with its macros.
        project_dir: Where its files are; without it, large seeds and environment variables cannot be looked at, and
            large seeds are not reused.
        context: What holds for all nodes of the run: target, arguments.
    """

    manifest: Manifest
    project_dir: Path | None = None
    context: Sequence[str] = ()
    _macros: dict[str, str] = field(default_factory=dict[str, str], init=False, repr=False)

    def of(self, node: DbtNode, upstream: Mapping[str, str | None]) -> str | None:
        """Hash what a node would be built of now.

        Args:
            node: The node.
            upstream: For each node and source that it reads, the version of what is there.

        Returns:
            The hash; `None` if something is not known, so that the node must be built.
        """
        checksum = self._checksum(node)
        if checksum is None or any(version is None for version in upstream.values()):
            return None
        macros = sorted(set(node.depends_on_macros) | set(self._materializations(node)))
        return _hash(
            [
                "1",  # the shape of this list
                self._project,
                node.unique_id,
                checksum,
                node.relation_name or "",
                json.dumps(dict(node.config), sort_keys=True, default=str),
                node.description if node.config.get("persist_docs") else "",
                *(self._macro(macro) for macro in macros),
                *(self._inlined(parent) for parent in sorted(self._ephemeral(node))),
                *(f"{name}={version}" for name, version in sorted(upstream.items())),
            ]
        )

    @cached_property
    def _project(self) -> str:
        manifest = self.manifest
        parts = [manifest.dbt_version, *_adapter(manifest), *self.context]
        if self.project_dir is not None:
            parts += [_variables(self.project_dir), *_environment(self.project_dir)]
        return _hash(parts)

    def _checksum(self, node: DbtNode) -> str | None:
        if node.checksum is not None or node.resource_type != "seed":
            return node.checksum or ""
        # dbt hashes the path alone of a seed of more than 1 MiB, so a change of its content would not be seen.
        if self.project_dir is None or not node.original_file_path:
            return None
        for folder in (self.project_dir, self.project_dir / "dbt_packages" / node.package_name):
            path = folder / node.original_file_path
            if path.is_file():
                return _hash_file(path)
        return None

    def _macro(self, name: str) -> str:
        """Hash a macro with all that it calls."""
        known = self._macros.get(name)
        if known is None:
            seen: set[str] = set()
            waiting = [name]
            while waiting:
                macro = waiting.pop()
                if macro not in seen:
                    seen.add(macro)
                    waiting.extend(self.manifest.macros.get(macro, ("", ()))[1])
            known = _hash(f"{macro}:{self.manifest.macros.get(macro, ('', ()))[0]}" for macro in sorted(seen))
            self._macros[name] = known
        return known

    @cached_property
    def _own_materializations(self) -> dict[str, list[str]]:
        """Materializations that the project or its packages define, by the name of the materialization."""
        own: dict[str, list[str]] = {}
        for macro in self.manifest.macros:
            package, _, name = macro.removeprefix("macro.").partition(".")
            if name.startswith("materialization_") and package != "dbt" and not package.startswith("dbt_"):
                own.setdefault(name.removeprefix("materialization_").rpartition("_")[0], []).append(macro)
        return own

    def _materializations(self, node: DbtNode) -> list[str]:
        return self._own_materializations.get(node.materialization or "", [])

    def _ephemeral(self, node: DbtNode) -> set[str]:
        found: set[str] = set()
        waiting = list(node.depends_on)
        while waiting:
            parent = self.manifest.nodes.get(waiting.pop())
            if parent is not None and parent.is_ephemeral and parent.unique_id not in found:
                found.add(parent.unique_id)
                waiting.extend(parent.depends_on)
        return found

    def _inlined(self, unique_id: str) -> str:
        node = self.manifest.nodes[unique_id]
        config = json.dumps(dict(node.config), sort_keys=True, default=str)
        return _hash([unique_id, node.checksum or "", config, *map(self._macro, sorted(node.depends_on_macros))])


class BuildRecords:
    """The records in a result storage."""

    def __init__(self, store: ResultStore) -> None:
        """Use a store, which must not remember what it read: another run may have written since."""
        self._store = store

    @classmethod
    async def open(cls, options: CacheOptions) -> BuildRecords:
        """Open the storage of the options.

        Raises:
            ValueError: If no block has the name that `storage` says.
        """
        from prefect.results import ResultStore, aget_default_result_storage, aresolve_result_storage
        from prefect.serializers import JSONSerializer

        try:
            storage = (
                await aget_default_result_storage()
                if options.storage is None
                else await aresolve_result_storage(cast("Any", options.storage))
            )
        except (ValueError, TypeError) as exc:
            raise ValueError(
                f"The storage of the cache, {options.storage!r}, cannot be used: {exc} Give a file system block, the "
                "name of a saved one as in 's3-bucket/dbt', or a pathlib.Path."
            ) from exc
        return cls(ResultStore(result_storage=storage, cache_result_in_memory=False, serializer=JSONSerializer()))

    @property
    def storage(self) -> WritableFileSystem:
        """The storage, for the tasks that write the records."""
        return cast("WritableFileSystem", self._store.result_storage)

    @staticmethod
    def key(node: DbtNode, target: str, database: str = "") -> str:
        """Name the record of a node's relation.

        Args:
            node: The node.
            target: The target.
            database: What tells its database from others with relations of the same names.
        """
        return f"dbt-{_hash([node.unique_id, node.relation_name or '', target, database])}"

    async def read(self, key: str) -> BuildRecord | None:
        """Read a record; `None` if there is none, or it has expired or cannot be read."""
        try:
            if not await self._store.aexists(key):
                return None
            record: Any = (await self._store.aread(key)).result
        except Exception:  # noqa: BLE001 - whatever is wrong with a record, building the node is right
            return None
        return cast("BuildRecord", record) if isinstance(record, dict) and "version" in record else None

    async def write(self, key: str, record: BuildRecord, expiration: timedelta | None) -> None:
        """Write a record, to be reused for as long as `expiration` says."""
        from prefect.types._datetime import now

        until: Any = None if expiration is None else now("UTC") + expiration
        await self._store.awrite(record, key=key, expiration=until)

    async def withdraw(self, key: str) -> None:
        """Say that what the relation holds is not known."""
        await self._store.awrite(BuildRecord(fingerprint=None, version=new_version(), artifact={}), key=key)


def new_version() -> str:
    """Name a build."""
    return uuid4().hex


def _has_contract(node: DbtNode) -> bool:
    """Whether columns decide over the table; the manifest's reader does not keep them."""
    contract = node.config.get("contract")
    return isinstance(contract, Mapping) and bool(cast("Mapping[str, Any]", contract).get("enforced"))


def _adapter(manifest: Manifest) -> list[str]:
    """The adapter and its version, which its materializations come with."""
    adapter = manifest.adapter_type or ""
    try:
        return [adapter, version(f"dbt-{adapter}") if adapter else ""]
    except PackageNotFoundError:
        return [adapter, ""]


def _variables(project_dir: Path) -> str:
    """The variables of the project and its packages, and how they dispatch macros."""
    import yaml

    keys = ("vars", "dispatch", "flags", "quoting")
    found: dict[str, Any] = {}
    packages = sorted(project_dir.glob("dbt_packages/*/dbt_project.yml"))
    for path in (project_dir / "dbt_project.yml", *packages):
        with contextlib.suppress(OSError, yaml.YAMLError):
            content: Any = yaml.safe_load(path.read_bytes())
            if isinstance(content, dict):
                entries = cast("dict[str, Any]", content)
                found[str(path.relative_to(project_dir))] = {key: entries.get(key) for key in keys}
    return json.dumps(found, sort_keys=True, default=str)


def _environment(project_dir: Path) -> list[str]:
    """Name and hash of each environment variable that the project's files read."""
    names: set[str] = set()
    for folder, folders, files in os.walk(project_dir):
        folders[:] = [name for name in folders if name not in _GENERATED_FOLDERS]
        for file in files:
            path = Path(folder, file)
            if path.suffix in _SOURCE_SUFFIXES and file != "profiles.yml":
                try:
                    names.update(match.decode(errors="replace") for match in _ENV_VAR.findall(path.read_bytes()))
                except OSError:
                    continue
    return [f"{name}={_hash([os.environ.get(name, '')])}" for name in sorted(names)]


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
