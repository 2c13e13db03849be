"""A result may be awaited once more, and is the result itself."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Coroutine
from typing import Any

import pytest
import yaml
from prefect.serializers import JSONSerializer

from prefect_integration_kit.awaitables import AwaitableDict, AwaitableNone, awaitable

RESULTS = [{"ok": True, "rows": [1]}, {}, (1, {"a": 2}), (), [1, {"a": 2}], [], {1}, "ünï", "", b"\0a", 7, 2.5]


async def await_it(result: Any) -> Any:
    return await result


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_that_is_run_or_awaited_is_plain(result: Any) -> None:
    for found in (asyncio.run(awaitable(result)), asyncio.run(await_it(awaitable(result)))):
        assert type(found) is type(result)
        assert found == result


def test_a_dictionary_may_be_awaited_as_often_as_one_likes() -> None:
    again = AwaitableDict({"ok": True})

    async def main() -> Any:
        return await (await (await again))

    assert asyncio.run(main()) is again


@pytest.mark.parametrize("result", [*RESULTS, AwaitableDict({"ok": True})], ids=repr)
def test_a_result_is_still_what_it_was(result: Any) -> None:
    again = awaitable(result)
    plain = dict if isinstance(result, dict) else type(result)
    assert again == result
    assert (repr(again), str(again), bool(again)) == (repr(result), str(result), bool(result))
    assert isinstance(again, plain)
    assert isinstance(again, Coroutine)
    for same in (pickle.loads(pickle.dumps(again)), copy.copy(again), copy.deepcopy(again)):
        assert type(same) is plain
        assert same == result
    assert awaitable(again) is again


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_is_written_as_before(result: Any) -> None:
    again = awaitable(result)
    assert yaml.safe_dump([again]) == yaml.safe_dump([result])
    assert yaml.dump({"a": again}) == yaml.dump({"a": result})
    if not isinstance(result, bytes | set):
        assert json.dumps([again]) == json.dumps([result])
    serializer = JSONSerializer()
    assert serializer.loads(serializer.dumps([again])) == serializer.loads(serializer.dumps([result]))
    assert type(again).__name__ == type(result).__name__  # by which drivers choose how to bind a value


@pytest.mark.parametrize("result", ["text", b"bytes", 7, 2.5, (1, 2)], ids=repr)
def test_a_key_is_found_as_before(result: Any) -> None:
    assert {result: "found"}[awaitable(result)] == {awaitable(result): "found"}[result] == "found"


def test_several_results_can_be_gathered() -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(*(awaitable(result) for result in RESULTS), AwaitableNone())

    assert asyncio.run(main()) == [*RESULTS, None]


@pytest.mark.parametrize("result", [None, True, False, object(), Exception("x")], ids=lambda each: type(each).__name__)
def test_anything_else_stays_as_it_is(result: Any) -> None:
    assert awaitable(result) is result


def test_awaitable_none_is_falsy_and_gives_none() -> None:
    assert not AwaitableNone()
    assert repr(AwaitableNone()) == "None"
    assert asyncio.run(AwaitableNone()) is None  # pyright: ignore[reportArgumentType, reportUnknownVariableType]
    assert asyncio.run(await_it(AwaitableNone())) is None
    assert pickle.loads(pickle.dumps(AwaitableNone())) is None


def test_what_is_thrown_in_is_raised() -> None:
    for thrown in ((LookupError,), (LookupError("no"),), (LookupError, LookupError("no"), None)):
        with pytest.raises(LookupError):
            awaitable({}).throw(*thrown)
    awaitable({}).close()
