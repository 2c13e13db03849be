"""Cosmos DB is throttled, moves, breaks off: tasks outlast it, and nothing is done twice or reported wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_azure import _repeating, errors
from prefect_azure._cosmos.items import Items
from prefect_integration_tests.backends.cosmos import Cosmos
from prefect_integration_tests.clock import FakeClock

from ._cosmos import credentials_for, fill, ids

MAYBE_DONE = ("before", "after", "lost", "cut")


@pytest.fixture
def clock(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Waits between attempts take no time; those within the SDK take as long as the server says."""
    monkeypatch.setattr(_repeating.waits, "clock", fake_clock)
    return fake_clock


@pytest.fixture
def cosmos_db(empty_cosmos: Cosmos, clock: FakeClock) -> Cosmos:
    """An account with twelve parcels in `shop/parcels`, whose containers the client has seen."""
    fill(empty_cosmos)
    _items(empty_cosmos).read("p0", "no", {})
    empty_cosmos.calls.clear()
    return empty_cosmos


def _items(cosmos: Cosmos, container: str = "parcels") -> Items:
    return Items(container, "shop", credentials_for(cosmos))


@pytest.mark.parametrize("when", MAYBE_DONE)
@pytest.mark.parametrize("status", [500, 503])
def test_an_item_is_created_once_whatever_happens_to_the_answer(cosmos_db: Cosmos, when: Any, status: int) -> None:
    cosmos_db.fail("Item_Create", status, when=when)
    made = _items(cosmos_db).create({"id": "new", "country": "no", "parts": [1, {"a": "ü"}]}, {})
    assert (made["id"], bool(made["_etag"])) == ("new", True)
    assert ids(cosmos_db.items("parcels")).count("new") == 1
    assert len(cosmos_db.calls_of("Item_Create")) == 2


@pytest.mark.parametrize("when", MAYBE_DONE)
def test_an_item_without_an_id_is_created_once(cosmos_db: Cosmos, when: Any) -> None:
    cosmos_db.fail("Item_Create", 500, when=when)
    made = _items(cosmos_db).create({"country": "no", "mark": "only"}, {})
    kept = [item for item in cosmos_db.items("parcels") if item.get("mark") == "only"]
    assert ids(kept) == [made["id"]]


@pytest.mark.parametrize("when", ["before", "lost"])
def test_another_item_of_the_same_id_is_a_conflict_even_after_a_lost_answer(cosmos_db: Cosmos, when: Any) -> None:
    def intrude(call: Any) -> None:
        if call.method == "Item_Create" and not ids(cosmos_db.items("parcels")).count("new"):
            cosmos_db.on_call.clear()
            _items(cosmos_db).create({"id": "new", "country": "no", "of": "others"}, {})

    cosmos_db.on_call.append(intrude)
    cosmos_db.fail("Item_Create", 500, when="cut" if when == "lost" else when, skip=1)
    with pytest.raises(errors.AzureAlreadyExists):
        _items(cosmos_db).create({"id": "new", "country": "no", "of": "mine"}, {})
    kept = [item for item in cosmos_db.items("parcels") if item["id"] == "new"]
    assert kept == [{"id": "new", "country": "no", "of": "others"}]


@pytest.mark.parametrize("when", MAYBE_DONE)
def test_upserting_replacing_and_deleting_end_well_after_a_failure(cosmos_db: Cosmos, when: Any) -> None:
    from azure.core import MatchConditions

    items = _items(cosmos_db)
    cosmos_db.fail("Item_Upsert", 500, when=when)
    assert items.upsert({"id": "p0", "country": "no", "weight": 70}, {})["weight"] == 70
    read = items.read("p0", "no", {})
    condition = {"etag": read["_etag"], "match_condition": MatchConditions.IfNotModified}
    cosmos_db.fail("Item_Replace", 500, when=when)
    assert items.replace("p0", {"country": "no", "weight": 71}, condition)["weight"] == 71
    cosmos_db.fail("Item_Delete", 500, when=when)
    items.delete("p0", "no", {})
    assert "p0" not in ids(cosmos_db.items("parcels"))


@pytest.mark.parametrize("status", [429, 449, 503])
def test_a_patch_is_sent_again_where_it_was_surely_not_done(cosmos_db: Cosmos, status: int) -> None:
    cosmos_db.fail("Item_Patch", status, retry_after_ms=1)
    patched = _items(cosmos_db).patch("p0", "no", [{"op": "incr", "path": "/weight", "value": 5}], {})
    assert patched["weight"] == 5
    assert len(cosmos_db.calls_of("Item_Patch")) == 2


@pytest.mark.parametrize("when", ["lost", "after", "cut"])
def test_a_patch_that_may_have_been_done_is_not_sent_again(cosmos_db: Cosmos, when: Any) -> None:
    cosmos_db.fail("Item_Patch", 500, when=when)
    with pytest.raises(errors.AzureUnavailable, match="Item 'p0' of container 'shop/parcels'"):
        _items(cosmos_db).patch("p0", "no", [{"op": "incr", "path": "/weight", "value": 5}], {})
    (kept,) = [item for item in cosmos_db.items("parcels") if item["id"] == "p0"]
    assert kept["weight"] == (0 if when == "cut" else 5)
    assert len(cosmos_db.calls_of("Item_Patch")) == 1


@pytest.mark.parametrize("status", [408, 410, 429, 449, 500, 503])
def test_reads_and_queries_outlast_what_passes(cosmos_db: Cosmos, status: int) -> None:
    items = _items(cosmos_db)
    cosmos_db.fail("Item_Get", status, retry_after_ms=1, times=2)
    assert items.read("p4", "pt", {})["weight"] == 4
    cosmos_db.fail("Items_Query", status, retry_after_ms=1, times=2)
    assert len(items.query("SELECT * FROM c", None, None, {})) == 12


def test_throttling_waits_as_long_as_the_service_asks(cosmos_db: Cosmos, clock: FakeClock) -> None:
    cosmos_db.fail("Item_Get", 429, times=11, retry_after_ms=20)  # more often than the SDK tries by itself
    assert _items(cosmos_db).read("p4", "pt", {})["weight"] == 4
    assert all(seconds >= 0.02 for seconds in clock.sleeps)
    assert clock.sleeps


def test_what_does_not_pass_ends_with_the_deadline_and_its_cause(cosmos_db: Cosmos, clock: FakeClock) -> None:
    from azure.cosmos.exceptions import CosmosHttpResponseError

    cosmos_db.fail("Item_Get", 449, times=None)
    with pytest.raises(errors.AzureUnavailable, match=r"Item 'p4' of container 'shop/parcels'.*449") as raised:
        _items(cosmos_db).read("p4", "pt", {})
    assert isinstance(raised.value, CosmosHttpResponseError)
    assert 60 < sum(clock.sleeps) <= 120


@pytest.mark.parametrize("when", ["before", "cut", "garbled"])
def test_a_query_that_breaks_off_gives_each_result_once(cosmos_db: Cosmos, when: Any) -> None:
    cosmos_db.fail("Items_Query", 500, when=when, skip=2)
    found = _items(cosmos_db).query("SELECT VALUE c.weight FROM c", None, None, {"max_item_count": 3})
    assert found == list(range(12))


@pytest.mark.parametrize("when", ["before", "cut"])
@pytest.mark.parametrize("skip", [0, 2])
def test_pages_go_on_where_they_broke_off(cosmos_db: Cosmos, when: Any, skip: int) -> None:
    cosmos_db.fail("Items_Query", 500, when=when, skip=skip)
    pages = list(_items(cosmos_db).pages("SELECT VALUE c.weight FROM c", None, None, {"max_item_count": 3}))
    assert pages == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_pages_that_the_sdk_merges_end_with_an_error_and_never_with_a_gap(
    empty_cosmos: Cosmos, clock: FakeClock
) -> None:
    fill(empty_cosmos, "spread", count=40, partitions=3)
    pages = _items(empty_cosmos, "spread").pages(
        "SELECT VALUE c.weight FROM c ORDER BY c.weight", None, None, {"max_item_count": 4}
    )
    seen = list(next(pages))
    empty_cosmos.fail("Items_Query", 500, times=None, message="Sorry.")
    with pytest.raises(errors.AzureUnavailable, match=r"Query of container 'shop/spread'.*Sorry"):
        seen.extend(weight for page in pages for weight in page)
    assert seen == list(range(len(seen)))


def test_a_partition_that_splits_loses_no_result(empty_cosmos: Cosmos, clock: FakeClock) -> None:
    fill(empty_cosmos, "spread", count=30, partitions=2)
    items = _items(empty_cosmos, "spread")
    query = ("SELECT VALUE c.weight FROM c ORDER BY c.weight", None, None, {})
    assert items.query(*query) == list(range(30))
    empty_cosmos.split("spread", 4)  # the client still knows the ranges from before, which are gone
    assert items.query(*query) == list(range(30))
    assert 410 in {call.status for call in empty_cosmos.calls_of("Items_Query")}


def test_an_account_that_is_away_when_the_client_is_made_is_waited_for(cosmos_db: Cosmos) -> None:
    from prefect_azure import _clients

    _clients.forget_clients()
    cosmos_db.fail("Account_Get", 503, times=8)
    assert _items(cosmos_db).read("p4", "pt", {})["weight"] == 4


def test_connections_that_were_cut_are_made_again(cosmos_db: Cosmos) -> None:
    items = _items(cosmos_db)
    cosmos_db.cut_connections()
    assert items.read("p4", "pt", {})["weight"] == 4
