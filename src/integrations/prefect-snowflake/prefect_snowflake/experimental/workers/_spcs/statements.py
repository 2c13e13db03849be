"""The statements that the worker sends, each with its values apart from its text.

Values are bound (`%s`), names checked or quoted by `names`. The specification of a job is JSON, which is YAML, too,
between `$$`: in it `$` and `%` are written as escapes, so that nothing in it can end it or be taken for a value's
place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .names import ServiceName, plain_name, quoted_name

PAGE = 1000
"""How many services are listed by one statement."""

Parameter = str | int | bool


@dataclass(frozen=True)
class Statement:
    """What is sent: the text, and the values that stand for each `%s`."""

    text: str
    values: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class JobRequest:
    """A job that Snowflake is asked for.

    Attributes:
        name: Name of the service.
        compute_pool: Name of the compute pool, in upper case.
        specification: What runs in it.
        comment: The user's words and the labels.
        query_warehouse: Warehouse for queries of the container; `None` for none.
        external_access_integrations: What lets the container out of Snowflake.
    """

    name: str
    compute_pool: str
    specification: Mapping[str, Any]
    comment: str
    query_warehouse: str | None = None
    external_access_integrations: Sequence[str] = ()


def specification_text(specification: Mapping[str, Any]) -> str:
    """Write a specification so that it can stand between `$$` in a statement with values."""
    text = json.dumps(specification, ensure_ascii=True, sort_keys=True)
    return text.replace("$", "\\u0024").replace("%", "\\u0025")


def execute_job(service: ServiceName, request: JobRequest) -> Statement:
    """Start a job, and return at once.

    See https://docs.snowflake.com/en/sql-reference/sql/execute-job-service.
    """
    lines = [
        "EXECUTE JOB SERVICE",
        f"IN COMPUTE POOL {plain_name(request.compute_pool, 'compute_pool')}",
        f"NAME = {service}",
        "ASYNC = TRUE",
    ]
    if request.query_warehouse:
        lines.append(f"QUERY_WAREHOUSE = {quoted_name(request.query_warehouse, 'query_warehouse')}")
    lines.append("COMMENT = %s")
    if request.external_access_integrations:
        names = [quoted_name(name, "external_access_integrations") for name in request.external_access_integrations]
        lines.append(f"EXTERNAL_ACCESS_INTEGRATIONS = ({', '.join(names)})")
    lines.append(f"FROM SPECIFICATION $${specification_text(request.specification)}$$")
    return Statement("\n".join(lines), (request.comment,))


def describe_pool(name: str) -> Statement:
    """Look at a compute pool."""
    return Statement(f"DESCRIBE COMPUTE POOL {plain_name(name, 'compute_pool')}")


def resume_pool(name: str) -> Statement:
    """Start the nodes of a compute pool that is suspended."""
    return Statement(f"ALTER COMPUTE POOL {plain_name(name, 'compute_pool')} RESUME")


def show_jobs(database: str, schema: str, after: str = "") -> Statement:
    """List the jobs of a schema by name, a page of them.

    See https://docs.snowflake.com/en/sql-reference/sql/show-services.
    """
    text = f"SHOW JOB SERVICES IN SCHEMA {database}.{schema} LIMIT {PAGE}"
    return Statement(f"{text} FROM %s", (after,)) if after else Statement(text)


def describe_service(service: ServiceName) -> Statement:
    """Look at one service."""
    return Statement(f"DESCRIBE SERVICE {service}")


def show_containers(service: ServiceName) -> Statement:
    """List the containers of a service.

    See https://docs.snowflake.com/en/sql-reference/sql/show-service-containers-in-service.
    """
    return Statement(f"SHOW SERVICE CONTAINERS IN SERVICE {service}")


def service_logs(service: ServiceName, container: str, lines: int, *, with_times: bool) -> Statement:
    """Read the last lines of a container.

    See https://docs.snowflake.com/en/sql-reference/functions/system_get_service_logs: name, instance, container, lines;
    whether of the instance before, and whether with times, are said only where they matter.
    """
    values = (str(service), "0", container, lines)
    if not with_times:
        return Statement("CALL SYSTEM$GET_SERVICE_LOGS(%s, %s, %s, %s)", values)
    return Statement("CALL SYSTEM$GET_SERVICE_LOGS(%s, %s, %s, %s, %s, %s)", (*values, False, True))


def drop_service(service: ServiceName) -> Statement:
    """End a service and remove it."""
    return Statement(f"DROP SERVICE IF EXISTS {service}")
