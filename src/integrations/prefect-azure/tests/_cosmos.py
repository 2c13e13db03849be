"""What tests of Cosmos DB share."""

from __future__ import annotations

from typing import Any

from prefect_azure import AzureCosmosDbCredentials
from prefect_integration_tests.backends.cosmos import Cosmos

COUNTRIES = ("no", "pt", "de")


def fill(cosmos: Cosmos, container: str = "parcels", *, count: int = 12, partitions: int = 1) -> str:
    """Make a container of parcels `p0`, `p1`, … in three countries.

    Args:
        cosmos: The account.
        container: Name of the container.
        count: How many parcels.
        partitions: How many physical partitions it has.
    """
    cosmos.container(container, "/country", partitions=partitions)
    kept = cosmos.server.store.container("shop", container)
    from prefect_integration_tests.backends._azure.cosmos_store import Match

    for number in range(count):
        country = COUNTRIES[number % len(COUNTRIES)]
        body: dict[str, Any] = {"id": f"p{number}", "country": country, "weight": number, "tags": [f"t{number}", "all"]}
        cosmos.server.store.create(kept, body, (country,), upsert=False, match=Match())
    return container


def credentials_for(cosmos: Cosmos) -> AzureCosmosDbCredentials:
    """Credentials with the account's primary key."""
    return AzureCosmosDbCredentials(connection_string=cosmos.connection_string)  # pyright: ignore[reportArgumentType]


def asked(cosmos: Cosmos) -> list[str]:
    """What the account was asked for, but for looks at its regions, which clients of other tests take at any time."""
    return [call.method for call in list(cosmos.calls) if call.method != "Account_Get"]


def ids(items: Any) -> list[str]:
    """The ids of items, in their order."""
    return [item["id"] for item in items]
