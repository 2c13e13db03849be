"""Each node that dbt begins with is a task run, whose state, times, inputs and log lines are dbt's own."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext

from prefect_dbt.core.runner import PrefectDbtRunner
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_integration_tests.backends.dbt_projects import installed_release

from ._recorded import Recorded, eventually

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.usefixtures("prefect_harness")

EXPOSURES = {"exposure board"} if installed_release() >= (1, 10) else set[str]()
NODES = 14 + len(EXPOSURES)
ACCEPTED = "test accepted_values_orders_status__placed__shipped"


def runner_of(project: DbtProject, **options: Any) -> PrefectDbtRunner:
    settings = PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)
    return PrefectDbtRunner(settings=settings, **options)


@pytest.fixture(scope="module")
def run(
    prefect_harness: None, dbt_shop_template: DbtProject, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recorded, str]:
    """A build with a model that fails, one that is skipped for it, a test that fails and one that warns."""
    project = dbt_shop_template.copy(tmp_path_factory.mktemp("states") / "shop")
    project.break_model("daily_totals")
    project.break_test("assert_positive_amounts")
    project.write("models/marts/report.sql", "select * from {{ ref('daily_totals') }}\n")
    seen: dict[str, Any] = {}

    @flow(name="dbt-node-states")
    def build() -> None:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        seen["id"] = context.flow_run.id
        try:
            runner_of(project).invoke(["build"])
        except ValueError as exc:
            seen["error"] = str(exc)

    build()
    return Recorded(seen["id"], expected=NODES), seen["error"]


def test_each_node_has_one_task_run_called_by_its_type_and_name(run: tuple[Recorded, str]) -> None:
    recorded, _ = run
    assert len(recorded.task_runs) == NODES
    assert set(recorded.by_name) >= {
        "seed raw_orders",
        "model orders",
        "model daily_totals",
        "model report",
        "snapshot orders_snapshot",
        "test not_null_stg_customers_customer_id",
        "unit_test test_customers_sum",
        *EXPOSURES,
    }


def test_an_ephemeral_or_disabled_model_has_none(run: tuple[Recorded, str]) -> None:
    assert not {"model stg_orders", "model retired"} & set(run[0].by_name)


@pytest.mark.parametrize(
    ("name", "type_", "state_name", "message"),
    [
        ("model orders", StateType.COMPLETED, "Completed", None),
        ("seed raw_orders", StateType.COMPLETED, "Completed", None),
        (ACCEPTED, StateType.COMPLETED, "Completed", "finished with a warning: Got 1 result, configured to warn"),
        ("model daily_totals", StateType.FAILED, "Failed", "Node model.demo.daily_totals finished with status error"),
        ("test assert_positive_amounts", StateType.FAILED, "Failed", "finished with status fail"),
        ("model report", StateType.CANCELLED, "Skipped", "dbt skipped node model.demo.report"),
    ],
    ids=["success", "seed", "warn", "error", "fail", "skipped"],
)
def test_the_state_says_what_dbt_says(
    run: tuple[Recorded, str], name: str, type_: StateType, state_name: str, message: str | None
) -> None:
    state = run[0].state(name)
    assert (state.type, state.name) == (type_, state_name)
    assert message is None or message in (state.message or "")


def test_a_task_run_goes_from_pending_over_running_to_its_end(run: tuple[Recorded, str]) -> None:
    assert run[0].states("model orders") == ["Pending", "Running", "Completed"]


def test_times_are_those_of_dbt(run: tuple[Recorded, str]) -> None:
    recorded, _ = run
    upstream, downstream = recorded.by_name["model orders"], recorded.by_name["model customers"]
    for each in (upstream, downstream):
        assert each.start_time is not None
        assert each.end_time is not None
        assert each.start_time < each.end_time
        assert each.total_run_time == each.end_time - each.start_time
    assert upstream.end_time <= downstream.start_time  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("model customers", {"model stg_customers", "model orders"}),
        ("snapshot orders_snapshot", {"model orders"}),
        (ACCEPTED, {"model orders"}),
        ("seed raw_orders", set()),
    ],
)
def test_what_a_node_reads_are_its_inputs(run: tuple[Recorded, str], name: str, upstream: set[str]) -> None:
    assert run[0].inputs(name) == upstream


def test_an_ephemeral_model_is_seen_through(run: tuple[Recorded, str]) -> None:
    assert run[0].inputs("model orders") == {"seed raw_orders"}


def test_lines_of_a_node_belong_to_its_task_run(run: tuple[Recorded, str]) -> None:
    lines = run[0].lines("model orders")
    assert any(level == logging.INFO and "OK created sql table model main.orders" in text for level, text in lines)
    assert lines[-1] == (logging.INFO, "Finished in state Completed()")


def test_lines_of_the_run_belong_to_the_flow_run(run: tuple[Recorded, str]) -> None:
    lines = [text for _, text in run[0].lines(None)]
    assert any(text.startswith("Found 6 models, ") for text in lines)
    assert any(text.startswith("Done. PASS=") for text in lines)
    assert not any("OK created" in text for text in lines)


def test_a_model_that_failed_tells_the_error_of_the_database(run: tuple[Recorded, str]) -> None:
    errors = [text for level, text in run[0].lines("model daily_totals") if level == logging.ERROR]
    assert any("no_such_column" in text for text in errors)
    assert (
        errors.count(
            "Finished in state Failed('Task run encountered an exception Exception: "
            "Node model.demo.daily_totals finished with status error')"
        )
        == 1
    )


def test_a_warning_is_logged_as_one(run: tuple[Recorded, str]) -> None:
    warnings = [text for level, text in run[0].lines(ACCEPTED) if level == logging.WARNING]
    assert any(text.endswith("[WARN 1 in") or "WARN 1" in text for text in warnings)


def test_a_failed_test_is_told_with_its_sql(run: tuple[Recorded, str]) -> None:
    errors = [text for level, text in run[0].lines("test assert_positive_amounts") if level == logging.ERROR]
    told = [text for text in errors if text.startswith("Test assert_positive_amounts failed: Got 1 result")]
    assert len(told) == 1
    assert "Compiled SQL: target/compiled/demo/tests/assert_positive_amounts.sql" in told[0]


def test_no_line_is_logged_twice(run: tuple[Recorded, str]) -> None:
    seen = [(log.task_run_id, log.message) for log in run[0].logs() if log.message.strip()]
    assert len(seen) == len(set(seen))


def test_no_line_has_the_colours_of_a_terminal(run: tuple[Recorded, str]) -> None:
    assert not [log.message for log in run[0].logs() if "\x1b" in log.message]


def test_the_exception_lists_what_failed(run: tuple[Recorded, str]) -> None:
    lines = run[1].splitlines()
    assert lines[0] == "Failures detected during invocation of dbt command 'build':"
    assert 'Test assert_positive_amounts failed with message: "Got 1 result, configured to fail if != 0"' in lines
    assert any(line.startswith('Model daily_totals errored with message: "') for line in lines)
    assert "report" not in run[1]


def test_dbt_is_not_imported_here(dbt_project: DbtProject) -> None:
    import subprocess

    code = (
        "import sys\nfrom prefect_dbt import PrefectDbtRunner, PrefectDbtSettings\n"
        f"settings = PrefectDbtSettings(project_dir={str(dbt_project.path)!r}, "
        f"profiles_dir={str(dbt_project.path)!r})\n"
        "assert PrefectDbtRunner(settings=settings).invoke(['ls', '--quiet']).success\n"
        "sys.exit(any(name.partition('.')[0] in {'dbt', 'agate', 'dbt_common'} for name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_in_a_task_the_nodes_are_children_of_its_run(dbt_project: DbtProject) -> None:
    seen: dict[str, Any] = {}

    @task(name="dbt-parent-task")
    def build() -> None:
        from prefect.context import TaskRunContext

        context = TaskRunContext.get()
        assert context is not None
        seen["task"] = context.task_run.id
        seen["flow"] = context.task_run.flow_run_id
        runner_of(dbt_project).invoke(["build", "--select", "seed_0", "model_0"])

    @flow(name="dbt-in-a-task")
    def parent() -> None:
        build()

    parent()
    recorded = Recorded(seen["flow"], expected=3)
    [parent_run] = recorded.by_name["model model_0"].task_inputs["__parents__"]
    assert parent_run.id == seen["task"]  # type: ignore[union-attr]


def test_a_node_that_dbt_did_not_end_crashes_with_dbt(dbt_project: DbtProject) -> None:
    import os
    import signal
    import threading

    from prefect_dbt._dbt import DbtProcess
    from prefect_dbt.errors import DbtProcessDied

    dbt_project.slow_model("model_0", 60)
    seen: dict[str, Any] = {}
    started = threading.Event()
    pids: list[int] = []
    original = DbtProcess.__init__

    def noting(self: DbtProcess, **kwargs: Any) -> None:
        original(self, **kwargs)
        assert self.pid is not None
        pids.append(self.pid)

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "START sql" in record.getMessage():
                started.set()

    watch = Watch()
    logging.getLogger("prefect.task_runs").addHandler(watch)

    def kill() -> None:
        if started.wait(90):
            os.killpg(pids[-1], signal.SIGKILL)

    @flow(name="dbt-killed")
    def build() -> None:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        seen["id"] = context.flow_run.id
        runner_of(dbt_project).invoke(["run", "--select", "model_0"])

    killer = threading.Thread(target=kill)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbtProcess, "__init__", noting)  # only to learn its process id
        killer.start()
        with pytest.raises(DbtProcessDied, match="SIGKILL"):
            build()
    killer.join()
    logging.getLogger("prefect.task_runs").removeHandler(watch)
    assert Recorded(seen["id"], expected=1).state("model model_0").type is StateType.CRASHED


def test_outside_of_runs_nodes_get_task_runs_only_when_forced(dbt_project: DbtProject, tmp_path: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

    plain = dbt_project.copy(tmp_path / "plain")
    plain.write("models/unforced_model.sql", "select 1 as id\n")
    dbt_project.write("models/forced_model.sql", "select 1 as id\n")
    assert runner_of(plain).invoke(["run", "--select", "unforced_model"]).success
    assert runner_of(dbt_project, _force_nodes_as_tasks=True).invoke(["run", "--select", "forced_model"]).success

    def named(name: str) -> list[Any] | None:
        with get_client(sync_client=True) as client:
            found = client.read_task_runs(task_run_filter=TaskRunFilter(name=TaskRunFilterName(any_=[name])))
        return [run for run in found if run.state is not None and run.state.is_completed()] or None

    [forced] = eventually(lambda: named("model forced_model"), "the forced task run")
    assert forced.flow_run_id is None
    assert named("model unforced_model") is None
