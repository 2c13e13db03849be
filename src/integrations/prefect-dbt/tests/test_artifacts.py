"""Summaries of dbt runs: complete, bounded, and safe against what databases say."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_dbt.core._artifacts import (
    MAX_SUMMARY_CHARACTERS,
    consolidate_run_results,
    create_summary_markdown,
    markdown_code,
)


def result(name: str, status: str, message: str | None = None, kind: str = "model") -> Any:
    node = SimpleNamespace(
        name=name, resource_type=SimpleNamespace(value=kind), original_file_path=f"models/{name}.sql", unique_id="x"
    )
    return SimpleNamespace(status=SimpleNamespace(value=status), node=node, message=message)


def runner_result(*results: Any) -> Any:
    return SimpleNamespace(success=True, exception=None, result=SimpleNamespace(results=list(results)))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("success", "Success"),
        ("pass", "Success"),
        ("no-op", "Success"),
        ("warn", "Warn"),
        ("error", "Error"),
        ("runtime error", "Error"),
        ("partial success", "Error"),
        ("fail", "Fail"),
        ("skipped", "Skipped"),
        ("a status that dbt will have one day", "Error"),
    ],
)
def test_each_status_counts_as_one_outcome(status: str, outcome: str) -> None:
    consolidated = consolidate_run_results(runner_result(result("orders", status)))
    assert set(consolidated) == {"Success", "Warn", "Error", "Fail", "Skipped"}
    assert [name for name, found in consolidated.items() if found] == [outcome]


@pytest.mark.parametrize(
    "returned", [None, True, ["model.shop.orders"], SimpleNamespace(nodes={}), {"nodes": {}}], ids=repr
)
def test_a_command_that_runs_no_nodes_has_no_results(returned: Any) -> None:
    consolidated = consolidate_run_results(SimpleNamespace(success=True, exception=None, result=returned))
    assert not any(consolidated.values())
    assert "| 0 | 0 | 0 | 0 | 0 |" in create_summary_markdown(consolidated, "debug")


def test_a_summary_counts_outcomes_and_names_what_did_not_end_well() -> None:
    results = runner_result(
        result("orders", "success"),
        result("customers", "error", "Binder Error: no such column"),
        result("unique_orders_id", "fail", "Got 1 result, configured to fail if != 0", "test"),
        result("fresh", "warn", "Got 2 results"),
        result("totals", "skipped"),
    )
    markdown = create_summary_markdown(consolidate_run_results(results), "build")
    assert markdown.startswith("# dbt build summary\n")
    assert "| Successes | Warnings | Errors | Failures | Skips |" in markdown
    assert "| 1 | 1 | 1 | 1 | 1 |" in markdown
    for text in ("`customers`", "Binder Error: no such column", "Path: `models/customers.sql`", "Type: `test`"):
        assert text in markdown
    order = [markdown.index(f"`{name}`") for name in ("customers", "unique_orders_id", "fresh", "totals", "orders")]
    assert order == sorted(order)


def test_the_compiled_code_of_what_failed_is_shown_and_of_nothing_else() -> None:
    results = [
        result(name, status) for name, status in (("orders", "error"), ("unique", "fail"), ("parcels", "success"))
    ]
    for each in results:
        each.node.compiled_code = f"select ```{each.node.name}``` as of_{each.node.name}"
    summary = create_summary_markdown(consolidate_run_results(runner_result(*results)), "build")
    assert "````sql\nselect ```orders``` as of_orders\n````" in summary
    assert "of_unique" in summary
    assert "of_parcels" not in summary


def test_the_content_of_run_results_json_is_summarised_too() -> None:
    entries = [
        {"unique_id": "model.shop.orders.v2", "status": "error", "message": "boom"},
        {"unique_id": "test.shop.ok.123", "status": "pass"},
    ]
    markdown = create_summary_markdown({"metadata": {}, "results": entries}, "dbt run --select orders")
    assert "| 1 | 0 | 1 | 0 | 0 |" in markdown
    assert "### `orders.v2`" in markdown
    assert "`dbt run --select orders`" in markdown or "# dbt run --select orders summary" in markdown


HOSTILE = [
    "```\n# owned\n```",
    "````` [click](javascript:alert(1)) `````",
    "<script>alert(1)</script>",
    "![x](http://127.0.0.1/track.png)",
    "a | b |\n| c |",
    "\x1b[31mred\x1b[0m \x00\x07",
    "~~~\n</details><h1>owned",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_a_database_gets_out_of_its_code_block(text: str) -> None:
    hostile = result(text, "error", text)
    hostile.node.original_file_path = text
    markdown = create_summary_markdown(consolidate_run_results(runner_result(hostile)), text)
    assert "\x1b" not in markdown
    assert "\x00" not in markdown
    outside = _outside_of_code(markdown)
    for harm in ("owned", "script", "javascript", "track", "h1"):
        assert harm not in outside, outside


def _outside_of_code(markdown: str) -> str:
    """Take out fenced blocks and code spans as CommonMark finds them: a run of backticks ends at one as long."""
    lines: list[str] = []
    fence: str | None = None
    for line in markdown.splitlines():
        run = len(line) - len(line.lstrip("`"))
        if fence is None and run >= 3 and "`" not in line[run:]:
            fence = "`" * run
        elif fence is not None and run >= len(fence) and not line.strip("`").strip():
            fence = None
        elif fence is None:
            lines.append(_without_spans(line))
    assert fence is None, "a code block is left open"
    return "\n".join(lines)


def _without_spans(line: str) -> str:
    kept, at = "", 0
    while at < len(line):
        if line[at] != "`":
            kept, at = kept + line[at], at + 1
            continue
        run = len(line[at:]) - len(line[at:].lstrip("`"))
        end = at + run
        while end < len(line):
            if line[end] != "`":
                end += 1
                continue
            other = len(line[end:]) - len(line[end:].lstrip("`"))
            end += other
            if other == run:
                break
        else:
            kept, end = kept + "`" * run, at + run
        at = end
    return kept


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("`ab\\ \n<|")))
def test_code_is_closed_whatever_backticks_it_has(text: str) -> None:
    assert _without_spans(markdown_code(text)) == ""


@pytest.mark.parametrize("status", ["error", "skipped", "success"])
def test_a_summary_of_many_nodes_is_bounded_and_counts_what_it_leaves_out(status: str) -> None:
    results = [result(f"model_{number:050}", status, "Long. " * 1_000) for number in range(3_000)]
    results.append(result("late", "warn", "Got 1 result"))
    markdown = create_summary_markdown(consolidate_run_results(runner_result(*results)), "build")
    assert len(markdown) <= MAX_SUMMARY_CHARACTERS
    assert "more." in markdown
    assert "`late`" in markdown
    assert Counter(markdown.split())["3000"] == 1


def test_nothing_but_names_are_needed() -> None:
    assert "`orders`" in create_summary_markdown({"Error": ["orders"], "Success": []}, "run")
