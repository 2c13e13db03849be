"""Which nodes of one run need not be built again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ._cache import BuildRecords, CacheOptions, Fingerprints
from ._freshness import time_to_stale
from ._manifest import DbtNode

if TYPE_CHECKING:
    from ._build import Build

__all__ = ["Reuse"]


class Reuse:
    """The records of earlier builds, as one run sees them."""

    def __init__(self, build: Build) -> None:
        """Know of no record yet.

        Args:
            build: The run.
        """
        self.records: BuildRecords | None = None
        self.versions: dict[str, str | None] = {}
        """What each node holds now, as far as this run found out."""
        self._build = build
        self._fingerprints: Fingerprints | None = None
        self._database: str | None = ""

    async def open(self) -> None:
        """Open the records, if nodes are to be reused."""
        build = self._build
        cache, options = build.orchestrator.cache, build.options
        if cache is None:
            return
        identify = getattr(build.executor, "identify_database", None)
        if callable(identify):
            self._database = cast("str | None", await build.in_thread(partial(identify, options.target)))
        if self._database is None:
            build.logger.warning("The database lives in memory, so nothing of an earlier run can be reused.")
            return
        self.records = await BuildRecords.open(cache)
        has_project = (build.project_dir / "dbt_project.yml").is_file()
        self._fingerprints = Fingerprints(
            build.manifest,
            build.project_dir if has_project else None,
            (options.target or "", *options.extra_cli_args),
        )

    async def version_of(self, unique_id: str) -> str | None:
        """Name what a node or source holds now; `None` if it is not known."""
        if unique_id.startswith("source."):
            source = self._build.freshness.get(unique_id)
            loaded = None if source is None else source.max_loaded_at
            node = self._build.manifest.nodes.get(unique_id)
            relation = None if node is None else node.relation_name
            return None if loaded is None else f"{relation} {loaded.isoformat()}"
        if self._build.defers and unique_id not in self._build.chosen:
            return None  # it may be read from another environment, whose builds are not known
        if unique_id not in self.versions:
            node = self._build.manifest.nodes.get(unique_id)
            record = None if node is None or self.records is None else await self.records.read(self.record_key(node))
            known = record is not None and record["fingerprint"] is not None
            self.versions[unique_id] = record["version"] if known else None  # pyright: ignore[reportOptionalSubscript]
        return self.versions[unique_id]

    def record_key(self, node: DbtNode) -> str:
        """Name the record of a node."""
        return BuildRecords.key(node, self._build.options.target or "", self._database or "")

    async def fingerprint_of(self, node: DbtNode) -> str | None:
        """Hash what a node would be built of now; `None` if it must be built."""
        if self._fingerprints is None or not self.may_reuse(node):
            return None
        upstream = {name: await self.version_of(name) for name in self._build.manifest.upstream(node.unique_id)}
        return self._fingerprints.of(node, upstream)

    def may_reuse(self, node: DbtNode) -> bool:
        """Say whether a node has a record at all."""
        cache = self._build.orchestrator.cache
        return cache is not None and self.records is not None and cache.allows(node)

    def expiration_of(self, node: DbtNode) -> Any:
        """How long a build of a node may be reused."""
        cache = self._build.orchestrator.cache or CacheOptions()
        limits = [cache.expiration]
        if cache.expire_with_sources:
            limits.append(time_to_stale(self._build.freshness, self._build.depends_on, node.unique_id))
        return min((limit for limit in limits if limit is not None), default=None)
