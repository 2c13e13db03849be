"""What the API says of a state, in either of its two ways, is understood alike."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_databricks._runs.states import latest_tasks, state_of


def ended(code: str, kind: str = "CLIENT_ERROR") -> dict[str, Any]:
    """A status of API 2.2."""
    return {"status": {"state": "TERMINATED", "termination_details": {"code": code, "type": kind, "message": "m"}}}


CASES: list[tuple[dict[str, Any], tuple[str, str, bool, bool]]] = [
    ({}, ("", "unknown", False, False)),
    ({"state": {"life_cycle_state": "QUEUED"}}, ("QUEUED", "QUEUED", False, False)),
    ({"state": {"life_cycle_state": "WAITING_FOR_RETRY"}}, ("WAITING_FOR_RETRY", "WAITING_FOR_RETRY", False, False)),
    (
        {"state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}},
        ("TERMINATED", "SUCCESS", True, True),
    ),
    (
        {"state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS_WITH_FAILURES"}},
        ("TERMINATED", "SUCCESS_WITH_FAILURES", True, False),
    ),
    (
        {"state": {"life_cycle_state": "TERMINATED", "result_state": "MAXIMUM_CONCURRENT_RUNS_REACHED"}},
        ("TERMINATED", "MAXIMUM_CONCURRENT_RUNS_REACHED", True, False),
    ),
    ({"state": {"life_cycle_state": "TERMINATED"}}, ("TERMINATED", "TERMINATED", True, False)),
    ({"state": {"life_cycle_state": "SKIPPED"}}, ("SKIPPED", "SKIPPED", True, False)),
    ({"status": {"state": "RUNNING"}}, ("RUNNING", "RUNNING", False, False)),
    (ended("SUCCESS", "SUCCESS"), ("TERMINATED", "SUCCESS", True, True)),
    (ended("SUCCESS_WITH_FAILURES", "SUCCESS"), ("TERMINATED", "SUCCESS_WITH_FAILURES", True, False)),
    (ended("USER_CANCELED"), ("TERMINATED", "CANCELED", True, False)),
    (ended("RUN_EXECUTION_ERROR"), ("TERMINATED", "FAILED", True, False)),
    (ended("CLOUD_FAILURE", "CLOUD_FAILURE"), ("TERMINATED", "FAILED", True, False)),
    (ended("A_CODE_OF_TOMORROW"), ("TERMINATED", "FAILED", True, False)),
    (ended("INTERNAL_ERROR", "INTERNAL_ERROR"), ("INTERNAL_ERROR", "FAILED", True, False)),
    (ended("MAX_CONCURRENT_RUNS_EXCEEDED"), ("SKIPPED", "SKIPPED", True, False)),
    ({"status": {"state": "TERMINATED"}}, ("TERMINATED", "TERMINATED", True, False)),
]


@pytest.mark.parametrize(("run", "expected"), CASES, ids=[str(number) for number in range(len(CASES))])
def test_states_of_both_versions(run: dict[str, Any], expected: tuple[str, str, bool, bool]) -> None:
    state = state_of(run)
    assert (state.life_cycle, state.name, state.has_ended, state.is_success) == expected


def test_the_last_attempt_of_each_task_counts_in_whatever_order_they_come() -> None:
    tasks = [
        {"task_key": "b", "attempt_number": 1, "start_time": 30, "run_id": 4},
        {"task_key": "a", "attempt_number": 0, "start_time": 10, "run_id": 1},
        {"task_key": "b", "attempt_number": 0, "start_time": 20, "run_id": 2},
    ]
    assert [task["run_id"] for task in latest_tasks({"tasks": tasks})] == [1, 4]
