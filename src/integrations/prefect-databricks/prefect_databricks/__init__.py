"""Run Databricks jobs and SQL statements from Prefect flows, wait for them, and stop them with the flow."""

from .credentials import DatabricksCredentials
from .errors import (
    DatabricksAccessDenied,
    DatabricksBadRequest,
    DatabricksCredentialsError,
    DatabricksError,
    DatabricksNotFound,
    DatabricksUnavailable,
)
from .sql import DatabricksSqlWarehouse, asql_statement, sql_statement

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
