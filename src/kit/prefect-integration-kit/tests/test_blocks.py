"""Blocks that register quickly are found by the same key as any other."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from prefect.blocks.core import Block
from prefect.utilities.dispatch import lookup_type
from pydantic import Field, PrivateAttr, SecretStr
from pydantic.json_schema import GenerateJsonSchema

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.live_blocks import LiveBlock

if TYPE_CHECKING:
    import pytest


def test_the_key_is_the_one_that_prefect_would_make():
    class PlainKettle(Block):
        _block_type_name = "Kettle Number One"

    class QuickKettle(QuickKey, Block):
        _block_type_name = "Kettle Number Two"

    assert PlainKettle.__dispatch_key__() == PlainKettle.get_block_type_slug()
    assert QuickKettle.__dispatch_key__() == "kettle-number-two"
    assert lookup_type(Block, "kettle-number-two") is QuickKettle


class Spring(QuickKey, Block):
    token: SecretStr = SecretStr("")
    litres: int = 1


def test_a_schema_is_the_one_that_prefect_makes_and_the_caller_s_own():
    first = Spring.model_json_schema()
    expected = super(QuickKey, Spring).model_json_schema()
    first["properties"].clear()
    assert Spring.model_json_schema() == expected
    assert expected["secret_fields"] == ["token"]
    written = super(QuickKey, Spring).model_json_schema(mode="serialization")
    assert Spring.model_json_schema(mode="serialization") == written != expected


def test_a_rebuilt_class_has_a_new_schema():
    class Well(QuickKey, Block):
        depth: int = 1

    assert Well.model_json_schema()["properties"]["depth"]["type"] == "integer"
    Well.model_fields["depth"].annotation = str
    Well.model_rebuild(force=True)
    assert Well.model_json_schema()["properties"]["depth"]["type"] == "string"


def test_a_subclass_has_a_schema_of_its_own():
    Spring.model_json_schema()

    class HotSpring(Spring):
        degrees: float = 60.0

    assert "degrees" in HotSpring.model_json_schema()["properties"]
    assert "degrees" not in Spring.model_json_schema()["properties"]


class Pump(QuickKey, Block):
    name: str
    valves: list[int] = Field(default_factory=lambda: [1])
    metres: int = 3
    _opened: dict[str, int] = PrivateAttr(default_factory=dict)
    _turns: int | None = PrivateAttr(None)
    _label: str = PrivateAttr()

    def block_initialization(self) -> None:
        self._label = f"pump {self.name}"


def test_what_an_earlier_release_pickled_has_the_defaults_of_what_is_new():
    pump = Pump(name="deep", metres=7)
    new = ("valves", "_opened", "_turns", "_label")
    state = pump.__getstate__()
    for part in ("__dict__", "__pydantic_private__"):
        state[part] = {name: value for name, value in state[part].items() if name not in new}
    found = Pump.__new__(Pump)
    found.__setstate__(state)
    assert found == pump
    assert (found.name, found.metres, found.valves, found._opened, found._label) == ("deep", 7, [1], {}, "pump deep")
    assert pickle.loads(pickle.dumps(found)) == pump


def test_what_an_earlier_release_pickled_may_be_its_values_alone():
    found = Pump.__new__(Pump)
    found.__setstate__({"name": "deep", "metres": 7, "_engine": None})
    assert found == Pump(name="deep", metres=7)
    assert found.model_fields_set == {"name", "metres"}
    assert not hasattr(found, "_engine")


def test_what_is_pickled_now_comes_back_as_it_was():
    pump = Pump(name="deep")
    pump._label, pump._opened = "mine", {"a": 1}
    again = pickle.loads(pickle.dumps(pump))
    assert (again._label, again._opened) == ("mine", {"a": 1})


class Tap(LiveBlock, QuickKey, Block):
    _live = ("_drops",)
    _drops: list[int] = PrivateAttr(default_factory=list)

    def block_initialization(self) -> None:
        self._drops.append(1)


def test_a_live_block_that_is_pickled_is_prepared_once():
    assert pickle.loads(pickle.dumps(Tap()))._drops == [1]


def test_saving_makes_the_schema_once(prefect_harness: None, monkeypatch: pytest.MonkeyPatch):
    class Pond(QuickKey, Block):
        token: SecretStr = SecretStr("")
        a: int = 1
        b: int = 2
        c: int = 3

    made = []
    generate = GenerateJsonSchema.generate

    def counted(self: GenerateJsonSchema, schema: Any, mode: Any = "validation") -> Any:
        made.append(schema)
        return generate(self, schema, mode)

    monkeypatch.setattr(GenerateJsonSchema, "generate", counted)
    Pond(token="quiet").save("quick-pond")
    assert len(made) <= 4  # by alias or not, and what Prefect makes of its own request models
    loaded = Pond.load("quick-pond")
    assert loaded.token.get_secret_value() == "quiet"
