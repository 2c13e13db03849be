"""A result may be awaited once more, and is the result itself."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Coroutine
from typing import Any

import pytest

from prefect_integration_kit.awaitables import AwaitableBytes, AwaitableNone, AwaitableStr, awaitable

RESULTS = [{"ok": True, "rows": [1]}, {}, (1, {"a": 2}), ()]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_that_is_run_or_awaited_gives_itself(result: Any) -> None:
    async def main() -> Any:
        return await awaitable(result)

    assert asyncio.run(awaitable(result)) == asyncio.run(main()) == result


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_may_be_awaited_as_often_as_one_likes(result: Any) -> None:
    again = awaitable(result)

    async def main() -> Any:
        return await (await (await again))

    assert asyncio.run(main()) is again


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_is_still_what_it_was(result: Any) -> None:
    again = awaitable(result)
    assert again == result
    assert isinstance(again, type(result))
    assert isinstance(again, Coroutine)
    assert bool(again) == bool(result)
    assert json.dumps(again) == json.dumps(result)
    assert type(pickle.loads(pickle.dumps(again))) is type(result)
    assert awaitable(again) is again


def test_several_results_can_be_gathered() -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(*(awaitable(result) for result in RESULTS), AwaitableNone())

    assert asyncio.run(main()) == [*RESULTS, None]


@pytest.mark.parametrize("result", ["text", None, [1], 3], ids=repr)
def test_anything_else_stays_as_it_is(result: Any) -> None:
    assert awaitable(result) is result


def test_awaitable_none_is_falsy_and_gives_none() -> None:
    async def main() -> Any:
        return await AwaitableNone()

    assert not AwaitableNone()
    assert asyncio.run(AwaitableNone()) is None  # pyright: ignore[reportArgumentType, reportUnknownVariableType]
    assert asyncio.run(main()) is None


def test_what_is_thrown_in_is_raised() -> None:
    for thrown in ((LookupError,), (LookupError("no"),), (LookupError, LookupError("no"), None)):
        with pytest.raises(LookupError):
            awaitable({}).throw(*thrown)
    awaitable({}).close()


@pytest.mark.parametrize("text", [AwaitableStr("ünï"), AwaitableBytes(b"\0a")], ids=["text", "bytes"])
def test_texts_are_plain_when_they_are_run_awaited_or_pickled(text: Any) -> None:
    async def main() -> Any:
        return await text

    plain = type(text).__bases__[1]
    for found in (asyncio.run(text), asyncio.run(main()), pickle.loads(pickle.dumps(text))):
        assert type(found) is plain
        assert found == text
