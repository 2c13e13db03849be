"""The field of a profile that takes the target of any database.

Which class a target needs is known from its slug or type, so the blocks of other packages are imported only for a
target that stands on them: Snowflake's driver alone takes seconds.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, cast

from pydantic_core import core_schema

from prefect_integration_kit.extras import is_installed

from .configs.base import BaseTargetConfigs, MissingExtrasRequireError, TargetConfigs

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class Special(NamedTuple):
    """A block for the targets of one database."""

    service: str
    needs: str
    module: str
    class_name: str

    def load(self) -> type[BaseTargetConfigs]:
        """Import the class.

        Raises:
            MissingExtrasRequireError: If the extra is not installed.
        """
        if not is_installed(self.needs):
            raise MissingExtrasRequireError(self.service)
        module = importlib.import_module(f"prefect_dbt.cli.configs.{self.module}")
        return cast("type[BaseTargetConfigs]", getattr(module, self.class_name))


GENERIC_SLUG = "dbt-cli-target-configs"
SPECIAL = {
    "dbt-cli-snowflake-target-configs": Special(
        "Snowflake", "prefect_snowflake", "snowflake", "SnowflakeTargetConfigs"
    ),
    "dbt-cli-bigquery-target-configs": Special("BigQuery", "prefect_gcp", "bigquery", "BigQueryTargetConfigs"),
    "dbt-cli-postgres-target-configs": Special("Postgres", "prefect_sqlalchemy", "postgres", "PostgresTargetConfigs"),
}
# What only the blocks of a database have: the block that they are made of.
_MARKS = {
    ("snowflake", "connector"): "dbt-cli-snowflake-target-configs",
    ("bigquery", "credentials"): "dbt-cli-bigquery-target-configs",
    ("postgres", "credentials"): "dbt-cli-postgres-target-configs",
}


def slug_of(value: Any) -> str:
    """Tell which block a target is: by its slug, else by its type and whether it is made of another block.

    Args:
        value: A target as a block, or what one is made of, as a mapping.

    Returns:
        The slug of the block's type; that of the generic `TargetConfigs` when nothing speaks for another.
    """
    if isinstance(value, BaseTargetConfigs):
        return value.get_block_type_slug()
    if isinstance(value, Mapping):
        given = cast("Mapping[str, Any]", value)
        if slug := given.get("block_type_slug"):
            return str(slug)
        for (kind, part), slug in _MARKS.items():
            if part not in given or given.get("type", kind) != kind:
                continue
            if part != "credentials" or "type" in given or _is_mark_of(given[part], kind):
                return slug
    return GENERIC_SLUG


def _is_mark_of(part: Any, kind: str) -> bool:
    """Whether credentials without a type beside them are those of a database."""
    if isinstance(part, Mapping):
        keys = {str(key) for key in cast("Mapping[Any, Any]", part)}
    else:
        keys = set(dir(part))
    return ("connection_info" in keys) == (kind == "postgres")


class TargetUnion:
    """Validates a target with the class of its slug."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(_validate)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        from pydantic import TypeAdapter

        return handler(TypeAdapter[Any](union()).core_schema)


def union() -> Any:
    """The type that the field has: the classes of the databases whose extras are installed, and the generic one."""
    from pydantic import Tag

    classes = [*installed(), (GENERIC_SLUG, TargetConfigs)]
    return Union[tuple(Annotated[cls, Tag(slug)] for slug, cls in classes)]  # noqa: UP007


def installed() -> list[tuple[str, type[BaseTargetConfigs]]]:
    """Slugs and classes of the databases whose extras are installed."""
    return [(slug, special.load()) for slug, special in SPECIAL.items() if is_installed(special.needs)]


def _validate(value: Any) -> BaseTargetConfigs:
    slug = slug_of(value)
    if slug in SPECIAL:
        return SPECIAL[slug].load().model_validate(value)
    if slug != GENERIC_SLUG:
        raise ValueError(f"{slug!r} is no block for a target. Known are {', '.join([*SPECIAL, GENERIC_SLUG])}.")
    return TargetConfigs.model_validate(value)
