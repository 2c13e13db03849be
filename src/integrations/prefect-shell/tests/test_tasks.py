"""`shell_run_command` and `run_args`: their results, in each kind of run, and what reaches the Prefect API."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import pytest
from prefect import Task, flow, get_client, task
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler
from pydantic import SecretStr

from prefect_shell import ShellOperation, run_args, shell_run_command
from prefect_shell.errors import (
    ShellCommandFailed,
    ShellNotFound,
    ShellOptionError,
    ShellTimeout,
    WorkingDirectoryError,
)

pytestmark = pytest.mark.usefixtures("script_folder", "prefect_harness")


KINDS = ["sync flow", "async flow", "sync task", "async task"]

Called = tuple[Any, tuple[Any, ...], dict[str, Any]]


def call_in(kind: str, *calls: Called) -> list[Any]:
    """Call tasks from the body of one run and return what each gives or raises."""

    def sync_body() -> list[Any]:
        results: list[Any] = []
        for published, args, kwargs in calls:
            try:
                results.append(published(*args, **kwargs))
            except Exception as error:
                results.append(error)
        return results

    async def async_body() -> list[Any]:
        results: list[Any] = []
        for published, args, kwargs in calls:
            try:
                results.append(await published(*args, **kwargs))
            except Exception as error:
                results.append(error)
        return results

    if kind == "sync flow":
        return flow(sync_body)()
    if kind == "async flow":
        return asyncio.run(flow(async_body)())

    @flow
    def sync_flow() -> list[Any]:
        return task(sync_body)()

    @flow
    async def async_flow() -> list[Any]:
        return await task(async_body)()

    return sync_flow() if kind == "sync task" else asyncio.run(async_flow())


def shell(*args: Any, **kwargs: Any) -> Called:
    return shell_run_command, args, kwargs


def program(*args: Any, **kwargs: Any) -> Called:
    return run_args, args, kwargs


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_the_last_line_or_all_lines(kind: str) -> None:
    assert call_in(
        kind,
        shell("echo one; echo two; echo"),
        shell("true"),
        shell("echo one; echo two; echo err >&2", return_all=True),
        shell("true", return_all=True),
        program(["echo", "one word"]),
    ) == ["two", "", ["one", "two"], [], "one word"]


def test_programs_written_for_a_coroutine_may_run_the_result_in_a_sync_flow() -> None:
    @flow
    def example() -> list[Any]:
        found = [asyncio.run(shell_run_command("echo one; echo two", return_all=all_)) for all_ in (False, True)]
        return [*found, asyncio.run(run_args(["echo", "three"])), [type(each) for each in found]]

    assert example() == ["two", ["one", "two"], "three", [str, list]]


@pytest.mark.parametrize("kind", KINDS[:2])
def test_each_published_parameter_works_by_position(kind: str, tmp_path: Path) -> None:
    command = "say $WHO; echo ${0##*.}; pwd"
    helper = 'say() { echo "hello $1"; }'
    (lines,) = call_in(
        kind, shell(command, {"WHO": "you"}, helper, "sh", ".txt", True, logging.DEBUG, os.fsencode(tmp_path))
    )
    assert lines == ["hello you", "txt", str(tmp_path)]


@pytest.mark.parametrize("kind", KINDS[:2])
def test_the_other_options_work(kind: str) -> None:
    *results, late, stopped = call_in(
        kind,
        shell("cat", stdin="text"),
        shell("exit 1", success_exit_codes=[0, 1]),
        shell("printf '\\344'", encoding="latin-1"),
        shell("echo x", capture_output=False),
        shell("seq 1000", max_captured_bytes=10, return_all=True),
        shell("echo $A", secret_env={"A": "plain"}),
        shell("head -c 2000000 /dev/zero | tr '\\0' x >&2; echo done"),
        shell("sleep 60", timeout_seconds=0.2, terminate_grace_seconds=0.1),
        shell("false\necho on", fail_fast=True),
    )
    assert results == ["text", "", "ä", "", ["999", "1000"], "plain", "done"]
    assert isinstance(late, ShellTimeout)
    assert isinstance(stopped, ShellCommandFailed)
    assert stopped.command == "false"


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_failure_is_a_runtime_error_with_code_and_last_words(kind: str) -> None:
    loud, silent = call_in(kind, shell("ls no/such; exit 2"), shell("echo last words; exit 3"))
    assert isinstance(loud, RuntimeError)
    assert str(loud).startswith("Command failed with exit code 2:\n")
    assert "no/such" in str(loud)
    assert str(silent) == "Command failed with exit code 3:\nlast words"


@pytest.mark.parametrize("kind", KINDS[:2])
def test_arguments_need_no_quoting(kind: str, tmp_path: Path) -> None:
    odd = "a b'c\"$(rm -rf x);*"
    (tmp_path / odd).touch()
    printed, listed, read, missing, failed = call_in(
        kind,
        program(["printf", "%s", odd]),
        program(["ls", tmp_path], return_all=True, env={"LC_ALL": "C"}),
        program(["cat"], stdin=b"bytes"),
        program(["no-such-program"]),
        program(["sh", "-c", "exit 9"], cwd=tmp_path),
    )
    assert (printed, read) == (odd, "bytes")
    assert odd in listed
    assert isinstance(missing, ShellNotFound)
    assert failed.exit_code == 9


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"command": " "}, ShellOptionError, "command"),
        ({"command": ["ls"]}, ShellOptionError, "run_args"),
        ({"command": "ls", "shell": "no-such-shell"}, ShellNotFound, "no-such-shell"),
        ({"command": "ls", "cwd": "/no/such"}, WorkingDirectoryError, "/no/such"),
        ({"command": "ls", "cwd": __file__}, NotADirectoryError, "not a directory"),
        ({"command": "ls", "extension": "../sh"}, ShellOptionError, "extension"),
        ({"command": "ls", "encoding": "utf-9"}, ValueError, "utf-9"),
        ({"command": "ls", "timeout_seconds": -1}, ValueError, "timeout_seconds"),
        ({"command": "ls", "env": {"A": 1}}, ValueError, "value of A"),
        ({"command": "cat", "stdin": "caf\u00e9", "encoding": "ascii"}, ShellOptionError, "stdin.*position 3"),
        ({"command": "echo \ud800"}, ShellOptionError, "commands.*ud800"),
    ],
)
async def test_bad_parameters_are_refused_by_name(
    arguments: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        await shell_run_command.fn(**arguments)


def test_the_tasks_are_tasks_of_prefect_with_coroutines_inside() -> None:
    for published in (shell_run_command, run_args):
        assert isinstance(published, Task)
        assert type(published).__name__ == "Task"
        assert inspect.iscoroutinefunction(published.fn)
        renamed = published.with_options(name="other", retries=2)
        assert (renamed.name, renamed.retries) == ("other", 2)


def test_a_task_can_be_submitted_and_mapped() -> None:
    @flow
    def fan_out() -> list[Any]:
        return [
            shell_run_command.submit("echo a").result(),
            *shell_run_command.map(["echo b", "echo c"]).result(),
        ]

    assert fan_out() == ["a", "b", "c"]


async def test_the_function_works_without_a_run() -> None:
    assert await shell_run_command.fn("echo bare") == "bare"


async def _logs_of(flow_run_id: UUID) -> list[Any]:
    await APILogHandler.aflush()
    async with get_client() as client:
        return await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id])))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_lines_reach_the_api_while_the_command_runs_and_belong_to_their_run(is_async: bool, tmp_path: Path) -> None:
    seen: list[Any] = []
    ids: dict[str, UUID] = {}

    def note() -> None:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        ids["flow"] = context.flow_run.id

    async def poll() -> None:
        for _ in range(200):
            seen[:] = [log for log in await _logs_of(ids["flow"]) if log.message.endswith("early line")]
            if seen:
                break
            await asyncio.sleep(0.05)
        (tmp_path / "go").touch()

    commands = ["echo early line", "while [ ! -e go ]; do sleep 0.05; done", "echo late line"]

    @task
    def sync_task() -> None:
        context = TaskRunContext.get()
        assert context is not None
        ids["task"] = context.task_run.id
        with ShellOperation(commands=commands, working_dir=tmp_path) as operation:
            process = operation.trigger()
            asyncio.run(poll())
            process.wait_for_completion()

    @task
    async def async_task() -> None:
        context = TaskRunContext.get()
        assert context is not None
        ids["task"] = context.task_run.id
        async with ShellOperation(commands=commands, working_dir=tmp_path) as operation:
            process = await operation.trigger()
            await poll()
            await process.wait_for_completion()

    @flow
    def sync_flow() -> None:
        note()
        sync_task()

    @flow
    async def async_flow() -> None:
        note()
        await async_task()

    if is_async:
        asyncio.run(async_flow())
    else:
        sync_flow()
    (early,) = seen
    assert early.message.endswith("stream output:\nearly line")
    assert (early.flow_run_id, early.task_run_id, early.level) == (ids["flow"], ids["task"], logging.INFO)


def test_lines_are_logged_at_the_level_that_was_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    @flow
    def logs() -> None:
        shell_run_command(
            "echo out; echo $P >&2",
            stream_level=logging.WARNING,
            stderr_level=logging.ERROR,
            secret_env={"P": SecretStr("hunter2hunter2")},
        )
        shell_run_command("echo unlogged >&2; echo silent", log_output=False)
        shell_run_command("echo unlogged >&2")

    logs()
    said = {(record.levelname, record.getMessage()) for record in caplog.records}
    assert {("WARNING", "out"), ("ERROR", "********")} <= said
    assert "unlogged" not in caplog.text
    assert "silent" not in caplog.text


@pytest.mark.parametrize("published", [shell_run_command, run_args], ids=lambda published: published.name)
def test_types_of_parameters_can_be_read_at_run_time(published: Any) -> None:
    assert get_type_hints(published.fn)["secret_env"] == Mapping[str, SecretStr | str] | None
