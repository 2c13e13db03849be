"""Names of what the worker asks Snowflake for, and how they are written in statements.

Services, compute pools, and the database and schema of a service have names without quotation marks: Snowflake does
not support others there (https://docs.snowflake.com/en/sql-reference/sql/execute-job-service). Such a name is checked,
and written in upper case as it stands. All other names are written in quotation marks.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

FLOW_RUN_ID = "prefect.io/flow-run-id"
WORK_POOL_ID = "prefect.io/work-pool-id"
KEEP = "prefect.io/keep"
"""Value `true`: what has it was made to stay after its end."""
CONTAINER = "prefect.io/container"
"""Name of the container that runs the flow."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")
_DIGEST_LENGTH = 20
_LONGEST_NAME = 63


def plain_name(name: str, field: str) -> str:
    """Write a name that Snowflake takes without quotation marks only.

    Args:
        name: The name.
        field: Where it stands, for the message.

    Returns:
        The name in upper case, as Snowflake keeps it.

    Raises:
        ValueError: If it is not such a name.
    """
    if not _PLAIN.fullmatch(name):
        raise ValueError(
            f"`{field}` is {name!r}; Snowflake wants a name of letters, digits, `_` and `$` there that does not begin "
            "with a digit, without quotation marks."
        )
    return name.upper()


def pool_name(given: str) -> tuple[tuple[str, str] | None, str]:
    """Read the name of a compute pool: alone, or as `database.schema.pool`, the only form that earlier releases took.

    Compute pools belong to the account; database and schema say where jobs are made.

    Args:
        given: The name.

    Returns:
        Database and schema, if they are given, and the pool's own name, all in upper case.

    Raises:
        ValueError: If it is neither.
    """
    parts = given.split(".")
    if len(parts) not in (1, 3):
        raise ValueError(f"`compute_pool` is {given!r}; name the pool alone, or as database.schema.pool.")
    *place, name = (plain_name(part, "compute_pool") for part in parts)
    return ((place[0], place[1]) if place else None), name


def quoted_name(name: str, field: str) -> str:
    """Write the name of an object in quotation marks.

    Args:
        name: A name without quotation marks, which counts in upper case, or one in quotation marks, which counts as it
            stands.
        field: Where it stands, for the message.

    Raises:
        ValueError: If it is neither.
    """
    if _PLAIN.fullmatch(name):
        return f'"{name.upper()}"'
    inner = name[1:-1]
    is_quoted = len(name) > 2 and name[0] == name[-1] == '"' and '"' not in inner.replace('""', "")
    if is_quoted and "\x00" not in name:
        return name
    raise ValueError(
        f"`{field}` is {name!r}, which is not a name. Write one with other characters than letters, digits, `_` and "
        f"`$` in quotation marks, such as '\"my name\"'."
    )


def secret_name(name: str, field: str) -> str:
    """Check the name of a secret, with or without its database and schema.

    Raises:
        ValueError: If it is none.
    """
    parts = re.findall(r'"(?:[^"]|"")+"|[^".]+', name)
    if ".".join(parts) != name or not 1 <= len(parts) <= 3:
        raise ValueError(f"`{field}` is {name!r}; it is the name of a secret: DATABASE.SCHEMA.NAME.")
    for part in parts:
        quoted_name(part, field)
    return name


def service_name(name: str | None, submission: str) -> str:
    """Name the service of one submission of a run: the same whoever names it, and whenever.

    Args:
        name: A name that people recognise, such as the run's.
        submission: What it is made for.

    Returns:
        Upper case letters, digits and `_`, a letter first: what is legal of the name, and a digest.
    """
    digest = hashlib.sha256(submission.encode()).hexdigest()[:_DIGEST_LENGTH].upper()
    base = re.sub(r"[^A-Z0-9]+", "_", _ascii(name).upper())
    base = re.sub(r"^[^A-Z]+", "", base)[: _LONGEST_NAME - _DIGEST_LENGTH - 1].strip("_")
    return f"{base or 'PREFECT'}_{digest}"


def container_name(name: str | None) -> str:
    """Name a container: lower case letters, digits and hyphens, 63 at most, a letter first."""
    base = re.sub(r"[^a-z0-9]+", "-", _ascii(name).lower())
    return re.sub(r"^[^a-z]+", "", base)[:_LONGEST_NAME].strip("-") or "prefect"


def _ascii(name: str | None) -> str:
    return unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode()


@dataclass(frozen=True)
class ServiceName:
    """A service as an `infrastructure_pid` names it."""

    name: str
    database: str = ""
    schema: str = ""

    def __str__(self) -> str:
        """`DATABASE.SCHEMA.NAME`, or the name alone where its place is not known."""
        return f"{self.database}.{self.schema}.{self.name}" if self.database else self.name


def read_identifier(identifier: str) -> ServiceName:
    """Read an `infrastructure_pid`.

    Args:
        identifier: `DATABASE.SCHEMA.NAME`, or a service's name.

    Raises:
        ValueError: If it names no service.
    """
    parts = identifier.split(".")
    if len(parts) not in {1, 3} or not all(_PLAIN.fullmatch(part) for part in parts):
        raise ValueError(
            f"{identifier!r} does not name a service of Snowpark Container Services; expected DATABASE.SCHEMA.NAME."
        )
    *place, name = (part.upper() for part in parts)
    return ServiceName(name, *place)


# Labels: job services have none, so they stand in the comment


def comment_of(comment: str | None, labels: Mapping[str, str]) -> str:
    """Write a service's comment: the user's own words, and the labels in a line of their own."""
    line = json.dumps({str(name): str(value) for name, value in labels.items()}, sort_keys=True)
    return f"{comment}\n{line}" if comment else line


def labels_in(comment: str | None) -> dict[str, str]:
    """Read the labels from a service's comment; none where there are none."""
    last = (comment or "").rstrip().rpartition("\n")[2]
    if not last.startswith("{"):
        return {}
    try:
        read: Any = json.loads(last)
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in read.items()} if isinstance(read, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]


def flow_run_of(labels: Mapping[str, str]) -> UUID | None:
    """The run that a service was made for, as its labels say; `None` where they do not."""
    try:
        return UUID(labels.get(FLOW_RUN_ID, ""))
    except ValueError:
        return None
