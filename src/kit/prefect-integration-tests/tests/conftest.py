"""How the suites are tested: each of their tests must fail for some double."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from prefect_integration_tests.leaks import LeakWatch, new_canary
from prefect_integration_tests.suites.base import Suite

RunSuiteTest = Callable[..., Awaitable[None]]


@pytest.fixture
def run_suite_test(tmp_path, monkeypatch, request) -> RunSuiteTest:
    """Run one test of a suite by hand, with the fixtures given and the usual ones of pytest."""

    async def run(suite: Suite, name: str, **fixtures: Any) -> None:
        test = getattr(suite, name)
        canary = fixtures.get("canary") or new_canary()
        watch = LeakWatch(canary)
        given: dict[str, Any] = {
            "tmp_path": tmp_path,
            "monkeypatch": monkeypatch,
            "request": request,
            "canary": canary,
            "no_canary_leaks": watch,
            "prefect_harness": None,
            **fixtures,
        }
        wanted = inspect.signature(test).parameters
        with watch.listening():
            result = test(**{key: given[key] for key in wanted})
            if inspect.isawaitable(result):
                await result

    return run


def _tests_of(suite: type[Suite]) -> set[str]:
    return {name for name in dir(suite) if name.startswith("test_")} - {"test_nothing_is_overridden_in_silence"}


@pytest.fixture
def tests_of() -> Callable[[type[Suite]], set[str]]:
    """Name the tests of a suite, but for the one that all suites share."""
    return _tests_of
