"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.system import Secret

from prefect_integration_tests.suites import GuideSuite
from prefect_shell import ShellOperation

PG_DUMP = """#!/bin/sh
test -n "$PGPASSWORD" && echo 'CREATE TABLE sales ();'
"""


class TestGuide(GuideSuite):
    distribution = "prefect-shell"

    @pytest.fixture
    def surroundings(self, page_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A database to dump, and its password in a block."""
        program = tmp_path / "pg_dump"
        program.write_text(PG_DUMP)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        Secret(value="correct horse").save("database-password", overwrite=True)

    @pytest.fixture
    def provocations(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Callable[[], object]]:
        def run(*commands: str, started_with: dict[str, Any] | None = None, **options: Any) -> object:
            return ShellOperation(commands=list(commands), **options).run(**(started_with or {}))

        monkeypatch.chdir(tmp_path)
        (tmp_path / "report.sh").touch(0o644)
        return {
            "A command failed": partial(run, "ls /no/such/folder"),
            "A program is not found by the shell": partial(run, "pg_dumpp sales", shell="bash"),
            "A signal ended the command": partial(run, "kill -9 $$"),
            "A command failed and the run succeeded": partial(run, "false", "echo done", fail_fast=True),
            "The time was up": partial(run, "sleep 60", timeout_seconds=0.1),
            "The shell is not found": partial(run, "true", shell="fish", env={"PATH": ""}),
            "The shell has options": partial(run, "true", shell="bash -eu"),
            "A program of a list is not found": partial(run, args=["pg_dumpp"]),
            "A program cannot be executed": partial(run, args=["./report.sh"]),
            "The working directory does not exist": partial(run, "pwd", started_with={"cwd": "orders"}),
            "An option cannot work": partial(run, "pwd", started_with={"text": True}),
        }
