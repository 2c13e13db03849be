"""A flow that is bound to a work pool stays a flow, and what is bound wrongly is refused where it is written."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from prefect import flow
from prefect.flows import InfrastructureBoundFlow
from prefect.workers.process import ProcessWorker

from prefect_integration_kit.infrastructure import bind


def process(work_pool: Any, **options: Any) -> Any:
    return bind(
        "process", ProcessWorker, work_pool=work_pool, job_variables=options.pop("job_variables", {}), **options
    )


@flow(name="add", retries=2, description="Adds.", log_prints=True)
def add(a: int, b: int = 1) -> int:
    return a + b


@flow
async def later(a: int) -> int:
    return a


def test_a_bound_flow_keeps_what_the_flow_has() -> None:
    variables = {"cpu": 2}
    bound = process("pool", job_variables=variables, launcher=["python"], include_files=("a", "b"))(add)
    variables["cpu"] = 3
    assert isinstance(bound, InfrastructureBoundFlow)
    assert (bound.name, bound.retries, bound.description, bound.log_prints) == ("add", 2, "Adds.", True)
    assert (bound.work_pool, bound.worker_cls, bound.job_variables) == ("pool", ProcessWorker, {"cpu": 2})
    assert bound.launcher == {"upload": ["python"], "execution": ["python"]}
    assert bound.include_files == ["a", "b"]
    assert inspect.signature(bound) == inspect.signature(add)
    assert not isinstance(add, InfrastructureBoundFlow)


def test_an_async_flow_stays_async() -> None:
    assert process("pool")(later).isasync


def test_options_are_changed_in_a_copy() -> None:
    bound = process("pool", job_variables={"cpu": 2}, include_files=["a"])(add)
    other = bound.with_options(retries=5, job_variables={"cpu": 4}, launcher=["python3"])
    assert (other.retries, other.job_variables, other.include_files) == (5, {"cpu": 4}, ["a"])
    assert other.launcher == {"upload": ["python3"], "execution": ["python3"]}
    assert (bound.retries, bound.job_variables, bound.launcher) == (2, {"cpu": 2}, None)


@pytest.mark.parametrize(
    ("work_pool", "options", "error", "says"),
    [
        ("", {}, ValueError, "work_pool is empty"),
        ("  ", {}, ValueError, "prefect work-pool ls"),
        (None, {}, TypeError, "must be the name of a work pool"),
        (add, {}, TypeError, r"work_pool is 'add'.*Write @process\(work_pool="),
        ("pool", {"include_files": "data/"}, TypeError, "include_files is 'data/'; it must be a list"),
        ("pool", {"include_files": 3}, TypeError, "must be a list"),
        ("pool", {"include_files": ["a", ""]}, ValueError, "include_files has '' in it"),
        ("pool", {"include_files": [None]}, ValueError, "include_files has None in it"),
    ],
)
def test_what_is_wrong_is_said_where_the_decorator_is_written(
    work_pool: Any, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=f"@process: .*{says}"):
        process(work_pool, **options)


@pytest.mark.parametrize("launcher", ["python", [], [""], {"uplaod": ["python"]}, {}])
def test_a_wrong_launcher_is_refused(launcher: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="launcher"):
        process("pool", launcher=launcher)(add)


@pytest.mark.parametrize("thing", [add.fn, 3, "add"])
def test_only_a_flow_can_be_bound(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"@process binds a flow.*Put @process\(\.\.\.\) above @flow"):
        process("pool")(thing)
