"""What a run in the child tells, on a project with every kind of node."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import NamedTuple

import pytest

from prefect_dbt._dbt import DbtEvent, DbtProcess, Invocation, NodeDetails, NodeResult, Outcome
from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.timeout(240)


class Built(NamedTuple):
    """A build of the shop."""

    project: DbtProject
    process: DbtProcess
    events: list[DbtEvent]
    outcome: Outcome

    def details(self) -> dict[str, NodeDetails]:
        return {event.details.name: event.details for event in self.events if event.details is not None}

    def results(self) -> dict[str, NodeResult]:
        return {event.result.name: event.result for event in self.events if event.result is not None}


@pytest.fixture(scope="module")
def built(dbt_shop_template: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Built:
    project = dbt_shop_template.copy(tmp_path_factory.mktemp("built") / "shop")
    project.write(
        "macros/say.sql",
        "{% macro say(what) %}{{ log(what, info=true) }}{{ log('soft ' ~ what) }}{{ print('print ' ~ what) }}"
        "{% endmacro %}\n",
    )
    project.break_model("daily_totals")
    events: list[DbtEvent] = []
    process = DbtProcess(env={"DBT_ENV_SECRET_WORD": "hush-hush"})
    outcome = process.invoke(_asked(project, "build", include_compiled_code=True), events.append)
    return Built(project, process, events, outcome)


@pytest.fixture(scope="module", autouse=True)
def _end(built: Built) -> object:
    yield
    built.process.close()


def _asked(project: DbtProject, *args: str, include_compiled_code: bool = False) -> Invocation:
    return Invocation(
        args,
        project_dir=project.path,
        profiles_dir=project.profiles_dir,
        include_compiled_code=include_compiled_code,
        keep_manifest=True,
    )


def test_the_outcome_is_dbts(built: Built) -> None:
    outcome = built.outcome
    assert not outcome.success
    assert outcome.exception is None
    assert not outcome.interrupted
    assert outcome.command == "build"
    assert outcome.target_path == built.project.target_path
    statuses = {node.name: node.status for node in outcome.nodes}
    assert statuses["orders"] == "success"
    assert statuses["daily_totals"] == "error"
    assert statuses["assert_positive_amounts"] == "pass"
    assert statuses["accepted_values_orders_status__placed__shipped"] == "warn"
    assert "retired" not in statuses


def test_every_node_is_described_before_it_starts_and_has_a_result_after_it(built: Built) -> None:
    seen: list[tuple[str, str]] = []
    for event in built.events:
        if event.details is not None:
            seen.append(("details", event.details.unique_id))
        elif event.result is not None:
            seen.append(("result", event.result.unique_id))
        elif event.name == "NodeStart" and event.node is not None:
            seen.append(("start", event.node.unique_id))
    started = [node for kind, node in seen if kind == "start"]
    assert len(started) == len(set(started))
    assert set(started) - {"model.demo.stg_orders"} == {node.unique_id for node in built.outcome.nodes}
    for node in started:
        assert seen.index(("details", node)) < seen.index(("start", node)) < seen.index(("result", node))
    graph = next(event for event in built.events if event.name == "PrefectGraph")
    assert graph.data["adapter_type"] == "duckdb"
    assert graph.data["project_name"] == "demo"
    assert 0 < graph.data["node_count"] <= len(built.outcome.nodes)


def test_events_and_outcome_agree_on_results(built: Built) -> None:
    told = {result.unique_id: result for result in built.results().values()}
    for node in built.outcome.nodes:
        told_node = told[node.unique_id]
        assert (told_node.status, told_node.message) == (node.status, node.message)
        assert (told_node.failures or 0) == (node.failures or 0)
        assert told_node.execution_time == pytest.approx(node.execution_time, abs=0.01)


def test_lineage_goes_through_ephemeral_models_to_sources(built: Built) -> None:
    details = built.details()
    assert set(details["orders"].depends_on) == {"seed.demo.raw_orders", "source.demo.raw.raw_orders"}
    source = next(each for each in built.details().values() if each.resource_type == "source")
    assert source.relation.relation_name == '"warehouse"."main"."raw_orders"'
    assert source.owner == "intake"
    assert details["stg_orders"].materialized == "ephemeral"


def test_details_say_what_the_project_says(built: Built) -> None:
    orders = built.details()["orders"]
    assert orders.description == "One row for each order."
    assert orders.owner == "kevin-g"
    assert orders.meta == {"owner": "kevin-g"}
    assert orders.tags == ("daily",)
    assert orders.materialized == "table"
    assert orders.adapter_type == "duckdb"
    assert orders.columns["status"][0] == "Where the order is."
    test = built.details()["accepted_values_orders_status__placed__shipped"]
    assert (test.test_of, test.column_name, test.severity) == (("model.demo.orders",), "status", "warn")
    assert built.details()["test_customers_sum"].test_of == ("model.demo.customers",)


def test_results_bring_timing_and_the_sql_that_ran(built: Built) -> None:
    orders = built.results()["orders"]
    assert [name for name, *_ in orders.timing] == ["compile", "execute"]
    assert orders.compiled_code is not None
    assert "raw_orders" in orders.compiled_code
    assert orders.path == "models/marts/orders.sql"
    broken = built.results()["daily_totals"]
    assert "no_such_column" in broken.message


def test_dbts_lines_come_once_without_colours_and_nothing_of_the_console(built: Built) -> None:
    shown = [event for event in built.events if event.shown]
    lines = [event.message for event in shown if "OK created sql table model main.orders" in event.message]
    assert len(lines) == 1
    assert not any("\x1b" in event.message for event in built.events)
    assert not any(event.name == "PrefectOutput" and "orders" in event.message for event in shown)
    assert {event.level for event in shown} == {"info", "warn", "error"}


def test_the_result_object_is_dbts_once_looked_at(built: Built) -> None:
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunnerResult

    result = built.outcome.result()
    assert isinstance(result, dbtRunnerResult)
    assert isinstance(result.result, RunExecutionResult)
    assert {each.node.name for each in result.result.results} == {node.name for node in built.outcome.nodes}
    copied = pickle.loads(pickle.dumps(result))
    assert type(copied) is dbtRunnerResult
    assert len(copied.result) == len(built.outcome.nodes)


@pytest.mark.parametrize(
    ("flags", "shown", "hidden"),
    [
        ((), {"hello", "print hello"}, {"soft hello"}),
        (("--quiet",), {"print hello"}, {"hello", "soft hello"}),
        (("--log-level", "warn"), {"print hello"}, {"hello", "soft hello"}),
        (("--debug",), {"hello", "soft hello", "print hello"}, set[str]()),
        (("--log-level", "none"), set[str](), {"hello", "soft hello", "print hello"}),
    ],
    ids=lambda value: " ".join(value) or "no flag" if isinstance(value, tuple) else "",
)
def test_dbts_flags_decide_what_is_shown(
    built: Built, flags: tuple[str, ...], shown: set[str], hidden: set[str]
) -> None:
    events: list[DbtEvent] = []
    asked = _asked(built.project, *flags, "run-operation", "say", "--args", "{what: hello}")
    assert built.process.invoke(asked, events.append).success
    messages = [event.message for event in events if event.shown]
    assert shown <= set(messages)
    # `print` goes past the flags before dbt 1.9.
    assert not hidden & {event.message for event in events if event.shown and event.name != "PrefectOutput"}
    assert all(messages.count(message) == 1 for message in shown)


def test_secrets_of_the_environment_are_masked(built: Built) -> None:
    events: list[DbtEvent] = []
    asked = _asked(built.project, "--debug", "run-operation", "say", "--args", "{what: the word is hush-hush}")
    outcome = built.process.invoke(asked, events.append)
    assert outcome.success
    assert any("the word is *****" in event.message for event in events)
    assert not any("hush-hush" in str(event) for event in events)


@pytest.mark.parametrize(
    "args",
    [
        ("debug",),
        ("ls",),
        ("source", "freshness"),
        ("docs", "generate", "--no-compile", "--empty-catalog"),
        ("compile", "-s", "customers"),
    ],
    ids=" ".join,
)
def test_other_commands_run_in_the_same_child(built: Built, args: tuple[str, ...]) -> None:
    pid = built.process.pid
    outcome = built.process.invoke(_asked(built.project, *args), lambda event: None)
    assert outcome.success, outcome.exception
    assert outcome.command == " ".join(word for word in args[:2] if not word.startswith("-"))
    assert built.process.pid == pid


def test_a_listing_is_a_result(built: Built) -> None:
    outcome = built.process.invoke(
        _asked(built.project, "ls", "--select", "orders", "--resource-type", "model"), lambda event: None
    )
    assert outcome.result().result == ["demo.marts.orders"]


def test_an_unknown_flag_is_dbts_own_error(built: Built) -> None:
    outcome = built.process.invoke(_asked(built.project, "run", "--no-such-flag"), lambda event: None)
    assert not outcome.success
    assert outcome.exception is not None
    assert outcome.exception.class_name == "DbtUsageException"
    assert "--no-such-flag" in outcome.exception.message
    from dbt.cli.exceptions import DbtUsageException

    assert isinstance(outcome.exception.load(), DbtUsageException)


def test_a_kept_project_is_parsed_anew_when_a_file_changes(built: Built) -> None:
    def models(*args: str) -> tuple[set[str], bool]:
        events: list[DbtEvent] = []
        outcome = built.process.invoke(_asked(built.project, "ls", "--resource-type", "model", *args), events.append)
        found = {name.rpartition(".")[2] for name in outcome.result().result}
        return found, any(event.name == "FoundStats" for event in events)

    models()
    before, _ = models()
    built.project.write("models/marts/fresh.sql", "select 1 as id\n")
    assert models()[0] == before | {"fresh"}
    (built.project.path / "models/marts/fresh.sql").unlink()
    assert models()[0] == before


def test_a_kept_project_compiles_ephemeral_models_each_time(built: Built) -> None:
    for _ in range(2):
        asked = _asked(built.project, "run", "--select", "orders", include_compiled_code=True)
        outcome = built.process.invoke(asked, lambda event: None)
        assert outcome.success
        code = outcome.nodes[0].compiled_code or ""
        assert code.count("__dbt__cte__stg_orders as (") == 1
        assert code.count("select order_id, customer_id") == 1


_PARENT = """
import sys
from prefect_dbt._dbt import DbtProcess, Invocation

def loaded():
    return sorted(name for name in sys.modules if name.partition(".")[0] in ("dbt", "dbt_common", "agate"))

with DbtProcess() as process:
    outcome = process.invoke(Invocation(("ls",), project_dir=sys.argv[1], profiles_dir=sys.argv[1]), lambda event: None)
result = outcome.result()
assert result.success, outcome.exception
assert not loaded(), loaded()
assert result.result and result.exception is None
"""


@pytest.mark.slow
def test_the_flows_process_imports_no_dbt(built: Built) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PARENT, str(built.project.path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
