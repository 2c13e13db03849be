"""The suite of task runners: Prefect's own passes, and ones that do less fail."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.context import TagsContext
from prefect.task_runners import ThreadPoolTaskRunner

from prefect_integration_tests.suites import TaskRunnerSuite


class TestThreads(TaskRunnerSuite):
    not_started = "not started"

    @pytest.fixture
    def task_runner(self, prefect_harness: None) -> ThreadPoolTaskRunner:
        return ThreadPoolTaskRunner()


class _Silent(ThreadPoolTaskRunner):
    """Takes tasks that it will never run."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        return super().submit(*args, **kwargs) if self._started else None


class _Forgetful(ThreadPoolTaskRunner):
    """Leaves the tags of the flow run behind."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        with TagsContext(current_tags=set()):
            return super().submit(*args, **kwargs)


def test_a_task_runner_that_takes_tasks_too_early_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        TestThreads().test_a_runner_that_was_not_started_says_so(_Silent())


def test_a_task_runner_that_forgets_the_tags_fails(prefect_harness: None) -> None:
    with pytest.raises(AssertionError):
        TestThreads().test_tags_and_runs_are_known_on_the_worker(_Forgetful())
