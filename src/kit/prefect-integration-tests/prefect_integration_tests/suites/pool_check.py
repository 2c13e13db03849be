"""What holds for every command that checks a work pool: `prefect-acme check POOL`."""

from __future__ import annotations

import json
import logging
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_KEY, temporary_settings

from .base import Suite

if TYPE_CHECKING:
    from typer.testing import Result

    from prefect_integration_tests.leaks import LeakWatch

Pool = tuple[type[Any], Mapping[str, Any]]
"""A worker, and defaults of its job variables."""


class PoolCheckSuite(Suite):
    """Checks the command of a package.

    Attributes:
        app: The command.
        version: What it says of its version.
        spoiling: A job variable, as `name=value`, with which `good` is good no more, and can still be checked.
        spoiled: What is said then of what it spoils.
        still_well: What is said then of another thing.
        another: A job variable with which secrets must not be said, either.
        lacking: The worker whose defaults do not make a pool, and a variable that it needs.
        other_types: What is said of a pool of another type, after the type.
        login_check: Name of the check that signs in.
    """

    app: ClassVar[Any]
    version: ClassVar[str]
    spoiling: ClassVar[str]
    spoiled: ClassVar[str]
    still_well: ClassVar[str]
    another: ClassVar[str]
    lacking: ClassVar[tuple[type[Any], str]]
    other_types: ClassVar[str]
    login_check: ClassVar[str]

    @pytest.fixture
    @abstractmethod
    def good(self) -> Pool:
        """A pool in which all is well."""

    @pytest.fixture
    @abstractmethod
    def secret(self) -> Iterable[tuple[Pool, str]]:
        """Pools with the canary among their secrets, and the level of `login_check`: one that is `ok`, one `failed`."""

    @pytest.fixture
    def new_pool(self, prefect_harness: None) -> Callable[..., str]:
        """Makes a work pool of a worker, with defaults of job variables, and tells its name."""
        return new_pool

    def run(self, *arguments: str) -> Result:
        """Run the command."""
        from typer.testing import CliRunner

        return CliRunner().invoke(self.app, list(arguments))

    def test_the_command_tells_all_and_ends_with_1_when_a_check_failed(
        self, good: Pool, new_pool: Callable[..., str]
    ) -> None:
        """For programs as JSON, and for people in words."""
        worker, defaults = good
        pool = new_pool(worker, **defaults)
        result = self.run("check", pool, "--json")
        assert result.exit_code == 0, result.output
        assert {each["level"] for each in json.loads(result.stdout)} == {"ok"}
        result = self.run("check", pool, "--variable", self.spoiling)
        assert result.exit_code == 1
        assert self.spoiled in result.output
        assert self.still_well in result.output

    def test_the_command_says_no_secret(
        self,
        secret: Iterable[tuple[Pool, str]],
        new_pool: Callable[..., str],
        canary: str,
        no_canary_leaks: LeakWatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Rule 3: whether the login works or not."""
        caplog.set_level(logging.DEBUG)
        for (worker, defaults), level in secret:
            pool = new_pool(worker, **defaults)
            with temporary_settings({PREFECT_API_KEY: canary}):
                for options in ((), ("--variable", self.another), ("--json",)):
                    result = self.run("check", pool, *options)
                    shown = f"{result.output}{result.exception!r}"
                    no_canary_leaks.add(f"what check {' '.join(options)} prints", shown)
            levels = {each["check"]: each["level"] for each in json.loads(result.stdout)}
            assert levels[self.login_check] == level, result.stdout
            assert result.exit_code == int("failed" in levels.values())

    def test_a_pool_that_cannot_be_read_ends_with_2(self, new_pool: Callable[..., str]) -> None:
        """The message says what is missing, and how to give it."""
        result = self.run("check", "nowhere")
        assert (result.exit_code, "There is no work pool 'nowhere'" in result.output) == (2, True)
        worker, variable = self.lacking
        pool = new_pool(worker)
        result = self.run("check", pool)
        assert result.exit_code == 2
        assert variable in result.output
        assert "--variable name=value" in result.output
        assert "--variable 'x' has no value" in self.run("check", pool, "-v", "x").output
        with get_client(sync_client=True) as client:
            name = f"pool-{uuid.uuid4().hex[:8]}"
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        assert f"is of type 'process'; {self.other_types}" in self.run("check", name).output

    def test_the_command_knows_its_version_and_explains_itself(self) -> None:
        """`version` and `--help`."""
        assert self.run("version").stdout.strip() == self.version
        assert "--variable" in self.run("check", "--help").output


def new_pool(worker: type[Any], **defaults: Any) -> str:
    """Make a work pool of a worker, with defaults of job variables, and tell its name."""
    template = worker.get_default_base_job_template()
    for name, value in defaults.items():
        template["variables"]["properties"][name]["default"] = value
    pool = f"pool-{uuid.uuid4().hex[:8]}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type=worker.type, base_job_template=template))
    return pool


def saved(block: Any) -> dict[str, Any]:
    """Save a block, and tell what stands for it in job variables."""
    return {"$ref": {"block_document_id": str(block.save(f"creds-{uuid.uuid4().hex[:8]}"))}}
