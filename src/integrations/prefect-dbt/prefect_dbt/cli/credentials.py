"""A profile of dbt as a block: a target, its name, and how dbt behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from prefect.blocks.core import Block, schema_extra
from pydantic import ConfigDict, Field, HttpUrl

from prefect_integration_kit.blocks import QuickKey

from ._target_union import SPECIAL, TargetUnion, installed, slug_of
from .configs.base import LOGO_URL, GlobalConfigs, TargetConfigs, plain

if TYPE_CHECKING:
    from .configs.bigquery import BigQueryTargetConfigs
    from .configs.postgres import PostgresTargetConfigs
    from .configs.snowflake import SnowflakeTargetConfigs

    _AnyTarget = SnowflakeTargetConfigs | BigQueryTargetConfigs | PostgresTargetConfigs | TargetConfigs
else:
    _AnyTarget = Annotated[Any, TargetUnion()]

__all__ = [
    "BigQueryTargetConfigs",
    "DbtCliProfile",
    "GlobalConfigs",
    "PostgresTargetConfigs",
    "SnowflakeTargetConfigs",
    "TargetConfigs",
    "target_configs_discriminator",
]


def __getattr__(name: str) -> Any:
    for special in SPECIAL.values():
        if special.class_name == name:
            return special.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def target_configs_discriminator(v: Any) -> str:
    """Tell which block a target is.

    Args:
        v: A target as a block, or what one is made of, as a mapping.

    Returns:
        The slug of the block's type, such as `dbt-cli-snowflake-target-configs`; that of the generic `TargetConfigs`
        when nothing speaks for another.
    """
    return slug_of(v)


def _with_secrets_of_targets(schema: dict[str, Any], model: type[Block]) -> None:
    """Tell Prefect's server which fields of the target to hide, whichever target it is."""
    schema_extra(schema, model)
    secrets: list[str] = schema["secret_fields"]
    for cls in (*(cls for _, cls in installed()), TargetConfigs):
        secrets += [f"target_configs.{name}" for name in cls.model_json_schema()["secret_fields"]]
    schema["secret_fields"] = list(dict.fromkeys(secrets))


class DbtCliProfile(QuickKey, Block):
    """A profile for dbt: what a project finds under its name in `profiles.yml`.

    Example:
        Load a stored profile:

        ```python
        from prefect_dbt.cli import DbtCliProfile

        dbt_cli_profile = DbtCliProfile.load("BLOCK_NAME").get_profile()
        ```

        Make one for Redshift of the generic target:

        ```python
        from prefect_dbt.cli import DbtCliProfile
        from prefect_dbt.cli.configs import TargetConfigs

        target_configs = TargetConfigs(
            type="redshift",
            schema="schema",
            threads=4,
            extras={
                "host": "hostname.region.redshift.amazonaws.com",
                "user": "username",
                "password": "password1",
                "port": 5439,
                "dbname": "analytics",
            },
        )
        profile = DbtCliProfile(name="jaffle_shop", target="dev", target_configs=target_configs).get_profile()
        ```
    """

    model_config = ConfigDict(json_schema_extra=_with_secrets_of_targets)  # pyright: ignore[reportArgumentType]

    _block_type_name = "dbt CLI Profile"
    _logo_url = HttpUrl(LOGO_URL)
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-dbt")

    name: str = Field(default=..., description="Name of the profile; dbt_project.yml says it, too.")
    target: str = Field(default=..., description="Name of the target, which is the profile's default.")
    target_configs: _AnyTarget = Field(
        default=..., description="What to connect to, as whom, and where to build: the target for your database."
    )
    global_configs: GlobalConfigs | None = Field(
        default=None, description="How dbt behaves: what it prints, how it parses a project, when it stops."
    )

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        # Prefect's own makes the schema, which takes the blocks of all databases.
        return [(name, getattr(self, name)) for name in type(self).model_fields]

    def get_profile(self) -> dict[str, Any]:
        """Get the profile as it stands in `profiles.yml`.

        Returns:
            Plain values, secrets among them: the target under the profile's name, and `config` where the profile has
            global configurations.

        Raises:
            ValueError: If the target or the global configurations give a key twice.

        Example:
            ```python
            from prefect_dbt.cli import DbtCliProfile
            from prefect_dbt.cli.configs import TargetConfigs

            target_configs = TargetConfigs(type="duckdb", schema="main", extras={"path": "shop.duckdb"})
            profile = DbtCliProfile(name="shop", target="dev", target_configs=target_configs).get_profile()
            assert profile["shop"]["outputs"]["dev"]["path"] == "shop.duckdb"
            ```
        """
        outputs = {self.target: self.target_configs.get_configs()}
        profile: dict[str, Any] = {self.name: {"target": self.target, "outputs": outputs}}
        if self.global_configs is not None and (config := self.global_configs.get_configs()):
            profile = {"config": config, **profile}
        return plain(profile)
