"""BigQuery's SDK, imported when first needed, and the names of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.extras import require_extra

from .. import _stand_ins
from ..errors import GcpInvalidRequest

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, TableReference

    from ..credentials import GcpCredentials


class BigQueryWrongType(GcpInvalidRequest, TypeError):
    """An argument is not of the kind that is wanted."""


def bigquery_sdk() -> Any:
    """Import `google.cloud.bigquery`.

    Raises:
        ImportError: If it is not installed; the message is the command that installs it.
    """
    return require_extra("google.cloud.bigquery", distribution="prefect-gcp", extra="bigquery")


def client_of(credentials: GcpCredentials, project: str | None = None, location: str | None = None) -> Client:
    """Get the client that requests go through; the SDK is checked first."""
    bigquery_sdk()
    connect = credentials.get_bigquery_client
    return connect(**_stand_ins.fitting(connect, {"project": project, "location": location}))


def ask(client: Any, method: str, /, *arguments: Any, **options: Any) -> Any:
    """Call a method of a client, or of what a test has put in its place."""
    return _stand_ins.ask(client, _stand_ins.BIGQUERY, method, *arguments, **options)


def is_stand_in(client: object) -> bool:
    """Say whether a test has put something in the place of the SDK's client."""
    return _stand_ins.is_stand_in(client, _stand_ins.BIGQUERY)


def project_of(client: Any) -> str:
    """The project of a client; one that stands in for it may have none."""
    project = getattr(client, "project", None)
    return project if isinstance(project, str) else "stand-in"


def table_reference(client: Client, dataset: str, table: str) -> TableReference:
    """Make the reference of a table.

    Args:
        client: Its project is taken where `dataset` names none.
        dataset: Name of the data set, or `project.dataset`.
        table: Name of the table.

    Raises:
        GcpInvalidRequest: If one of the names is empty or no name. It is a `ValueError`.
    """
    bigquery = bigquery_sdk()
    for name, value in (("dataset", dataset), ("table", table)):
        if not isinstance(value, str) or not value.strip():  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise GcpInvalidRequest(f"BigQuery table: {name} is {value!r}; give its name.")
    try:
        found = bigquery.DatasetReference.from_string(dataset, default_project=project_of(client))
    except ValueError as exc:
        raise GcpInvalidRequest(
            f"BigQuery table: dataset is {dataset!r}; it must be a name, or 'project.name'."
        ) from exc
    return found.table(table)


def is_googles(client: Client) -> bool:
    """Say whether a client talks to Google, rather than to an emulator or another address."""
    connection: Any = getattr(client, "_connection", None)
    return "googleapis.com" in str(getattr(connection, "API_BASE_URL", "googleapis.com"))
