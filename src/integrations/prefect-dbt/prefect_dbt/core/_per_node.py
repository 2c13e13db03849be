"""Each node as a task run of its own, started as soon as its parents are done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from .._dbt import DbtEvent
from ..errors import DbtRunFailed
from ._builds import NodeBuild
from ._cache import BuildRecord, new_version
from ._calls import call_in_thread
from ._executor import ExecutionResult, NodeArtifact, command_for
from ._hopeless import is_permanent
from ._limit import LimitSlot, without_slot
from ._local import listener, shared_options
from ._logs import level_of, plain
from ._manifest import DbtNode
from ._observer import RunObserver
from ._scope import RunScope
from ._tasks import slots, task_of
from ._waves import Order

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from ._build import Build


async def run_per_node(build: Build, order: Order) -> None:
    """Execute an order, each node as soon as those before it are done.

    Whatever ends the wait ends all nodes that run, before it is raised.
    """
    nodes = _Nodes(build, order)
    # In the order of waves, so that the slots go to what was ready first.
    types = {unique_id: build.node(unique_id).resource_type for unique_id in order.parents}
    tasks = [
        asyncio.create_task(nodes.run(build.node(unique_id)), name=unique_id)
        for wave in order.waves(types)
        for unique_id in wave
    ]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


class _Nodes:
    """The nodes of one order on their way."""

    def __init__(self, build: Build, order: Order) -> None:
        self._build = build
        self._order = order
        self._is_done = {unique_id: asyncio.Event() for unique_id in order.parents}
        self._slots = asyncio.Semaphore(slots(build.orchestrator, build.executor, build.options.target))
        self._holding: dict[str, LimitSlot] = {}
        self._attempts: dict[str, NodeBuild] = {}
        self._errors: dict[str, Exception | None] = {}

    async def run(self, node: DbtNode) -> None:
        """Wait for a node's parents, then run or skip it."""
        build, parents = self._build, self._order.parents[node.unique_id]
        for parent in parents:
            if parent in self._is_done:
                await self._is_done[parent].wait()
        reason = build.blocked(node, parents)
        if reason is not None:
            build.skip(node, reason)
        else:
            try:
                await self._run_task(node)
            finally:
                await self._give_slot(node)
        self._is_done[node.unique_id].set()

    # Slots: a run is Running only when it can work, and none is held while it waits for a retry.

    async def _take_slot(self, node: DbtNode) -> None:
        if node.unique_id in self._holding:
            return
        await self._slots.acquire()
        self._holding[node.unique_id] = limit = LimitSlot(self._build.orchestrator.limit_name)
        try:
            await limit.take()
        except BaseException:
            await self._give_slot(node)
            raise

    async def _give_slot(self, node: DbtNode) -> None:
        limit = self._holding.pop(node.unique_id, None)
        if limit is not None:
            self._slots.release()
            await limit.give()

    # The task

    async def _run_task(self, node: DbtNode) -> None:
        from prefect.client.schemas.objects import TaskRunResult
        from prefect.task_engine import run_task_async

        build = self._build
        fingerprint = await build.reuse.fingerprint_of(node)
        version = new_version()

        async def dbt_node(node_id: str, upstream: list[str]) -> Any:
            del node_id, upstream  # they are there to be seen on the task run
            await self._take_slot(node)
            try:
                return await self._attempt(node, fingerprint, version)
            finally:
                await self._give_slot(node)

        task = task_of(build.orchestrator, dbt_node, node)
        if not await self._use_cache(task, node, fingerprint):
            try:
                await self._take_slot(node)
            except Exception as exc:  # noqa: BLE001 - of one node: another may get one
                build.finish(build.fail(node, without_slot(build.orchestrator.limit_name, exc)))
                return
            if build.fatal is not None:  # it came up while this node waited
                build.skip(node, build.blocked(node, ()) or "")
                return
        task_run_id = uuid4()
        build.tracker.start_node(node.unique_id, task_run_id)
        upstream = build.manifest.upstream(node.unique_id)
        found = [build.tracker.get_task_run_id(parent) for parent in (*upstream, *self._order.parents[node.unique_id])]
        inputs: set[Any] = {cast("Any", TaskRunResult(id=run_id)) for run_id in found if run_id is not None}
        state = await run_task_async(
            task,
            task_run_id=task_run_id,
            parameters={"node_id": node.unique_id, "upstream": list(upstream)},
            dependencies={"upstream": inputs},
            return_type="state",
        )
        ended = await self._ended(node, cast("State[Any]", state), task_run_id)
        if ended.has_failed:
            build.note_error(self._errors.get(node.unique_id))
        if not ended.is_reused:
            build.reuse.versions[node.unique_id] = version
        build.finish(ended)
        await build.after_model(ended)

    async def _use_cache(self, task: Any, node: DbtNode, fingerprint: str | None) -> bool:
        """Let Prefect's own caching decide, by one record for each relation; say whether the node is reused."""
        from prefect.cache_policies import CacheKeyFnPolicy

        build = self._build
        if fingerprint is None or build.reuse.records is None:
            return False
        key = build.reuse.record_key(node)
        record = None if build.options.full_refresh else await build.reuse.records.read(key)
        is_current = record is not None and record["fingerprint"] == fingerprint
        task.cache_policy = CacheKeyFnPolicy(cache_key_fn=lambda context, parameters: key)
        task.refresh_cache = not is_current
        task.cache_expiration = build.reuse.expiration_of(node)
        task.persist_result = True
        task.result_serializer = "json"
        task.result_storage = build.reuse.records.storage
        if is_current and record is not None:
            build.reuse.versions[node.unique_id] = record["version"]
        return is_current

    async def _attempt(self, node: DbtNode, fingerprint: str | None, version: str) -> Any:
        """Execute the node once.

        Raises:
            DbtRunFailed: If it failed; the engine decides on another attempt.
        """
        from prefect.context import TaskRunContext
        from prefect.states import Completed

        build = self._build
        if build.reuse.records is not None and build.reuse.may_reuse(node):
            await build.reuse.records.withdraw(build.reuse.record_key(node))
        context = TaskRunContext.get()
        task_run = None if context is None else context.task_run
        result = await call_in_thread(lambda: self._execute(node), name=f"dbt-{node.name}")
        self._errors[node.unique_id] = result.error
        artifact, reason = artifact_of(result, node)
        if reason is None or node.unique_id in (result.artifacts or {}):
            build.record_assets(node, artifact, task_run)
        ended = NodeBuild.of(node, artifact, task_run_id=None if task_run is None else task_run.id)
        self._attempts[node.unique_id] = ended
        if reason is not None:
            if is_permanent(result.error) or not build.orchestrator.retries:
                build.note_error(result.error)  # before the slot goes to the next node
            raise DbtRunFailed(reason, node_ids=[node.unique_id]) from result.error
        record = BuildRecord(fingerprint=fingerprint, version=version, artifact={**artifact})
        if ended.status == "warn":
            return Completed(message=f"Node {node.unique_id} finished with a warning: {ended.message}", data=record)
        return record

    def _execute(self, node: DbtNode) -> ExecutionResult:
        """Call the executor, in a thread of the task run."""
        build, options = self._build, self._build.options
        scope = RunScope.current()
        token = None
        if build.local is not None:
            token = listener.set(_NodeEvents(scope))
        extra, command = list(options.extra_cli_args), command_for(node.resource_type)
        if node.resource_type == "unit_test":
            extra = shared_options(extra)  # `dbt build` passes over a unit test whose model is not selected too
        elif extra:
            command = "build"  # they were meant for it, and narrower commands may not know them
        try:
            result = build.executor.execute_node(
                node,
                command,
                full_refresh=options.full_refresh,
                target=options.target,
                extra_cli_args=extra or None,
            )
        finally:
            if token is not None:
                listener.reset(token)
        for lines in (result.log_messages or {}).values():
            for line in lines:
                scope.logger.log(level_of(line["level"]), plain(line["message"]))
        return result

    async def _ended(self, node: DbtNode, state: State[Any], task_run_id: Any) -> NodeBuild:
        """Take the outcome from the engine's word, and from dbt's where they agree."""
        attempt = self._attempts.get(node.unique_id)
        if state.is_completed():
            if attempt is not None:
                return attempt
            record = cast("BuildRecord", await cast("Any", state).aresult(raise_on_failure=False))
            artifact: Mapping[str, Any] = record["artifact"]
            return NodeBuild.of(node, artifact, is_reused=True, task_run_id=task_run_id)
        if attempt is not None and attempt.has_failed:
            return attempt
        message = state.message or f"The task run ended in state {state.name}."
        return NodeBuild.without_run(node, "error", message, task_run_id=task_run_id)


class _NodeEvents:
    """Takes dbt's events on one node to the logs of its task run."""

    def __init__(self, scope: RunScope) -> None:
        self._observer = RunObserver(scope, record_nodes=False)

    def __call__(self, event: DbtEvent) -> None:
        # Each invocation also says which dbt it is and what it found: once for each node, that is noise.
        if event.node is None and not event.name.startswith("Prefect") and level_of(event.level) < logging.WARNING:
            return
        self._observer(event)


def artifact_of(result: ExecutionResult, node: DbtNode) -> tuple[NodeArtifact, str | None]:
    """Find a node's entry in a result, and say why it failed; `None` if it did not."""
    known = (result.artifacts or {}).get(node.unique_id)
    if known is None:
        if result.success and result.artifacts is None:
            return NodeBuild.without_run(node, "success", "").artifact, None
        message = str(result.error or "dbt did not report on it")
        return NodeBuild.without_run(node, "error", message).artifact, f"Node {node.unique_id} did not run: {message}"
    ended = NodeBuild.of(node, known)
    if ended.has_failed or ended.status == "skipped":
        said = f": {ended.message}" if ended.message else ""
        return known, f"Node {node.unique_id} finished with status {ended.status}{said}"
    if not result.success:  # such as a hook of the project that failed after the node
        message = str(result.error or "dbt reported a failure")
        entry = cast("NodeArtifact", {**known, "status": "error", "message": message})
        return entry, f"Node {node.unique_id} finished with status {ended.status}, but: {message}"
    return known, None
