"""What an orchestrator refuses before it starts anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prefect_dbt.core.orchestrator import CacheOptions, PrefectDbtOrchestrator
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_dbt.errors import DbtProfileError, DbtProjectError

from ._projects import write_project


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"execution_mode": "per_day"}, "execution_mode is 'per_day'; it must be one of 'per_node', 'per_wave'"),
        ({"test_strategy": "never"}, "test_strategy is 'never'"),
        ({"retries": -1}, "retries is -1"),
        ({"retries": True}, "retries is True"),
        ({"retry_delay_seconds": -0.5}, "retry_delay_seconds is -0.5"),
        ({"retry_delay_seconds": [1, "2"]}, "retry_delay_seconds is"),
        ({"timeout_seconds": 0}, "timeout_seconds is 0"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": " "}, "concurrency is an empty text"),
        ({"summary_artifact_key": "My Key"}, "summary_artifact_key is 'My Key'"),
        ({"tags": [""]}, "tags is"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, Mapping) else None,
)
def test_a_value_that_cannot_be_is_refused_by_name(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        PrefectDbtOrchestrator(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"executor": object()}, "lacks methods of an executor"),
        ({"cache": "s3-bucket/x"}, "give True, False or CacheOptions"),
        ({"tags": "nightly"}, "give a list of texts"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, Mapping) else None,
)
def test_a_thing_of_another_kind_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        PrefectDbtOrchestrator(**options)


def test_numbers_may_be_those_of_numpy() -> None:
    np: Any = pytest.importorskip("numpy", reason="The numbers are those of numpy.")
    orchestrator = PrefectDbtOrchestrator(
        retries=np.int64(2),
        retry_delay_seconds=[np.int64(1), 0.5],
        timeout_seconds=np.int32(60),
        concurrency=np.int8(4),
    )
    kept = [orchestrator.retries, orchestrator.retry_delay_seconds, orchestrator.timeout_seconds]
    assert repr([*kept, orchestrator.concurrency]) == "[2, [1, 0.5], 60, 4]"


def test_a_cache_that_expires_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="expiration of the cache"):
        CacheOptions(expiration=timedelta())


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"extra_cli_args": ["--select", "x"]}, ValueError, "use the argument select instead"),
        ({"extra_cli_args": ["--threads=4"]}, ValueError, "use the argument concurrency instead"),
        ({"extra_cli_args": "--empty"}, TypeError, "give a list of words"),
        ({"select": ["a", ""]}, ValueError, "select is"),
        ({"selector": "nightly", "select": "x"}, ValueError, "cannot go with select"),
    ],
    ids=["select", "threads", "text", "empty", "selector"],
)
def test_arguments_of_a_run_are_checked(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    folder = write_project(tmp_path, {})
    orchestrator = PrefectDbtOrchestrator(PrefectDbtSettings(project_dir=folder, profiles_dir=folder))
    with pytest.raises(error, match=words):
        orchestrator.run_build(**arguments)


def test_folders_that_are_missing_are_named(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "here", {})
    with pytest.raises(DbtProjectError, match="project_dir"):
        PrefectDbtOrchestrator(PrefectDbtSettings(project_dir=tmp_path / "nowhere", profiles_dir=folder)).run_build()
    with pytest.raises(DbtProfileError, match="profiles_dir"):
        PrefectDbtOrchestrator(PrefectDbtSettings(project_dir=folder, profiles_dir=tmp_path)).run_build()


def test_a_target_that_the_profile_lacks_is_refused_with_those_it_has(tmp_path: Path) -> None:
    folder = write_project(tmp_path, {})
    orchestrator = PrefectDbtOrchestrator(PrefectDbtSettings(project_dir=folder, profiles_dir=folder))
    with pytest.raises(DbtProfileError, match=r"'prod' is not in profiles.yml .*'dev'"):
        orchestrator.run_build(target="prod")
