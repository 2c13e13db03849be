"""Query Snowflake, and load data into it, from Prefect flows."""

from .credentials import SnowflakeCredentials
from .database import SnowflakeConnector
from .errors import (
    InvalidPemFormat,
    SnowflakeAccessDenied,
    SnowflakeConstraintViolation,
    SnowflakeCredentialsError,
    SnowflakeError,
    SnowflakeInvalidRequest,
    SnowflakeLoginRefused,
    SnowflakeObjectNotFound,
    SnowflakeQueryCancelled,
    SnowflakeQueryTimeout,
    SnowflakeSessionExpired,
    SnowflakeSyntaxError,
    SnowflakeUnavailable,
    SnowflakeWarehouseUnavailable,
)
from .experimental.workers import spcs as _spcs  # pyright: ignore[reportUnusedImport]  # noqa: F401 - registers the worker

__version__ = "0.29.0"

__all__ = [
    "InvalidPemFormat",
    "SnowflakeAccessDenied",
    "SnowflakeConnector",
    "SnowflakeConstraintViolation",
    "SnowflakeCredentials",
    "SnowflakeCredentialsError",
    "SnowflakeError",
    "SnowflakeInvalidRequest",
    "SnowflakeLoginRefused",
    "SnowflakeObjectNotFound",
    "SnowflakeQueryCancelled",
    "SnowflakeQueryTimeout",
    "SnowflakeSessionExpired",
    "SnowflakeSyntaxError",
    "SnowflakeUnavailable",
    "SnowflakeWarehouseUnavailable",
]
