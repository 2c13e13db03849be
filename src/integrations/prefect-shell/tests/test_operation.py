"""`ShellOperation`: what it runs, returns and logs, in both faces."""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import pickle
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from prefect import flow
from pydantic import SecretStr, ValidationError

from prefect_integration_tests.faces import Call
from prefect_shell import ShellOperation, ShellProcess
from prefect_shell.errors import (
    ShellCommandFailed,
    ShellError,
    ShellNotExecutable,
    ShellNotFound,
    ShellOptionError,
    ShellTimeout,
    WorkingDirectoryError,
)

pytestmark = pytest.mark.usefixtures("script_folder")


async def test_commands_share_one_shell_and_return_their_lines(call: Call, shell: str) -> None:
    operation = ShellOperation(commands=["x=1", "cd /", "echo $x", "printf 'a\\n\\nb c'", "pwd"], shell=shell)
    assert await call(operation, "run") == ["1", "a", "", "b c/"]


async def test_no_output_is_an_empty_list(call: Call) -> None:
    assert await call(ShellOperation(commands=["true"]), "run") == []


async def test_lines_have_no_white_space_at_their_end(call: Call) -> None:
    operation = ShellOperation(commands=["printf '  a  \\n\\t \\nb\\t'"])
    assert await call(operation, "run") == ["  a", "", "b"]
    process = await call(operation, "trigger")
    await call(process, "wait_for_completion")
    assert await call(process, "fetch_result") == ["  a", "", "b"]


async def test_both_outputs_are_the_result_and_can_be_told_apart(call: Call) -> None:
    operation = ShellOperation(commands=["echo out", "echo err >&2"])
    process = await call(operation, "trigger")
    await call(process, "wait_for_completion")
    assert sorted(await call(process, "fetch_result")) == ["err", "out"]
    assert (process.stdout_lines, process.stderr_lines) == (["out"], ["err"])


async def test_standard_error_stays_out_of_the_result_on_request(call: Call) -> None:
    assert await call(ShellOperation(commands=["echo out", "echo err >&2"], capture_stderr=False), "run") == ["out"]


async def test_environment_is_merged_over_that_of_the_process(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER", "outer")
    monkeypatch.setenv("BOTH", "outer")
    operation = ShellOperation(commands=["echo $OUTER $BOTH $INNER"], env={"BOTH": "inner", "INNER": "inner"})
    assert await call(operation, "run") == ["outer inner inner"]
    assert await call(operation, "run", env={"INNER": "call"}) == ["outer inner call"]


async def test_working_directory_is_used_and_can_be_replaced_in_a_call(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    operation = ShellOperation(commands=["pwd -P"], working_dir=tmp_path / "a")
    assert await call(operation, "run") == [str((tmp_path / "a").resolve())]
    assert await call(operation, "run", cwd=str(tmp_path / "b")) == [str((tmp_path / "b").resolve())]


async def test_popen_arguments_of_a_call_reach_the_process(call: Call, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("from a file\n")
    with source.open("rb") as file:
        assert await call(ShellOperation(commands=["cat"]), "run", stdin=file) == ["from a file"]
    merged = ShellOperation(commands=["echo 1", "echo 2 >&2", "echo 3"])
    assert await call(merged, "run", stderr=subprocess.STDOUT) == ["1", "2", "3"]
    assert await call(ShellOperation(commands=["umask"]), "run", umask=0o27) == ["0027"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"shell": True}, "shell"),
        ({"text": True}, "encoding"),
        ({"start_new_session": False}, "start_new_session"),
        ({"stdin": subprocess.PIPE}, "stdin"),
        ({"command": ["ls"]}, "command"),
        ({"env": {"A=B": "1"}}, "A=B"),
    ],
)
async def test_popen_arguments_that_cannot_work_are_refused_by_name(
    call: Call, arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(ShellOptionError, match=named):
        await call(ShellOperation(commands=["true"]), "run", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"start_new_session": True}, {"shell": False, "text": False, "bufsize": 0, "encoding": None}],
    ids=lambda arguments: " ".join(arguments),
)
async def test_popen_arguments_that_say_how_it_is_anyway_are_taken(call: Call, arguments: dict[str, Any]) -> None:
    assert await call(ShellOperation(commands=["echo 1"]), "run", **arguments) == ["1"]


async def test_standard_input_is_empty_or_what_was_given(call: Call) -> None:
    assert await call(ShellOperation(commands=["cat"]), "run") == []
    text = "ä\n" * 50_000  # more than a pipe holds
    assert await call(ShellOperation(commands=["cat"], stdin=text, log_output=False), "run") == ["ä"] * 50_000
    assert await call(ShellOperation(commands=["echo unread"], stdin=text), "run") == ["unread"]
    with pytest.raises(ShellOptionError, match="stdin"):
        await call(ShellOperation(commands=["cat"], stdin="x"), "run", stdin=subprocess.DEVNULL)


async def test_arguments_are_run_without_a_shell(call: Call) -> None:
    operation = ShellOperation(args=["printf", "%s\\n", "$HOME; rm -rf *", "it's", ""])
    assert await call(operation, "run") == ["$HOME; rm -rf *", "it's", ""]


async def test_a_failure_carries_exit_code_and_the_tail_of_standard_error(call: Call, shell: str) -> None:
    operation = ShellOperation(commands=["echo fine", "echo broken disk >&2", "exit 3"], shell=shell)
    with pytest.raises(ShellCommandFailed, match="failed with return code 3") as caught:
        await call(operation, "run")
    assert isinstance(caught.value, RuntimeError)
    assert (caught.value.exit_code, caught.value.stderr_tail) == (3, "broken disk")
    assert "broken disk" in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.exit_code, again.stderr_tail, str(again)) == (3, "broken disk", str(caught.value))


async def test_a_first_failure_is_passed_over_by_default(call: Call) -> None:
    assert await call(ShellOperation(commands=["false", "echo hi"]), "run") == ["hi"]


@pytest.mark.parametrize(
    ("commands", "failed", "code"),
    [
        (["echo a", "false", "echo b"], "false", 1),
        (["echo a", "(exit 4)", "echo b"], "(exit 4)", 4),
        (["echo a", "exit 7", "echo b"], "exit 7", 7),
        (["f() { return 5; }", "f", "echo b"], "f", 5),
    ],
)
async def test_fail_fast_stops_and_names_the_command(
    call: Call, shell: str, commands: list[str], failed: str, code: int
) -> None:
    with pytest.raises(ShellCommandFailed) as caught:
        await call(ShellOperation(commands=commands, shell=shell, fail_fast=True), "run")
    assert (caught.value.command, caught.value.exit_code) == (failed, code)
    assert f"`{failed}`" in str(caught.value)
    assert "return code " + str(code) in str(caught.value)


def test_fail_fast_sees_a_failure_inside_a_pipe() -> None:
    with pytest.raises(ShellCommandFailed, match="grep"):
        ShellOperation(commands=["grep x /dev/null | cat", "echo b"], shell="bash", fail_fast=True).run()


def test_fail_fast_leaves_handled_failures_alone(shell: str) -> None:
    commands = ["false || true", "if false; then echo no; fi", "! true || false || true", "echo b"]
    assert ShellOperation(commands=commands, shell=shell, fail_fast=True).run() == ["b"]


def test_fail_fast_keeps_commands_that_belong_together(shell: str) -> None:
    commands = ["case x in", "x) echo 'one", "two';;", "esac", "cat <<END", "$HOME", "END", "echo a \\", "b"]
    plain = ShellOperation(commands=commands, shell=shell).run()
    assert ShellOperation(commands=commands, shell=shell, fail_fast=True).run() == plain


@pytest.mark.parametrize(("codes", "command"), [([0, 1], "grep -q x /dev/null"), ([42], "exit 42")])
async def test_expected_exit_codes_are_success(call: Call, codes: list[int], command: str) -> None:
    assert await call(ShellOperation(commands=[command], success_exit_codes=codes), "run") == []
    with pytest.raises(ShellCommandFailed, match="7"):
        await call(ShellOperation(commands=["exit 7"], success_exit_codes=codes), "run")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("megabytes", [5, pytest.param(50, marks=pytest.mark.slow)])
async def test_megabytes_on_both_pipes_finish(call: Call, megabytes: int) -> None:
    line = "x" * 999
    write = f"head -c {megabytes}000000 /dev/zero | tr '\\0' x | fold -b -w 999"
    operation = ShellOperation(commands=[f"({write}) &", f"({write}) >&2", "wait"], log_output=False)
    lines = await call(operation, "run")
    assert sum(map(len, lines)) == 2 * megabytes * 1_000_000
    assert lines[0] == line


async def test_memory_is_bounded_and_the_last_lines_are_kept(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    operation = ShellOperation(commands=["seq 1 200000"], max_captured_bytes=100, log_output=False)
    lines = await call(operation, "run")
    assert lines[-1] == "200000"
    assert sum(len(line) + 1 for line in lines) <= 100
    assert lines == [str(number) for number in range(200_000 - len(lines) + 1, 200_001)]
    assert "max_captured_bytes=100" in caplog.text


async def test_one_long_line_is_bounded_too(call: Call) -> None:
    operation = ShellOperation(
        commands=["head -c 3000000 /dev/zero | tr '\\0' x; echo END"], max_captured_bytes=1000, log_output=False
    )
    (line,) = await call(operation, "run")
    assert line.endswith("xEND")
    assert 900 < len(line) <= 1000


async def test_nothing_is_kept_without_capture_and_the_failure_still_tells(call: Call) -> None:
    assert await call(ShellOperation(commands=["echo a"], capture_output=False), "run") == []
    with pytest.raises(ShellCommandFailed, match="lost"):
        await call(ShellOperation(commands=["echo lost >&2; exit 1"], capture_output=False), "run")


async def test_output_in_another_encoding_is_read(call: Call) -> None:
    command = "printf '\\344\\366\\374\\n'"
    assert await call(ShellOperation(commands=[command], encoding="latin-1"), "run") == ["äöü"]
    assert await call(ShellOperation(commands=[command]), "run") == ["\ufffd\ufffd\ufffd"]
    assert await call(ShellOperation(commands=["printf 'a\\0b\\0\\n\\0'"], encoding="utf-16-le"), "run") == ["ab"]
    with pytest.raises(UnicodeDecodeError):
        await call(ShellOperation(commands=[command, "seq 20000"], errors="strict"), "run")


def test_a_character_cut_by_a_read_stays_whole() -> None:
    operation = ShellOperation(commands=["printf '\\303'; sleep 0.2; printf '\\244\\r'; sleep 0.2; printf '\\nx'"])
    assert operation.run() == ["ä", "x"]


def test_the_log_tells_what_happens(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.INFO), ShellOperation(commands=["echo hi", "true"], working_dir=tmp_path) as operation:
        process = operation.trigger()
        process.wait_for_completion()
    assert [record.getMessage() for record in caplog.records] == [
        f"PID {process.pid} triggered with 2 commands running inside the {tmp_path!r} directory.",
        f"PID {process.pid} stream output:\nhi",
        f"PID {process.pid} completed with return code 0.",
        "Successfully closed all open processes.",
    ]
    assert process.return_code == 0


async def test_each_stream_is_logged_at_its_level_with_the_prefix(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    operation = ShellOperation(
        commands=["echo one", "echo two >&2"],
        log_prefix="{stream}> ",
        stream_level=logging.WARNING,
        stderr_level=logging.ERROR,
    )
    await call(operation, "run")
    said = {(record.levelname, record.getMessage()) for record in caplog.records if record.levelno > logging.INFO}
    assert said == {("WARNING", "stdout> one"), ("ERROR", "stderr> two")}


@pytest.mark.parametrize(
    "options", [{"stream_output": False}, {"log_output": False}, {"stream_output": False, "log_output": None}]
)
async def test_output_can_be_kept_out_of_the_log(
    call: Call, caplog: pytest.LogCaptureFixture, options: dict[str, Any]
) -> None:
    assert await call(ShellOperation(commands=["echo quiet"], **options), "run") == ["quiet"]
    assert "quiet" not in caplog.text


def test_many_lines_at_once_share_records(caplog: pytest.LogCaptureFixture) -> None:
    ShellOperation(commands=["seq 1 20000"], log_prefix=None).run()
    said = [record.getMessage() for record in caplog.records if record.getMessage()[0].isdigit()]
    assert "\n".join(said).split("\n") == [str(number) for number in range(1, 20_001)]
    assert len(said) < 1_000


def test_a_long_line_is_cut_in_the_log_and_whole_in_the_result(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = ShellOperation(commands=["head -c 300000 /dev/zero | tr '\\0' x"], log_prefix=None).run()
    assert len(line) == 300_000
    (said,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("x")]
    assert said.endswith("… [234464 more characters]")


def test_a_progress_meter_is_logged_while_it_moves(caplog: pytest.LogCaptureFixture) -> None:
    ShellOperation(commands=["printf '10%%\\r'; sleep 0.2; printf '90%%\\r\\n'"], log_prefix=None).run()
    said = [record.getMessage() for record in caplog.records]
    assert "10%" in said
    assert "90%" in said


async def test_secret_values_are_used_and_masked_in_logs_and_errors(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "hunter2hunter2"
    operation = ShellOperation(
        commands=["echo pw=$PASSWORD", "echo $PASSWORD >&2", "exit ${CODE:-0}"],
        secret_env={"PASSWORD": SecretStr(secret)},
    )
    assert f"pw={secret}" in await call(operation, "run")
    with pytest.raises(ShellCommandFailed) as caught:
        await call(operation, "run", env={"CODE": "1"})
    assert "********" in caught.value.stderr_tail
    assert (
        secret not in f"{caught.value!s} {caught.value.stderr_tail} {caught.value.command} {caplog.text} {operation!r}"
    )


def test_a_secret_at_the_cut_of_a_long_line_stays_hidden(caplog: pytest.LogCaptureFixture) -> None:
    secret = "hunter2hunter2"
    for padding in range(65_536 - 30, 65_536 + 30, 7):
        ShellOperation(
            commands=[f"head -c {padding} /dev/zero | tr '\\0' x", "printf '%s' $PASSWORD $PASSWORD", "seq -s , 9999"],
            secret_env={"PASSWORD": SecretStr(secret)},
        ).run()
    assert "hunter2" not in caplog.text


def test_the_script_is_for_its_owner_alone_and_secrets_are_not_arguments(
    script_folder: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    with ShellOperation(
        commands=["echo $$", "sleep 60"],
        secret_env={"PASSWORD": SecretStr("hunter2hunter2")},
        terminate_grace_seconds=0.1,
    ) as operation:
        process = operation.trigger()
        eventually(process.fetch_result)
        (folder,) = script_folder.iterdir()
        (script,) = folder.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(script.stat().st_mode) == 0o600
        assert script.suffix == ".sh"
        assert b"hunter2" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_the_extension_is_that_which_was_asked_for() -> None:
    for extension in (".bash", "bash"):
        (name,) = ShellOperation(commands=["echo $0"], extension=extension).run()
        assert name.endswith(".bash")


async def test_a_shell_may_be_named_in_capitals(call: Any) -> None:
    assert await call(ShellOperation(commands=["echo a"], shell="Bash"), "run") == ["a"]
    with pytest.raises(ShellNotFound, match="'No-Such-Shell'"):
        await call(ShellOperation(commands=["echo a"], shell="No-Such-Shell"), "run")


@pytest.mark.parametrize("program", ["python3", "perl"])
def test_another_interpreter_can_read_the_commands(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    assert ShellOperation(
        commands=["x = 6 * 7", "print(x)"] if program == "python3" else ["print 6*7;"], shell=program
    ).run() == ["42"]


def test_sh_stands_in_for_a_missing_bash(tmp_path: Path) -> None:
    os.symlink(shutil.which("sh"), tmp_path / "sh")  # pyright: ignore[reportArgumentType]
    (name,) = ShellOperation(commands=["command -v bash || echo none"], env={"PATH": str(tmp_path)}).run()
    assert name == "none"


async def test_a_result_can_be_looked_at_while_the_process_runs(
    call: Call, caplog: pytest.LogCaptureFixture, eventually: Callable[[Callable[[], object]], None]
) -> None:
    with ShellOperation(commands=["echo first", "read x", "echo never"], terminate_grace_seconds=0.1) as operation:
        read, write = os.pipe()
        process = await call(operation, "trigger", stdin=read)
        eventually(lambda: process.stdout_lines)
        assert process.return_code is None
        assert await call(process, "fetch_result") == ["first"]
        assert "Process is still running, result may be incomplete." in caplog.text
        os.write(write, b"\n")
        await call(process, "wait_for_completion")
        assert await call(process, "fetch_result") == ["first", "never"]
        os.close(read)
        os.close(write)


async def test_the_context_manager_can_be_used_again_and_again() -> None:
    operation = ShellOperation(commands=["echo $N"])
    for number in range(3):
        with operation:
            process = operation.trigger(env={"N": str(number)}, _sync=True)
            process.wait_for_completion(_sync=True)
            assert process.fetch_result(_sync=True) == [str(number)]
        async with operation:
            process = await operation.atrigger(env={"N": str(number)})
            await process.await_for_completion()
            assert await process.afetch_result() == [str(number)]


def test_several_triggers_of_one_block_are_independent() -> None:
    with ShellOperation(commands=["sleep $N", "echo $N", "exit $N"]) as operation:
        slow, failing, quick = (operation.trigger(env={"N": number}) for number in ("0.5", "1", "0"))
        quick.wait_for_completion()
        assert quick.fetch_result() == ["0"]
        with pytest.raises(ShellCommandFailed):
            failing.wait_for_completion()
        assert failing.return_code == 1
        assert slow.stdout_lines in ([], ["0.5"])


async def test_fifty_runs_at_once_do_not_wait_for_each_other_or_block_the_loop() -> None:
    operation = ShellOperation(commands=["sleep 0.3", "echo $N"], log_output=False)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    results = await asyncio.gather(*(operation.arun(env={"N": str(n)}) for n in range(50)))
    ticking.cancel()
    assert results == [[str(n)] for n in range(50)]
    assert ticks > 5


def test_threads_and_descriptors_are_given_back(eventually: Callable[[Callable[[], object]], None]) -> None:
    ShellOperation(commands=["true"]).run()
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        ShellOperation(commands=["echo a; echo b >&2"], stdin="x").run()
    eventually(lambda: threading.active_count() <= threads)
    assert len(os.listdir("/proc/self/fd")) <= descriptors


async def test_a_process_started_elsewhere_is_looked_after() -> None:
    operation = ShellOperation(commands=["unused"])
    command = ["sh", "-c", "echo out; echo err >&2; exit 4"]
    popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process = ShellProcess(operation, popen)
    with pytest.raises(ShellCommandFailed, match="return code 4"):
        process.wait_for_completion(_sync=True)
    assert sorted(process.fetch_result(_sync=True)) == ["err", "out"]
    assert (process.pid, process.return_code) == (popen.pid, 4)

    opened = await anyio.open_process(command)
    process = ShellProcess(shell_operation=operation, process=opened)
    with pytest.raises(TypeError, match="await_for_completion"):
        process.wait_for_completion(_sync=True)
    with pytest.raises(ShellCommandFailed, match="return code 4"):
        await process.await_for_completion()
    assert sorted(await process.afetch_result()) == ["err", "out"]
    assert (process.pid, process.return_code) == (opened.pid, 4)


def test_a_copy_owns_no_process_and_an_open_block_can_be_pickled() -> None:
    with ShellOperation(commands=["sleep 60"], terminate_grace_seconds=0.1) as operation:
        process = operation.trigger()
        for double in (copy.copy(operation), copy.deepcopy(operation), operation.model_copy()):
            assert double.commands == operation.commands
            double.close()
        assert pickle.loads(pickle.dumps(operation)).commands == operation.commands
        assert process.return_code is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "commands"),
        ({"commands": []}, "commands"),
        ({"commands": ["", "  "]}, "commands"),
        ({"commands": ["a\0b"]}, "NUL"),
        ({"args": []}, "args"),
        ({"args": ["", "x"]}, "args"),
        ({"commands": ["ls"], "args": ["ls"]}, "args"),
        ({"args": ["ls"], "fail_fast": True}, "fail_fast"),
        ({"commands": ["ls"], "extension": "."}, r"'\.sh'"),
        ({"commands": ["ls"], "extension": ".a/../../b"}, "extension"),
        ({"commands": ["ls"], "shell": " "}, "shell"),
        ({"commands": ["ls"], "encoding": "utf-9"}, "utf-9"),
        ({"commands": ["ls"], "encoding": "hex"}, "hex"),
        ({"commands": ["ls"], "errors": "shrug"}, "shrug"),
        ({"commands": ["ls"], "env": {"A=B": "1"}}, "A=B"),
        ({"commands": ["ls"], "log_prefix": "{nope}"}, "nope"),
        ({"commands": ["ls"], "timeout_seconds": 0}, "timeout_seconds"),
        ({"commands": ["ls"], "timeout_seconds": -1}, "-1"),
        ({"commands": ["ls"], "timeout_seconds": float("inf")}, "timeout_seconds"),
        ({"commands": ["ls"], "terminate_grace_seconds": -1}, "terminate_grace_seconds"),
        ({"commands": ["ls"], "interrupt_grace_seconds": -1}, "interrupt_grace_seconds"),
        ({"commands": ["ls"], "max_captured_bytes": 0}, "capture_output"),
        ({"commands": ["ls"], "success_exit_codes": []}, "success_exit_codes"),
        ({"commands": ["ls"], "stream_level": -1}, "stream_level"),
        ({"commands": ["ls"], "working_dir": "/no/such/folder"}, "/no/such/folder"),
        ({"commands": ["ls"], "working_dir": __file__}, "not a directory"),
    ],
)
def test_bad_options_are_refused_by_name_when_the_block_is_made(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        ShellOperation(**fields)


@pytest.mark.parametrize(
    ("fields", "error", "named"),
    [
        ({"commands": ["ls"], "shell": "no-such-shell"}, ShellNotFound, "no-such-shell"),
        ({"commands": ["ls"], "shell": "/no/such/shell"}, FileNotFoundError, "shell"),
        ({"commands": ["ls"], "shell": "bash -e"}, ShellNotFound, "alone"),
        ({"commands": ["ls"], "shell": "/etc/passwd"}, ShellNotExecutable, "chmod"),
        ({"commands": ["ls"], "shell": "/etc"}, PermissionError, "directory"),
        ({"args": ["no-such-program"]}, ShellNotFound, "no-such-program"),
        ({"commands": ["x = 1"], "shell": "python3", "fail_fast": True}, ShellOptionError, "fail_fast"),
    ],
)
async def test_what_cannot_start_is_an_error_that_names_it(
    call: Call, fields: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named) as caught:
        await call(ShellOperation(**fields), "run")
    assert isinstance(caught.value, ShellError)


async def test_a_directory_that_vanished_is_an_error_that_names_it(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    operation = ShellOperation(commands=["ls"], working_dir=folder)
    folder.rmdir()
    with pytest.raises(WorkingDirectoryError, match="gone"):
        await call(operation, "run")


async def test_a_program_that_the_system_refuses_is_an_error_that_names_it(call: Call, tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_bytes(b"\x7fELF not really")
    program.chmod(0o700)
    with pytest.raises(OSError, match="broken") as caught:
        await call(ShellOperation(args=[str(program)]), "run")
    assert isinstance(caught.value, ShellError)


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell is not installed")
async def test_powershell_runs_the_commands_and_stops_at_a_failure(call: Call) -> None:
    assert await call(ShellOperation(commands=["$x = 6 * 7", "Write-Output $x"], shell="pwsh"), "run") == ["42"]
    with pytest.raises(ShellCommandFailed) as caught:
        await call(ShellOperation(commands=["sh -c 'exit 5'", "echo b"], shell="pwsh", fail_fast=True), "run")
    assert (caught.value.exit_code, caught.value.command) == (5, "sh -c 'exit 5'")


async def test_a_saved_block_loads_with_its_secrets(prefect_harness: None) -> None:
    operation = ShellOperation(commands=["echo $TOKEN"], secret_env={"TOKEN": SecretStr("s3cret")}, timeout_seconds=5)
    await operation.asave("saved-operation")
    loaded = await ShellOperation.aload("saved-operation")
    assert loaded == operation
    assert await loaded.arun() == ["s3cret"]


def test_the_sync_names_run_in_a_sync_flow_and_are_awaited_in_an_async_one(prefect_harness: None) -> None:
    @flow
    def in_sync() -> list[str]:
        with ShellOperation(commands=["echo a"]) as operation:
            process = operation.trigger()
            process.wait_for_completion()
            return [*process.fetch_result(), *operation.run()]

    @flow
    async def in_async() -> list[str]:
        async with ShellOperation(commands=["echo a"]) as operation:
            process = await operation.trigger()
            await process.wait_for_completion()
            return [*await process.fetch_result(), *await operation.run()]

    assert in_sync() == ["a", "a"]
    assert asyncio.run(in_async()) == ["a", "a"]


def test_a_time_out_is_an_error_of_its_own() -> None:
    with pytest.raises(ShellTimeout, match=r"0\.2 seconds") as caught:
        ShellOperation(commands=["echo on it >&2", "sleep 60"], timeout_seconds=0.2).run()
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.timeout_seconds, caught.value.stderr_tail) == (0.2, "on it")
