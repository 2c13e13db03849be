"""The machine fails a command: the disk is full, the command is killed, the clock jumps."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_tests.faces import Call
from prefect_integration_tests.suites.object_store import file_size_limit
from prefect_shell import ShellOperation
from prefect_shell.errors import ShellCommandFailed, ShellStartError, ShellTimeout

pytestmark = [
    pytest.mark.usefixtures("script_folder"),
    pytest.mark.skipif(os.name == "nt", reason="Windows has neither these limits nor these signals"),
]


async def test_a_full_disk_is_told_before_anything_runs(call: Call, tmp_path: Path, script_folder: Path) -> None:
    operation = ShellOperation(commands=["touch ran"], working_dir=tmp_path)
    with file_size_limit(1), pytest.raises(ShellStartError, match=f"{script_folder}.*(?i:space|large)"):
        await call(operation, "run")
    assert not (tmp_path / "ran").exists()
    assert await call(operation, "run") == []
    assert (tmp_path / "ran").exists()


async def test_a_disk_that_fills_up_under_a_command_is_its_failure(call: Call, tmp_path: Path) -> None:
    operation = ShellOperation(commands=["ulimit -f 1", "head -c 100000 /dev/zero > large"], working_dir=tmp_path)
    with pytest.raises(ShellCommandFailed) as caught:
        await call(operation, "run")
    assert caught.value.exit_code not in (0, None)


async def test_a_killed_command_is_told_with_its_signal(call: Call) -> None:
    operation = ShellOperation(commands=["echo half", "kill -KILL $$", "echo never"])
    with pytest.raises(ShellCommandFailed, match="SIGKILL") as caught:
        await call(operation, "run")
    assert caught.value.exit_code == -signal.SIGKILL


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_a_clock_that_jumps_neither_ends_a_command_nor_lets_it_run_on(
    call: Call, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    assert await call(ShellOperation(commands=["sleep 0.2; echo done"], timeout_seconds=60), "run") == ["done"]
    with pytest.raises(ShellTimeout):
        await call(ShellOperation(commands=["sleep 60"], timeout_seconds=0.3), "run")
    monkeypatch.setattr(time, "time", real)


async def test_output_that_trickles_is_read_to_its_end(call: Call) -> None:
    command = "for part in a b c; do printf $part; sleep 0.1; done; echo"
    assert await call(ShellOperation(commands=[command]), "run") == ["abc"]


async def test_output_that_ends_half_way_is_kept_and_the_failure_told(call: Call) -> None:
    operation = ShellOperation(commands=["printf 'half a li'; kill -TERM $$"])
    process: Any = await call(operation, "trigger")
    with pytest.raises(ShellCommandFailed, match="SIGTERM"):
        await call(process, "wait_for_completion")
    assert await call(process, "fetch_result") == ["half a li"]
