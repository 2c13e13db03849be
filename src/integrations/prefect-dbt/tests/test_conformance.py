"""The conformance suites: the package, its blocks and credentials. dbt Cloud's own are in test_conformance_cloud.py."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from prefect.blocks.core import Block  # noqa: TC002 - pytest reads annotations

import prefect_dbt
from prefect_dbt.cloud.credentials import DbtCloudCredentials
from prefect_dbt.cloud.jobs import DbtCloudJob
from prefect_integration_tests.imports import modules_loaded_by
from prefect_integration_tests.suites import BlockSuite, InterfaceSuite, PackageSuite

# What no flow that only names this package must pay for: dbt and what it brings, the blocks of the extras.
_HEAVY = frozenset(
    {"agate", "dbt", "dbt_common", "dbt_extractor", "jinja2_time", "metricflow", "prefect_gcp", "prefect_snowflake"}
    | {"prefect_sqlalchemy", "sgqlc", "snowplow_tracker", "sqlparse", "dbt_semantic_interfaces", "dbt_adapters"}
)


class TestPackage(PackageSuite):
    package = "prefect_dbt"
    may_import = frozenset({"prefect_gcp", "prefect_shell", "prefect_snowflake", "prefect_sqlalchemy"})
    # The blocks for profiles stand on prefect-shell and on the blocks of three other packages, so that they are
    # known to Prefect once they are asked for: `prefect_dbt.DbtCliProfile`, or `prefect block register`.
    lazy_modules = frozenset({"prefect_dbt.cli"})
    one_face = frozenset(
        {
            # Published with one face, which callers await, or call as it stands in async flows, too.
            "prefect_dbt.cloud.clients.DbtCloudAdministrativeClient",
            "prefect_dbt.cloud.clients.DbtCloudMetadataClient.query",
            "prefect_dbt.cloud.jobs.retry_dbt_cloud_job_run_subset_and_wait_for_completion",
            "prefect_dbt.cloud.jobs.run_dbt_cloud_job",
            "prefect_dbt.cloud.jobs.trigger_dbt_cloud_job_run_and_wait_for_completion",
            "prefect_dbt.cloud.runs.wait_for_dbt_cloud_job_run",
            "prefect_dbt.core.runner.PrefectDbtRunner.invoke",
        }
    )


class TestInterface(InterfaceSuite):
    package = "prefect_dbt"


# The blocks that are lazy are registered before the suite looks for them.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)
    importlib.import_module("prefect_dbt.cli.configs.bigquery")
    importlib.import_module("prefect_dbt.cli.configs.postgres")
    importlib.import_module("prefect_dbt.cli.configs.snowflake")
    importlib.import_module("prefect_dbt.cli.commands")


class TestBlocks(BlockSuite):
    package = "prefect_dbt"
    holding_connectors = frozenset({"PostgresTargetConfigs"})
    plain_entries = frozenset({"type", "project_id", "client_email", "token_uri"})  # of a service account

    def make(self, cls: type[Block], canary: str) -> Block:
        return _makers(canary)[cls.__name__]()


def _makers(canary: str) -> dict[str, Callable[[], Block]]:
    from prefect_gcp import GcpCredentials
    from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
    from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

    cloud = DbtCloudCredentials(api_key=canary, account_id=7)  # pyright: ignore[reportArgumentType]

    def target() -> Any:
        return prefect_dbt.TargetConfigs(type="duckdb", schema="main", threads=2, extras={"path": "shop.duckdb"})

    def snowflake() -> SnowflakeConnector:
        credentials = SnowflakeCredentials(account="a", user="u", password=canary)
        return SnowflakeConnector(database="d", warehouse="w", schema="s", credentials=credentials)

    def postgres() -> SqlAlchemyConnector:
        parts: dict[str, Any] = {"username": "u", "password": canary, "host": "127.0.0.1", "port": 5432}
        driver = SyncDriver.POSTGRESQL_PSYCOPG2
        return SqlAlchemyConnector(connection_info=ConnectionComponents(driver=driver, database="d", **parts))

    def bigquery() -> GcpCredentials:
        return GcpCredentials(
            service_account_info={
                "type": "service_account",
                "project_id": "p",
                "client_email": "worker@p.iam.gserviceaccount.com",
                "private_key": canary,
                "token_uri": "http://127.0.0.1:9/token",
            }
        )

    return {
        "BigQueryTargetConfigs": lambda: prefect_dbt.BigQueryTargetConfigs(
            schema="s", project="p", credentials=bigquery()
        ),
        "DbtCliProfile": lambda: prefect_dbt.DbtCliProfile(name="shop", target="dev", target_configs=target()),
        "DbtCloudCredentials": lambda: cloud,
        "DbtCloudJob": lambda: DbtCloudJob(dbt_cloud_credentials=cloud, job_id=3),
        "DbtCoreOperation": lambda: prefect_dbt.DbtCoreOperation(commands=["dbt build"]),
        "GlobalConfigs": lambda: prefect_dbt.GlobalConfigs(use_colors=False),
        "PostgresTargetConfigs": lambda: prefect_dbt.PostgresTargetConfigs(schema="s", credentials=postgres()),
        "SnowflakeTargetConfigs": lambda: prefect_dbt.SnowflakeTargetConfigs(connector=snowflake()),
        "TargetConfigs": target,
    }


@pytest.mark.parametrize("module", ["prefect_dbt", "prefect_dbt.cloud", "prefect_dbt.errors"])
def test_no_dbt_is_loaded_until_it_is_used(module: str) -> None:
    _, new = modules_loaded_by(f"import {module}")
    assert not {name.partition(".")[0] for name in new} & _HEAVY
