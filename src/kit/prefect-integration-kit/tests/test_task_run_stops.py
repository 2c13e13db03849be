"""Where stops of task runs may arrive."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import GeneratorType
from typing import Any

import pytest
from prefect import task

from prefect_integration_kit.task_run_stops import around_function, is_logging, run_to_its_end


@pytest.mark.parametrize("where", ["handler", "filter", "here"])
def test_it_is_known_who_is_in_the_midst_of_logging(where: str) -> None:
    found: list[bool] = []

    class Looks(logging.Handler):
        def filter(self, record: logging.LogRecord) -> bool:
            return where == "handler" or not self.look()

        def emit(self, record: logging.LogRecord) -> None:
            self.look()

        def look(self) -> bool:
            found.append(is_logging(inspect.currentframe()))
            return True

    handler = Looks()
    if where == "here":
        handler.look()
    else:
        logger = logging.getLogger("looked at")
        logger.addHandler(handler)
        logger.warning("now")
        logger.removeHandler(handler)
    assert found == [where != "here"]


def test_nothing_is_executed_where_nothing_is() -> None:
    assert not is_logging(None)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_function_of_a_task_runs_in_the_context(is_async: bool) -> None:
    events: list[str] = []

    @contextmanager
    def entered() -> Iterator[None]:
        events.append("in")
        try:
            yield
        finally:
            events.append("out")

    @task
    def fails(number: int) -> None:
        events.append(f"called {number}")
        raise ValueError("no")

    @task
    async def afails(number: int) -> None:
        await asyncio.sleep(0)
        events.append(f"called {number}")
        raise ValueError("no")

    each: Any = afails if is_async else fails
    around_function(each, entered)
    for number in (1, 2):
        with pytest.raises(ValueError, match="no"):
            asyncio.run(each.fn(number)) if is_async else each.fn(number)
    assert events == ["in", "called 1", "out", "in", "called 2", "out"]
    assert each.fn.__name__ in ("fails", "afails")


def test_what_a_function_yields_is_yielded_in_the_context() -> None:
    events: list[str] = []

    @contextmanager
    def entered() -> Iterator[None]:
        events.append("in")
        yield
        events.append("out")

    @task
    def numbers() -> Iterator[int]:
        for number in (1, 2):
            events.append(f"yielded {number}")
            yield number

    around_function(numbers, entered)
    made: Any = numbers.fn()
    assert events == ["in", "yielded 1", "yielded 2", "out"]
    assert isinstance(made, GeneratorType)  # Prefect knows those, and makes lists of them
    assert list(made) == [1, 2]


@pytest.mark.parametrize("returned", [None, [1], "text", iter([1]), range(2)], ids=lambda value: type(value).__name__)
def test_only_generators_are_run_to_their_end(returned: Any) -> None:
    assert run_to_its_end(returned) is returned
