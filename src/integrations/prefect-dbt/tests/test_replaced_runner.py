"""A runner that a test of the user's has put in the place of dbt's is called, in this process; dbt is not."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

import pytest
from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner, dbtRunnerResult

from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.cli.commands import arun_dbt_build, consolidate_run_results, run_dbt_build, trigger_dbt_cli_command
from prefect_dbt.core._replaced import replaced_runner
from prefect_dbt.errors import DbtProfileError, DbtRunFailed, DbtUsageError

from ._projects import write_project

pytestmark = pytest.mark.filterwarnings("ignore:The tasks and blocks of `prefect_dbt.cli`:UserWarning")

IN_DBT = "dbt.cli.main.dbtRunner.invoke"
PLACES = ("dbt.cli.main.dbtRunner", "prefect_dbt.core.runner.dbtRunner", "prefect_dbt.cli.commands.dbtRunner")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that dbt is never asked about."""
    return write_project(tmp_path / "shop", {})


@pytest.fixture
def invoke() -> Iterator[MagicMock]:
    """What is called in the place of dbt."""
    with patch(IN_DBT, return_value=dbtRunnerResult(success=True, result=["shop.parcels"])) as found:
        yield found


def runner(folder: Path) -> PrefectDbtRunner:
    return PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=folder, profiles_dir=folder))


def value_of(option: str, words: list[str]) -> str:
    return words[words.index(option) + 1]


def test_a_task_calls_it_as_it_would_call_dbt(invoke: MagicMock, folder: Path) -> None:
    result = trigger_dbt_cli_command.fn(
        "dbt ls", profiles_dir=folder, project_dir=folder, extra_command_args=["--select", "parcels"]
    )
    assert result is invoke.return_value
    (words,) = invoke.call_args.args
    assert (words[0], words[-2:]) == ("ls", ["--select", "parcels"])
    assert value_of("--profiles-dir", words) == value_of("--project-dir", words) == str(folder)


async def test_the_async_form_calls_it_too(invoke: MagicMock, folder: Path) -> None:
    assert await arun_dbt_build.fn(profiles_dir=folder, project_dir=folder) is invoke.return_value


def test_the_runner_calls_it_with_its_keywords(invoke: MagicMock, folder: Path) -> None:
    assert runner(folder).invoke(["build"], select=["parcels"]) is invoke.return_value
    assert invoke.call_args.args[0][0] == "build"
    assert invoke.call_args.kwargs == {"select": ["parcels"]}


def by_runner(folder: Path) -> Any:
    return runner(folder).invoke(["build"])


def by_task(folder: Path) -> Any:
    return run_dbt_build.fn(profiles_dir=folder, project_dir=folder)


@pytest.mark.parametrize(
    ("place", "call"),
    [(PLACES[0], by_runner), (PLACES[0], by_task), (PLACES[1], by_runner), (PLACES[2], by_task)],
)
def test_it_may_stand_where_dbt_or_this_package_has_the_class(
    place: str, call: Callable[[Path], Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = MagicMock()
    monkeypatch.setattr(place, kind)
    assert call(folder) is kind.return_value.invoke.return_value
    assert kind.return_value.invoke.call_count == 1


def test_results_of_nodes_count_as_those_of_dbt(invoke: MagicMock, folder: Path) -> None:
    node = SimpleNamespace(unique_id="model.shop.parcels", name="parcels", resource_type="model")
    failed = SimpleNamespace(node=node, status="error", message="There is no such column.")
    invoke.return_value = dbtRunnerResult(success=False, result=SimpleNamespace(results=[failed]))  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        DbtRunFailed, match=r'Model parcels errored with message: "There is no such column\."'
    ) as caught:
        by_task(folder)
    assert caught.value.node_ids == ("model.shop.parcels",)
    assert consolidate_run_results(invoke.return_value)["Error"] == [failed]


@pytest.mark.parametrize("call", [by_runner, by_task])
def test_what_it_says_was_raised_can_be_caught_by_its_class(
    call: Callable[[Path], Any], invoke: MagicMock, folder: Path
) -> None:
    invoke.return_value = dbtRunnerResult(success=False, exception=DbtUsageException("No such command 'weeee'."))
    with pytest.raises(DbtUsageException, match="No such command 'weeee'") as caught:
        call(folder)
    assert isinstance(caught.value, DbtUsageError)
    assert caught.value.__cause__ is invoke.return_value.exception
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, DbtUsageException)
    assert (type(again).__name__, str(again)) == ("DbtUsageError", str(caught.value))


def test_events_that_it_tells_are_logged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from dbt_common.events.base_types import msg_from_base_event
    from dbt_common.events.types import Note

    def tells(self: dbtRunner, args: list[str], **kwargs: Any) -> dbtRunnerResult:
        self.callbacks[0](msg_from_base_event(Note(msg="all is well")))
        self.callbacks[0](MagicMock())
        return dbtRunnerResult(success=True)

    monkeypatch.setattr(IN_DBT, tells)
    with caplog.at_level("INFO"):
        by_task(folder)
    assert "all is well" in caplog.text


def test_dbts_own_runner_is_not_taken_for_another() -> None:
    assert [replaced_runner(place.rpartition(".")[0]) for place in PLACES] == [None] * 3
    with patch.object(dbtRunner, "invoke", autospec=True):
        assert replaced_runner("dbt.cli.main") is dbtRunner
    assert replaced_runner("dbt.cli.main") is None


def test_what_dbt_itself_raises_can_be_caught_by_its_class(folder: Path) -> None:
    from dbt_common.exceptions import DbtRuntimeError

    with pytest.raises(DbtUsageException, match="--frobnicate"):
        run_dbt_build.fn(profiles_dir=folder, project_dir=folder, extra_command_args=["--frobnicate"])
    with pytest.raises(DbtRuntimeError) as caught:
        runner(folder).invoke(["build", "--target", "nowhere"])
    assert isinstance(caught.value, DbtProfileError)
    assert caught.value.__cause__ is None  # it may hold a password
