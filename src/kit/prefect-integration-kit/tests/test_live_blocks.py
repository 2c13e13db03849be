"""A block that has something open is copied, pickled and compared by its fields."""

from __future__ import annotations

import copy
import threading
from typing import Any, ClassVar

import cloudpickle
import pytest
from prefect.blocks.core import Block
from pydantic import PrivateAttr

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.live_blocks import LiveBlock


class Box(LiveBlock, QuickKey, Block):
    """A block with a lock, which cannot be pickled."""

    _block_type_name = "Box of test_live_blocks"
    _live: ClassVar[tuple[str, ...]] = ("_lock", "_opened")

    names: list[str]
    _lock: threading.Lock = PrivateAttr()
    _opened: list[str] = PrivateAttr()
    _mark: str = PrivateAttr(default="")

    def block_initialization(self) -> None:
        self._lock = threading.Lock()
        self._opened = []


@pytest.fixture
def box() -> Box:
    box = Box(names=["a"])
    box._opened.append("x")
    box._mark = "kept"
    return box


COPIES = {
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "model copy": lambda box: box.model_copy(),
    "pickle": lambda box: cloudpickle.loads(cloudpickle.dumps(box)),
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_copy_opens_its_own(box: Box, make: Any) -> None:
    copied = make(box)
    assert (copied.names, copied._mark, copied._opened) == (["a"], "kept", [])
    assert copied._lock is not box._lock
    assert box._opened == ["x"]
    assert copied == box


def test_a_deep_copy_has_fields_of_its_own(box: Box) -> None:
    assert copy.copy(box).names is box.names
    assert copy.deepcopy(box).names is not box.names


def test_blocks_are_equal_when_their_fields_are(box: Box) -> None:
    other = Box(names=["a"])
    assert box != other
    other._mark = "kept"
    assert box == other
    assert box != Box(names=["b"])
    assert box != "box"


def test_the_base_is_no_block_by_itself() -> None:
    assert not issubclass(LiveBlock, Block)
