"""Queries that sleep in PostgreSQL: whether one runs, and what ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject

SLEEP_SECONDS = 300


def sleeping_queries(project: DbtProject) -> list[tuple[Any, ...]]:
    """Processes of the server that run a query of a slow model of this project."""
    is_ours = f"query like '%pg_sleep({SLEEP_SECONDS})%' and query like '%{project.schema}%'"
    return project.query(
        f"select pid from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and {is_ours}"
    )


@contextmanager
def watched(project: DbtProject) -> Iterator[threading.Event]:
    """Give an event that is set once a query of the project sleeps."""
    seen, is_over = threading.Event(), threading.Event()

    def look() -> None:
        while not is_over.wait(0.1):
            if sleeping_queries(project):
                seen.set()
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


def time_out_during_the_query(project: DbtProject, run: Callable[[float], object]) -> None:
    """Call a run with longer and longer time-outs, until one was up while the query ran; none may leave a query behind.

    Args:
        project: With a slow model.
        run: Runs that model, with a time-out in seconds, and returns when it is up.
    """
    for seconds in (4, 8, 16, 32, 64):
        with watched(project) as seen:
            run(seconds)
            assert not sleeping_queries(project)
        if seen.is_set():
            return
    pytest.fail("dbt did not send the query of the slow model in time.")
