"""Blocks that register quickly are found by the same key as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.blocks.core import Block
from prefect.utilities.dispatch import lookup_type
from pydantic import SecretStr
from pydantic.json_schema import GenerateJsonSchema

from prefect_integration_kit.blocks import QuickKey

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
