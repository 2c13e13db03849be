"""One run of an orchestrator: select, plan, execute, sum up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import DbtError
from ._assets import AssetRecorder, assets_enabled_in_project, outcome_of, upstream_nodes
from ._builds import BuildResult, NodeBuild, run_results_of, write_run_results
from ._cache import BuildRecords, CacheOptions, Fingerprints
from ._calls import call_in_thread
from ._executor import NodeArtifact
from ._failures import run_failed
from ._freshness import SourceFreshness, read_freshness, stale_upstream, time_to_stale, upstream_sources
from ._hooks import DbtHookContext, Hooks
from ._local import DbtCoreExecutor
from ._logs import RunLogs
from ._manifest import DbtNode, Manifest
from ._node_runs import NodeRuns
from ._scope import RunScope
from ._selection import select_nodes
from ._tracker import NodeTaskTracker
from ._waves import Order, plan

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun

    from ._executor import DbtExecutor
    from .orchestrator import PrefectDbtOrchestrator

T = TypeVar("T")

COMMAND = "build"


@dataclass(frozen=True)
class BuildOptions:
    """What a caller says of one run; see `PrefectDbtOrchestrator.run_build`."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    selector: str | None = None
    full_refresh: bool = False
    only_fresh_sources: bool = False
    target: str | None = None
    extra_cli_args: tuple[str, ...] = ()

    def as_args(self) -> list[str]:
        """Say it as arguments of `dbt build`."""
        args = [COMMAND]
        for option, values in (("--select", self.select), ("--exclude", self.exclude)):
            if values:
                args += [option, *values]
        if self.selector is not None:
            args += ["--selector", self.selector]
        if self.full_refresh:
            args.append("--full-refresh")
        if self.target is not None:
            args += ["--target", self.target]
        return [*args, *self.extra_cli_args]


class Build:
    """One run: what is known of the project, and how far its nodes are."""

    def __init__(
        self, orchestrator: PrefectDbtOrchestrator, executor: DbtExecutor, options: BuildOptions, hooks: Hooks
    ) -> None:
        """Prepare; nothing is started yet."""
        self.orchestrator = orchestrator
        self.executor = executor
        self.options = options
        self.hooks = hooks
        self.scope = RunScope.current()
        self.logger: logging.Logger | logging.LoggerAdapter[Any] = self.scope.logger
        self.tracker = NodeTaskTracker()
        self.logs = RunLogs(self.scope)
        self.runs = NodeRuns(self.scope, self.tracker, self.logs)
        self.done: dict[str, NodeBuild] = {}
        self.freshness: dict[str, SourceFreshness] = {}
        self.records: BuildRecords | None = None
        self.fingerprints: Fingerprints | None = None
        self.versions: dict[str, str | None] = {}
        self.manifest = Manifest({})
        self.depends_on: Mapping[str, Collection[str]] = {}
        self.assets: AssetRecorder | None = None
        self._hooked: dict[str, Collection[str]] = {}
        self._hook_turn = asyncio.Lock()
        self._began = time.monotonic()

    # What this run is made of

    @property
    def local(self) -> DbtCoreExecutor | None:
        """The executor, if it runs on this machine and hears dbt's events."""
        return self.executor if isinstance(self.executor, DbtCoreExecutor) else None

    @property
    def project_dir(self) -> Path:
        """The folder of the project."""
        return self.orchestrator.settings.project_dir

    def node(self, unique_id: str) -> DbtNode:
        """The node of an id."""
        return self.manifest.nodes[unique_id]

    def use(self, tracker: NodeTaskTracker) -> None:
        """Note task runs in another tracker from now on."""
        if tracker is not self.tracker:
            self.tracker = tracker
            self.runs = NodeRuns(self.scope, tracker, self.logs)

    async def in_thread(self, fn: Callable[[], T]) -> T:
        """Run what blocks, in a thread that a cancellation ends."""
        return await call_in_thread(fn)

    # The run

    async def execute(self) -> BuildResult:
        """Run it all.

        Raises:
            DbtRunFailed: If nodes failed, unless the orchestrator does not raise.
            DbtError: If dbt could not do its work.
        """
        options, error = self.options, None
        args = tuple(options.as_args())
        async with AsyncExitStack() as stack:
            chosen = await self._select()
            await self._open_client(stack)  # not before: a project that cannot be parsed needs no API
            if not chosen:
                self.logger.warning("The selection matches no node that can be built; nothing is done.")
            await self._resolve_hooks()
            await self._call_hooks(DbtHookContext("on_run_start", COMMAND, self.orchestrator, args))
            await self._look_at_sources(chosen)
            await self._open_cache()
            self.assets = self._asset_recorder()
            types = {unique_id: self.node(unique_id).resource_type for unique_id in chosen}
            orders = plan(self.depends_on, types, chosen, self.orchestrator.test_strategy)
            count = sum(map(len, orders))
            self.logger.info("dbt builds %d nodes of %s.", count, self.manifest.project_name or "the project")
            try:
                await self._run_orders(orders, types)
            finally:
                await self._write_results(args)
        result = self.result()
        if result.failed:
            error = run_failed(COMMAND, result.failed)
        await self._sum_up(result, args, error)
        if error is not None and self.orchestrator.raise_on_failure:
            raise error
        return result

    def result(self) -> BuildResult:
        """What is known now."""
        return BuildResult(self.done.values(), elapsed_seconds=time.monotonic() - self._began)

    async def _open_client(self, stack: AsyncExitStack) -> None:
        """One client for all task runs, rather than one for each."""
        from prefect.context import AsyncClientContext

        await stack.enter_async_context(AsyncClientContext.get_or_create())

    async def _run_orders(self, orders: list[Order], types: Mapping[str, str]) -> None:
        from ._per_node import run_per_node
        from ._per_wave import run_per_wave

        for order in orders:
            if self.orchestrator.is_per_node:
                await run_per_node(self, order)
            else:
                await run_per_wave(self, order.waves(types), order.parents)

    # Before

    async def _select(self) -> list[str]:
        """Parse the project and ask dbt what the selection means."""
        options, local, found = self.options, self.local, list[str]()
        if local is not None:
            ask = partial(local.list_nodes, options.select, options.exclude, selector=options.selector)
            found = await self.in_thread(partial(ask, target=options.target, extra_cli_args=options.extra_cli_args))
        path = await self.in_thread(self.executor.resolve_manifest_path)
        with_macros = self.orchestrator.cache is not None
        self.manifest = await self.in_thread(partial(Manifest.read, path, with_macros=with_macros))
        if local is None:
            if options.selector is not None:
                raise ValueError("selector needs the project on this machine, which this executor does not use.")
            found = await self.in_thread(partial(select_nodes, self.manifest, path, options.select, options.exclude))
        self.depends_on = {unique_id: node.depends_on for unique_id, node in self.manifest.nodes.items()}
        return [unique_id for unique_id in found if unique_id in self.manifest.executable_nodes]

    async def _look_at_sources(self, chosen: Collection[str]) -> None:
        """Ask how fresh the sources are, where it matters."""
        orchestrator, local = self.orchestrator, self.local
        if not (self.options.only_fresh_sources or orchestrator.cache is not None):
            return
        wanted = {source for node in chosen for source in upstream_sources(self.depends_on, node)}
        sources = [self.node(source) for source in sorted(wanted) if source in self.manifest.nodes]
        if local is None:
            if self.options.only_fresh_sources:
                raise ValueError("only_fresh_sources needs dbt on this machine, which this executor does not use.")
            return
        if sources:
            ask = partial(local.source_freshness, sources, target=self.options.target)
            path = await self.in_thread(partial(ask, extra_cli_args=self.options.extra_cli_args))
            self.freshness = read_freshness(path) if path.is_file() else {}
        if not self.freshness and self.options.only_fresh_sources:
            self.logger.warning("dbt knows the freshness of no source of the selected nodes; all count as fresh.")
        for source in self.freshness.values():
            if source.is_stale:
                self.logger.warning("%s", source.describe())

    async def _open_cache(self) -> None:
        options = self.orchestrator.cache
        if options is None:
            return
        self.records = await BuildRecords.open(options)
        has_project = (self.project_dir / "dbt_project.yml").is_file()
        self.fingerprints = Fingerprints(
            self.manifest,
            self.project_dir if has_project else None,
            (self.options.target or "", *self.options.extra_cli_args),
        )

    def _asset_recorder(self) -> AssetRecorder | None:
        orchestrator = self.orchestrator
        if orchestrator.disable_assets:
            return None
        return AssetRecorder(
            self.manifest.adapter_type,
            include_compiled_code=orchestrator.include_compiled_code,
            checks=orchestrator.asset_checks,
            enabled_by_default=assets_enabled_in_project(self.project_dir),
            logger=self.logger,
        )

    # Nodes, for both modes

    def blocked(self, node: DbtNode, parents: Collection[str]) -> str | None:
        """Say why a node must not run; `None` if it may."""
        if self.options.only_fresh_sources:
            stale = stale_upstream(self.freshness, self.depends_on, node.unique_id)
            if stale is not None:
                return stale.describe()
        for parent in sorted(parents):
            build = self.done.get(parent)
            if build is not None and not build.has_succeeded:
                return f"{parent} ended with status {build.status}"
        return None

    def skip(self, node: DbtNode, reason: str) -> None:
        """Note that a node is not run, with a task run that says so."""
        from prefect.client.schemas.objects import StateType

        from ._failures import Ending

        message = f"Node {node.unique_id} was skipped: {reason}"
        self.note_without_run(node, Ending(StateType.CANCELLED, "Skipped", message))
        self.finish(NodeBuild.without_run(node, "skipped", message, task_run_id=self._task_run_id(node)))

    def note_without_run(self, node: DbtNode, ending: Any) -> TaskRun | None:
        """Record a task run of a node that no engine runs."""
        from datetime import datetime, timezone

        moment = datetime.now(timezone.utc)
        upstream = self.manifest.upstream(node.unique_id)
        self.runs.start(node.unique_id, node.resource_type, node.name, upstream, moment)
        return self.runs.finish(node.unique_id, ending, moment)

    def _task_run_id(self, node: DbtNode) -> Any:
        return self.tracker.get_task_run_id(node.unique_id)

    def finish(self, build: NodeBuild) -> None:
        """Note how a node ended."""
        self.done[build.unique_id] = build
        self.tracker.finish_node(build.unique_id, build.status)

    async def after_model(self, build: NodeBuild) -> None:
        """Call the hooks on a model that ran."""
        if build.resource_type != "model" or build.is_reused or build.status == "skipped":
            return
        context = DbtHookContext(
            "post_model",
            COMMAND,
            self.orchestrator,
            tuple(self.options.as_args()),
            node=self.node(build.unique_id),
            status=build.status,
            result=cast("dict[str, Any]", build.artifact),
            error=build.message if build.has_failed else None,
            node_ids=(build.unique_id,),
        )
        await self._call_hooks(context)

    def record_assets(self, node: DbtNode, artifact: NodeArtifact, task_run: TaskRun | None) -> None:
        """Emit the asset events of a node that ran."""
        if self.assets is not None and self.scope.is_run:
            upstream = upstream_nodes(node, self.manifest.nodes)
            self.assets.node_finished(node, outcome_of(artifact), upstream=upstream, task_run=task_run)

    # Caching

    async def version_of(self, unique_id: str) -> str | None:
        """Name what a node or source holds now; `None` if it is not known."""
        if unique_id.startswith("source."):
            source = self.freshness.get(unique_id)
            loaded = None if source is None else source.max_loaded_at
            return None if loaded is None else loaded.isoformat()
        if unique_id not in self.versions:
            node = self.manifest.nodes.get(unique_id)
            record = None if node is None or self.records is None else await self.records.read(self.record_key(node))
            known = record is not None and record["fingerprint"] is not None
            self.versions[unique_id] = record["version"] if known else None  # pyright: ignore[reportOptionalSubscript]
        return self.versions[unique_id]

    def record_key(self, node: DbtNode) -> str:
        """Name the record of a node."""
        return BuildRecords.key(node, self.options.target or "")

    async def fingerprint_of(self, node: DbtNode) -> str | None:
        """Hash what a node would be built of now; `None` if it must be built."""
        if self.fingerprints is None or not self.may_reuse(node):
            return None
        upstream = {name: await self.version_of(name) for name in self.manifest.upstream(node.unique_id)}
        return self.fingerprints.of(node, upstream)

    def may_reuse(self, node: DbtNode) -> bool:
        """Say whether a node has a record at all."""
        cache = self.orchestrator.cache
        return cache is not None and self.records is not None and cache.allows(node)

    def expiration_of(self, node: DbtNode) -> Any:
        """How long a build of a node may be reused."""
        cache = self.orchestrator.cache or CacheOptions()
        limits = [cache.expiration]
        if cache.expire_with_sources:
            limits.append(time_to_stale(self.freshness, self.depends_on, node.unique_id))
        return min((limit for limit in limits if limit is not None), default=None)

    # Hooks

    async def _resolve_hooks(self) -> None:
        """Ask dbt what the selectors of hooks mean. A hook whose selector it does not know is not called."""
        for selector in self.hooks.selectors:
            with contextlib.suppress(DbtError):
                self._hooked[selector] = await self._nodes_of(selector)

    async def _nodes_of(self, selector: str) -> Collection[str]:
        local, options = self.local, self.options
        if local is not None:
            names = partial(local.list_nodes, [selector], target=options.target, extra_cli_args=options.extra_cli_args)
        else:
            path = await self.in_thread(self.executor.resolve_manifest_path)
            names = partial(select_nodes, self.manifest, path, [selector])
        return set(await self.in_thread(names))

    def _find_hooked(self, selector: str) -> Collection[str]:
        if selector not in self._hooked:
            raise ValueError(f"dbt cannot resolve the selector {selector!r}.")
        return self._hooked[selector]

    async def _call_hooks(self, context: DbtHookContext) -> None:
        if self.hooks.has(context.event):
            async with self._hook_turn:
                await self.in_thread(lambda: self.hooks.call(context, resolve=self._find_hooked, logger=self.logger))

    # After

    async def _write_results(self, args: tuple[str, ...]) -> None:
        if not self.orchestrator.write_run_results or not self.done:
            return
        options = self.options
        settings = self.orchestrator.settings
        content = run_results_of(
            self.result(),
            dbt_version=self.manifest.dbt_version,
            args={
                "which": COMMAND,
                "select": list(options.select),
                "exclude": list(options.exclude),
                "full_refresh": options.full_refresh,
                "target": options.target,
                "invocation_command": " ".join(["dbt", *args]),
            },
        )
        try:
            write_run_results(settings.project_dir / settings.target_path / "run_results.json", content)
        except OSError as exc:
            self.logger.warning("run_results.json cannot be written: %s", exc)

    async def _sum_up(self, result: BuildResult, args: tuple[str, ...], error: Exception | None) -> None:
        self.logger.info(
            "dbt built %d nodes in %.1f s: %d failed, %d skipped, %d reused.",
            len(result),
            result.elapsed_seconds,
            len(result.failed),
            len(result.skipped),
            len(result.reused),
        )
        results: dict[str, Any] = {"results": [dict(node.artifact) for node in result.values()]}
        if self.orchestrator.create_summary_artifact and self.scope.is_run and result:
            await self._create_summary(results)
        await self._call_hooks(
            DbtHookContext(
                "on_run_end",
                COMMAND,
                self.orchestrator,
                args,
                status="error" if error is not None else "success",
                run_results=results,
                error=error,
                node_ids=tuple(result),
            )
        )

    async def _create_summary(self, results: dict[str, Any]) -> None:
        from prefect.artifacts import acreate_markdown_artifact

        from ._artifacts import create_summary_markdown

        try:
            await acreate_markdown_artifact(
                markdown=create_summary_markdown(results, COMMAND),
                key=self.orchestrator.summary_artifact_key,
                description="What dbt built",
            )
        except Exception as exc:  # noqa: BLE001 - the summary is no part of the work
            self.logger.warning("The summary artifact cannot be created: %s", exc)
