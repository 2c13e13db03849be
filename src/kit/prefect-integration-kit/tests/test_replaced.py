"""What comes from elsewhere than the module that defines a method."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from prefect_integration_kit.replaced import is_replaced


class Block:
    def get_client(self) -> str:
        return "ours"


Subclass = type("Subclass", (Block,), {"get_client": eval("lambda self: 'theirs'", {"__name__": "theirs"})})


@pytest.mark.parametrize("owner", [Block(), Block, type("Heir", (Block,), {})()], ids=["block", "class", "heir"])
def test_a_method_of_the_module_is_not_replaced(owner: object) -> None:
    assert not is_replaced(owner, "get_client", __name__)


@pytest.mark.parametrize(
    "owner",
    [Subclass(), Subclass, MagicMock(), MagicMock(spec=Block), SimpleNamespace(get_client=print)],
    ids=["subclass", "class", "mock", "mock of the block", "stand-in"],
)
def test_a_method_from_elsewhere_is_replaced(owner: object) -> None:
    assert is_replaced(owner, "get_client", __name__)


def test_a_patched_method_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Block, "get_client", MagicMock())
    assert is_replaced(Block(), "get_client", __name__)


def test_what_is_not_there_is_not_replaced() -> None:
    assert not is_replaced(SimpleNamespace(), "get_client", __name__)
