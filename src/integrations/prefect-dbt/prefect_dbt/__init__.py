"""Run dbt Core and dbt Cloud from Prefect flows."""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .cloud import DbtCloudCredentials, DbtCloudJob

if TYPE_CHECKING:
    from .cli.commands import DbtCoreOperation as DbtCoreOperation
    from .cli.configs.base import GlobalConfigs as GlobalConfigs
    from .cli.configs.base import MissingExtrasRequireError as MissingExtrasRequireError
    from .cli.configs.base import TargetConfigs as TargetConfigs
    from .cli.configs.bigquery import BigQueryTargetConfigs as BigQueryTargetConfigs
    from .cli.configs.postgres import PostgresTargetConfigs as PostgresTargetConfigs
    from .cli.configs.snowflake import SnowflakeTargetConfigs as SnowflakeTargetConfigs
    from .cli.credentials import DbtCliProfile as DbtCliProfile
    from .core import DbtHookContext, PrefectDbtRunner, PrefectDbtSettings
    from .core.orchestrator import PrefectDbtOrchestrator as PrefectDbtOrchestrator

__version__ = version("prefect-dbt")

__all__ = [
    "DbtCloudCredentials",
    "DbtCloudJob",
    "DbtHookContext",
    "PrefectDbtRunner",
    "PrefectDbtSettings",
    "__version__",
]

_LAZY = {
    "BigQueryTargetConfigs": ".cli.configs.bigquery",
    "DbtCliProfile": ".cli.credentials",
    "DbtCoreOperation": ".cli.commands",
    "DbtHookContext": ".core._hooks",
    "GlobalConfigs": ".cli.configs.base",
    "MissingExtrasRequireError": ".cli.configs.base",
    "PostgresTargetConfigs": ".cli.configs.postgres",
    "PrefectDbtOrchestrator": ".core.orchestrator",
    "PrefectDbtRunner": ".core.runner",
    "PrefectDbtSettings": ".core.settings",
    "SnowflakeTargetConfigs": ".cli.configs.snowflake",
    "TargetConfigs": ".cli.configs.base",
}
_NEEDS = {
    "BigQueryTargetConfigs": "prefect_gcp",
    "PostgresTargetConfigs": "prefect_sqlalchemy",
    "SnowflakeTargetConfigs": "prefect_snowflake",
}
"""The package that an extra brings, by the name that cannot be had without it."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    # `prefect block register -m prefect_dbt` looks here, and stops at a name whose extra is not installed.
    missing = {name for name, package in _NEEDS.items() if find_spec(package) is None}
    return sorted({*globals(), *_LAZY} - missing)
