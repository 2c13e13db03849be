"""The suite of decorators: one made by the kit passes, and each broken one is found by its test."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from prefect.workers.process import ProcessWorker

from prefect_integration_kit.infrastructure import bind
from prefect_integration_tests.suites import DecoratorSuite


def process(
    work_pool: Any,
    include_files: Any = None,
    launcher: Any = None,
    *,
    include_files_base_dir: Any = None,
    **job_variables: Any,
) -> Any:
    return bind(
        "process",
        ProcessWorker,
        work_pool=work_pool,
        job_variables=job_variables,
        launcher=launcher,
        include_files=include_files,
        include_files_base_dir=include_files_base_dir,
    )


class TestProcess(DecoratorSuite):
    decorators: ClassVar = {process: ProcessWorker}
    job_variables: ClassVar = {"working_dir": "/shop"}


def without_launcher(work_pool: Any, include_files: Any = None, launcher: Any = None, **options: Any) -> Any:
    return process(work_pool, include_files, **options)


def without_variables(
    work_pool: Any, include_files: Any = None, launcher: Any = None, *, include_files_base_dir: Any = None, **_: Any
) -> Any:
    return process(work_pool, include_files, launcher, include_files_base_dir=include_files_base_dir)


def by_another_name(work_pool: Any, *arguments: Any, **options: Any) -> Any:
    return process(work_pool, *arguments, **options)


def of_anything(work_pool: Any, *arguments: Any, **options: Any) -> Any:
    return lambda flow: flow


BROKEN = [
    (without_launcher, "test_every_option_reaches_the_flow"),
    (without_variables, "test_every_option_reaches_the_flow"),
    (without_variables, "test_options_are_changed_in_a_copy"),
    (by_another_name, "test_what_is_wrong_is_said_where_it_is_written"),
    (of_anything, "test_what_is_wrong_is_said_where_it_is_written"),
]


def test_every_test_of_the_suite_is_tried(tests_of: Any) -> None:
    assert tests_of(DecoratorSuite) == {name for _, name in BROKEN}


@pytest.mark.parametrize(("decorator", "name"), BROKEN, ids=[f"{each.__name__}-{name}" for each, name in BROKEN])
async def test_a_broken_decorator_is_found_out(decorator: Any, name: str, run_suite_test: Any) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await run_suite_test(TestProcess(), name, decorator=decorator, worker_class=ProcessWorker)
