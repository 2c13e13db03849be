"""Nodes that do not depend on each other with one `dbt build`, wave after wave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

from .._dbt import DbtEvent
from ..errors import DbtRunFailed
from ._builds import NodeBuild
from ._cache import BuildRecord, new_version
from ._calls import call_in_thread
from ._executor import ExecutionResult, LogMessage, NodeArtifact
from ._failures import Ending, ending_of, run_failed
from ._limit import LimitSlot, without_slot
from ._local import artifact_of as entry_of
from ._local import listener, shared_options
from ._logs import level_of, plain
from ._manifest import DbtNode
from ._observer import RunObserver
from ._per_node import artifact_of
from ._scope import RunScope
from ._tasks import task_of
from ._tracker import NodeTaskTracker

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun

    from ._build import Build


async def run_per_wave(build: Build, waves: Sequence[Sequence[str]], parents: Mapping[str, Collection[str]]) -> None:
    """Execute waves one after another; each is a task run, with a task run for each of its nodes."""
    before: UUID | None = None
    for number, wave in enumerate(waves, 1):
        todo: list[DbtNode] = []
        for unique_id in wave:
            node = build.node(unique_id)
            reason = build.blocked(node, parents[unique_id]) or _without_model(build, node)
            if reason is not None:
                build.skip(node, reason)
            else:
                todo.append(node)
        if not todo:
            continue
        before = await _Wave(build, todo, f"dbt wave {number} of {len(waves)}").run(before)


class _Wave:
    """One wave on its way."""

    def __init__(self, build: Build, nodes: Sequence[DbtNode], label: str) -> None:
        self._build = build
        self._nodes = nodes
        self._label = label
        self._fingerprints: dict[str, str | None] = {}
        self._ended: dict[str, NodeBuild] = {}
        self._told: dict[str, NodeArtifact] = {}
        """Results that dbt told while it ran, of an invocation that gave none in the end."""
        self._has_begun = False
        self._error: Exception | None = None
        self._limit = LimitSlot(build.orchestrator.limit_name)

    async def run(self, before: UUID | None) -> UUID | None:
        """Run the wave after another one; nodes that need not be built are left out."""
        from prefect.client.schemas.objects import TaskRunResult
        from prefect.task_engine import run_task_async

        build = self._build
        for node in self._nodes:
            await self._reuse(node)
        if all(node.unique_id in self._ended for node in self._nodes):
            return before

        async def dbt_wave(node_ids: list[str], upstream: list[str]) -> None:
            del node_ids, upstream  # they are there to be seen on the task run
            await self._attempt()

        task_run_id = uuid4()
        inputs: dict[str, Any] = {"upstream": set() if before is None else {cast("Any", TaskRunResult(id=before))}}
        try:
            await self._limit.take()  # a run is Running only when it can work
        except Exception as exc:  # noqa: BLE001 - of this wave: the next one may get one
            for node in self._nodes:
                if node.unique_id not in self._ended:
                    build.finish(build.fail(node, without_slot(build.orchestrator.limit_name, exc)))
            return before
        try:
            state: Any = await run_task_async(
                task_of(build.orchestrator, dbt_wave, self._label),
                task_run_id=task_run_id,
                parameters={"node_ids": [node.unique_id for node in self._nodes], "upstream": []},
                dependencies=inputs,
                return_type="state",
            )
        except BaseException:
            for node in self._nodes:  # what was built before the end is in the results
                if node.unique_id in self._told:
                    build.finish(NodeBuild.of(node, self._told[node.unique_id]))
            raise
        finally:
            await self._limit.give()
        await self._note_told()
        for node in self._nodes:
            ended = self._ended.get(node.unique_id)
            if ended is None:
                ended = build.fail(node, state.message or f"The task run of the wave ended in state {state.name}.")
            build.finish(ended)
            await build.after_model(ended)
        if state.is_failed():
            build.note_error(self._error)
        return task_run_id

    async def _reuse(self, node: DbtNode) -> None:
        from prefect.client.schemas.objects import StateType

        build = self._build
        fingerprint = self._fingerprints[node.unique_id] = await build.reuse.fingerprint_of(node)
        if fingerprint is None or build.reuse.records is None or build.options.full_refresh:
            return
        record = await build.reuse.records.read(build.reuse.record_key(node))
        if record is None or record["fingerprint"] != fingerprint:
            return
        build.reuse.versions[node.unique_id] = record["version"]
        task_run = build.note_without_run(node, Ending(StateType.COMPLETED, "Cached", None))
        task_run_id = None if task_run is None else task_run.id
        ended = NodeBuild.of(node, record["artifact"], is_reused=True, task_run_id=task_run_id)
        self._ended[node.unique_id] = ended
        build.finish(ended)

    async def _attempt(self) -> None:
        """Execute what has not succeeded yet.

        Raises:
            DbtRunFailed: If something failed; the engine decides on another attempt.
        """
        build = self._build
        await self._note_told()
        todo = [
            node
            for node in self._nodes
            if (known := self._ended.get(node.unique_id)) is None or not known.has_succeeded
        ]
        for node in todo:
            if build.reuse.records is not None and build.reuse.may_reuse(node):
                await build.reuse.records.withdraw(build.reuse.record_key(node))
        if self._has_begun:
            build.use(_without(build.tracker, todo))
        self._has_begun = True
        await self._limit.take()
        try:
            result = await call_in_thread(lambda: self._execute(todo), name=f"dbt-{self._label}")
        finally:
            await self._limit.give()  # none is held while the wave waits for a retry
        self._told.clear()
        self._error = result.error
        ends = [NodeBuild.of(node, found) for node in todo if (found := (result.artifacts or {}).get(node.unique_id))]
        is_spoilt = not result.success and not any(ended.has_failed for ended in ends)
        for node in todo:
            await self._note(node, result, is_spoilt=is_spoilt)
        failed = [self._ended[node.unique_id] for node in todo if not self._ended[node.unique_id].has_succeeded]
        if failed:
            error = run_failed("build", failed)
            raise DbtRunFailed(str(error), node_ids=error.node_ids) from result.error

    def _execute(self, todo: list[DbtNode]) -> ExecutionResult:
        """Call the executor, in a thread of the task run."""
        build = self._build
        scope = RunScope.current()
        observer = None
        if build.local is not None:
            observer = RunObserver(scope, record_nodes=True, tracker=build.tracker)
            token = listener.set(_WaveEvents(observer, self._told))
        was_cancelled = True
        try:
            result = self._call(todo)
            was_cancelled = False
        finally:
            if observer is not None:
                listener.reset(token)  # pyright: ignore[reportPossiblyUnboundVariable]
                observer.close(was_cancelled=was_cancelled)
        for lines in (result.log_messages or {}).values():
            for line in lines:
                scope.logger.log(level_of(line["level"]), plain(line["message"]))
        return result

    def _call(self, todo: list[DbtNode]) -> ExecutionResult:
        """Run `dbt build`, and `dbt test` for unit tests without their model, which `dbt build` passes over."""
        build, options = self._build, self._build.options
        models = {node.unique_id for node in todo}
        alone = [node for node in todo if node.resource_type == "unit_test" and not models & set(node.depends_on)]
        together = [node for node in todo if node not in alone]
        extra = list(options.extra_cli_args)
        results: list[ExecutionResult] = []
        if together:
            results.append(
                build.executor.execute_wave(
                    together,
                    full_refresh=options.full_refresh,
                    indirect_selection="empty",
                    target=options.target,
                    extra_cli_args=extra or None,
                )
            )
        for node in alone:
            shared = shared_options(extra) or None
            results.append(build.executor.execute_node(node, "test", target=options.target, extra_cli_args=shared))
        return merged(results)

    async def _note_told(self) -> None:
        """Note the nodes that had ended when the last attempt was cut short: those need not run again."""
        told, self._told = dict(self._told), {}
        for node in self._nodes:
            if node.unique_id in told:
                await self._note(node, ExecutionResult(success=False, artifacts=told))

    async def _note(self, node: DbtNode, result: ExecutionResult, *, is_spoilt: bool = False) -> None:
        """Take the outcome of one node out of that of its wave.

        Args:
            node: The node.
            result: The wave's.
            is_spoilt: Whether something else failed, such as a hook of the project, and no node.
        """
        build = self._build
        known = (result.artifacts or {}).get(node.unique_id)
        artifact = artifact_of(result, node)[0] if known is None else known
        if is_spoilt:
            artifact = cast(
                "NodeArtifact",
                {**artifact, "status": "error", "message": str(result.error or "dbt reported a failure")},
            )
        task_run = None
        if build.tracker.get_task_run_id(node.unique_id) is None:
            status = str(artifact.get("status"))
            ending = ending_of(node.unique_id, status, artifact.get("message"))
            task_run = build.note_without_run(node, ending)
        if known is not None:
            build.record_assets(node, artifact, task_run or self._task_run(node))
        task_run_id = build.tracker.get_task_run_id(node.unique_id)
        ended = NodeBuild.of(node, artifact, task_run_id=task_run_id)
        self._ended[node.unique_id] = ended
        version = build.reuse.versions[node.unique_id] = new_version()
        fingerprint = self._fingerprints.get(node.unique_id)
        if ended.has_succeeded and fingerprint is not None and build.reuse.records is not None:
            record = BuildRecord(fingerprint=fingerprint, version=version, artifact={**artifact})
            try:
                await build.reuse.records.write(build.reuse.record_key(node), record, build.reuse.expiration_of(node))
            except Exception as exc:  # noqa: BLE001 - the node is built; its record stays withdrawn, so it will be again
                build.logger.warning("The record of %s cannot be written: %s", node.unique_id, exc)

    def _task_run(self, node: DbtNode) -> TaskRun | None:
        """The task run that the observer made of a node, as far as events need it."""
        from prefect.client.schemas.objects import TaskRun

        scope, task_run_id = self._build.scope, self._build.tracker.get_task_run_id(node.unique_id)
        if task_run_id is None:
            return None
        return TaskRun(
            id=task_run_id,
            name=f"{node.resource_type} {node.name}",
            task_key=node.unique_id,
            dynamic_key=str(task_run_id),
            flow_run_id=scope.flow_run_id,
            tags=list(scope.tags),
        )


def merged(results: Sequence[ExecutionResult]) -> ExecutionResult:
    """Make one result of several."""
    logs: dict[str, list[LogMessage]] = {}
    artifacts: dict[str, NodeArtifact] = {}
    for result in results:
        artifacts.update(result.artifacts or {})
        for node_id, lines in (result.log_messages or {}).items():
            logs.setdefault(node_id, []).extend(lines)
    return ExecutionResult(
        success=all(result.success for result in results),
        node_ids=[node_id for result in results for node_id in result.node_ids],
        error=next((result.error for result in results if result.error is not None), None),
        artifacts=artifacts,
        log_messages=logs,
    )


def _without_model(build: Build, node: DbtNode) -> str | None:
    """Say why a unit test is not run: its model, which comes before it in a wave, is skipped."""
    if node.resource_type != "unit_test":
        return None
    skipped = [parent for parent in node.depends_on if (of := build.done.get(parent)) and of.status == "skipped"]
    return f"its model {skipped[0]} was skipped" if skipped else None


class _WaveEvents:
    """Takes dbt's events to the observer, but for the empty lines which part its output on a console."""

    def __init__(self, observer: RunObserver, told: dict[str, NodeArtifact]) -> None:
        self._observer = observer
        self._told = told

    def __call__(self, event: DbtEvent) -> None:
        if event.name == "PrefectResult" and event.result is not None and not self.is_cancelling():
            self._told[event.result.unique_id] = entry_of(event.result)
        if event.name != "Formatting":
            self._observer(event)

    @property
    def is_cancelling(self) -> Callable[[], bool]:
        """Whether dbt is being cancelled: what fails meanwhile did not fail of itself."""
        return self._observer.is_cancelling

    @is_cancelling.setter
    def is_cancelling(self, ask: Callable[[], bool]) -> None:
        self._observer.is_cancelling = ask


def _without(tracker: NodeTaskTracker, nodes: Sequence[DbtNode]) -> NodeTaskTracker:
    """Copy a tracker without nodes that will run again, so that they get new task runs."""
    leaving = {node.unique_id for node in nodes}
    copy = NodeTaskTracker()
    for unique_id in tracker:
        if unique_id not in leaving:
            copy.start_node(unique_id, tracker.get_task_run_id(unique_id))
            status = tracker.get_node_status(unique_id)
            if status is not None:
                copy.finish_node(unique_id, status)
    return copy
