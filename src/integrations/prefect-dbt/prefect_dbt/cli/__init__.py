"""dbt's command line in tasks and blocks, as before `PrefectDbtRunner`; `profiles.yml` of blocks."""

import warnings
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from .commands import DbtCoreOperation
    from .configs.base import GlobalConfigs, MissingExtrasRequireError, TargetConfigs
    from .configs.bigquery import BigQueryTargetConfigs
    from .configs.postgres import PostgresTargetConfigs
    from .configs.snowflake import SnowflakeTargetConfigs
    from .credentials import DbtCliProfile

__all__ = [
    "BigQueryTargetConfigs",
    "DbtCliProfile",
    "DbtCoreOperation",
    "GlobalConfigs",
    "MissingExtrasRequireError",
    "PostgresTargetConfigs",
    "SnowflakeTargetConfigs",
    "TargetConfigs",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "BigQueryTargetConfigs": ".configs.bigquery",
        "DbtCliProfile": ".credentials",
        "DbtCoreOperation": ".commands",
        "GlobalConfigs": ".configs.base",
        "MissingExtrasRequireError": ".configs.base",
        "PostgresTargetConfigs": ".configs.postgres",
        "SnowflakeTargetConfigs": ".configs.snowflake",
        "TargetConfigs": ".configs.base",
    },
)

warnings.warn(
    "The tasks and blocks of `prefect_dbt.cli` are kept for flows that use them. New code should run dbt by "
    "`prefect_dbt.PrefectDbtRunner`, which shows each node as a task run, and refer to blocks in profiles.yml as "
    "`{{ prefect.blocks.TYPE-SLUG.NAME.FIELD }}` instead of making that file by `DbtCliProfile`.",
    UserWarning,
    stacklevel=2,
)
