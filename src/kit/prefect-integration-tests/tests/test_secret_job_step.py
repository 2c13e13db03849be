"""The suites of secrets, jobs and steps: doubles in memory pass, and each broken one is found by its test."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

import pytest
from pathspec import PathSpec
from prefect.blocks.core import Block
from pydantic import Field

from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.paths import local_target
from prefect_integration_tests.faces import Call
from prefect_integration_tests.suites import JobSuite, SecretSuite, StepSuite

FAILURES = (AssertionError, pytest.fail.Exception, TypeError, KeyError, LookupError, OSError, RuntimeError)


# Secrets


class MemorySecret(Block):
    """A secret in a dictionary."""

    name: str = "db/password"
    service: dict[str, bytes] = Field(default_factory=dict, repr=False)

    def _read(self) -> bytes:
        try:
            return self.service[self.name]
        except KeyError:
            raise LookupError(f"No secret {self.name!r}.") from None

    def _write(self, content: bytes) -> str:
        self.service[self.name] = content
        return self.name

    def _delete(self) -> str:
        self._read()
        del self.service[self.name]
        return self.name

    async def aread_secret(self) -> bytes:
        return self._read()

    @async_dispatch(aread_secret)
    def read_secret(self) -> bytes:
        return self._read()

    async def awrite_secret(self, secret_data: bytes) -> str:
        return self._write(secret_data)

    @async_dispatch(awrite_secret)
    def write_secret(self, secret_data: bytes) -> str:
        return self._write(secret_data)

    async def adelete_secret(self) -> str:
        return self._delete()

    @async_dispatch(adelete_secret)
    def delete_secret(self) -> str:
        return self._delete()


class TestMemorySecret(SecretSuite):
    @pytest.fixture
    def secret(self):
        return MemorySecret()

    def name_of(self, secret):
        return secret.name


class Anonymous(MemorySecret):
    def _read(self):
        try:
            return self.service[self.name]
        except KeyError:
            raise LookupError("Not found.") from None


class WritesOnce(MemorySecret):
    def _write(self, content):
        self.service.setdefault(self.name, content)
        return self.name


class TextOnly(MemorySecret):
    def _write(self, content):
        return super()._write(content.decode("utf-8", "replace").encode())


class NoEmpty(MemorySecret):
    def _read(self):
        if not self.service.get(self.name):
            raise LookupError(f"No secret {self.name!r}.")
        return super()._read()


class CutsLong(MemorySecret):
    def _write(self, content):
        return super()._write(content[:4096])


class KeepsDeleted(MemorySecret):
    def _delete(self):
        return self.name


class AsyncOther(MemorySecret):
    async def awrite_secret(self, secret_data):
        return self.name


class SecretNotDispatched(MemorySecret):
    def write_secret(self, secret_data):
        return self._write(secret_data)


class Tells(MemorySecret):
    def _write(self, content):
        logging.getLogger("x").debug("writing %s", content)
        return super()._write(content)


class SecretBlocksTheLoop(MemorySecret):
    async def aread_secret(self):
        time.sleep(0.08)
        return self._read()


BROKEN_SECRETS = {
    "test_a_missing_secret_is_named": Anonymous,
    "test_what_is_written_is_read": WritesOnce,
    "test_binary_secrets_are_kept": TextOnly,
    "test_an_empty_secret_is_kept_or_refused": NoEmpty,
    "test_a_large_secret_is_kept": CutsLong,
    "test_a_deleted_secret_is_gone": KeepsDeleted,
    "test_one_face_reads_what_the_other_wrote": AsyncOther,
    "test_the_sync_name_can_be_awaited_on_a_loop": SecretNotDispatched,
    "test_a_secret_is_never_said": Tells,
    "test_the_event_loop_is_free_meanwhile": SecretBlocksTheLoop,
}


@pytest.mark.parametrize(("name", "double"), BROKEN_SECRETS.items())
async def test_a_broken_secret_is_found_out(name, double, run_suite_test) -> None:
    with pytest.raises(FAILURES):
        await run_suite_test(TestMemorySecret(), name, secret=double(), call=Call("sync"))


async def test_a_large_secret_that_takes_long_is_found_out(run_suite_test) -> None:
    class Slow(MemorySecret):
        def _read(self):
            time.sleep(0.02)
            return super()._read()

    suite = TestMemorySecret()
    suite.large_seconds = 0.01
    with pytest.raises(AssertionError, match=r"60000 bytes took"):
        await run_suite_test(suite, "test_a_large_secret_is_kept", secret=Slow(), call=Call("sync"))


def test_every_test_of_the_secret_suite_has_a_double_that_fails_it(tests_of) -> None:
    assert tests_of(SecretSuite) == set(BROKEN_SECRETS)


# Jobs


class MemoryRun:
    def __init__(self, job: MemoryJob) -> None:
        self.job = job
        self.done = False

    async def _wait(self) -> None:
        await asyncio.sleep(0.001)
        self.done = True
        if self.job.fails:
            raise RuntimeError(f"Job {self.job.name!r} ended with exit code 3.")

    def _result(self) -> list[str]:
        if not self.done:
            raise ValueError("Wait first.")
        return ["out"]

    async def await_for_completion(self) -> None:
        await self._wait()

    @async_dispatch(await_for_completion)
    def wait_for_completion(self) -> None:
        asyncio.run(self._wait())

    async def afetch_result(self) -> list[str]:
        return self._result()

    @async_dispatch(afetch_result)
    def fetch_result(self) -> list[str]:
        return self._result()


class MemoryJob(Block):
    """A job that does nothing."""

    name: str = "nightly"
    token: str = ""
    fails: bool = False

    def _start(self) -> Any:
        return MemoryRun(self)

    def __repr_args__(self):
        return [("name", self.name)]

    async def atrigger(self) -> Any:
        return self._start()

    @async_dispatch(atrigger)
    def trigger(self) -> Any:
        return self._start()


class TestMemoryJob(JobSuite):
    failure_names = ("nightly", "exit code 3")

    @pytest.fixture
    def job(self, canary):
        return MemoryJob(token=canary)

    @pytest.fixture
    def failing_job(self, canary):
        return MemoryJob(token=canary, fails=True)

    def check_result(self, result):
        assert result == ["out"]


def job_with(run: type[MemoryRun]) -> type[MemoryJob]:
    class Job(MemoryJob):
        _block_type_slug = f"job-{run.__name__.lower()}"

        def _start(self):
            return run(self)

    return Job


class WrongResult(MemoryRun):
    def _result(self):
        return []


class WaitsOnce(MemoryRun):
    async def _wait(self):
        if self.done:
            raise RuntimeError("waited already")
        await super()._wait()


class OneRun(MemoryJob):
    def _start(self):
        run = MemoryRun(self)
        if "_started" in self.__dict__:
            run._result = list
        self.__dict__["_started"] = True
        return run


class SharedResult(MemoryRun):
    """Runs count each other."""

    running = 0

    async def _wait(self):
        SharedResult.running += 1
        await asyncio.sleep(0.01)
        self.result = ["out"] * SharedResult.running
        self.done = True

    def _result(self):
        return self.result


class SwallowsFailure(MemoryRun):
    async def _wait(self):
        self.done = True


class NamelessFailure(MemoryRun):
    async def _wait(self):
        raise RuntimeError("Failed.")


class AsyncForgets(MemoryRun):
    async def await_for_completion(self):
        """Wait for nothing."""


class JobNotDispatched(MemoryJob):
    def trigger(self):
        return self._start()


class TellsToken(MemoryRun):
    async def _wait(self):
        logging.getLogger("x").debug("token %s", self.job.token)
        await super()._wait()


class SleepsOnTheLoop(MemoryRun):
    async def _wait(self):
        time.sleep(0.08)
        await super()._wait()


BROKEN_JOBS: list[tuple[str, type[MemoryJob]]] = [
    ("test_a_job_ends_with_its_result", job_with(WrongResult)),
    ("test_a_job_can_be_waited_for_twice", job_with(WaitsOnce)),
    ("test_a_job_can_run_again", OneRun),
    ("test_runs_do_not_mix", job_with(SharedResult)),
    ("test_a_failed_job_is_an_error", job_with(SwallowsFailure)),
    ("test_a_failed_job_is_an_error", job_with(NamelessFailure)),
    ("test_one_face_waits_for_what_the_other_started", job_with(AsyncForgets)),
    ("test_the_sync_names_can_be_awaited_on_a_loop", JobNotDispatched),
    ("test_secrets_are_not_said", job_with(TellsToken)),
    ("test_the_event_loop_is_free_meanwhile", job_with(SleepsOnTheLoop)),
]


@pytest.mark.parametrize(("name", "double"), BROKEN_JOBS, ids=[name for name, _ in BROKEN_JOBS])
async def test_a_broken_job_is_found_out(name, double, run_suite_test, canary) -> None:
    with pytest.raises((*FAILURES, ValueError)):
        await run_suite_test(
            TestMemoryJob(),
            name,
            job=double(token=canary),
            failing_job=double(token=canary, fails=True),
            canary=canary,
            call=Call("sync"),
        )


def test_every_test_of_the_job_suite_has_a_double_that_fails_it(tests_of) -> None:
    assert tests_of(JobSuite) == {name for name, _ in BROKEN_JOBS}


# Steps


class Service:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, content: bytes) -> None:
        self.objects[key] = content

    def get(self, key: str) -> bytes:
        return self.objects[key]

    def keys(self) -> list[str]:
        return list(self.objects)


SERVICE = Service()


class Pushed(TypedDict):
    folder: str


class Pulled(TypedDict):
    folder: str
    directory: str


def push(folder: str, ignore_file: str = ".prefectignore") -> Pushed:
    ignore = Path(ignore_file)
    spec = PathSpec.from_lines("gitignore", ignore.read_text().splitlines() if ignore.exists() else [])
    for path in sorted(Path.cwd().rglob("*")):
        name = path.relative_to(Path.cwd()).as_posix()
        if path.is_file() and not spec.match_file(name):
            SERVICE.put(f"{folder}/{name}", path.read_bytes())
    return {"folder": folder}


def pull(folder: str) -> Pulled:
    prefix = f"{folder}/"
    found = {k.removeprefix(prefix): v for k, v in SERVICE.objects.items() if k.startswith(prefix)}
    for target, content in [(local_target(Path.cwd(), name), content) for name, content in found.items()]:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return {"folder": folder, "directory": str(Path.cwd())}


@pytest.fixture
def step_module(monkeypatch):
    """Make step functions importable by a dotted name, as YAML needs them."""

    def install(**functions: Any) -> None:
        module = ModuleType("steps_in_memory")
        for name, function in {"push": push, "pull": pull, **functions}.items():
            setattr(module, name, function)
        monkeypatch.setitem(sys.modules, "steps_in_memory", module)

    install()
    return install


class TestMemorySteps(StepSuite):
    @pytest.fixture
    def raw(self, step_module):
        SERVICE.objects.clear()
        return SERVICE

    def push_step(self, folder):
        return {"steps_in_memory.push": {"folder": folder}}

    def pull_step(self, folder):
        return {"steps_in_memory.pull": {"folder": folder}}


def pull_elsewhere(folder: str) -> Pulled:
    here = Path.cwd()
    (here / "pulled").mkdir()
    os.chdir(here / "pulled")
    try:
        return pull(folder)
    finally:
        os.chdir(here)


def push_without_folder(folder: str) -> Pushed:
    push("all")
    return {"folder": folder}


def push_wrong_output(folder: str) -> Pushed:
    push(folder)
    return {"folder": "other"}


def push_untyped(folder: str) -> dict[str, str]:
    return dict(push(folder))


def push_everything(folder: str) -> Pushed:
    return push(folder, "absent")


def pull_trusting(folder: str) -> Pulled:
    for key, content in SERVICE.objects.items():
        target = Path(os.path.normpath(Path.cwd() / key.removeprefix(f"{folder}/").lstrip("/").replace("\\", "/")))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return {"folder": folder, "directory": str(Path.cwd())}


def push_telling(folder: str) -> Pushed:
    for path in Path.cwd().glob("private"):
        print(path.read_text())
    return push(folder)


BROKEN_STEPS: list[tuple[str, dict[str, Any]]] = [
    ("test_what_is_pushed_is_pulled", {"pull": pull_elsewhere}),
    ("test_files_are_stored_under_the_folder", {"push": push_without_folder}),
    ("test_outputs_feed_the_next_step", {"push": push_wrong_output}),
    ("test_outputs_are_typed", {"push": push_untyped}),
    ("test_ignored_files_are_not_pushed", {"push": push_everything}),
    ("test_no_key_leads_outside", {"pull": pull_trusting}),
    ("test_credentials_are_not_said", {"push": push_telling}),
]


@pytest.mark.parametrize(("name", "functions"), BROKEN_STEPS, ids=[name for name, _ in BROKEN_STEPS])
async def test_broken_steps_are_found_out(
    name, functions, run_suite_test, step_module, tmp_path, monkeypatch, prefect_harness
) -> None:
    from prefect_integration_tests.suites.folder import TREE
    from prefect_integration_tests.suites.store import write_tree

    step_module(**functions)
    SERVICE.objects.clear()
    project = write_tree(tmp_path / "project", TREE)
    monkeypatch.chdir(project)
    with pytest.raises(FAILURES):
        await run_suite_test(TestMemorySteps(), name, raw=SERVICE, project=project)


def test_every_test_of_the_step_suite_has_a_double_that_fails_it(tests_of) -> None:
    assert tests_of(StepSuite) == {name for name, _ in BROKEN_STEPS}


async def test_a_thread_of_the_worker_pool_is_no_plain_thread() -> None:
    """`run_sync_in_worker_thread` keeps the run's context, `call` has none: both are wanted."""
    assert await run_sync_in_worker_thread(lambda: 1) == 1
