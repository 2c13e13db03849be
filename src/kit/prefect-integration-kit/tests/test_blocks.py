"""Blocks that register quickly are found by the same key as any other."""

from __future__ import annotations

from prefect.blocks.core import Block
from prefect.utilities.dispatch import lookup_type

from prefect_integration_kit.blocks import QuickKey


def test_the_key_is_the_one_that_prefect_would_make():
    class PlainKettle(Block):
        _block_type_name = "Kettle Number One"

    class QuickKettle(QuickKey, Block):
        _block_type_name = "Kettle Number Two"

    assert PlainKettle.__dispatch_key__() == PlainKettle.get_block_type_slug()
    assert QuickKettle.__dispatch_key__() == "kettle-number-two"
    assert lookup_type(Block, "kettle-number-two") is QuickKettle
