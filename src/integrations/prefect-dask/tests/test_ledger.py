"""What has ended is known to the scheduler, and its result as long as it is small."""

from __future__ import annotations

from uuid import uuid4

import pytest

from prefect_dask._ledger import Ended, _small
from prefect_dask.errors import DaskResultLost


def test_a_small_result_is_kept() -> None:
    content = _small({"a": 1})
    assert Ended(uuid4(), content).returned() == {"a": 1}


@pytest.mark.parametrize("outcome", [b"x" * 100_000, lambda: (yield)], ids=["large", "function"])
def test_what_is_kept_is_small(outcome: object) -> None:
    content = _small(outcome)
    assert content is None or len(content) <= 16_000


def test_a_large_result_that_is_lost_is_told() -> None:
    with pytest.raises(DaskResultLost, match="persist_result=True"):
        Ended(uuid4(), None).returned()
