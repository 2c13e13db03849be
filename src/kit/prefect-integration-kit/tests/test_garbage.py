"""Collections become seldom for as long as somebody makes many objects, and no longer."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from prefect_integration_kit.garbage import many_objects


@pytest.fixture(autouse=True)
def pythons_own() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_few_collections_run_while_many_objects_are_made() -> None:
    runs: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            runs.append(info["generation"])

    def made() -> int:
        runs.clear()
        kept = [[number] for number in range(100_000)]
        assert len(kept) == 100_000
        return len(runs)

    gc.callbacks.append(note)
    try:
        usual = made()
        with many_objects():
            seldom = made()
    finally:
        gc.callbacks.remove(note)
    assert usual > 50
    assert 1 <= seldom <= 5
    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_of_several_threads_puts_the_thresholds_back() -> None:
    begun, go = threading.Event(), threading.Event()

    def other() -> None:
        with many_objects():
            begun.set()
            assert go.wait(10)

    thread = threading.Thread(target=other)
    with many_objects():
        thread.start()
        assert begun.wait(10)
    assert gc.get_threshold() == (50_000, 10, 10)
    go.set()
    thread.join(10)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("given", [(0, 10, 10), (80_000, 5, 5)], ids=["off", "higher"])
def test_who_collects_seldom_or_never_is_left_alone(given: tuple[int, int, int]) -> None:
    gc.set_threshold(*given)
    with many_objects():
        assert gc.get_threshold() == given
    assert gc.get_threshold() == given


def test_what_somebody_else_has_set_meanwhile_stays() -> None:
    with many_objects():
        gc.set_threshold(900, 10, 10)
    assert gc.get_threshold() == (900, 10, 10)
