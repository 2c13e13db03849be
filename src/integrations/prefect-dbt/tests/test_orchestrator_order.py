"""In which order an orchestrator executes nodes."""

from __future__ import annotations

import pytest

from prefect_dbt.core._local import shared_options
from prefect_dbt.core._waves import Order, TestStrategy, nearest, plan, waves

# A chain seed -> a -> (ephemeral e) -> b -> c with a test on a, one on a and b together, and a unit test of b.
GRAPH = {
    "seed": [],
    "a": ["seed"],
    "e": ["a"],
    "b": ["e"],
    "c": ["b"],
    "lone": [],
    "t_a": ["a"],
    "t_ab": ["a", "b"],
    "u_b": ["b"],
}
TYPES = {name: "test" if name.startswith("t_") else "unit_test" if name == "u_b" else "model" for name in GRAPH}
EXECUTABLE = [name for name in GRAPH if name != "e"]


def test_waves_put_each_node_after_its_parents() -> None:
    assert waves({"a": [], "b": ["a"], "c": ["a", "b"], "d": []}) == [["a", "d"], ["b"], ["c"]]


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="circle: a, b"):
        waves({"a": ["b"], "b": ["a"], "c": []})


def test_nodes_that_are_not_chosen_are_seen_through() -> None:
    assert nearest(GRAPH, {"seed", "b"}) == {"seed": frozenset(), "b": {"seed"}}


def test_immediate_tests_run_before_what_builds_on_the_tested() -> None:
    (order,) = plan(GRAPH, TYPES, EXECUTABLE, TestStrategy.IMMEDIATE)
    assert order.parents["t_a"] == {"a"}
    assert order.parents["b"] == {"a", "t_a", "u_b"}
    assert order.parents["u_b"] == {"a"}, "a unit test needs what its model reads, not the model"
    assert order.parents["t_ab"] == {"a", "b"}
    assert order.parents["c"] == {"b", "t_ab"}


def test_a_wave_takes_tests_along_with_what_they_test() -> None:
    (order,) = plan(GRAPH, TYPES, EXECUTABLE, TestStrategy.IMMEDIATE)
    assert order.waves(TYPES) == [["lone", "seed"], ["a", "t_a"], ["b", "t_ab", "u_b"], ["c"]]


def test_deferred_tests_run_last_and_know_what_they_test() -> None:
    builds, tests = plan(GRAPH, TYPES, EXECUTABLE, TestStrategy.DEFERRED)
    assert builds.parents["b"] == {"a"}
    assert tests.parents == {"t_a": {"a"}, "t_ab": {"a", "b"}, "u_b": {"b"}}
    assert tests.waves(TYPES) == [["t_a", "t_ab", "u_b"]]


def test_skipped_tests_are_no_nodes() -> None:
    (order,) = plan(GRAPH, TYPES, EXECUTABLE, TestStrategy.SKIP)
    assert set(order.parents) == {"seed", "a", "b", "c", "lone"}


def test_a_test_of_a_source_comes_before_what_reads_it() -> None:
    graph = {"source.x": [], "stg": ["source.x"], "t": ["source.x"], "mart": ["stg"]}
    (order,) = plan(graph, {"stg": "model", "t": "test", "mart": "model"}, ["stg", "t", "mart"], TestStrategy.IMMEDIATE)
    assert order.parents == {"stg": {"t"}, "t": frozenset(), "mart": {"stg"}}


def test_a_chain_of_thousands_is_no_problem() -> None:
    chain = {f"n{i}": [f"n{i - 1}"] if i else [] for i in range(3000)}
    assert len(Order(nearest(chain, chain)).waves(dict.fromkeys(chain, "model"))) == 3000


def test_only_arguments_that_decide_on_the_selection_go_to_it() -> None:
    args = [
        "--empty",
        "--vars",
        "{a: 1}",
        "--sample=1 day",
        "--state",
        "old",
        "--resource-type",
        "model",
        "test",
    ]
    assert shared_options(args) == [
        "--vars",
        "{a: 1}",
        "--state",
        "old",
        "--resource-type",
        "model",
        "test",
    ]
