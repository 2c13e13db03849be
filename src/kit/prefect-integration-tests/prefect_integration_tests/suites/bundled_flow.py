"""What holds for every flow that travels through its pool's bucket and runs elsewhere, by the commands of Prefect."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import uuid
from abc import abstractmethod
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
from anyio import create_task_group, to_thread
from prefect import flow, get_client

from prefect_integration_kit.waiting import apoll

from .bundle_steps import BundleStepsSuite, RawBundles
from .decorator import add

STRICT_PYTHON = [sys.executable, "-W", "error", "-W", "ignore::FutureWarning"]
"""A launcher that ends at the first warning, but for those of SDKs that a Python grows old."""

in_own_processes = pytest.mark.timeout(300)
"""Mark of tests whose steps run as processes: each imports Prefect, which takes a busy machine its time."""


class PlayedInfrastructure(Protocol):
    """A service that runs no container: the test plays what a run was started with."""

    @property
    def job_variables(self) -> Mapping[str, Any]:
        """What brings a run there."""
        ...

    def command(self) -> list[str] | None:
        """Read the command that the only run was started with; `None` while there is none."""
        ...

    def end(self) -> None:
        """Let that run have ended with success."""
        ...

    def refuse(self) -> str:
        """Start nothing any more, and tell what the state of a run must name then."""
        ...

    def left_over(self) -> list[Any]:
        """List what was made for runs and is there still, of what should not be."""
        ...


class BundledFlowSuite(BundleStepsSuite):
    """Checks flows below the decorators of a package, whose pools keep bundles in a store of the same package.

    Attributes:
        decorators: The worker that each decorator binds to, by the decorator. The first is tested in all ways, and the
            others by tests that are marked slow where their commands might differ.
        storage: Name of the store for `prefect work-pool storage configure`.
        storage_title: What that command calls it.
        slow_direct_call: Whether the test of a direct call is marked slow.
    """

    decorators: ClassVar[Mapping[Callable[..., Any], type[Any]]]
    storage: ClassVar[str]
    storage_title: ClassVar[str]
    slow_direct_call: ClassVar[bool] = True

    @abstractmethod
    def save_block(self, request: pytest.FixtureRequest, name: str) -> None:
        """Save a block of credentials that reaches the store, and register the type of block that storage needs.

        Args:
            request: Of the test, for its fixtures.
            name: Name of the block.
        """

    @pytest.fixture
    @abstractmethod
    def infrastructure(self) -> PlayedInfrastructure:
        """Where the first decorator starts its runs."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run tests that take `decorator` once for each of the package, and those that take `first` for the first."""
        slow = (pytest.mark.slow,)
        each = [
            pytest.param(decorator, id=decorator.__name__, marks=slow if number else ())
            for number, decorator in enumerate(self.decorators)
        ]
        if "decorator" in metafunc.fixturenames:
            metafunc.parametrize("decorator", each)
        if "first" in metafunc.fixturenames:
            first = next(iter(self.decorators))
            marks = slow if self.slow_direct_call else ()
            metafunc.parametrize("first", [pytest.param(first, id=first.__name__, marks=marks)])

    @pytest.fixture
    def api(self, prefect_harness: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """The steps run as processes of their own, and find the test server."""
        from prefect.settings import get_current_settings

        monkeypatch.setenv("PREFECT_API_URL", str(get_current_settings().api.url))
        monkeypatch.setenv("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")
        monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)  # which `uv pip freeze` describes

    @pytest.fixture
    def make_pool(
        self, api: None, raw: RawBundles, request: pytest.FixtureRequest
    ) -> Callable[[Callable[..., Any]], str]:
        """Make a work pool for a decorator, whose storage is configured as the documentation says; return its name."""
        from prefect.client.schemas.actions import WorkPoolCreate
        from prefect.testing.cli import invoke_and_assert

        def make(decorator: Callable[..., Any]) -> str:
            worker = self.decorators[decorator]
            name = f"{worker.type}-{uuid.uuid4().hex[:8]}"
            template = worker.get_default_base_job_template()
            with get_client(sync_client=True) as client:
                client.create_work_pool(WorkPoolCreate(name=name, type=worker.type, base_job_template=template))
            self.save_block(request, f"{name}-store")
            store = [f"--{self.noun}", raw.bucket, self.block_option, f"{name}-store"]
            launcher = ["--launcher", STRICT_PYTHON[0], *[f"--launcher-arg={word}" for word in STRICT_PYTHON[1:]]]
            invoke_and_assert(
                ["work-pool", "storage", "configure", self.storage, name, *store, *launcher],
                expected_code=0,
                expected_output_contains=f"Configured {self.storage_title} for work pool {name!r}",
            )
            return name

        return make

    @pytest.fixture
    def in_a_container(self, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        """Run a command as the container of a run does: in an empty folder, with the run's ID."""

        def run(command: list[str], flow_run_id: object) -> subprocess.CompletedProcess[str]:
            folder = tmp_path / f"run-{uuid.uuid4().hex}"
            folder.mkdir()
            env = {**os.environ, "PREFECT__FLOW_RUN_ID": str(flow_run_id)}
            return subprocess.run(
                command, cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False
            )

        return run

    @in_own_processes
    def test_a_submitted_flow_runs_from_the_generated_command_unless_its_bundle_was_changed(
        self,
        decorator: Callable[..., Any],
        make_pool: Callable[[Callable[..., Any]], str],
        raw: RawBundles,
        in_a_container: Callable[..., subprocess.CompletedProcess[str]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The run brings its files along, is not run if somebody has changed it, and is not run twice."""
        pool = make_pool(decorator)
        block = f"{pool}-store"
        prices = tmp_path / "prices"
        prices.mkdir()
        (prices / "bread.txt").write_text("3")
        (prices / "draft.txt").write_text("0")

        @decorator(work_pool=pool, include_files=["*.txt", "!draft.txt"], include_files_base_dir=prices, image="i")
        @flow(name=f"sum-{pool}", persist_result=True)
        def total(loaves: int) -> tuple[int, list[str]]:
            return loaves * int(Path("bread.txt").read_text()), [path.name for path in Path().iterdir()]

        future = total.submit_to_work_pool(loaves=4)
        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(future.flow_run_id)
        variables = flow_run.job_variables or {}
        assert (future.state.name, flow_run.work_pool_name, variables["image"]) == ("Scheduled", pool, "i")

        given: str | list[str] = variables["command"]  # as the pool's type has it
        command = shlex.split(given) if isinstance(given, str) else given
        key = str(uuid.UUID(command[command.index("--key") + 1]))  # random, so nobody can guess it
        start = [*STRICT_PYTHON, "-m", f"{self.package}.experimental.bundles.execute"]
        steps, options = command[: len(start)], command[len(start) :]
        assert steps == start
        expected = {f"--{self.noun}": raw.bucket, self.block_option: block, "--key": key}
        assert dict(zip(options[::2], options[1::2], strict=True)) == expected
        files = [name for name in list(raw.keys()) if name != key]
        assert len(files) == 1
        assert files[0].startswith("files/")

        monkeypatch.chdir(tmp_path)
        content, metadata = raw.get(key), raw.metadata(key)
        raw.put(key, content + b" ", metadata)
        with pytest.raises(self.refused_error, match=f"{self.url_of(raw.bucket, key)} is not what was uploaded"):
            self.execute(raw.bucket, key, block)
        assert not Path("bread.txt").exists()
        assert future.state.is_scheduled()

        raw.put(key, content, metadata)
        done = in_a_container(command, future.flow_run_id)
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        assert future.result(timeout=30) == (12, ["bread.txt"])
        assert set(raw.keys()) >= {key, *files}  # a retry in the UI needs it

        again = {"delete_after_run": True} if self.deletes_after_run else {}
        self.execute(raw.bucket, key, block, **again)  # delivered once more
        assert not Path("bread.txt").exists()
        left = set(raw.keys())
        assert (key not in left) is self.deletes_after_run
        assert left.issuperset(files)  # others may share them

    @in_own_processes
    @pytest.mark.slow
    def test_a_bundle_that_is_delivered_twice_runs_once_and_stays_unless_told_otherwise(
        self,
        make_pool: Callable[[Callable[..., Any]], str],
        raw: RawBundles,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Infrastructure that is started twice, or again, does no harm."""
        decorator = next(iter(self.decorators))
        pool = make_pool(decorator)
        count = tmp_path / "count"

        @decorator(work_pool=pool)
        @flow(name=f"count-{pool}")
        def note() -> None:
            with count.open("a") as file:
                file.write("x")

        future = note.submit_to_work_pool()
        (key,) = list(raw.keys())
        monkeypatch.chdir(tmp_path)
        for is_last in (False, False, self.deletes_after_run):
            options = {"delete_after_run": is_last} if self.deletes_after_run else {}
            self.execute(raw.bucket, key, f"{pool}-store", **options)
            assert count.read_text() == "x"
            assert (key in list(raw.keys())) is not is_last
        future.wait(timeout=30)
        assert future.state.is_completed()

    # The way through the worker

    @in_own_processes
    async def test_a_direct_call_gives_what_the_run_returns(
        self,
        first: Callable[..., Any],
        make_pool: Callable[[Callable[..., Any]], str],
        infrastructure: PlayedInfrastructure,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The caller waits for what was started, and has its result."""
        pool = await to_thread.run_sync(make_pool, first)
        monkeypatch.chdir(tmp_path)

        @first(work_pool=pool, **infrastructure.job_variables)
        @flow(name=f"double-{pool}")
        async def double(number: int) -> int:
            return 2 * number

        async def be_the_container() -> None:
            command = await apoll(
                lambda: to_thread.run_sync(infrastructure.command),
                subject="What was started",
                interval_seconds=0.1,
                timeout_seconds=200,
            )
            option = {name: value for name, value in pairwise(command) if name.startswith("--")}
            where = (option[f"--{self.noun}"], option["--key"], option[self.block_option])
            await to_thread.run_sync(self.execute, *where)
            await to_thread.run_sync(infrastructure.end)

        async with create_task_group() as group:
            group.start_soon(be_the_container)
            assert await double(21) == 42
        assert infrastructure.left_over() == []

    @in_own_processes
    @pytest.mark.slow
    def test_what_cannot_be_started_crashes_the_run_with_its_cause(
        self, make_pool: Callable[[Callable[..., Any]], str], infrastructure: PlayedInfrastructure
    ) -> None:
        """The state of a submitted run tells what the service said."""
        decorator = next(iter(self.decorators))
        pool = make_pool(decorator)
        named = infrastructure.refuse()
        future = decorator(work_pool=pool, **infrastructure.job_variables)(add).submit(1)
        future.wait(timeout=60)
        assert future.state.is_crashed()
        assert named in str(future.state.message)
        assert infrastructure.left_over() == []
