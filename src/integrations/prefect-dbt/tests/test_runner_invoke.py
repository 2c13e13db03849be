"""The runner invokes dbt as it was told, from everywhere, and ends with dbt's word."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from prefect_dbt.core import runner as runner_module
from prefect_dbt.core._command_line import command_of, value_of, without
from prefect_dbt.core._failures import ending_of, failure_line, is_failure
from prefect_dbt.core._logs import dbt_level, level_of
from prefect_dbt.core._tracker import NodeTaskTracker
from prefect_dbt.core.runner import PrefectDbtRunner, execute_dbt_node
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_dbt.errors import DbtProfileError, DbtRunFailed, DbtStateError

from ._projects import needs_forks

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject


def runner_of(project: DbtProject, **options: Any) -> PrefectDbtRunner:
    settings = PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)
    return PrefectDbtRunner(settings=settings, **options)


@contextmanager
def lines_of(name: str) -> Iterator[list[logging.LogRecord]]:
    """Collect what a logger of Prefect is given."""
    records: list[logging.LogRecord] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Collect()
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield records
    finally:
        logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("args", "command"),
    [
        (["build"], "build"),
        (["dbt", "build"], "build"),
        (["--log-level", "debug", "run"], "run"),
        (["--target", "test", "run"], "run"),
        (["source", "freshness", "--select", "a"], "source freshness"),
        (["source freshness"], "source freshness"),
        (["docs", "generate"], "docs generate"),
        (["run-operation", "test"], "run-operation"),
        (["--version"], ""),
        ([], ""),
    ],
)
def test_the_command_is_found_among_flags(args: list[str], command: str) -> None:
    assert command_of(args) == command


@pytest.mark.parametrize(
    ("args", "kwargs", "value"),
    [
        (["build", "--target", "prod"], {}, "prod"),
        (["--target=prod", "build"], {}, "prod"),
        (["build", "-t", "prod"], {}, "prod"),
        (["build", "--target", "prod"], {"target": "dev"}, "dev"),
        (["build"], {}, None),
    ],
)
def test_the_value_of_an_option_is_found(args: list[str], kwargs: dict[str, Any], value: str | None) -> None:
    assert value_of("--target", args, kwargs) == value


def test_an_option_is_left_out_with_its_value() -> None:
    args = ["build", "--profiles-dir", "a", "--select", "b", "--profiles-dir=c"]
    assert without("--profiles-dir", args) == ["build", "--select", "b"]


@pytest.mark.parametrize(
    ("status", "fails"),
    [
        ("success", False),
        ("pass", False),
        ("warn", False),
        ("no-op", False),
        ("skipped", False),
        ("error", True),
        ("fail", True),
        ("runtime error", True),
        ("partial success", True),
    ],
)
def test_a_status_is_a_failure_or_not(status: str, fails: bool) -> None:
    assert is_failure(status) is fails
    assert (ending_of("model.a.b", status, "said").type.value == "FAILED") is fails


def test_levels_of_dbt_are_those_of_python() -> None:
    pairs = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
    assert {name: level_of(name) for name in pairs} == pairs
    assert {dbt_level(level): level for level in pairs.values()} == pairs


def test_the_constants_are_plain_values() -> None:
    assert runner_module.FAILURE_STATUSES == ["error", "fail", "runtime error", "partial success"]
    assert runner_module.SKIPPED_STATUSES == ["skipped"]
    for name in ("MATERIALIZATION_NODE_TYPES", "REFERENCE_NODE_TYPES", "SETTINGS_CONFIG"):
        assert all(type(value) is str for value in getattr(runner_module, name))
    fields = {"resource_type": "Test", "resource_name": "a", "status": "fail", "message": "Got 1 result"}
    assert runner_module.FAILURE_MSG.format(**fields) == 'Test a failed with message: "Got 1 result"'


def test_a_failure_without_a_message_says_so() -> None:
    class Node:
        unique_id, name, resource_type, status, message = "unit_test.a.b", "b", "unit_test", "error", None

    assert failure_line(Node()) == 'Unit test b errored with message: "no message"'


@pytest.mark.parametrize(
    ("options", "said"),
    [({"retry_mode": "all"}, "retry_mode is 'all'"), ({"defer": True}, "give state with them")],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PrefectDbtRunner(**options)


def test_a_text_instead_of_words_is_refused() -> None:
    with pytest.raises(TypeError, match=r"give a list of words, such as \['build', '-s', 'a'\]"):
        PrefectDbtRunner().invoke("build -s a")  # type: ignore[arg-type]


def test_a_word_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="args holds None, which is no word"):
        PrefectDbtRunner().invoke(["build", "--select", None])  # type: ignore[list-item]


def test_execute_dbt_node_waits_for_the_node_and_fails_with_it() -> None:
    tracker = NodeTaskTracker(keep_results=True)
    tracker.start_node("model.a.b")
    tracker.start_node("model.a.c")
    threading.Timer(0.05, tracker.finish_node, ("model.a.b", "error", {"status": "error"})).start()
    with pytest.raises(DbtRunFailed, match=r"^Node model\.a\.b finished with status error$"):
        execute_dbt_node(tracker, "model.a.b", None)
    assert tracker.is_node_running("model.a.c")
    tracker.finish_node("model.a.c", "success")
    execute_dbt_node(tracker, "model.a.c", None)


def test_nobody_waits_for_a_node_when_dbt_has_ended() -> None:
    tracker = NodeTaskTracker()
    tracker.start_node("model.a.b")
    assert tracker.wait_for_node("model.a.b", timeout_seconds=0) is None
    assert tracker.close() == ["model.a.b"]
    assert tracker.wait_for_node("model.a.b") == "cancelled"
    assert tracker.wait_for_node("model.a.never") is None


@pytest.mark.parametrize("way", ["keyword", "flag", "neither"])
def test_profiles_can_be_named_where_there_is_no_default_folder(
    dbt_project: DbtProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # has no `.dbt`
    monkeypatch.chdir(tmp_path)
    places = {"project_dir": dbt_project.path, "profiles_dir": dbt_project.profiles_dir}
    runner = PrefectDbtRunner()
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        if way == "keyword":
            assert runner.invoke(["ls"], **places).success
            assert runner.profiles_dir == dbt_project.profiles_dir
        elif way == "flag":
            flags = [word for name, path in places.items() for word in (f"--{name.replace('_', '-')}", str(path))]
            assert runner.invoke(["ls", *flags]).success
        else:
            with pytest.raises(DbtProfileError, match="Set `profiles_dir`"):
                runner.invoke(["ls"], project_dir=dbt_project.path)


def test_there_is_no_manifest_before_a_run(tmp_path: Path) -> None:
    runner = PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=tmp_path, profiles_dir=tmp_path))
    with pytest.raises(DbtStateError, match="There is no manifest"):
        _ = runner.manifest
    with pytest.raises(ValueError, match="gives no name of the project"):
        _ = runner.project_name


def test_manifest_graph_and_name_come_from_the_target_folder(dbt_project: DbtProject) -> None:
    from dbt.cli.main import dbtRunnerResult

    runner = runner_of(dbt_project)
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        result = runner.invoke(["--quiet", "ls", "--select", "model_4", "--output", "name"])
    assert isinstance(result, dbtRunnerResult)
    assert result.success
    assert result.result == ["model_4"]
    assert runner.project_name == "demo"
    assert "model.demo.model_0" in runner.manifest.nodes
    assert runner.manifest is runner.manifest
    assert "model.demo.model_0" in runner.graph.descendants("seed.demo.seed_0")
    assert runner.project_dir == dbt_project.path


def test_only_errors_are_logged_when_dbt_is_told_so(dbt_project: DbtProject) -> None:
    from dbt_common.events.base_types import EventLevel

    dbt_project.break_model("model_0")
    with lines_of("prefect.dbt") as records, temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        result = runner_of(dbt_project, raise_on_failure=False).invoke(
            ["run", "--select", "model_0"], log_level=EventLevel.ERROR
        )
    assert not result.success
    assert {record.levelno for record in records} == {logging.ERROR}
    assert any("no_such_column" in record.getMessage() for record in records)


@pytest.mark.parametrize(
    "way",
    [
        "flag",
        pytest.param("quiet", marks=pytest.mark.slow),
        pytest.param("settings", marks=pytest.mark.slow),
        pytest.param("variable", marks=pytest.mark.slow),
        pytest.param("kwarg", marks=pytest.mark.slow),
    ],
)
def test_each_way_to_set_the_level_has_an_effect(
    dbt_project: DbtProject, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    args, kwargs, options = ["parse"], {}, {}
    if way == "flag":
        args = ["--log-level", "error", "parse"]
    elif way == "quiet":
        args = ["parse", "--quiet"]
    elif way == "kwarg":
        kwargs = {"log_level": "error"}
    elif way == "settings":
        options = {"log_level": "error"}
    else:
        monkeypatch.setenv("DBT_LOG_LEVEL", "error")
    settings = PrefectDbtSettings(project_dir=dbt_project.path, profiles_dir=dbt_project.profiles_dir, **options)
    with lines_of("prefect.dbt") as records, temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert PrefectDbtRunner(settings=settings).invoke(args, **kwargs).success
    assert [record.getMessage() for record in records if record.levelno < logging.ERROR] == []


def test_a_selector_may_be_a_text(dbt_project: DbtProject) -> None:
    runner = runner_of(dbt_project)
    models: Any = runner.invoke(["ls", "--select", "resource_type:model"]).result
    by_name: Any = runner.invoke(["ls"], select="resource_type:model").result
    without_models: Any = runner.invoke(["ls"], exclude="resource_type:model").result
    assert models
    assert by_name == models
    assert without_models
    assert not set(models).intersection(without_models)


def test_texts_by_name_are_read_as_those_of_the_command_line(dbt_project: DbtProject) -> None:
    result = runner_of(dbt_project).invoke(["compile"], inline="select '{{ var('a') }}'", vars="{a: x y}", threads="1")
    done: Any = result.result
    assert done.results[0].node.compiled_code == "select 'x y'"
    assert done.args["threads"] == 1


def test_an_unknown_flag_is_an_error_whatever_raise_on_failure_says(dbt_project: DbtProject) -> None:
    with (
        temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}),
        pytest.raises(ValueError, match="No such option") as caught,
    ):
        runner_of(dbt_project, raise_on_failure=False).invoke(["ls", "--no-such-flag"])
    assert type(caught.value.__cause__).__name__ == "DbtUsageException"


def test_each_invocation_can_have_a_target_folder_of_its_own_and_a_retry_finds_what_failed_in_the_last(
    dbt_project: DbtProject,
) -> None:
    runner = runner_of(dbt_project, unique_target=True, raise_on_failure=False)
    dbt_project.break_model("model_0")
    folders: list[Path] = []
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        for args in (["seed"], ["run", "--select", "model_0"], ["retry"]):
            done = runner.invoke(args)
            folders.append(runner.target_path)
            if not done.success:
                dbt_project.fix()
    assert len({*folders, dbt_project.target_path}) == 4
    assert {folder.parent for folder in folders} == {dbt_project.target_path}
    results = [json.loads((folder / "run_results.json").read_text())["results"] for folder in folders]
    assert [[(each["unique_id"], each["status"]) for each in found] for found in results] == [
        [("seed.demo.seed_0", "success")],
        [("model.demo.model_0", "error")],
        [("model.demo.model_0", "success")],
    ]
    assert done.success
    latest = json.loads((dbt_project.target_path / "run_results.json").read_text())
    assert latest["results"] == results[-1]
    assert list(dbt_project.target_path.rglob("partial_parse.msgpack")) == [
        dbt_project.target_path / "partial_parse.msgpack"
    ]
    assert "model.demo.model_0" in runner.manifest.nodes


def test_a_prefect_retry_runs_only_what_failed(prefect_harness: None, dbt_project: DbtProject) -> None:
    dbt_project.break_model("model_1")
    attempts: list[int] = []

    @flow(name="dbt-retries-failed", retries=1)
    def build() -> None:
        attempts.append(len(attempts) + 1)
        if len(attempts) == 2:
            dbt_project.fix()
        runner_of(dbt_project).invoke(["build"])

    with lines_of("prefect.task_runs") as records, lines_of("prefect.flow_runs") as of_flow:
        build()
    assert attempts == [1, 2]
    done = [text for record in records if " OK " in (text := record.getMessage())]
    assert len([text for text in done if "main.model_0 " in text]) == 1
    assert len([text for text in done if "main.model_1 " in text]) == 1
    assert any("Attempt 2 runs `dbt retry`" in record.getMessage() for record in of_flow)
    assert not (dbt_project.target_path / "prefect_retry").exists()


def test_cancelling_the_async_form_ends_dbt_and_its_queries(prefect_harness: None, dbt_project: DbtProject) -> None:
    dbt_project.slow_model("model_0", 120)
    ticks: list[int] = []

    @flow(name="dbt-async-cancelled")
    async def build() -> None:
        running = asyncio.create_task(runner_of(dbt_project).ainvoke(["run", "--select", "model_0"]))
        with lines_of("prefect.task_runs") as records:
            while not any("START sql" in record.getMessage() for record in records):
                ticks.append(1)
                await asyncio.sleep(0.05)
                assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with lines_of("prefect.task_runs") as records:
        asyncio.run(build())
    assert ticks
    assert any("Finished in state Cancelled" in record.getMessage() for record in records)
    assert dbt_project.query("select 1") == [(1,)]  # the file is free


def test_in_an_async_flow_the_sync_form_ends_and_is_recorded(prefect_harness: None, dbt_project: DbtProject) -> None:
    @flow(name="dbt-async-sync-form")
    async def build() -> bool:
        return runner_of(dbt_project).invoke(["seed"]).success

    with lines_of("prefect.task_runs") as records:
        assert asyncio.run(build()) is True
    assert any(record.getMessage() == "Finished in state Completed()" for record in records)


@needs_forks
def test_a_process_that_invokes_dbt_once_keeps_none_to_fork_from(
    dbt_project: DbtProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_dbt._dbt import fork_server
    from prefect_dbt.core import _first

    fork_server.close()
    monkeypatch.setattr(_first, "_has_begun", threading.Event())  # as in a new process
    are_kept: list[bool] = []
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        for _ in range(2):
            assert runner_of(dbt_project).invoke(["--quiet", "ls", "--select", "model_0"]).success
            are_kept.append(fork_server._use.server is not None)
    assert are_kept == [False, True]


def test_without_callbacks_nothing_is_made_of_events(prefect_harness: None, dbt_project: DbtProject) -> None:
    @flow(name="dbt-without-callbacks")
    def build() -> bool:
        return runner_of(dbt_project, _disable_callbacks=True).invoke(["seed"]).success

    with lines_of("prefect.task_runs") as records, lines_of("prefect.flow_runs") as of_flow:
        assert build() is True
    assert records == []
    assert not any("dbt" in record.getMessage().split("/")[0] and "seed" in record.getMessage() for record in of_flow)
