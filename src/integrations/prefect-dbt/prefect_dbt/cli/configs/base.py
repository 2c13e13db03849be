"""What a target of `profiles.yml` and dbt's global configuration hold, as blocks."""

from __future__ import annotations

import os
from abc import ABC
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect.blocks.core import Block
from pydantic import BaseModel, Field, HttpUrl, SecretBytes, SecretStr, model_validator
from pydantic import Secret as PydanticSecret

from prefect_integration_kit.blocks import QuickKey

from ..._secret_keys import masked
from ...core.settings import PrefectDbtSettings
from ...errors import DbtProfileError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "BaseTargetConfigs",
    "DbtConfigs",
    "GlobalConfigs",
    "MissingExtrasRequireError",
    "PrefectDbtSettings",
    "TargetConfigs",
]

LOGO_URL = (
    "https://images.ctfassets.net/gm98wzqotmnx/5zE9lxfzBHjw3tnEup4wWL/9a001902ed43a84c6c96d23b24622e19/dbt-bit_tm.png"
    "?h=250"
)
DOCUMENTATION_URL = "https://docs.prefect.io/integrations/prefect-dbt"

_NOT_CONFIGS = {"extras", "allow_field_overrides", "block_type_slug"}


class DbtConfigs(QuickKey, Block, ABC):
    """What all configurations of dbt have in common."""

    _documentation_url = HttpUrl(DOCUMENTATION_URL)

    extras: dict[str, Any] | None = Field(
        default=None,
        description="Further keys that dbt knows and this block has no field for; a key that both give is refused.",
    )
    allow_field_overrides: bool = Field(
        default=False,
        description="Whether fields of this block override equal keys of extras and credentials, instead of an error.",
    )

    def get_configs(self) -> dict[str, Any]:
        """Get the configuration as it stands in `profiles.yml`.

        Returns:
            Keys and plain values, secrets among them. Fields that are not set are left out.

        Raises:
            ValueError: If `extras` gives a key that a field gives, and `allow_field_overrides` is not set.
        """
        return self._merged([("extras", self.extras or {})])

    def _merged(self, others: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
        """Add what other sources give to the fields of this block, the first source first."""
        configs = {key: plain(value) for key, value in self._own() if value is not None}
        origins = dict.fromkeys(configs, type(self).__name__)
        for source, given in others:
            for key, value in given.items():
                if value is None:
                    continue
                if key not in configs:
                    configs[key], origins[key] = plain(value), source
                elif not self.allow_field_overrides:
                    raise ValueError(
                        f"{key!r} is given by {source} and by {origins[key]}. Remove one of them, or set "
                        f"allow_field_overrides so that the one of {origins[key]} counts."
                    )
        return configs

    def _own(self) -> Iterable[tuple[str, Any]]:
        """Names and values of this block's own fields and of what else it was given, as dbt calls them."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name not in _NOT_CONFIGS and not isinstance(value, Block):
                yield field.alias or name, value
        for name, value in (self.model_extra or {}).items():
            if name not in _NOT_CONFIGS and not name.startswith("_"):
                yield name, value

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        fields = type(self).model_fields
        shown = [(key, value) for key, value in BaseModel.__repr_args__(self) if key in fields]
        return [(key, masked(value) if key == "extras" and value else value) for key, value in shown]


def plain(value: Any) -> Any:
    """Make a value that YAML can say: secrets uncovered, paths and bytes as text."""
    if isinstance(value, SecretStr | SecretBytes | PydanticSecret):
        return plain(cast("PydanticSecret[Any]", value).get_secret_value())
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if isinstance(value, BaseModel):
        return plain(value.model_dump(by_alias=True, exclude_none=True))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in cast("Iterable[Any]", value)]
    return value


class BaseTargetConfigs(DbtConfigs, ABC):
    """What the targets of all databases have in common."""

    type: str = Field(default=..., description="The type of the adapter, such as postgres, redshift or duckdb.")
    schema_: str = Field(
        default=...,
        alias="schema",
        description="The schema that dbt builds into; in BigQuery, a data set.",
    )
    threads: int = Field(
        default=4,
        description="The number of threads: how many nodes of the project dbt may work on at once.",
    )

    @model_validator(mode="before")
    @classmethod
    def handle_target_configs(cls, v: Any) -> Any:
        """Accept `schema_`, the name in Python, for `schema`.

        Args:
            v: What the block is made of.
        """
        if not isinstance(v, Mapping):
            return v
        given: dict[str, Any] = dict(cast("Mapping[str, Any]", v))
        if "schema_" in given:
            given.setdefault("schema", given.pop("schema_"))
        return given


class TargetConfigs(BaseTargetConfigs):
    """A target of `profiles.yml`, for any database: what to connect to, as whom, and where to build.

    The keys that an adapter knows are on its page among
    [dbt's data platforms](https://docs.getdbt.com/docs/supported-data-platforms); those without a field go to `extras`.

    Example:
        Load a stored target:

        ```python
        from prefect_dbt.cli.configs import TargetConfigs

        target_configs = TargetConfigs.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "dbt CLI Target Configs"
    _logo_url = HttpUrl(LOGO_URL)

    @classmethod
    def from_profiles_yml(
        cls: type[Self],
        profile_name: str | None = None,
        target_name: str | None = None,
        profiles_dir: str | None = None,
        allow_field_overrides: bool = False,
    ) -> TargetConfigs:
        """Make a target of one in a `profiles.yml`.

        Args:
            profile_name: Name of the profile; the first of the file when not given.
            target_name: Name of the target; the profile's default when not given.
            profiles_dir: Folder of `profiles.yml`; when not given that of `DBT_PROFILES_DIR`, else the working
                directory if it has the file, else `~/.dbt`.
            allow_field_overrides: Whether fields of the block override equal keys of `extras`.

        Returns:
            The target; keys without a field are in `extras`. Templates for dbt and references to Prefect's blocks and
            variables stay as they are: they are filled in when dbt runs.

        Raises:
            ValueError: If there is no `profiles.yml`, if it is not valid YAML, or if it has no such profile or target;
                then those that it has are named.
        """
        settings = PrefectDbtSettings() if profiles_dir is None else PrefectDbtSettings(profiles_dir=Path(profiles_dir))
        path = settings.profiles_dir / "profiles.yml"
        target = dict(_find_target(path, settings.load_profiles_yml(), profile_name, target_name))
        schema = target.pop("schema", None) or target.pop("dataset", None)
        fields: dict[str, Any] = {
            "type": target.pop("type", None),
            "schema": _DEFAULT_SCHEMAS.get(str(target.get("type"))) if schema is None else schema,
        }
        fields["schema"] = fields["schema"] or _DEFAULT_SCHEMAS.get(str(fields["type"]))
        if missing := [name for name, value in fields.items() if value is None]:
            raise DbtProfileError(f"{path}: the target has no {' and no '.join(missing)}. Add it.")
        if "threads" in target:
            fields["threads"] = target.pop("threads")
        return cls(**fields, extras=target or None, allow_field_overrides=allow_field_overrides)


# Adapters that do not ask for a schema.
_DEFAULT_SCHEMAS = {"duckdb": "main"}


def _find_target(
    path: Path, profiles: dict[str, Any], profile_name: str | None, target_name: str | None
) -> dict[str, Any]:
    names = [name for name, content in profiles.items() if isinstance(content, dict) and "outputs" in content]
    if not names:
        raise DbtProfileError(
            f"{path} has no profile with outputs. See https://docs.getdbt.com/docs/core/connection-profiles"
        )
    name = profile_name or names[0]
    if name not in names:
        raise DbtProfileError(f"Profile {name!r} was not found in {path}. It has: {', '.join(names)}.")
    outputs: dict[str, Any] = profiles[name]["outputs"] or {}
    target = target_name or profiles[name].get("target", "default")  # dbt's default
    if target not in outputs:
        said = "" if target_name or "target" in profiles[name] else " (the profile names no target)"
        raise DbtProfileError(
            f"Target {target!r}{said} was not found in profile {name!r} of {path}. "
            f"It has: {', '.join(map(str, outputs)) or 'none'}. Give target_name."
        )
    if not isinstance(outputs[target], dict):
        raise DbtProfileError(f"{path}: target {target!r} of profile {name!r} is not a mapping of keys to values.")
    return outputs[target]


class GlobalConfigs(DbtConfigs):
    """How dbt behaves: what it prints, how it parses a project, what it does about failures and versions.

    What each key does is told in
    [dbt's documentation](https://docs.getdbt.com/reference/global-configs/about-global-configs).

    Example:
        Load stored global configurations:

        ```python
        from prefect_dbt.cli.configs import GlobalConfigs

        global_configs = GlobalConfigs.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "dbt CLI Global Configs"
    _logo_url = HttpUrl(LOGO_URL)

    send_anonymous_usage_stats: bool | None = Field(
        default=None, description="Whether statistics on the use of dbt are sent to its makers."
    )
    use_colors: bool | None = Field(default=None, description="Whether dbt colors what it prints.")
    partial_parse: bool | None = Field(
        default=None, description="Whether dbt parses only those files again that have changed since it last did."
    )
    printer_width: int | None = Field(default=None, description="Characters in a line before it is broken.")
    write_json: bool | None = Field(
        default=None, description="Whether dbt writes manifest.json and run_results.json to its target folder."
    )
    warn_error: bool | None = Field(default=None, description="Whether warnings of dbt are errors.")
    log_format: str | None = Field(
        default=None, description="The format of dbt's logs: text, debug, json or default; json is one object a line."
    )
    debug: bool | None = Field(default=None, description="Whether dbt prints its debug logs.")
    version_check: bool | None = Field(
        default=None, description="Whether a project that asks for another version of dbt is refused."
    )
    fail_fast: bool | None = Field(default=None, description="Whether dbt stops at the first node that fails.")
    use_experimental_parser: bool | None = Field(
        default=None, description="Whether dbt uses the newest version of its static parser."
    )
    static_parser: bool | None = Field(
        default=None,
        description="Whether dbt uses its [static parser](https://docs.getdbt.com/reference/parsing#static-parser).",
    )


class MissingExtrasRequireError(ImportError):
    """The package for a database is not installed; the message says how to install it."""

    def __init__(self, service: str, *args: Any, **kwargs: Any) -> None:
        """Name the extra.

        Args:
            service: The database, such as `Snowflake`; in lower case it is the name of the extra.
            *args: Passed to `ImportError`.
            **kwargs: Passed to `ImportError`.
        """
        message = (
            f"The {service} target configs need a package that is not installed. "
            f'Install it: pip install "prefect-dbt[{service.lower()}]"'
        )
        super().__init__(message, *args, **kwargs)
        self.service = service

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.service,)
