"""Run Databricks jobs and SQL statements from Prefect flows, wait for them, and stop them with the flow."""

from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .credentials import DatabricksCredentials
from .errors import (
    DatabricksAccessDenied,
    DatabricksBadRequest,
    DatabricksCredentialsError,
    DatabricksError,
    DatabricksNotFound,
    DatabricksUnavailable,
)
from .sql import DatabricksSqlWarehouse

if TYPE_CHECKING:
    from .sql import asql_statement, sql_statement

__version__ = "0.5.0"

__all__ = [
    "DatabricksAccessDenied",
    "DatabricksBadRequest",
    "DatabricksCredentials",
    "DatabricksCredentialsError",
    "DatabricksError",
    "DatabricksNotFound",
    "DatabricksSqlWarehouse",
    "DatabricksUnavailable",
    "asql_statement",
    "sql_statement",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "asql_statement": ".sql",
        "sql_statement": ".sql",
    },
)
