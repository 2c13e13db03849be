"""Targets and global configurations of dbt as blocks. Those of a database need its extra."""

from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

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

__getattr__, __dir__ = late_names(
    __name__,
    {
        "BigQueryTargetConfigs": ".bigquery",
        "PostgresTargetConfigs": ".postgres",
        "SnowflakeTargetConfigs": ".snowflake",
    },
)
