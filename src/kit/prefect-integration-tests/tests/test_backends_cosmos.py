"""The local Cosmos DB account does to Azure's own SDK what the service does, and refuses what it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("azure.cosmos")

from azure.cosmos import CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from prefect_integration_tests.backends._azure.cosmos_query import Statement, plan
from prefect_integration_tests.backends._azure.cosmos_sql import SqlRefused
from prefect_integration_tests.backends.cosmos import Cosmos

ITEMS: list[dict[str, Any]] = [
    {"id": "a", "n": 1, "tags": ["x", "y"], "at": {"city": "Oslo"}, "ok": True},
    {"id": "b", "n": 2.5, "tags": [], "at": {"city": "Porto"}, "none": None},
    {"id": "c", "n": "three", "tags": ["y"]},
    {"id": "d", "name": "Grüße"},
]


@pytest.fixture
def container(empty_cosmos: Cosmos) -> Any:
    """A container of Azure's SDK, partitioned by `/kind`."""
    empty_cosmos.container("things", "/kind")
    return empty_cosmos.client().get_database_client("shop").get_container_client("things")


@pytest.fixture
def spread(empty_cosmos: Cosmos) -> Iterator[Any]:
    """The same over three partitions."""
    empty_cosmos.container("spread", "/kind", partitions=3)
    return empty_cosmos.client().get_database_client("shop").get_container_client("spread")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT VALUE c.id FROM c", ["a", "b", "c", "d"]),
        ("SELECT VALUE r.id FROM root r WHERE r.n < 2", ["a"]),
        ("select value p.id from products as p where p['n'] >= 1 and not p.ok", []),
        ("SELECT VALUE c.id FROM c WHERE c.n = 'three' OR c.ok", ["a", "c"]),
        ("SELECT VALUE c.id FROM c WHERE c.n != 1", ["b"]),
        ("SELECT VALUE c.id FROM c WHERE c.n > 'a'", ["c"]),
        ("SELECT VALUE c.id FROM c WHERE c.id IN ('a', \"d\", 7)", ["a", "d"]),
        ("SELECT VALUE c.id FROM c WHERE c.id NOT IN ('a', 'b')", ["c", "d"]),
        ("SELECT VALUE c.id FROM c WHERE c.n BETWEEN 1 AND 2", ["a"]),
        ("SELECT VALUE c.id FROM c WHERE c.name LIKE 'Gr_%'", ["d"]),
        ("SELECT VALUE c.id FROM c WHERE c.name = 'Gr\\u00fc\\u00dfe'", ["d"]),
        ("SELECT VALUE c.id FROM c WHERE IS_DEFINED(c.none) AND IS_NULL(c.none)", ["b"]),
        ("SELECT VALUE c.id FROM c WHERE c.nowhere.at.all = 1", []),
        ("SELECT VALUE c.id FROM c WHERE STARTSWITH(c.at.city, 'os', true)", ["a"]),
        ("SELECT VALUE c.id FROM c WHERE CONTAINS(LOWER(c.at.city), 'ort')", ["b"]),
        ("SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.tags, 'y')", ["a", "c"]),
        ("SELECT VALUE ARRAY_LENGTH(c.tags) FROM c", [2, 0, 1]),
        ("SELECT VALUE t FROM c JOIN t IN c.tags", ["x", "y", "y"]),
        ("SELECT VALUE t FROM t IN c.tags WHERE t = 'y'", ["y", "y"]),
        ("SELECT c.id, c.at.city AS place FROM c WHERE c.ok", [{"id": "a", "place": "Oslo"}]),
        ("SELECT VALUE {'i': c.id, 'm': [c.n * 2, c.nothing]} FROM c WHERE c.id = 'b'", [{"i": "b", "m": [5.0]}]),
        ("SELECT VALUE c.tags[0] FROM c", ["x", "y"]),
        ("SELECT VALUE c.n + 1 - -1 FROM c WHERE IS_NUMBER(c.n)", [3, 4.5]),
        ("SELECT VALUE c.id || '!' FROM c WHERE c.ok", ["a!"]),
        ("SELECT VALUE c.nothing ?? c.id FROM c WHERE c.ok", ["a"]),
        ("SELECT VALUE c.n FROM c ORDER BY c.n DESC", ["three", 2.5, 1]),
        ("SELECT VALUE c.id FROM c ORDER BY c.id DESC OFFSET 1 LIMIT 2", ["c", "b"]),
        ("SELECT TOP 2 VALUE c.id FROM c", ["a", "b"]),
        ("SELECT DISTINCT VALUE t FROM c JOIN t IN c.tags", ["x", "y"]),
        ("SELECT VALUE COUNT(1) FROM c", [4]),
        ("SELECT VALUE COUNT(c.n) FROM c", [3]),
        ("SELECT COUNT(1) AS n, MAX(c.id) AS last FROM c", [{"n": 4, "last": "d"}]),
        ("SELECT VALUE AVG(c.n) FROM c WHERE IS_NUMBER(c.n)", [1.75]),
        ("SELECT VALUE SUM(c.n) FROM c", []),
        ("SELECT VALUE MIN(c.n) FROM c WHERE c.id = 'nobody'", []),
        ("SELECT VALUE @x FROM c WHERE c.id = @id", ["7"]),
    ],
)
def test_a_query_finds_what_cosmos_db_would(query: str, found: list[Any]) -> None:
    parameters = [{"name": "@x", "value": "7"}, {"name": "@id", "value": "a"}]
    assert Statement(query, parameters).run(ITEMS) == found


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELEC * FROM c",
        "SELECT",
        "SELECT * FROM",
        "SELECT * FROM c WHERE",
        "SELECT * FROM c WHERE c.a ==",
        "SELECT * FROM c GROUP BY c.a",
        "SELECT * FROM c ORDER c.a",
        "SELECT * FROM c OFFSET 1",
        "SELECT TOP -1 * FROM c",
        "SELECT * FROM c WHERE d.a = 1",
        "SELECT * FROM c WHERE NEAR(c.a)",
        "SELECT * FROM c WHERE ABS(c.a, 1) = 1",
        "SELECT * FROM c WHERE c.a = @nobody",
        "SELECT * FROM c WHERE COUNT(1) > 1",
        "SELECT * FROM c WHERE EXISTS(SELECT 1)",
        "SELECT * FROM c; DROP",
        "SELECT * FROM c WHERE c.a = 'open",
        "SELECT VALUE COUNT(1) FROM c ORDER BY c.a",
    ],
)
def test_what_is_not_known_is_refused_and_not_guessed(query: str) -> None:
    with pytest.raises(SqlRefused):
        Statement(query).run(ITEMS)
    with pytest.raises(SqlRefused):
        Statement(query).run([])


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM c WHERE c.id IN ('a', 'b') AND NOT c.x LIKE 'a%' ORDER BY c.n, c.id DESC",
        "SELECT TOP 3 c.id, c['a b'] FROM c ORDER BY c.at.city",
        "SELECT DISTINCT VALUE t FROM c JOIN t IN c.tags",
        "SELECT VALUE AVG(c.n) FROM c WHERE CONTAINS(c.id, 'a') OR c.n = -1",
        "SELECT VALUE c.id FROM c ORDER BY c.id OFFSET 2 LIMIT 1",
    ],
)
def test_a_plan_is_made_of_queries_that_can_be_run(query: str) -> None:
    rewritten = str(plan(Statement(query))["queryInfo"]["rewrittenQuery"])
    Statement(rewritten.replace("{documentdb-formattableorderbyquery-filter}", "true")).run(ITEMS)


def test_queries_over_partitions_are_planned_and_merged_by_the_sdk(spread: Any, empty_cosmos: Cosmos) -> None:
    for number in range(20):
        spread.create_item({"id": str(number), "kind": number % 5, "n": number})
    query = "SELECT VALUE c.n FROM c ORDER BY c.n DESC"
    assert list(spread.query_items(query, enable_cross_partition_query=True)) == list(range(19, -1, -1))
    assert empty_cosmos.calls_of("Items_Plan")
    asked = [call.headers.get("x-ms-documentdb-partitionkeyrangeid") for call in empty_cosmos.calls_of("Items_Query")]
    assert {"0", "1", "2"} <= set(asked)
    with pytest.raises(CosmosHttpResponseError, match="Cross partition query is required but disabled"):
        list(spread.query_items(query))


def test_every_item_is_in_one_partition(spread: Any, empty_cosmos: Cosmos) -> None:
    for number in range(30):
        spread.create_item({"id": str(number), "kind": number})
    seen = [
        item["id"]
        for feed_range in spread.read_feed_ranges()
        for item in spread.query_items("SELECT * FROM c", feed_range=feed_range)
    ]
    assert sorted(seen, key=int) == [str(number) for number in range(30)]


def test_signatures_are_checked(empty_cosmos: Cosmos) -> None:
    from prefect_integration_tests.backends.cosmos import _key  # pyright: ignore[reportPrivateUsage]

    with pytest.raises(CosmosHttpResponseError) as raised:
        CosmosClient(empty_cosmos.endpoint, _key("another"))
    assert raised.value.status_code == 401
    readonly = CosmosClient(empty_cosmos.endpoint, empty_cosmos.readonly_key)
    with pytest.raises(CosmosHttpResponseError) as raised:
        readonly.create_database("new")
    assert raised.value.status_code == 403


def test_databases_and_containers_are_made_by_the_sdk(empty_cosmos: Cosmos) -> None:
    from azure.cosmos import PartitionKey

    client: Any = empty_cosmos.client()
    database = client.create_database("new")
    with pytest.raises(CosmosResourceExistsError):
        client.create_database("new")
    database.create_container("things", partition_key=PartitionKey(path="/kind"))
    assert [each["id"] for each in database.list_containers()] == ["things"]
    database.delete_container("things")
    with pytest.raises(CosmosResourceNotFoundError):
        database.get_container_client("things").read()
    client.delete_database("new")
    assert [each["id"] for each in client.list_databases()] == []


def test_etags_sizes_keys_and_unique_values_are_checked(container: Any, empty_cosmos: Cosmos) -> None:
    from azure.core import MatchConditions

    item = container.create_item({"id": "a", "kind": "k"})
    container.upsert_item({"id": "a", "kind": "k", "n": 1})
    with pytest.raises(CosmosAccessConditionFailedError):
        container.replace_item(item, item, etag=item["_etag"], match_condition=MatchConditions.IfNotModified)
    with pytest.raises(CosmosAccessConditionFailedError):
        container.patch_item(
            "a", "k", [{"op": "set", "path": "/n", "value": 2}], filter_predicate="FROM c WHERE c.n > 5"
        )
    with pytest.raises(CosmosHttpResponseError) as raised:
        container.create_item({"id": "big", "kind": "k", "text": "x" * (2 * 1024 * 1024)})
    assert raised.value.status_code == 413
    with pytest.raises(CosmosHttpResponseError) as raised:
        container.create_item({"kind": "k"})
    assert raised.value.status_code == 400
    empty_cosmos.container("unique", "/kind", unique=("/mail",))
    unique: Any = empty_cosmos.client().get_database_client("shop").get_container_client("unique")
    unique.create_item({"id": "a", "kind": "k", "mail": "m"})
    unique.create_item({"id": "b", "kind": "other", "mail": "m"})
    with pytest.raises(CosmosResourceExistsError, match="Unique index constraint"):
        unique.create_item({"id": "c", "kind": "k", "mail": "m"})


@pytest.mark.parametrize(
    ("operations", "found"),
    [
        ([{"op": "add", "path": "/list/0", "value": 9}], {"list": [9, 1, 2]}),
        ([{"op": "add", "path": "/list/-", "value": 9}], {"list": [1, 2, 9]}),
        ([{"op": "replace", "path": "/list/1", "value": 9}], {"list": [1, 9]}),
        ([{"op": "set", "path": "/deep/er", "value": {"a": 1}}], {"deep": {"er": {"a": 1}}}),
        ([{"op": "incr", "path": "/n", "value": -2}, {"op": "incr", "path": "/new", "value": 3}], {"n": 3, "new": 3}),
        ([{"op": "remove", "path": "/list"}], {}),
    ],
)
def test_parts_are_patched(container: Any, operations: list[dict[str, Any]], found: dict[str, Any]) -> None:
    container.create_item({"id": "a", "kind": "k", "n": 5, "list": [1, 2], "deep": {}})
    patched = container.patch_item("a", "k", operations)
    assert {name: patched[name] for name in found} == found
    assert ("list" in patched) == (operations[0]["op"] != "remove")


@pytest.mark.parametrize(("status", "calls"), [(429, 3), (503, 2)])
def test_faults_reach_the_sdk(container: Any, empty_cosmos: Cosmos, status: int, calls: int) -> None:
    container.create_item({"id": "a", "kind": "k"})
    empty_cosmos.fail("Item_Get", status, times=calls - 1, retry_after_ms=5)
    assert container.read_item("a", "k")["id"] == "a"
    assert [call.status for call in empty_cosmos.calls_of("Item_Get")] == [status] * (calls - 1) + [200]
    empty_cosmos.fail("Item_Get", 418, message="I am a teapot", substatus=7)
    with pytest.raises(CosmosHttpResponseError, match="teapot") as raised:
        container.read_item("a", "k")
    assert (raised.value.status_code, raised.value.sub_status) == (418, 7)


def test_a_lost_answer_leaves_what_was_done(container: Any, empty_cosmos: Cosmos) -> None:
    from azure.core.exceptions import AzureError

    container.read()
    empty_cosmos.fail("Item_Create", when="lost")
    with pytest.raises(AzureError):
        container.create_item({"id": "a", "kind": "k"})
    assert empty_cosmos.items("things") == [{"id": "a", "kind": "k"}]
    empty_cosmos.reset()
    assert not empty_cosmos.calls
