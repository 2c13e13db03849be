"""What holds for every decorator that binds a flow to a work pool."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from prefect import flow
from prefect.flows import InfrastructureBoundFlow

from .base import Suite


@flow(name="add", retries=2)
def add(a: int, b: int = 1) -> int:
    """Add two numbers: a flow to bind."""
    return a + b


@flow
async def add_later(a: int) -> int:
    """Add one: an async flow to bind."""
    return a + 1


class DecoratorSuite(Suite):
    """Checks each decorator of a package, as a flow above which it stands sees it.

    Attributes:
        decorators: The worker that each decorator binds to, by the decorator.
        job_variables: Job variables that all of them may set.
    """

    decorators: ClassVar[Mapping[Callable[..., Any], type[Any]]]
    job_variables: ClassVar[Mapping[str, Any]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `decorator` once for each of the package."""
        if "decorator" in metafunc.fixturenames:
            names = [each.__name__ for each in self.decorators]
            metafunc.parametrize(("decorator", "worker_class"), list(self.decorators.items()), ids=names)

    def test_every_option_reaches_the_flow(self, decorator: Callable[..., Any], worker_class: type[Any]) -> None:
        """What the decorator was given, and what the flow was before."""
        variables = {**self.job_variables, "env": {"A": "b"}}
        bound: Any = decorator("pool", ["data/"], ["python"], include_files_base_dir=Path("/shop"), **variables)(add)
        assert issubclass(type(bound), InfrastructureBoundFlow)
        assert (bound.name, bound.retries, bound.work_pool, bound.worker_cls) == ("add", 2, "pool", worker_class)
        assert bound.job_variables == variables
        assert (bound.include_files, bound.include_files_base_dir) == (["data/"], "/shop")
        assert bound.launcher == {"upload": ["python"], "execution": ["python"]}
        assert inspect.signature(bound) == inspect.signature(add)

    def test_options_are_changed_in_a_copy(self, decorator: Callable[..., Any], worker_class: type[Any]) -> None:
        """`with_options` leaves the bound flow as it is; an async flow stays async."""
        bound = decorator(work_pool="pool", image="a")(add_later)
        other = bound.with_options(job_variables={"image": "b"}, retries=4)
        changed = (other.job_variables, other.retries, other.work_pool, other.worker_cls)
        assert changed == ({"image": "b"}, 4, "pool", worker_class)
        assert (bound.job_variables, bound.isasync) == ({"image": "a"}, True)

    def test_what_is_wrong_is_said_where_it_is_written(
        self, decorator: Callable[..., Any], worker_class: type[Any]
    ) -> None:
        """By the name of the decorator, before a flow is called."""
        name = decorator.__name__
        with pytest.raises(ValueError, match=f"@{name}: work_pool is empty"):
            decorator(work_pool="")
        with pytest.raises(TypeError, match=rf'Write @{name}\(work_pool="\.\.\."\)'):
            decorator(add)  # parentheses forgotten
        with pytest.raises(TypeError, match=rf"Put @{name}\(\.\.\.\) above @flow"):
            decorator(work_pool="pool")(add.fn)  # in the wrong order
        with pytest.raises(TypeError, match="include_files"):
            decorator("pool", "data/")
