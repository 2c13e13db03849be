"""Lines are printed once and in order, whatever a look brings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_snowflake.experimental.workers._spcs import outcomes
from prefect_snowflake.experimental.workers._spcs.names import ServiceName
from prefect_snowflake.experimental.workers._spcs.output import SeenLines
from prefect_snowflake.experimental.workers._spcs.views import ContainerView, PoolView, ServiceView, main_of

SERVICE = ServiceName("JOB", "DB", "S")


def _log(lines: list[tuple[int, str]], count: int | None = None) -> str:
    shown = lines if count is None else lines[-count:]
    return "\n".join(f"2026-01-01T00:00:00.{moment:09d}Z {text}" for moment, text in shown)


def test_lines_of_one_moment_are_told_apart() -> None:
    seen = SeenLines()
    assert seen.unseen(_log([(1, "a"), (1, "a")]), asked=10) == ["a", "a"]
    assert seen.unseen(_log([(1, "a"), (1, "a"), (1, "a"), (2, "b")]), asked=10) == ["a", "b"]
    assert seen.unseen(_log([(1, "a"), (1, "a"), (1, "a"), (2, "b")]), asked=10) == []


def test_where_lines_may_be_missing_more_are_asked_for() -> None:
    seen = SeenLines()
    lines = [(number, str(number)) for number in range(9)]
    assert seen.unseen(_log(lines[:2]), asked=3) == ["0", "1"]
    assert seen.unseen(_log(lines, 3), asked=3) is None
    assert seen.unseen(_log(lines), asked=None) == [str(number) for number in range(2, 9)]


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(1, 8), max_size=30), st.integers(1, 6))
def test_each_line_is_seen_once(steps: list[int], looks: list[int], asked: int) -> None:
    moments = [sum(steps[: index + 1]) for index in range(len(steps))]
    lines = [(moment, f"line {index}") for index, moment in enumerate(moments)]
    seen, got, there = SeenLines(), list[str](), 0
    for more in [*looks, len(lines)]:
        there = min(len(lines), there + more)
        new = seen.unseen(_log(lines[:there], asked), asked=asked)
        if new is None:
            new = seen.unseen(_log(lines[:there]), asked=None) or []
        got += new
    # Of lines of one moment that a look cuts apart, some may be taken for others; no time is lost or seen twice.
    assert len(got) == len(lines) or len(set(moments)) < len(moments)
    if len(set(moments)) == len(moments):
        assert got == [text for _, text in lines]


@pytest.mark.parametrize(
    ("status", "message", "exit_code", "said"),
    [
        ("DONE", "", 0, "succeeded."),
        ("FAILED", "Encountered fatal error", 3, "Its container 'main' exited with code 3."),
        ("FAILED", "Container OOMKilled", 137, "raise `memory_request`"),
        ("FAILED", "Failed to pull image /d/s/r/i:1", None, "Check `image`"),
        ("FAILED", "", 127, "The command was not found"),
        ("FAILED", "", 143, "stopped by SIGTERM"),
        ("FAILED", "", 139, "SIGSEGV"),
        ("FAILED", "", None, "Its container 'main' failed."),
        ("INTERNAL_ERROR", "", None, "inside Snowflake"),
    ],
)
def test_an_end_is_said_with_its_cause(status: str, message: str, exit_code: int | None, said: str) -> None:
    container = ContainerView("main", "FAILED", message, exit_code=exit_code)
    view = ServiceView(SERVICE, status)
    text = outcomes.message_of(view, container)
    assert said in text
    assert "'DB.S.JOB'" in text
    assert (outcomes.exit_code_of(view, container) == 0) is (status == "DONE")
    assert "'DB.S.JOB'" in outcomes.message_of(view, None)


def test_the_container_of_the_name_counts_then_one_that_failed() -> None:
    done, failed, main = (
        ContainerView(name, status) for name, status in (("a", "DONE"), ("b", "FAILED"), ("c", "DONE"))
    )
    assert main_of([done, failed, main], "c") is main
    assert main_of([done, failed, main]) is failed
    assert main_of([done]) is done
    assert main_of([]) is None


def test_rows_without_new_columns_are_read() -> None:
    """Older accounts do not say the exit code."""
    assert ContainerView.of({"container_name": "m", "status": "FAILED", "restart_count": None}).exit_code is None
    assert PoolView.of({"name": "P", "state": "active"}) == PoolView("P", "ACTIVE")
    view = ServiceView.of({"name": "J", "status": None, "comment": None, "created_on": None})
    assert (view.status, view.created_at, dict(view.labels)) == ("", None, {})


def test_what_is_late_is_said_with_what_to_raise() -> None:
    waiting = [ContainerView("m", "PENDING", "Unschedulable due to insufficient CPU")]
    late = outcomes.why_late("DB.S.JOB", ServiceView(SERVICE, "PENDING"), waiting, 5)
    assert "after 5 seconds; it is PENDING." in late
    assert "`cpu_request`" in late
    assert "it is not there" in outcomes.why_late("DB.S.JOB", None, [], 5)
    assert "it is STARTING. Snowflake says: no nodes." in outcomes.pool_late(PoolView("P", "STARTING", "no nodes"), 5)
