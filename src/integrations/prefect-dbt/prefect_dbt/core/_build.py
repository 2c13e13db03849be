"""One run of an orchestrator: select, plan, execute, sum up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import DbtError
from ._assets import AssetRecorder, assets_enabled_in_project, outcome_of, upstream_nodes
from ._builds import BuildResult, NodeBuild, run_results_of, write_run_results
from ._calls import call_in_thread, close_in_thread
from ._deferral import FetchedState, fetched
from ._executor import NodeArtifact
from ._failures import run_failed
from ._freshness import SourceFreshness, read_freshness, stale_upstream, upstream_sources
from ._hooks import DbtHookContext, Hooks
from ._hopeless import is_hopeless
from ._local import DbtCoreExecutor
from ._logs import RunLogs
from ._manifest import DbtNode, Manifest
from ._node_runs import NodeRuns
from ._orchestrator_arguments import COMMAND, BuildOptions
from ._reuse import Reuse
from ._scope import RunScope
from ._selection import select_nodes
from ._sending import send_queued
from ._tracker import NodeTaskTracker
from ._waves import Order, plan

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun

    from prefect_integration_kit.logs import Log

    from ._executor import DbtExecutor
    from .orchestrator import PrefectDbtOrchestrator
    from .settings import PrefectDbtSettings

T = TypeVar("T")


class Build:
    """One run: what is known of the project, and how far its nodes are."""

    def __init__(
        self, orchestrator: PrefectDbtOrchestrator, executor: DbtExecutor, options: BuildOptions, hooks: Hooks
    ) -> None:
        """Prepare; nothing is started yet."""
        self.orchestrator = orchestrator
        self.executor = executor
        self.selecting = executor if isinstance(executor, DbtCoreExecutor) else None
        """What selects nodes on this machine, with the state that selectors compare with."""
        self.options = options
        self.hooks = hooks
        self.scope = RunScope.current()
        self.logger: Log = self.scope.logger
        self.tracker = NodeTaskTracker()
        self.logs = RunLogs(self.scope)
        self.runs = NodeRuns(self.scope, self.tracker, self.logs)
        self.done: dict[str, NodeBuild] = {}
        self.freshness: dict[str, SourceFreshness] = {}
        self.manifest = Manifest({})
        self.depends_on: Mapping[str, Collection[str]] = {}
        self.assets: AssetRecorder | None = None
        self.fatal: DbtError | None = None
        """What keeps dbt from working at all: nothing more is begun."""
        self.chosen: frozenset[str] = frozenset()
        """Unique ids of all nodes of this run."""
        self.reuse = Reuse(self)
        self._state: FetchedState | None = None
        self._hooked: dict[str, Collection[str]] = {}
        self._hook_turn = asyncio.Lock()
        self._began = time.monotonic()

    # What this run is made of

    @property
    def local(self) -> DbtCoreExecutor | None:
        """The executor, if it runs on this machine and hears dbt's events."""
        return self.executor if isinstance(self.executor, DbtCoreExecutor) else None

    @property
    def settings(self) -> PrefectDbtSettings:
        """Where the project is: an executor of this machine brings its own."""
        return self.orchestrator.settings if self.local is None else self.local.settings

    @property
    def project_dir(self) -> Path:
        """The folder of the project."""
        return self.settings.project_dir

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
        try:
            return await self._execute()
        except asyncio.CancelledError:  # the process may be about to end
            await close_in_thread(send_queued)
            raise

    async def _execute(self) -> BuildResult:
        args = tuple(self.options.as_args())
        async with AsyncExitStack() as stack:
            if self.orchestrator.state is not None:
                self._state = await stack.enter_async_context(fetched(self.orchestrator.state))
            chosen = await self._select()
            await self._open_client(stack)  # not before: a project that cannot be parsed needs no API
            if not chosen:
                self.logger.warning("The selection matches no node that can be built; nothing is done.")
            await self._resolve_hooks()
            await self._call_hooks(DbtHookContext("on_run_start", COMMAND, self.orchestrator, args))
            try:
                await self._build(chosen, args)
            except DbtError as exc:
                await self._call_end_hooks(args, exc)
                raise
            result = self.result()
            error = self.fatal or (run_failed(COMMAND, result.failed) if result.failed else None)
            await self._sum_up(result, args, error)
        if error is not None and (self.orchestrator.raise_on_failure or error is self.fatal):
            raise error
        return result

    async def _build(self, chosen: list[str], args: tuple[str, ...]) -> None:
        await self._look_at_sources(chosen)
        await self.reuse.open()
        self.assets = self._asset_recorder()
        types = {unique_id: self.node(unique_id).resource_type for unique_id in chosen}
        orders = plan(self.depends_on, types, chosen, self.orchestrator.test_strategy)
        count = sum(map(len, orders))
        self.logger.info("dbt builds %d nodes of %s.", count, self.manifest.project_name or "the project")
        self.chosen = frozenset(unique_id for order in orders for unique_id in order.parents)
        await self._prepare_deferral()
        try:
            await self._run_orders(orders, types)
        finally:
            await self._write_results(args)

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

    @property
    def defers(self) -> bool:
        """Whether references may go to relations of another environment."""
        return (self._state is not None and self._state.defers) or "--defer" in self.options.extra_cli_args

    # Before

    async def _select(self) -> list[str]:
        """Parse the project and ask dbt what the selection means."""
        options, found = self.options, list[str]()
        if self._state is not None and self.selecting is not None:
            self.selecting = self.selecting.view(self._state.for_selecting)
        local = self.selecting
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

    async def _prepare_deferral(self) -> None:
        """Let what builds defer to the earlier run, but for what is built here."""
        state, local = self._state, self.local
        if state is not None and local is not None:
            options = await self.in_thread(partial(state.for_building, self.chosen))
            self.executor = local.view(options)

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
        if self.fatal is not None:
            return f"dbt cannot work: {str(self.fatal).splitlines()[0]}"
        if self.options.only_fresh_sources:
            stale = stale_upstream(self.freshness, self.depends_on, node.unique_id)
            if stale is not None:
                return stale.describe()
        for parent in sorted(parents):
            build = self.done.get(parent)
            if build is not None and not build.has_succeeded:
                return f"{parent} ended with status {build.status}"
        return None

    def note_error(self, error: BaseException | None) -> None:
        """Note what ended the last attempt at a node. What would end all others too ends the run, if nothing ran yet.

        Args:
            error: What the executor told.
        """
        if self.fatal is not None or not isinstance(error, DbtError) or not is_hopeless(error):
            return
        if not any(build.has_succeeded and not build.is_reused for build in self.done.values()):
            self.fatal = error

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

    def fail(self, node: DbtNode, message: str) -> NodeBuild:
        """Note that a node could not be run, with a task run that says so if it has none."""
        from prefect.client.schemas.objects import StateType

        from ._failures import Ending

        if self._task_run_id(node) is None:
            self.note_without_run(node, Ending(StateType.FAILED, "Failed", message))
        return NodeBuild.without_run(node, "error", message, task_run_id=self._task_run_id(node))

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

    # Hooks

    async def _resolve_hooks(self) -> None:
        """Ask dbt what the selectors of hooks mean. A hook whose selector it does not know is not called."""
        for selector in self.hooks.selectors:
            with contextlib.suppress(DbtError):
                self._hooked[selector] = await self._nodes_of(selector)

    async def _nodes_of(self, selector: str) -> Collection[str]:
        local, options = self.selecting, self.options
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
        options, settings = self.options, self.settings
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
        await self._call_end_hooks(args, error, run_results=results, node_ids=tuple(result))

    async def _call_end_hooks(self, args: tuple[str, ...], error: Exception | None, **more: Any) -> None:
        status = "success" if error is None else "error"
        await self._call_hooks(
            DbtHookContext("on_run_end", COMMAND, self.orchestrator, args, status=status, error=error, **more)
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
