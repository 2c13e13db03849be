"""Tables: made if they are not there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import Backoff, retry

from ..errors import GcpAlreadyExists, GcpConflict, GcpInvalidRequest, GcpNotFound, gcp_errors, is_transient
from . import jobs
from .configuration import schema_fields
from .queries import REQUEST_SECONDS
from .sdk import BigQueryWrongType, ask, bigquery_sdk, table_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.bigquery import Client, Table

_BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=15.0, deadline_seconds=60.0)
_MAX_CLUSTERING_FIELDS = 4  # https://cloud.google.com/bigquery/docs/clustered-tables#limitations


def create_table(
    client: Client,
    dataset: str,
    table: str,
    schema: Any,
    clustering_fields: Any,
    time_partitioning: Any,
    external_config: Any,
    location: str | None,
) -> str:
    """Create a table, and its data set, if they are not there; see the task `bigquery_create_table`."""
    wanted = _described(client, dataset, table, schema, clustering_fields, time_partitioning, external_config)
    reference = wanted.reference
    subject = f"BigQuery table {reference.project}.{reference.dataset_id}.{reference.table_id}"
    logger = run_logger(__name__)

    try:
        _persist(subject, lambda: ask(client, "get_table", reference, retry=None, timeout=REQUEST_SECONDS))
    except GcpNotFound:
        pass
    else:
        logger.info("%s exists already", subject)
        return table
    home = f"{reference.project}.{reference.dataset_id}"
    try:
        _persist(subject, lambda: ask(client, "get_dataset", home, retry=None, timeout=REQUEST_SECONDS))
    except GcpNotFound:
        made = bigquery_sdk().Dataset(home)
        made.location = location
        about = f"BigQuery data set {home}"
        options: dict[str, Any] = {"exists_ok": True, "retry": None, "timeout": REQUEST_SECONDS}
        _persist(about, lambda: ask(client, "create_dataset", made, **options))
        logger.info("Created %s", about)
    _persist(subject, lambda: _create(client, wanted))
    logger.info("Created %s", subject)
    return table


def _create(client: Client, table: Table) -> None:
    # Somebody else may have been quicker, or an earlier try of this request.
    with contextlib.suppress(GcpAlreadyExists, GcpConflict), gcp_errors(table.table_id):
        ask(client, "create_table", table, retry=None, timeout=REQUEST_SECONDS)


def _persist(subject: str, call: Callable[[], Any]) -> None:
    def once() -> None:
        with gcp_errors(subject):
            call()

    retry(once, is_transient=is_transient, backoff=_BACKOFF, clock=jobs.clock)


def _described(
    client: Client,
    dataset: str,
    table: str,
    schema: Any,
    clustering_fields: Any,
    time_partitioning: Any,
    external_config: Any,
) -> Table:
    bigquery = bigquery_sdk()
    if not schema and not external_config:
        raise GcpInvalidRequest("BigQuery table: give a schema, or an external_config.")
    fields = schema_fields(schema) if schema else None
    made: Table = bigquery.Table(table_reference(client, dataset, table), schema=fields)
    if external_config:
        made.external_data_configuration = _object("external_config", external_config, bigquery.ExternalConfig)
    if clustering_fields:
        made.clustering_fields = _clustering(clustering_fields, {field.name.lower() for field in fields or ()})
    if time_partitioning:
        made.time_partitioning = _object("time_partitioning", time_partitioning, bigquery.TimePartitioning)
    return made


def _object(name: str, value: Any, cls: Any) -> Any:
    if isinstance(value, cls):
        return value
    if isinstance(value, Mapping):
        try:
            return cls.from_api_repr(dict(cast("Mapping[str, Any]", value)))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise BigQueryWrongType(f"{name} is not in the form of the REST API: {exc!r}.") from exc
    raise BigQueryWrongType(f"{name} is {type(value).__name__}; give a google.cloud.bigquery.{cls.__name__}.")


def _clustering(given: Any, known: set[str]) -> list[str]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BigQueryWrongType(f"clustering_fields is {given!r}; give a list of names.")
    names = [str(name) for name in cast("Sequence[Any]", given)]
    if len(names) > _MAX_CLUSTERING_FIELDS:
        raise GcpInvalidRequest(f"clustering_fields has {len(names)} names; BigQuery takes up to 4.")
    for name in names:
        if known and name.lower() not in known:
            raise GcpInvalidRequest(f"clustering_fields: the schema has no column {name!r}.")
    return names
