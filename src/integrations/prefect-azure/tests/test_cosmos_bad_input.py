"""Mistakes in arguments and connection strings are refused before any request, by a message that names them."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from prefect_azure import AzureCosmosDbCredentials, errors
from prefect_azure._cosmos.connection import parse_account_url, parse_connection_string
from prefect_azure._cosmos.items import Items
from prefect_azure._cosmos.words import denied_action, plain_words
from prefect_integration_tests.backends.cosmos import Cosmos

from ._cosmos import asked, credentials_for, fill

KEY = "a2V5" * 22


@pytest.fixture
def items(empty_cosmos: Cosmos) -> Items:
    """Items of `shop/parcels`, and nothing asked yet."""
    fill(empty_cosmos)
    return Items("parcels", "shop", credentials_for(empty_cosmos))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "it is empty"),
        ("a/b", "'a/b' has characters that an id must not have: /"),
        ("what?", "must not have"),
        (7, "it is a int and must be a name, a ContainerProxy or a mapping with an 'id'"),
        ({"name": "x"}, "its properties have no 'id'"),
        ("x" * 256, "longer than 255"),
    ],
    ids=["empty", "slash", "mark", "number", "mapping", "long"],
)
def test_a_container_that_cannot_be_one_is_refused(empty_cosmos: Cosmos, given: Any, says: str) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match=f"`container`: .*{says}"):
        Items(given, "shop", credentials_for(empty_cosmos))
    with pytest.raises(ValueError, match="`database`"):
        Items("parcels", given, credentials_for(empty_cosmos))
    assert not asked(empty_cosmos)


@pytest.mark.parametrize(
    ("query", "parameters", "says"),
    [
        ("", None, "`query` is empty"),
        (None, None, "`query` is empty or not text"),
        ("SELECT 1", {"name": "@a", "value": 1}, "`parameters` must be a list"),
        ("SELECT 1", "x", "`parameters` must be a list"),
        ("SELECT 1", [{"name": "@a"}], r"`parameters\[0\]` must be a dictionary with the keys name and value"),
        ("SELECT 1", [{"name": "@a", "value": 1}, ["@b", 2]], r"`parameters\[1\]`"),
        ("SELECT 1", [{"name": "a", "value": 1}], "the name 'a' must start with '@'"),
        ("SELECT 1", [{"name": "@a", "value": {1, 2}}], r"`parameters\[0\]` cannot be written as JSON"),
    ],
    ids=["empty", "none", "dictionary", "text", "without-value", "list", "without-at", "set"],
)
def test_a_query_that_cannot_be_one_is_refused(
    items: Items, empty_cosmos: Cosmos, query: Any, parameters: Any, says: str
) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match=says):
        items.query(query, parameters, None, {})
    assert not asked(empty_cosmos)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (["a"], "`body` must be a dictionary and is a list"),
        ({"id": 7}, "its id is a int and must be text"),
        ({"id": "a/b"}, "'a/b' has characters that an id must not have"),
        (
            {"id": "a", "at": {"start": [datetime(2026, 1, 1, tzinfo=timezone.utc)]}},
            "JSON at /at/start/0: .*times to ISO",
        ),
        ({"id": "a", "price": Decimal("1.5")}, "JSON at /price"),
        ({"id": "a", "n": float("nan")}, "JSON at /n"),
        ({"id": "a", "text": "x" * 2_100_000}, "`body` has 21000.. bytes in JSON, .* up to 2097152"),
    ],
    ids=["list", "number", "slash", "time", "decimal", "nan", "large"],
)
def test_a_body_that_cannot_be_an_item_is_refused(items: Items, empty_cosmos: Cosmos, body: Any, says: str) -> None:
    for write in (items.create, items.upsert, lambda body, options: items.replace("a", body, options)):
        with pytest.raises(errors.AzureInvalidRequest, match=says):
            write(body, {})
    assert not asked(empty_cosmos)


@pytest.mark.parametrize(
    ("operations", "says"),
    [
        ([], "`patch_operations` must be a list"),
        ("set", "`patch_operations` must be a list"),
        (["set"], r"`patch_operations\[0\]` must be a dictionary"),
        ([{"op": "inc", "path": "/a", "value": 1}], "op is 'inc'; known are add, set"),
        ([{"op": "set", "path": "a", "value": 1}], "path is 'a' and must start with a slash"),
        ([{"op": "set", "path": "/a"}], "has no value"),
        ([{"op": "incr", "path": "/a", "value": 1}] * 11, "has 11 operations; Cosmos DB takes 10"),
    ],
    ids=["empty", "text", "word", "name", "path", "value", "many"],
)
def test_a_patch_that_cannot_be_one_is_refused(items: Items, empty_cosmos: Cosmos, operations: Any, says: str) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match=says):
        items.patch("p0", "no", operations, {})
    assert not asked(empty_cosmos)


def test_what_only_the_service_knows_is_passed_on_in_plain_words(items: Items) -> None:
    for query, says in (
        ("SELEC * FROM c", "Query of container 'shop/parcels': Syntax error, incorrect syntax near 'SELEC'"),
        ("SELECT * FROM c WHERE d.x = 1", "Identifier 'd' could not be resolved"),
        ("SELECT VALUE NEAREST(c.x) FROM c", "'NEAREST' is not a recognized built-in function name"),
        ("SELECT * FROM c WHERE c.x = @x", "'@x'"),
    ):
        with pytest.raises(errors.AzureInvalidRequest, match=says) as raised:
            items.query(query, None, None, {})
        assert "ActivityId" not in str(raised.value)


@pytest.mark.parametrize(("container", "database"), [("nothing", "shop"), ("parcels", "nowhere")])
def test_a_container_or_database_that_is_missing_is_named(empty_cosmos: Cosmos, container: str, database: str) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    fill(empty_cosmos)
    items = Items(container, database, credentials_for(empty_cosmos))
    for work in (
        lambda: items.query("SELECT * FROM c", None, None, {}),
        lambda: items.read("p0", "no", {}),
        lambda: items.create({"id": "a", "country": "no"}, {}),
    ):
        with pytest.raises(errors.AzureNotFound, match=f"container '{database}/{container}'") as raised:
            work()
        assert isinstance(raised.value, ResourceNotFoundError)
        assert isinstance(raised.value, LookupError)


# Connection strings


@pytest.mark.parametrize(
    "text",
    [
        f"AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey={KEY};",
        f"AccountKey={KEY};AccountEndpoint=https://shop.documents.azure.com:443/",
        f' "accountendpoint = https://shop.documents.azure.com:443/ ; ACCOUNTKEY={KEY}" ',
        f"AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey={KEY};Database=parcels;",
    ],
    ids=["usual", "turned", "spaced", "more"],
)
def test_a_connection_string_is_read(text: str) -> None:
    account = parse_connection_string(text)
    assert (account.endpoint, account.key, account.name) == ("https://shop.documents.azure.com:443/", KEY, "shop")
    assert KEY not in repr(account)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("connection_string", "a part of it has no '='"),
        ("AccountKey=" + KEY, "has no AccountEndpoint"),
        (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY}", "looks like one of a storage account"),
        (f"AccountEndpoint=shop.documents.azure.com;AccountKey={KEY}", "is not an address that starts with https://"),
        (f"AccountEndpoint=https://shop:port/;AccountKey={KEY}", "is not an address"),
        ("AccountEndpoint=https://shop.documents.azure.com/;AccountKey=half a key", "AccountKey .* is not Base64"),
    ],
    ids=["word", "without-endpoint", "storage", "scheme", "port", "key"],
)
def test_a_malformed_connection_string_is_refused_and_not_repeated(text: str, says: str) -> None:
    credentials = AzureCosmosDbCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.AzureCredentialsError, match=says) as raised:
        credentials.get_client()
    assert isinstance(raised.value, ValueError)
    assert "AccountEndpoint=https://ACCOUNT.documents.azure.com" in str(raised.value)
    assert KEY not in str(raised.value)
    assert "half a key" not in str(raised.value)


def test_an_account_url_that_is_none_is_refused() -> None:
    with pytest.raises(errors.AzureCredentialsError, match="account_url is not an address"):
        parse_account_url("shop")


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        (
            'Message: {"errors": [{"message": "Bad."}]}\r\nActivityId: 1, Microsoft.Azure.Documents.Common/2.14.0',
            "Bad",
        ),
        (
            'Message: {"Errors":["Not Found. More: https://aka.ms/x"]}\r\nActivityId: 1, SDK: 2',
            "Not Found. More: https://aka.ms/x",
        ),
        ("Plain.\r\nActivityId: 1", "Plain."),
        ("Refused. Server used the following payload to sign: 'get\n\n'", "Refused."),
        ("Message: {not json", "{not json"),
    ],
    ids=["query", "not-found", "plain", "payload", "no-json"],
)
def test_sentences_are_taken_out_of_what_cosmos_db_says(said: str, plain: str) -> None:
    assert plain_words(said) == plain


def test_the_denied_action_is_found() -> None:
    said = "does not have required RBAC permissions to perform action [Microsoft.X/read] on resource [/dbs]. More"
    assert denied_action(said) == ("Microsoft.X/read", "/dbs")
    assert denied_action("No.") == ("", "")
