"""What follows from GitHub's schema is what `python -m scripts.github` writes."""

from __future__ import annotations

import pytest

pytest.importorskip("ruff", reason="the generator formats what it writes")


def test_what_is_generated_is_up_to_date() -> None:
    from scripts.github.__main__ import stale

    assert stale() == []
