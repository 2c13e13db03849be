"""Errors of tasks that arrive in another process as what they are."""

from __future__ import annotations

import copyreg
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import cloudpickle
import pytest

from prefect_integration_kit.task_run_pickles import let_travel


class Refusal(Exception):
    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


class NoSuchPlace(FileNotFoundError):
    def __init__(self, place: str) -> None:
        super().__init__(2, "There is no such place", place)


class Busy(RuntimeError):
    def __init__(self, lock: Any) -> None:
        super().__init__("busy", lock)
        self.lock, self.seconds = lock, 5


class New(Exception):
    def __new__(cls, code: int, reason: str) -> New:
        return super().__new__(cls, code, reason)

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    for kind in (Refusal, NoSuchPlace, Busy, New):
        copyreg.dispatch_table.pop(kind, None)


def _travelled(error: BaseException) -> Any:
    let_travel(error)
    made = pickle.loads(pickle.dumps(error))
    assert type(cloudpickle.loads(cloudpickle.dumps(error))) is type(error)
    assert type(made) is type(error)
    return made


def test_an_error_whose_class_wants_other_arguments_arrives() -> None:
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Refusal(7, reason="closed")))
    made = _travelled(Refusal(7, reason="closed"))
    assert (str(made), made.code, made.reason) == ("7: closed", 7, "closed")


def test_an_error_of_the_system_keeps_its_number_and_file() -> None:
    made = _travelled(NoSuchPlace("/there"))
    assert (made.errno, made.filename, str(made)) == (2, "/there", str(NoSuchPlace("/there")))


def test_what_cannot_be_pickled_stays_behind() -> None:
    made = _travelled(Busy(threading.Lock()))
    assert made.seconds == 5
    assert not hasattr(made, "lock")
    assert made.args[0] == "busy"
    assert "lock" in made.args[1]


def test_a_class_with_a_constructor_of_its_own_is_made_without_it() -> None:
    assert str(_travelled(New(7, "closed"))) == "7: closed"


def test_a_class_of_a_script_arrives() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("class Local(Exception):\n    def __init__(self, a, b):\n        super().__init__(f'{a}-{b}')\n", namespace)
    error = namespace["Local"](1, 2)
    let_travel(error)
    assert str(cloudpickle.loads(cloudpickle.dumps(error))) == "1-2"
    copyreg.dispatch_table.pop(namespace["Local"], None)


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("a"), OSError(2, "x", "y"), KeyboardInterrupt()], ids=repr
)
def test_errors_that_arrive_by_themselves_are_left_alone(error: BaseException) -> None:
    let_travel(error)
    assert type(error) not in copyreg.dispatch_table
