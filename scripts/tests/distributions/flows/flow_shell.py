"""Run commands."""

from __future__ import annotations

from prefect import flow

from prefect_shell import ShellOperation, shell_run_command


@flow
def greet() -> list[object]:
    """Run one command by the task, and two by the block."""
    with ShellOperation(commands=["echo one", "echo two"]) as operation:
        lines = operation.run()
    return [shell_run_command("echo zero"), lines]


print(greet())
