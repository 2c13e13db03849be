"""What holds for every integration, shown for this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.suites.block import BlockSuite
from prefect_integration_tests.suites.interface import InterfaceSuite
from prefect_integration_tests.suites.job import JobSuite
from prefect_integration_tests.suites.package import PackageSuite
from prefect_shell import ShellOperation
from prefect_shell.errors import ShellCommandFailed, ShellTimeout

if TYPE_CHECKING:
    from prefect.blocks.core import Block


class TestPackage(PackageSuite):
    package = "prefect_shell"

    def make_error(self, cls: type[Exception]) -> Exception:
        message = "Command failed with exit code 3:\nno such table"
        if cls is ShellCommandFailed:
            return cls(message, exit_code=3, stderr_tail="no such table", command="load")
        if cls is ShellTimeout:
            return cls(message, timeout_seconds=1.5, stderr_tail="waiting", command="load")
        return cls(message)


class TestInterface(InterfaceSuite):
    package = "prefect_shell"


class TestBlocks(BlockSuite):
    package = "prefect_shell"

    def make(self, cls: type[Block], canary: str) -> Block:
        return cls(commands=["true"], secret_env={"TOKEN": canary})


class TestShellOperation(JobSuite):
    failure = ShellCommandFailed
    failure_names: ClassVar[tuple[str, ...]] = ("return code 3", "no such table")

    @pytest.fixture
    def job(self, canary: str) -> Any:
        # the commands print the secret, so that the log has it to hide
        return ShellOperation(
            commands=["echo $TOKEN >&2", "sleep 0.1", "echo done"], secret_env={"TOKEN": canary}, capture_stderr=False
        )

    @pytest.fixture
    def failing_job(self, canary: str) -> Any:
        return ShellOperation(
            commands=["echo no such table $TOKEN >&2", "exit 3"], secret_env={"TOKEN": canary}, capture_stderr=False
        )

    def check_result(self, result: Any) -> None:
        assert result == ["done"]
