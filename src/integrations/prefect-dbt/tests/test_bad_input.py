"""What a user gets wrong is said early: the field, what is wrong, what to do about it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prefect import flow

from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.errors import (
    DbtAdapterMissing,
    DbtCompilationError,
    DbtDatabaseUnreachable,
    DbtError,
    DbtInvocationFailed,
    DbtManifestError,
    DbtProfileError,
    DbtProjectError,
    DbtStateError,
    DbtUsageError,
)

from ._projects import DUCKDB, write_project

_AT_ONCE_SECONDS = 150  # far above what the slowest takes on a busy machine, far below any time-out of a database


def target(**config: Any) -> str:
    """Write a profile whose only target is this one."""
    return json.dumps({"shop": {"target": "dev", "outputs": {"dev": config}}})


UNREACHABLE = target(
    type="postgres", host="127.0.0.1", port=9, user="u", password="s3cr3t-canary", dbname="d", schema="s", threads=1
)


class Mistake(NamedTuple):
    """A project, what is asked of it, and what is to be said.

    Attributes:
        files: What differs from a project that is well.
        error: The class.
        says: Parts of the message: the thing, and the remedy.
        args: What dbt is asked to do.
        folder: Where the project is said to be, below where it is.
    """

    files: dict[str, str | None]
    error: type[DbtError]
    says: tuple[str, ...]
    args: tuple[str, ...] = ("build",)
    folder: str = ""


MISTAKES = {
    "no adapter": Mistake(
        {"profiles.yml": target(type="oracle")}, DbtAdapterMissing, ("oracle", "pip install dbt-oracle")
    ),
    "no such profile": Mistake(
        {"profiles.yml": DUCKDB.replace("shop:", "other:")}, DbtProfileError, ("'shop'", "profiles_dir")
    ),
    "no profiles.yml": Mistake({"profiles.yml": None}, DbtProfileError, ("shop", "profiles_dir")),
    "no such target": Mistake({}, DbtProfileError, ("'prod'", "dev"), ("build", "--target", "prod")),
    "bad YAML in the profile": Mistake({"profiles.yml": "shop: [\n"}, DbtProfileError, ("profiles.yml", "YAML")),
    "bad YAML in the project": Mistake({"dbt_project.yml": "name: [shop\n"}, DbtProjectError, ("dbt_project.yml",)),
    "bad YAML of a model": Mistake({"models/m.yml": "models: [\n"}, DbtProjectError, ("m.yml", "YAML")),
    "no such folder": Mistake({}, DbtProjectError, ("nowhere", "project_dir"), folder="nowhere"),
    "no project in the folder": Mistake({"dbt_project.yml": None}, DbtProjectError, ("dbt_project.yml", "project_dir")),
    "unknown option": Mistake({}, DbtUsageError, ("--no-such-flag", "--help"), ("build", "--no-such-flag")),
    "an option of another command": Mistake({}, DbtUsageError, ("--select", "--help"), ("clean", "--select", "x")),
    "unknown command": Mistake({}, DbtUsageError, ("biuld",), ("biuld",)),
    "unreachable database": Mistake(
        {"profiles.yml": UNREACHABLE}, DbtDatabaseUnreachable, ("127.0.0.1", "profiles.yml")
    ),
    "a model that does not compile": Mistake(
        {"models/parcels.sql": "select * from {{ ref('nope') }}"}, DbtCompilationError, ("parcels.sql", "nope")
    ),
    "a template that does not end": Mistake(
        {"models/parcels.sql": "select {{ 1 "}, DbtCompilationError, ("parcels.sql", "Correct the file")
    ),
    "an environment variable that is not set": Mistake(
        {"profiles.yml": target(type="duckdb", path="{{ env_var('NOT_SET') }}")},
        DbtInvocationFailed,
        ("NOT_SET", "environment variable"),
    ),
    "a manifest of another version": Mistake(
        {"old/manifest.json": json.dumps({"metadata": {"dbt_schema_version": "https://x/manifest/v99.json"}})},
        DbtManifestError,
        ("v99", "dbt parse"),
        ("build", "--select", "state:modified", "--state", "old"),
    ),
    "a manifest that is damaged": Mistake(
        {"old/manifest.json": "{nope"},
        DbtManifestError,
        ("manifest.json", "dbt parse"),
        ("build", "--select", "state:modified", "--state", "old"),
    ),
    "no state": Mistake({}, DbtStateError, ("--state",), ("build", "--select", "state:modified")),
    "nothing to retry": Mistake({}, DbtStateError, ("target_path",), ("retry",)),
}
EVERYWHERE = ("no adapter", "no such folder", "unknown option", "unreachable database")
"""Mistakes that each entry point is tried with; the runner, which shares its room with the others, gets all."""
RARE = (
    *("no profiles.yml", "no such target", "bad YAML of a model", "an option of another command", "unknown command"),
    *("a template that does not end", "an environment variable that is not set", "a manifest that is damaged"),
    *("no project in the folder", "nothing to retry"),
)
"""Mistakes that are left to the long run of the tests."""


def _runner(folder: Path, args: tuple[str, ...]) -> None:
    @flow
    def bad_runner() -> None:
        settings = PrefectDbtSettings(project_dir=folder, profiles_dir=_profiles(folder))
        PrefectDbtRunner(settings=settings).invoke(list(args))

    bad_runner()


def _task(folder: Path, args: tuple[str, ...]) -> None:
    from prefect_dbt.cli.commands import trigger_dbt_cli_command

    @flow
    def bad_task() -> None:
        command, *more = args
        trigger_dbt_cli_command(
            f"dbt {command}", project_dir=folder, profiles_dir=_profiles(folder), extra_command_args=more
        )

    bad_task()


def _orchestrator(folder: Path, args: tuple[str, ...]) -> None:
    from prefect_dbt import PrefectDbtOrchestrator

    @flow
    def bad_orchestrator() -> None:
        settings = PrefectDbtSettings(project_dir=folder, profiles_dir=_profiles(folder))
        PrefectDbtOrchestrator(settings=settings).run_build(extra_cli_args=list(args[1:]))

    bad_orchestrator()


def _profiles(folder: Path) -> Path:
    return folder if folder.is_dir() else folder.parent


ENTRIES: dict[str, Callable[[Path, tuple[str, ...]], None]] = {
    "runner": _runner,
    "task": _task,
    "orchestrator": _orchestrator,
}
_CASES = [
    pytest.param(
        entry,
        mistake,
        id=f"{entry}-{mistake}".replace(" ", "_"),
        marks=[pytest.mark.slow] if mistake in RARE else [],
    )
    for entry in ENTRIES
    for mistake in MISTAKES
    if entry == "runner" or mistake in EVERYWHERE
]


@pytest.mark.parametrize(("entry", "mistake"), _CASES)
def test_a_mistake_is_named_with_its_remedy(
    entry: str, mistake: str, tmp_path: Path, prefect_harness: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = MISTAKES[mistake]
    folder = write_project(tmp_path / "shop", wrong.files)
    args = [str(folder / arg) if arg == "old" else arg for arg in wrong.args]
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    with pytest.raises(wrong.error) as caught:
        ENTRIES[entry](folder / wrong.folder, tuple(args))
    assert time.monotonic() - began < _AT_ONCE_SECONDS
    for part in wrong.says:
        assert part in str(caught.value)
    assert "s3cr3t-canary" not in str(caught.value)


def test_a_profile_that_cannot_be_read_is_not_quoted(
    tmp_path: Path, prefect_harness: None, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_project(tmp_path / "shop", {"profiles.yml": "shop:\n  password: s3cr3t-canary\n  outputs: [\n"})
    with pytest.raises(DbtProfileError, match=r"profiles\.yml") as caught:
        _runner(folder, ("build",))
    assert "s3cr3t-canary" not in str(caught.value)
    assert "s3cr3t-canary" not in caplog.text
