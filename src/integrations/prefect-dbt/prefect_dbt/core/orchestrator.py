"""Build a dbt project from Prefect: each node, or each wave of nodes, as a task run that Prefect itself runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from prefect_integration_kit.dispatch import async_dispatch

from ._builds import BuildResult, NodeBuild
from ._cache import CacheOptions
from ._calls import close_in_thread, run_to_end
from ._executor import DbtExecutor, ExecutionResult, NodeArtifact
from ._hooks import DbtHookMixin
from ._local import DbtCoreExecutor
from ._manifest import DbtNode
from ._orchestrator_arguments import (
    artifact_key,
    at_least,
    build_options,
    cache_of,
    check_executor,
    concurrency_of,
    delays_of,
    limit_of,
    member,
    state_of,
    texts,
)
from ._waves import TestStrategy
from .settings import PrefectDbtSettings

if TYPE_CHECKING:
    from ._orchestrator_arguments import BuildOptions
    from ._stores import Storage
    from .state import DbtState

__all__ = [
    "BuildResult",
    "CacheOptions",
    "DbtCoreExecutor",
    "DbtExecutor",
    "DbtNode",
    "ExecutionMode",
    "ExecutionResult",
    "NodeArtifact",
    "NodeBuild",
    "PrefectDbtOrchestrator",
    "TestStrategy",
]


class ExecutionMode(str, Enum):
    """What one invocation of dbt executes."""

    PER_NODE = "per_node"
    """One node. It starts as soon as its parents are done; it is retried, limited and cached by itself."""
    PER_WAVE = "per_wave"
    """All nodes whose parents are done, with one `dbt build`. Fewer invocations, so less time on many small nodes."""


class PrefectDbtOrchestrator(DbtHookMixin):
    """Builds a dbt project node by node, as tasks of Prefect.

    Where `PrefectDbtRunner` hands the project to dbt and shows in Prefect what happens, the orchestrator itself decides
    what runs when: nodes are task runs of Prefect's own engine, with its retries, time-outs, caching and concurrency
    limits. dbt still parses the project, resolves selectors and executes each node, in child processes that are kept.
    Hooks of the project (`on-run-start`, `on-run-end`) run with each invocation, as dbt knows no other way.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt import PrefectDbtOrchestrator, PrefectDbtSettings


        @flow
        def build_shop():
            orchestrator = PrefectDbtOrchestrator(
                settings=PrefectDbtSettings(project_dir="shop", profiles_dir="shop"), retries=2, retry_delay_seconds=10
            )
            return orchestrator.run_build(select=["staging+"]).success


        build_shop()
        ```
    """

    def __init__(
        self,
        settings: PrefectDbtSettings | None = None,
        *,
        executor: DbtExecutor | None = None,
        execution_mode: ExecutionMode | str = ExecutionMode.PER_NODE,
        retries: int = 0,
        retry_delay_seconds: float | list[float] = 0,
        timeout_seconds: float | None = None,
        concurrency: int | str | None = None,
        cache: CacheOptions | bool = False,
        test_strategy: TestStrategy | str = TestStrategy.IMMEDIATE,
        tags: Sequence[str] = (),
        raise_on_failure: bool = True,
        create_summary_artifact: bool = True,
        summary_artifact_key: str = "dbt-orchestrator-summary",
        write_run_results: bool = True,
        include_compiled_code: bool = False,
        disable_assets: bool = False,
        asset_checks: bool = False,
        state: DbtState | Storage | None = None,
        defer: bool = False,
        favor_state: bool = False,
    ) -> None:
        """Say how to build; nothing is read or started yet.

        Args:
            settings: Where project and profiles are; read from the environment when `None`.
            executor: What runs dbt, such as `DbtCloudExecutor`; dbt Core on this machine when `None`.
            execution_mode: `per_node` or `per_wave`.
            retries: How often a node that failed is tried again; in a wave, only its failed nodes are.
            retry_delay_seconds: Seconds before each retry, or a list with those before the first, the second, ...
            timeout_seconds: How long one attempt at a node, or a wave, may take. dbt's queries are ended then.
            concurrency: How many nodes run at once, or the name of a global concurrency limit of Prefect, of which each
                node, or wave, that dbt works on takes a slot. The `threads` of the target when `None`. A database that
                is a file allows one.
            cache: Whether a node is reused when nothing that it is made of has changed, and how; see `CacheOptions`.
            test_strategy: `immediate` runs tests as soon as what they test is built, `deferred` after everything else,
                `skip` not at all.
            tags: Tags of the task runs.
            raise_on_failure: Whether nodes that failed raise an error at the end. An error of dbt itself, such as a
                project that cannot be parsed, is raised in any case.
            create_summary_artifact: Whether a run of Prefect gets a Markdown artifact with how the nodes ended.
            summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
            write_run_results: Whether the results of all nodes are written to `run_results.json` in the target folder.
            include_compiled_code: Whether the SQL that ran is in the results and the descriptions of assets.
            disable_assets: Whether no assets are recorded.
            asset_checks: Whether outcomes of tests are recorded as checks of the assets that they test.
            state: Artifacts of an earlier run to compare with (`state:modified`) and defer to: a file system block, the
                slug of one, a folder, or a `DbtState`. They are fetched for each run.
            defer: Whether references to models that this run does not build, and that do not exist in its target, go to
                those of the earlier run.
            favor_state: Whether they go there even if the models exist in the target.

        Raises:
            ValueError: If an argument has a value that cannot be.
            TypeError: If `executor` is none.
        """
        self.settings = settings or PrefectDbtSettings()
        self.execution_mode = member(ExecutionMode, "execution_mode", execution_mode)
        self.test_strategy = member(TestStrategy, "test_strategy", test_strategy)
        self.retries = at_least("retries", retries, 0)
        self.retry_delay_seconds = delays_of(retry_delay_seconds)
        self.timeout_seconds = limit_of(timeout_seconds)
        self.concurrency = concurrency_of(concurrency)
        self.cache = cache_of(cache)
        self.tags = texts("tags", tags)
        self.raise_on_failure = raise_on_failure
        self.create_summary_artifact = create_summary_artifact
        self.summary_artifact_key = artifact_key("summary_artifact_key", summary_artifact_key)
        self.write_run_results = write_run_results
        self.include_compiled_code = include_compiled_code
        self.disable_assets = disable_assets
        self.asset_checks = asset_checks
        self.executor = check_executor(executor)
        self.state = state_of(state, defer=defer, favor_state=favor_state)

    async def arun_build(
        self,
        select: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] | None = None,
        *,
        selector: str | None = None,
        full_refresh: bool = False,
        only_fresh_sources: bool = False,
        target: str | None = None,
        extra_cli_args: Sequence[str] | None = None,
    ) -> BuildResult:
        """Async form of `run_build`."""
        return await self._run(
            build_options(select, exclude, selector, full_refresh, only_fresh_sources, target, extra_cli_args)
        )

    @async_dispatch(arun_build)
    def run_build(
        self,
        select: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] | None = None,
        *,
        selector: str | None = None,
        full_refresh: bool = False,
        only_fresh_sources: bool = False,
        target: str | None = None,
        extra_cli_args: Sequence[str] | None = None,
    ) -> BuildResult:
        """Build the selected nodes and wait until all have ended.

        If the run that calls is cancelled or times out, dbt ends its queries before this returns.

        Args:
            select: dbt's selectors, such as `["staging+", "tag:nightly"]`; the whole project when `None`.
            exclude: What to leave out, as dbt's `--exclude`.
            selector: Name of a selector in `selectors.yml`, instead of `select`.
            full_refresh: Whether incremental models and seeds are made anew. Nothing is reused then.
            only_fresh_sources: Whether nodes downstream of a stale source are skipped. `dbt source freshness` finds
                out first; what is older than `error_after`, or cannot be asked, is stale.
            target: Name of the target in the profile; the profile's own when `None`.
            extra_cli_args: Further arguments of `dbt build`, such as `["--vars", "{day: 2026-01-01}"]`.

        Returns:
            How each node ended, by unique id, also those that were skipped.

        Raises:
            DbtRunFailed: If nodes failed, unless `raise_on_failure` is off. The message names each of them.
            DbtError: If dbt could not do its work, `raise_on_failure` or not. Subclasses name the cause.
            ValueError: If an argument has a value that cannot be, or folders of the settings are missing.
        """
        options = build_options(select, exclude, selector, full_refresh, only_fresh_sources, target, extra_cli_args)
        return run_to_end(partial(self._run, options))

    async def _run(self, options: BuildOptions) -> BuildResult:
        from ._build import Build

        given = self.executor
        if given is None or isinstance(given, DbtCoreExecutor):
            (self.settings if given is None else given.settings).validate_for_orchestrator()
        elif self.state is not None:
            raise ValueError(
                "state needs the project on this machine, which this executor does not use. On dbt Cloud, "
                "`defer_to_job_id` of the executor names the job to defer to."
            )
        await self._check_limit()
        async with AsyncExitStack() as stack:
            executor: DbtExecutor
            if given is None:
                executor = self._local_executor()
                stack.push_async_callback(close_in_thread, executor.close)
            elif isinstance(given, DbtCoreExecutor):
                executor = given.view(include_compiled_code=self.include_compiled_code)
            else:
                executor = given
            return await Build(self, executor, options, self._hooks).execute()

    # For the modules that run it

    @property
    def is_per_node(self) -> bool:
        """Whether one invocation executes one node."""
        return self.execution_mode is ExecutionMode.PER_NODE

    @property
    def limit_name(self) -> str | None:
        """Name of the global concurrency limit, if there is one."""
        return self.concurrency if isinstance(self.concurrency, str) else None

    def _local_executor(self) -> DbtCoreExecutor:
        from ._scope import RunScope

        wanted = self.concurrency if isinstance(self.concurrency, int) else None
        threads = 1 if self.is_per_node else wanted
        return DbtCoreExecutor(
            self.settings,
            processes=wanted if self.is_per_node else 1,
            include_compiled_code=self.include_compiled_code,
            inject={} if threads is None else {"threads": threads},
            logger=RunScope.current().logger,
        )

    async def _check_limit(self) -> None:
        """Refuse the name of a limit that does not exist: Prefect itself would let everything run."""
        if self.limit_name is None:
            return
        from prefect.client.orchestration import get_client
        from prefect.exceptions import ObjectNotFound

        async with get_client() as client:
            try:
                await client.read_global_concurrency_limit_by_name(self.limit_name)
            except ObjectNotFound as exc:
                raise ValueError(
                    f"concurrency is {self.limit_name!r}, but Prefect has no global concurrency limit of that name. "
                    f"Make one: prefect gcl create {self.limit_name} --limit 4"
                ) from exc
