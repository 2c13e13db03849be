"""Sizes of memory, as Docker writes them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)b?", re.IGNORECASE)
_FACTORS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TOO_LARGE = 1 << 63  # the engine reads a signed number of 64 bits


def size_in_bytes(size: str) -> int:
    """Read a size.

    Args:
        size: A number and a unit: `b`, `k`, `m`, `g` or `t`, powers of 1024. Without a unit, bytes.

    Raises:
        ValueError: If the text is no such size.
    """
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise ValueError(f"{size!r} is no size. Write a number and a unit, such as 512m or 2g; without a unit, bytes.")
    size_bytes = float(match[1]) * _FACTORS[match[2].lower()]
    if size_bytes >= _TOO_LARGE:
        raise ValueError(f"{size!r} is more than any machine has. Write a number and a unit, such as 512m or 2g.")
    return int(size_bytes)


def readable(size_bytes: int) -> str:
    """Write a number of bytes for people."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.4g} {unit}"
    return f"{size_bytes} bytes"


def _assert_size(size: str | None) -> str | None:
    if size is not None:
        size_in_bytes(size)
    return size


def _assert_swap(size: str | None) -> str | None:
    return size if size is not None and size.strip() == "-1" else _assert_size(size)


def _none_if_blank(size: object) -> object:
    return None if size == "" else size  # a field of a form that was cleared


Size = Annotated[str | None, BeforeValidator(_none_if_blank), AfterValidator(_assert_size)]
SwapSize = Annotated[str | None, BeforeValidator(_none_if_blank), AfterValidator(_assert_swap)]
