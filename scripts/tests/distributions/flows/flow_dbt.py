"""Make a profile of a block, and ask dbt for its version."""

from __future__ import annotations

from typing import Any

from prefect import flow

from prefect_dbt import DbtCliProfile, TargetConfigs
from prefect_dbt.cli.commands import DbtCoreOperation


@flow
def describe() -> list[Any]:
    """Make the profile, and run dbt."""
    target = TargetConfigs(type="duckdb", schema="main", extras={"path": "shop.duckdb"})
    profile = DbtCliProfile(name="shop", target="dev", target_configs=target).get_profile()
    lines = DbtCoreOperation(commands=["dbt --version"]).run()
    return [profile["shop"]["outputs"]["dev"]["path"], any("Core" in line for line in lines)]


print(describe())
