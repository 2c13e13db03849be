"""How a command and all that it started come to their end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from prefect import flow, task

from prefect_integration_tests.faces import Call
from prefect_shell import ShellOperation, shell_run_command
from prefect_shell.errors import ShellCommandFailed, ShellTimeout

pytestmark = pytest.mark.usefixtures("script_folder")

# A grandchild that keeps the pipes, one that does not, and the leader waiting.
FAMILY = "sleep 300 & echo $! > a; (sleep 300 >/dev/null 2>&1 & echo $! > b); echo up"
STUBBORN = "trap '' TERM; sleep 300 & echo $! > a; (sleep 300 & echo $! > b); echo up"

Family = Callable[[], list[int]]


@pytest.fixture
def family(tmp_path: Path, pid_in: Callable[[Path], int]) -> Family:
    """The ids of the two grandchildren, once they run."""
    return lambda: [pid_in(tmp_path / name) for name in "ab"]


@pytest.fixture
def all_dead(is_running: Callable[[int], bool]) -> Callable[[list[int]], bool]:
    return lambda pids: not any(map(is_running, pids))


@pytest.mark.parametrize(("commands", "grace"), [(FAMILY, 30.0), (STUBBORN, 0.2)], ids=["polite", "stubborn"])
@pytest.mark.parametrize("waits", [True, False], ids=["leader waits", "leader is gone"])
async def test_a_time_out_ends_all(
    call: Call, tmp_path: Path, family: Family, all_dead: Any, commands: str, grace: float, waits: bool
) -> None:
    operation = ShellOperation(
        commands=[commands, *(["wait; sleep 300"] if waits else [])],
        working_dir=tmp_path,
        timeout_seconds=1,
        terminate_grace_seconds=grace,
    )
    began = time.monotonic()
    with pytest.raises(ShellTimeout):
        await call(operation, "run")
    assert time.monotonic() - began < 20
    assert all_dead(family())


@pytest.mark.parametrize(("commands", "grace"), [(FAMILY, 30.0), (STUBBORN, 0.2)], ids=["polite", "stubborn"])
@pytest.mark.parametrize("waits", [True, False], ids=["leader waits", "leader is gone"])
async def test_close_ends_all(
    call: Call, tmp_path: Path, family: Family, all_dead: Any, commands: str, grace: float, waits: bool
) -> None:
    operation = ShellOperation(
        commands=[commands, *(["wait; sleep 300"] if waits else [])],
        working_dir=tmp_path,
        terminate_grace_seconds=grace,
    )
    process = await call(operation, "trigger")
    pids = family()
    await call(operation, "close")
    assert all_dead([process.pid, *pids])
    assert process.return_code is not None


PYTHON_TIDIES_UP = """
import pathlib, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the caller ignores it
try:
    pathlib.Path("up").touch()  # from here on the signal may come
    time.sleep(300)
except KeyboardInterrupt:
    pathlib.Path("tidy").touch()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
async def test_a_program_that_tidies_up_at_ctrl_c_gets_the_time_to(
    call: Call, tmp_path: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    operation = ShellOperation(
        args=[sys.executable, "-c", PYTHON_TIDIES_UP], working_dir=tmp_path, interrupt_grace_seconds=20
    )
    process = await call(operation, "trigger")
    eventually((tmp_path / "up").exists)
    began = time.monotonic()
    await call(operation, "close")
    assert (tmp_path / "tidy").exists()
    assert time.monotonic() - began < 15
    assert process.return_code == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
async def test_what_ignores_ctrl_c_is_terminated_after_its_grace(call: Call, tmp_path: Path, pid_in: Any) -> None:
    commands = ["trap '' INT; echo $$ > a; sleep 300"]
    operation = ShellOperation(commands=commands, working_dir=tmp_path, interrupt_grace_seconds=0.3)
    process = await call(operation, "trigger")
    pid_in(tmp_path / "a")
    began = time.monotonic()
    await call(operation, "close")
    assert 0.3 <= time.monotonic() - began < 10
    assert process.return_code == -signal.SIGTERM


async def test_close_ends_what_a_completed_command_left_behind(
    call: Call, tmp_path: Path, pid_in: Callable[[Path], int], is_running: Callable[[int], bool]
) -> None:
    operation = ShellOperation(
        commands=["sleep 300 >/dev/null 2>&1 & echo $! > a"], working_dir=tmp_path, terminate_grace_seconds=30
    )
    process = await call(operation, "trigger")
    await call(process, "wait_for_completion")
    assert is_running(pid_in(tmp_path / "a"))
    await call(operation, "close")
    assert not is_running(pid_in(tmp_path / "a"))


def test_run_leaves_a_service_that_was_started_on_purpose(
    tmp_path: Path, pid_in: Callable[[Path], int], is_running: Callable[[int], bool]
) -> None:
    ShellOperation(commands=["sleep 300 >/dev/null 2>&1 & echo $! > a"], working_dir=tmp_path).run()
    pid = pid_in(tmp_path / "a")
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)


async def test_a_process_that_left_the_group_delays_nobody(call: Call, tmp_path: Path, pid_in: Any) -> None:
    operation = ShellOperation(
        commands=["setsid sh -c 'echo $$ > a; exec sleep 300' & wait"], working_dir=tmp_path, timeout_seconds=1
    )
    began = time.monotonic()
    with pytest.raises(ShellTimeout):
        await call(operation, "run")
    assert time.monotonic() - began < 15
    os.kill(pid_in(tmp_path / "a"), signal.SIGKILL)


async def test_one_of_several_processes_can_be_ended(call: Call) -> None:
    with ShellOperation(commands=["sleep $N", "echo $N"], terminate_grace_seconds=0.2) as operation:
        first = await call(operation, "trigger", env={"N": "300"})
        second = await call(operation, "trigger", env={"N": "0"})
        await call(first, "terminate")
        with pytest.raises(ShellCommandFailed, match=r"SIGTERM.*closed"):
            await call(first, "wait_for_completion")
        await call(second, "wait_for_completion")
        assert await call(second, "fetch_result") == ["0"]


@pytest.mark.parametrize("grace", [0.0, 30.0])
async def test_cancelling_a_coroutine_ends_all(
    tmp_path: Path, family: Family, all_dead: Any, script_folder: Path, grace: float
) -> None:
    operation = ShellOperation(commands=[FAMILY, "wait"], working_dir=tmp_path, terminate_grace_seconds=grace)
    running = asyncio.ensure_future(operation.arun())
    pids = await asyncio.to_thread(family)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert all_dead(pids)
    assert list(script_folder.iterdir()) == []


async def test_a_cancelled_scope_ends_all(tmp_path: Path, family: Family, all_dead: Any) -> None:
    operation = ShellOperation(commands=[FAMILY, "wait"], working_dir=tmp_path)
    pids: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(operation.arun)
        pids += await asyncio.to_thread(family)
        group.cancel_scope.cancel()
    assert all_dead(pids)


async def test_an_exception_inside_the_context_ends_all(tmp_path: Path, family: Family, all_dead: Any) -> None:
    operation = ShellOperation(commands=[FAMILY, "wait"], working_dir=tmp_path)
    pids: list[int] = []
    with pytest.raises(KeyError):  # noqa: PT012
        async with operation:
            await operation.atrigger()
            pids += await asyncio.to_thread(family)
            raise KeyError
    with pytest.raises(KeyError), operation:  # noqa: PT012
        operation.trigger(_sync=True)
        raise KeyError
    assert all_dead(pids)


def test_an_exception_that_is_injected_in_a_waiting_thread_ends_all(
    tmp_path: Path, family: Family, all_dead: Any
) -> None:
    """Prefect ends a timed-out run in a thread in this way."""
    from prefect.utilities.timeout import timeout as prefect_timeout

    caught: list[BaseException] = []

    def work() -> None:
        try:
            with prefect_timeout(1.5):
                ShellOperation(commands=[FAMILY, "wait"], working_dir=tmp_path).run()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pids = family()
    thread.join(20)
    assert isinstance(caught[0], TimeoutError)
    assert all_dead(pids)


def test_the_time_out_of_a_flow_ends_all(prefect_harness: None, tmp_path: Path, family: Family, all_dead: Any) -> None:
    @flow(timeout_seconds=1.5)
    def in_sync() -> None:
        ShellOperation(commands=[FAMILY, "wait"], working_dir=tmp_path).run()

    @task(timeout_seconds=1.5)
    def in_thread() -> None:
        ShellOperation(commands=[FAMILY, "wait"], working_dir=tmp_path).run()

    @flow
    def submits() -> None:
        in_thread.submit().result()

    @flow(timeout_seconds=1.5)
    async def in_async() -> None:
        await shell_run_command(f"{FAMILY}; wait", cwd=tmp_path)

    for run in (in_sync, submits, lambda: asyncio.run(in_async())):
        for name in "ab":
            (tmp_path / name).unlink(missing_ok=True)
        with pytest.raises(TimeoutError):
            run()
        assert all_dead(family())


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (signal.SIGINT, "operation.run()"),
        (signal.SIGTERM, "asyncio.run(operation.arun())"),
        (signal.SIGTERM, "operation.trigger(); time.sleep(300)"),
        (None, "operation.trigger()"),
    ],
)
def test_nothing_is_left_when_the_program_ends(
    tmp_path: Path, script_folder: Path, family: Family, eventually: Any, all_dead: Any, number: int | None, body: str
) -> None:
    program = textwrap.dedent(f"""
        import asyncio, os, signal, sys, time
        from prefect_shell import ShellOperation
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        operation = ShellOperation(commands=[{FAMILY!r}, "wait"], terminate_grace_seconds=5)
        {body}
        while not (os.path.exists("a") and os.path.exists("b")): time.sleep(0.01)
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(script_folder), "PREFECT_HOME": str(tmp_path / "home")},
        stderr=subprocess.DEVNULL,
    )
    pids = family()
    if number is not None:
        child.send_signal(number)
    child.wait(60)
    eventually(lambda: all_dead(pids))
    assert list(script_folder.iterdir()) == []
