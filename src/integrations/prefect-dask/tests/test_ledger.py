"""What has ended is known to the scheduler, and its result as long as it is small."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect.states import Completed

from prefect_dask._ledger import Ended, _entry, _small
from prefect_dask.errors import DaskResultLost


def test_a_small_result_is_kept() -> None:
    assert Ended(uuid4(), _entry({"a": 1}, "result")).returned() == {"a": 1}
    state = Completed(data=7)
    kept = Ended(uuid4(), _entry(state, "state"))
    assert kept.returned().data == 7
    assert kept.state() == kept.returned() == state


@pytest.mark.parametrize("outcome", [b"x" * 100_000, lambda: (yield)], ids=["large", "function"])
def test_what_is_kept_is_small(outcome: object) -> None:
    content = _small(outcome)
    assert content is None or len(content) <= 16_000


@pytest.mark.parametrize("return_type", ["state", "result"])
def test_a_large_result_that_is_lost_is_told(return_type: str) -> None:
    outcome = b"x" * 100_000
    state = Completed(message="done", data=outcome)
    lost = Ended(uuid4(), _entry(state if return_type == "state" else outcome, return_type))
    assert len(lost.entry) < 16_000
    with pytest.raises(DaskResultLost, match="persist_result=True"):
        lost.returned()
    found = lost.state()
    if return_type == "result":
        assert found is None
    else:
        assert found is not None
        assert (found.id, found.timestamp) == (state.id, state.timestamp)
