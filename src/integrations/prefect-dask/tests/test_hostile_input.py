"""Names and addresses from outside: names of tasks are any text, and what is no address or class is refused by name."""

from __future__ import annotations

import threading

import pytest
from prefect import flow, task

from prefect_dask import DaskTaskRunner
from prefect_dask._clusters import connect
from prefect_dask.errors import DaskClusterUnavailable, DaskConfigurationError
from prefect_integration_tests import hostile

TEXTS = tuple(dict.fromkeys(hostile.ALL))


def io_loops() -> set[threading.Thread]:
    """The threads of Dask's clients."""
    return {thread for thread in threading.enumerate() if thread.name == "IO loop"}


@pytest.mark.parametrize("text", hostile.NO_NAMES, ids=ascii)
def test_nothing_hostile_is_a_class_of_clusters(text: str) -> None:
    with pytest.raises(DaskConfigurationError, match="`cluster_class` is"):
        DaskTaskRunner(cluster_class=text)


@pytest.mark.parametrize("text", ["http://host", "ext::sh -c touch% evil", "nope://x:1"], ids=ascii)
def test_what_is_no_address_is_refused(text: str) -> None:
    before = io_loops()
    with pytest.raises(DaskConfigurationError, match="is not one of a Dask scheduler"):
        connect(text, {})
    assert io_loops() <= before


def test_a_client_that_does_not_connect_leaves_nothing_behind() -> None:
    before = io_loops()
    with pytest.raises(DaskClusterUnavailable, match=r"127\.0\.0\.1:9"):
        connect("tcp://127.0.0.1:9", {"timeout": 1})
    assert io_loops() <= before


def test_a_task_may_have_any_name(runner: DaskTaskRunner) -> None:
    @task
    def same(value: str) -> str:
        return value

    @flow(task_runner=runner)
    def work() -> list[str]:
        futures = [same.with_options(name=text).submit(text) for text in hostile.SHELL]
        return [future.result() for future in futures]

    assert work() == list(hostile.SHELL)
