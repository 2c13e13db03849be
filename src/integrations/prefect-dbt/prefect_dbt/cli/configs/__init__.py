"""Targets and global configurations of dbt as blocks. Those of a database need its extra."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .base import GlobalConfigs, MissingExtrasRequireError, TargetConfigs

if TYPE_CHECKING:
    from .bigquery import BigQueryTargetConfigs
    from .postgres import PostgresTargetConfigs
    from .snowflake import SnowflakeTargetConfigs

__all__ = [
    "BigQueryTargetConfigs",
    "GlobalConfigs",
    "MissingExtrasRequireError",
    "PostgresTargetConfigs",
    "SnowflakeTargetConfigs",
    "TargetConfigs",
]

_LAZY = {
    "BigQueryTargetConfigs": ".bigquery",
    "PostgresTargetConfigs": ".postgres",
    "SnowflakeTargetConfigs": ".snowflake",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
