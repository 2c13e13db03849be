"""Items of Cosmos DB are queried, read, created, replaced, patched and deleted by tasks, in flows of both kinds."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from azure.core import MatchConditions
from prefect import flow

from prefect_azure import AzureCosmosDbCredentials, cosmos_db, errors
from prefect_azure.cosmos_db import (
    acosmos_db_query_pages,
    cosmos_db_create_item,
    cosmos_db_delete_item,
    cosmos_db_patch_item,
    cosmos_db_query_items,
    cosmos_db_query_pages,
    cosmos_db_read_item,
    cosmos_db_replace_item,
    cosmos_db_upsert_item,
)
from prefect_integration_tests.backends.cosmos import Cosmos

from ._cosmos import credentials_for, fill, ids

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture
def parcels(empty_cosmos: Cosmos) -> Cosmos:
    """An account with twelve parcels of three countries in `shop/parcels`."""
    fill(empty_cosmos)
    return empty_cosmos


@pytest.fixture
def where(parcels: Cosmos) -> dict[str, Any]:
    """Arguments that say where the parcels are."""
    return {"container": "parcels", "database": "shop", "cosmos_db_credentials": credentials_for(parcels)}


# Queries


async def test_a_query_gives_all_results_of_all_partitions(where: dict[str, Any]) -> None:
    found = await cosmos_db_query_items("SELECT * FROM products p WHERE p.weight >= 10", **where)
    assert sorted(ids(found)) == ["p10", "p11"]


async def test_parameters_are_bound_and_not_pasted(where: dict[str, Any]) -> None:
    hostile = "no' OR 1 = 1 OR 'a' = 'b"
    query = "SELECT VALUE c.id FROM c WHERE c.country = @country AND c.weight < @weight"
    for country, wanted in (("no", ["p0", "p3"]), (hostile, [])):
        parameters: list[dict[str, object]] = [
            {"name": "@country", "value": country},
            {"name": "@weight", "value": 6},
        ]
        assert await cosmos_db_query_items(query, parameters=parameters, **where) == wanted


@pytest.mark.parametrize("partition_key", ["pt", ["pt"]], ids=["value", "list"])
async def test_a_partition_key_limits_the_query(where: dict[str, Any], parcels: Cosmos, partition_key: Any) -> None:
    found = await cosmos_db_query_items("SELECT * FROM c", partition_key=partition_key, **where)
    assert {item["country"] for item in found if isinstance(item, dict)} == {"pt"}
    (call,) = parcels.calls_of("Items_Query")
    assert call.headers["x-ms-documentdb-partitionkey"] == '["pt"]'


@pytest.mark.parametrize("value", [0, "", False], ids=["zero", "empty", "false"])
async def test_a_partition_key_that_is_no_truth_is_one_all_the_same(
    empty_cosmos: Cosmos, where: dict[str, Any], value: Any
) -> None:
    empty_cosmos.container("odd", "/kind")
    where["container"] = "odd"
    await cosmos_db_create_item({"id": "a", "kind": value}, **where)
    await cosmos_db_create_item({"id": "b", "kind": "other"}, **where)
    assert ids(await cosmos_db_query_items("SELECT * FROM c", partition_key=value, **where)) == ["a"]
    assert (await cosmos_db_read_item("a", partition_key=value, **where))["kind"] == value  # pyright: ignore[reportArgumentType, reportCallIssue]


@pytest.mark.parametrize("partitions", [1, 4])
async def test_order_windows_and_aggregates_are_right_over_many_partitions(
    empty_cosmos: Cosmos, partitions: int
) -> None:
    fill(empty_cosmos, partitions=partitions, count=30)
    where: dict[str, Any] = {
        "container": "parcels",
        "database": "shop",
        "cosmos_db_credentials": credentials_for(empty_cosmos),
    }

    async def query(text: str) -> list[Any]:
        return await cosmos_db_query_items(text, **where)

    assert await query("SELECT VALUE c.weight FROM c ORDER BY c.weight DESC") == list(range(29, -1, -1))
    assert await query("SELECT VALUE c.weight FROM c ORDER BY c.weight OFFSET 3 LIMIT 4") == [3, 4, 5, 6]
    assert await query("SELECT TOP 2 c.id FROM c ORDER BY c.weight") == [{"id": "p0"}, {"id": "p1"}]
    assert await query("SELECT VALUE COUNT(1) FROM c WHERE c.country = 'no'") == [10]
    assert await query("SELECT VALUE SUM(c.weight) FROM c") == [435]
    assert await query("SELECT VALUE AVG(c.weight) FROM c") == [14.5]
    assert sorted(await query("SELECT DISTINCT VALUE c.country FROM c")) == ["de", "no", "pt"]
    assert len(await query("SELECT VALUE t FROM c JOIN t IN c.tags WHERE t = 'all'")) == 30


async def test_a_query_of_many_pages_is_read_to_its_end(empty_cosmos: Cosmos, where: dict[str, Any]) -> None:
    fill(empty_cosmos, "many", count=250)
    where["container"] = "many"
    found = await cosmos_db_query_items("SELECT VALUE c.weight FROM c", max_item_count=40, **where)
    assert found == list(range(250))
    assert len(empty_cosmos.calls_of("Items_Query")) == 7


async def test_crossing_partitions_can_be_forbidden(where: dict[str, Any]) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match="Cross partition query is required but disabled"):
        await cosmos_db_query_items("SELECT * FROM c", enable_cross_partition_query=False, **where)


async def test_options_of_the_sdk_are_passed_on(where: dict[str, Any], parcels: Cosmos) -> None:
    seen: list[Any] = []
    await cosmos_db_query_items(
        "SELECT * FROM c", populate_query_metrics=True, response_hook=lambda headers, _: seen.append(headers), **where
    )
    (call,) = parcels.calls_of("Items_Query")
    assert call.flag("x-ms-documentdb-populatequerymetrics")
    assert float(seen[0]["x-ms-request-charge"]) > 0


async def test_pages_are_fetched_when_they_are_wanted(where: dict[str, Any], parcels: Cosmos, call: Any) -> None:
    query = {"query": "SELECT VALUE c.weight FROM c", "max_item_count": 5, **where}
    sizes: list[int] = []
    if call.face == "sync":
        for page in cosmos_db_query_pages(**query):
            sizes.append(len(page))
            assert len(parcels.calls_of("Items_Query")) == len(sizes)
    else:
        async for page in acosmos_db_query_pages(**query):
            sizes.append(len(page))
            assert len(parcels.calls_of("Items_Query")) == len(sizes)
    assert sizes == [5, 5, 2]


async def test_pages_that_are_not_wanted_are_not_fetched(where: dict[str, Any], parcels: Cosmos) -> None:
    for _ in cosmos_db_query_pages("SELECT * FROM c", max_item_count=2, **where):
        break
    async for _ in acosmos_db_query_pages("SELECT * FROM c", max_item_count=2, **where):
        break
    assert len(parcels.calls_of("Items_Query")) == 2
    assert not parcels.calls_of("Item_*")


# Single items


async def test_an_item_is_read_by_id_or_as_an_item(where: dict[str, Any]) -> None:
    by_id: Any = await cosmos_db_read_item("p4", "pt", **where)
    assert (by_id["weight"], by_id["country"]) == (4, "pt")
    again: Any = await cosmos_db_read_item(by_id, "pt", **where)
    assert again == by_id


async def test_what_is_created_is_stored_and_returned(where: dict[str, Any], parcels: Cosmos) -> None:
    body: dict[str, Any] = {"id": "ü ny", "country": "no", "note": "Grüße, 世界", "parts": [1, {"a": None}]}
    made = await cosmos_db_create_item(body, **where)
    assert {name: made[name] for name in body} == body
    assert made["_etag"]
    assert body in parcels.items("parcels")
    assert body == {"id": "ü ny", "country": "no", "note": "Grüße, 世界", "parts": [1, {"a": None}]}
    assert pickle.loads(pickle.dumps(made)) == made


async def test_an_item_without_an_id_is_given_one(where: dict[str, Any]) -> None:
    made = await cosmos_db_create_item({"country": "no", "weight": 99}, **where)
    read: Any = await cosmos_db_read_item(made["id"], "no", **where)
    assert read["weight"] == 99
    with pytest.raises(errors.AzureInvalidRequest, match="`body` has no 'id'"):
        await cosmos_db_create_item({"country": "no"}, enable_automatic_id_generation=False, **where)


async def test_creating_what_is_there_is_an_error_that_says_so(where: dict[str, Any]) -> None:
    from azure.core.exceptions import ResourceExistsError
    from azure.cosmos.exceptions import CosmosResourceExistsError

    with pytest.raises(
        errors.AzureAlreadyExists, match=r"Item 'p0' of container 'shop/parcels'.*already exists"
    ) as raised:
        await cosmos_db_create_item({"id": "p0", "country": "no"}, **where)
    assert isinstance(raised.value, FileExistsError | CosmosResourceExistsError)
    assert isinstance(raised.value, CosmosResourceExistsError)
    assert isinstance(raised.value, ResourceExistsError)
    assert raised.value.status_code == 409


async def test_upserting_creates_or_replaces(where: dict[str, Any], parcels: Cosmos) -> None:
    await cosmos_db_upsert_item({"id": "p0", "country": "no", "weight": 50}, **where)
    await cosmos_db_upsert_item({"id": "new", "country": "no", "weight": 51}, **where)
    kept = {item["id"]: item for item in parcels.items("parcels")}
    assert (kept["p0"], kept["new"]["weight"]) == ({"id": "p0", "country": "no", "weight": 50}, 51)


async def test_replacing_wants_the_version_that_was_read(where: dict[str, Any]) -> None:
    read: Any = await cosmos_db_read_item("p0", "no", **where)
    condition: dict[str, Any] = {"etag": read["_etag"], "match_condition": MatchConditions.IfNotModified}
    replaced = await cosmos_db_replace_item(read, {**read, "weight": 77}, **condition, **where)
    assert replaced["weight"] == 77
    with pytest.raises(errors.AzurePreconditionFailed, match="Item 'p0' of container 'shop/parcels'"):
        await cosmos_db_replace_item("p0", {"country": "no"}, **condition, **where)
    assert (await cosmos_db_replace_item("p0", {"country": "no", "weight": 1}, **where))["id"] == "p0"


async def test_replacing_what_is_not_there_or_by_another_id_is_refused(where: dict[str, Any], parcels: Cosmos) -> None:
    with pytest.raises(errors.AzureNotFound, match="Item 'gone' of container"):
        await cosmos_db_replace_item("gone", {"country": "no"}, **where)
    with pytest.raises(ValueError, match=r"its id is 'p1' and not 'p0'.*create a new one"):
        await cosmos_db_replace_item("p0", {"id": "p1", "country": "no"}, **where)
    assert len(parcels.calls_of("Item_Replace")) == 1


async def test_patching_changes_parts_and_obeys_its_filter(where: dict[str, Any]) -> None:
    operations: list[dict[str, Any]] = [
        {"op": "incr", "path": "/weight", "value": 5},
        {"op": "add", "path": "/tags/-", "value": "late"},
        {"op": "set", "path": "/state", "value": {"at": "dock"}},
    ]
    patched = await cosmos_db_patch_item("p0", "no", operations, **where)
    assert (patched["weight"], patched["tags"][-1], patched["state"]) == (5, "late", {"at": "dock"})
    with pytest.raises(errors.AzurePreconditionFailed):
        await cosmos_db_patch_item("p0", "no", operations, filter_predicate="FROM c WHERE c.weight < 5", **where)
    with pytest.raises(errors.AzureInvalidRequest, match="nothing"):
        await cosmos_db_patch_item("p0", "no", [{"op": "remove", "path": "/nothing"}], **where)
    read: Any = await cosmos_db_read_item("p0", "no", **where)
    assert read["weight"] == 5


async def test_deleting_deletes_once(where: dict[str, Any], parcels: Cosmos) -> None:
    assert await cosmos_db_delete_item("p0", "no", **where) is None
    assert "p0" not in ids(parcels.items("parcels"))
    with pytest.raises(errors.AzureNotFound, match="Item 'p0' of container 'shop/parcels'"):
        await cosmos_db_delete_item("p0", "no", **where)


# Who calls, and what is given


def test_a_sync_flow_calls_the_tasks_without_await(where: dict[str, Any], parcels: Cosmos) -> None:
    @flow
    def work() -> list[Any]:
        made: Any = cosmos_db_create_item({"id": "s1", "country": "no", "weight": 900}, **where)
        cosmos_db_patch_item(made, "no", [{"op": "incr", "path": "/weight", "value": 1}], **where)
        read: Any = cosmos_db_read_item("s1", "no", **where)
        found: Any = cosmos_db_query_items("SELECT VALUE c.id FROM c WHERE c.weight = 901", **where)
        cosmos_db_delete_item("s1", "no", **where)
        return [made["weight"], read["weight"], found]

    assert work() == [900, 901, ["s1"]]
    assert "s1" not in ids(parcels.items("parcels"))


async def test_an_async_flow_awaits_and_submits_them(where: dict[str, Any]) -> None:
    @flow
    async def work() -> tuple[Any, Any]:
        future: Any = cosmos_db_create_item.submit({"id": "a1", "country": "no"}, **where)
        future.wait()
        options = cosmos_db_query_items.with_options(name="Ids", retries=1)
        return future.result()["id"], await options("SELECT VALUE c.id FROM c WHERE c.id = 'a1'", **where)

    assert await work() == ("a1", ["a1"])


async def test_databases_and_containers_are_named_in_every_documented_way(where: dict[str, Any]) -> None:
    credentials: AzureCosmosDbCredentials = where["cosmos_db_credentials"]
    database = credentials.get_database_client("shop")
    container = credentials.get_container_client("parcels", "shop")
    for named in (
        {"container": container, "database": database},
        {"container": {"id": "parcels"}, "database": {"id": "shop"}},
        {"container": container.read(), "database": database.read()},
    ):
        places: Any = {"cosmos_db_credentials": credentials, **named}
        assert len(await cosmos_db_query_items("SELECT * FROM c", **places)) == 12
        read: Any = await cosmos_db_read_item("p0", "no", **places)
        assert read["id"] == "p0"


async def test_a_key_of_several_paths_is_given_as_a_list(empty_cosmos: Cosmos, where: dict[str, Any]) -> None:
    empty_cosmos.container("deep", "/country", "/city")
    where["container"] = "deep"
    await cosmos_db_create_item({"id": "a", "country": "no", "city": "Oslo"}, **where)
    read: Any = await cosmos_db_read_item("a", ["no", "Oslo"], **where)
    assert read["city"] == "Oslo"
    with pytest.raises(errors.AzureNotFound):
        await cosmos_db_read_item("a", ["no", "Bergen"], **where)


async def test_a_block_of_ones_own_is_asked_for_its_client(where: dict[str, Any]) -> None:
    class Recording(AzureCosmosDbCredentials):
        _block_type_slug = "recording-cosmos"

        def get_container_client(self, container: str, database: str) -> Any:
            asked.append((database, container))
            return super().get_container_client(container, database)

    asked: list[tuple[str, str]] = []
    plain: AzureCosmosDbCredentials = where["cosmos_db_credentials"]
    where["cosmos_db_credentials"] = Recording(connection_string=plain.connection_string)
    await cosmos_db_query_items("SELECT * FROM c", **where)
    assert asked == [("shop", "parcels")]


def test_the_module_publishes_its_credentials() -> None:
    assert cosmos_db.AzureCosmosDbCredentials is AzureCosmosDbCredentials
