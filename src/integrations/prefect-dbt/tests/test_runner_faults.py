"""A fault in what is made of dbt's events touches neither the other records nor dbt's word."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from prefect_dbt._dbt.events import DbtEvent, NodeDetails, NodeInfo, NodeResult, Relation
from prefect_dbt.core._observer import RunObserver
from prefect_dbt.core._scope import RunScope

NOWHERE = Relation(None, None, None, None)


def info(name: str, kind: str = "model") -> NodeInfo:
    return NodeInfo(f"{kind}.demo.{name}", name, kind, "started", f"{name}.sql", "table", "", "", NOWHERE)


def details(name: str, kind: str = "model") -> NodeDetails:
    columns: dict[str, tuple[str, str]] = {}
    return NodeDetails(
        *(f"{kind}.demo.{name}", name, kind, "demo", f"{name}.sql", f"models/{name}.sql", "table", NOWHERE, ""),
        *((), (), {}, None, columns, {}, "duckdb", (), "", "", "", "", ""),
    )


def result(name: str, status: str, kind: str = "model", message: str = "") -> NodeResult:
    unique_id = f"{kind}.demo.{name}"
    return NodeResult(unique_id, name, kind, status, message, None, 0.1, "", (), {}, "", "", "", None, "")


def event(name: str, node: NodeInfo | None = None, message: str = "", **more: Any) -> DbtEvent:
    return DbtEvent(name, "", "info", message, time.time(), "Thread-1", node, {}, bool(message), **more)


def stream(name: str, status: str = "success") -> Iterator[DbtEvent]:
    """What dbt tells of one node."""
    yield event("PrefectNode", details=details(name))
    yield event("NodeStart", info(name))
    yield event("LogStartLine", info(name), f"START {name}")
    yield event("NodeFinished", info(name))
    yield event("PrefectResult", result=result(name, status))


class Raising(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if not record.getMessage().startswith("Prefect could not go on"):
            raise RuntimeError("the handler is broken")


@pytest.fixture(autouse=True)
def no_server() -> Iterator[None]:
    """Let no log line start a Prefect server."""
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield


@pytest.fixture(autouse=True)
def no_events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Catch what would be sent to Prefect, at the edge to it."""
    sent: list[str] = []

    def emit_event(event: str, **kwargs: Any) -> None:
        sent.append(f"{event} {kwargs['resource']['prefect.resource.name']}")

    monkeypatch.setattr("prefect.utilities.engine.emit_event", emit_event)
    return sent


def test_all_is_recorded_where_nothing_fails(no_events: list[str]) -> None:
    observer = RunObserver(RunScope.current(), record_nodes=True)
    for each in stream("a"):
        observer(each)
    observer.close(was_cancelled=False)
    assert no_events == [f"prefect.task-run.{state} model a" for state in ("Pending", "Running", "Completed")]


def test_events_that_cannot_be_sent_are_logged_once_and_everything_else_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def emit_event(**kwargs: Any) -> None:
        raise ConnectionError("no server")

    monkeypatch.setattr("prefect.utilities.engine.emit_event", emit_event)
    seen: list[str] = []
    observer = RunObserver(
        RunScope.current(), record_nodes=True, on_node=lambda node, result: seen.append(result.unique_id)
    )
    with caplog.at_level(logging.INFO, logger="prefect"):
        for name in "abc":
            for each in stream(name):
                observer(each)
        observer.close(was_cancelled=False)
    assert seen == ["model.demo.a", "model.demo.b", "model.demo.c"]
    assert [observer.tracker.get_node_status(f"model.demo.{name}") for name in "abc"] == ["success"] * 3
    assert caplog.text.count("START") == 3
    assert caplog.text.count("Prefect could not go on with recording the start of a node") == 1


def test_a_log_handler_that_raises_does_not_keep_states_away(no_events: list[str]) -> None:
    handler = Raising()
    logger = logging.getLogger("prefect.task_runs")
    logger.addHandler(handler)
    try:
        observer = RunObserver(RunScope.current(), record_nodes=True)
        for each in stream("a", "error"):
            observer(each)
        observer.close(was_cancelled=False)
    finally:
        logger.removeHandler(handler)
    assert no_events[-1] == "prefect.task-run.Failed model a"
    assert observer.tracker.get_node_status("model.demo.a") == "error"


class BrokenAssets:
    def node_finished(self, *args: object) -> None:
        raise KeyError("relation")


def test_assets_that_fail_do_not_keep_states_and_hooks_away(no_events: list[str]) -> None:
    seen: list[str] = []
    assets: Any = BrokenAssets()
    observer = RunObserver(
        RunScope.current(), record_nodes=True, assets=assets, on_node=lambda node, result: seen.append(node.name)
    )
    for each in stream("a"):
        observer(each)
    observer.close(was_cancelled=False)
    assert no_events[-1] == "prefect.task-run.Completed model a"
    assert seen == ["a"]


def test_a_call_that_raises_does_not_end_the_calls() -> None:
    seen: list[str] = []

    def careless(node: NodeDetails, result: NodeResult) -> None:
        seen.append(node.name)
        raise ValueError(node.name)

    observer = RunObserver(RunScope.current(), record_nodes=False, on_node=careless)
    for name in "ab":
        for each in stream(name):
            observer(each)
    observer.close(was_cancelled=False)
    assert seen == ["a", "b"]


@pytest.mark.parametrize(("was_cancelled", "state"), [(True, "Cancelled"), (False, "Crashed")])
def test_a_node_without_an_end_gets_one(no_events: list[str], was_cancelled: bool, state: str) -> None:
    observer = RunObserver(RunScope.current(), record_nodes=True)
    observer(event("NodeStart", info("a")))
    observer.close(was_cancelled=was_cancelled)
    assert no_events[-1] == f"prefect.task-run.{state} model a"
    assert observer.tracker.get_node_status("model.demo.a") is not None


@pytest.mark.parametrize(
    "odd",
    [
        event("PrefectNode"),
        event("PrefectResult"),
        event("NodeStart"),
        event("PrefectResult", result=result("never_started", "success")),
        event("NodeStart", NodeInfo("", "", "", "", "", "", "not a time", "", NOWHERE)),
        event("PrefectResult", result=result("a", "a word to come")._replace(timing=(("compile", "x", "y"),))),
        event("SomethingNew", None, "\x1b[31mred\x1b[0m"),
    ],
    ids=["no-details", "no-result", "no-node", "unknown-node", "odd-time", "odd-status", "new-event"],
)
def test_an_odd_event_is_harmless(odd: DbtEvent, no_events: list[str]) -> None:
    observer = RunObserver(RunScope.current(), record_nodes=True)
    observer(odd)
    for each in stream("z"):
        observer(each)
    observer.close(was_cancelled=False)
    assert "prefect.task-run.Completed model z" in no_events


def test_of_two_thousand_nodes_only_small_records_stay(no_events: list[str]) -> None:
    import tracemalloc

    observer = RunObserver(RunScope.current(), record_nodes=True)
    for each in stream("warm"):
        observer(each)
    logging.getLogger("prefect.task_runs").setLevel(logging.CRITICAL)
    try:
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2000):
            for each in stream(f"model_{number}"):
                observer(each)
            no_events.clear()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        logging.getLogger("prefect.task_runs").setLevel(logging.NOTSET)
    assert (after - before) / 2000 < 2500, "bytes for each node"


def test_a_node_costs_less_than_five_milliseconds() -> None:
    observer = RunObserver(RunScope.current(), record_nodes=True)
    logging.getLogger("prefect.task_runs").setLevel(logging.WARNING)
    try:
        began = time.process_time()
        for number in range(200):
            for each in stream(f"model_{number}"):
                observer(each)
        spent = time.process_time() - began
    finally:
        logging.getLogger("prefect.task_runs").setLevel(logging.NOTSET)
    assert spent / 200 < 0.005
