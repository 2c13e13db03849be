"""What operators set for dbt by `DBT_*` environment variables, and where its profiles are."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from prefect.settings import get_current_settings
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .._profiles import exported, read_profiles, resolved_profiles
from ..errors import DbtProfileError, DbtProjectError
from ..utilities import find_profiles_dir, replace_with_env_var_call

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventLevel as _EventLevel

__all__ = ["PrefectDbtSettings", "find_profiles_dir", "replace_with_env_var_call"]

_EVENTS = "dbt_common.events.base_types"
_LEVELS = ("debug", "test", "info", "warn", "error")
# dbt's `--log-level none` has no member of its own.
_NO_LEVEL = "none"


def __getattr__(name: str) -> Any:
    if name != "EventLevel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dbt_common.events.base_types import EventLevel

    return EventLevel


class _Level(str):
    """A level of dbt where dbt itself is not loaded: equal to the member of `EventLevel` and with its attributes.

    Loading dbt's events takes longer than all of this package, and who compares with `EventLevel` has them loaded.
    """

    __slots__ = ()

    @property
    def value(self) -> str:
        """The level as dbt's command line takes it."""
        return str(self)

    @property
    def name(self) -> str:
        """The level as `EventLevel` calls it."""
        return self.upper()


def event_level(value: Any) -> Any:
    """Make a level of dbt's of its name, of a member of `EventLevel`, or of a level of Python's logging.

    Args:
        value: Such as `"info"`, `"WARNING"`, `EventLevel.ERROR`, `10`.

    Returns:
        A member of `EventLevel` if dbt's events are loaded, else a text that equals it.

    Raises:
        ValueError: If dbt has no such level.
    """
    if isinstance(value, int):
        return event_level(_from_logging(value))
    name = str(getattr(value, "value", value)).strip().lower()
    name = {"warning": "warn", "critical": "error", "fatal": "error"}.get(name, name)
    if name not in (*_LEVELS, _NO_LEVEL):
        raise ValueError(f"{value!r} is not a log level of dbt. Levels are {', '.join(_LEVELS)}, {_NO_LEVEL}.")
    events = sys.modules.get(_EVENTS)
    return _Level(name) if events is None or name == _NO_LEVEL else events.EventLevel(name)


def _from_logging(level: int) -> str:
    """The most verbose level of dbt that a level of Python's logging lets through."""
    for limit, name in ((logging.DEBUG, "debug"), (logging.INFO, "info"), (logging.WARNING, "warn")):
        if level <= limit:
            return name
    return "error"


def _prefects_level() -> Any:
    return event_level(get_current_settings().logging.level)


if not TYPE_CHECKING:
    _EventLevel = Annotated[
        Any,
        BeforeValidator(event_level),
        PlainSerializer(lambda level: level.value, return_type=str),
        WithJsonSchema({"title": "EventLevel", "enum": list(_LEVELS), "type": "string"}),
    ]


class PrefectDbtSettings(BaseSettings):
    """Settings of dbt that change what `PrefectDbtRunner` does: `DBT_PROFILES_DIR`, `DBT_PROJECT_DIR` and so on.

    What is not given here comes from the environment, else from dbt's own defaults. All other settings of dbt are used
    as ever: in `dbt_project.yml`, by environment variables, or as arguments of `invoke()`.

    Example:
        ```python
        from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

        settings = PrefectDbtSettings(project_dir="shop", profiles_dir="shop/profiles")
        PrefectDbtRunner(settings=settings).invoke(["build"])
        ```
    """

    model_config = SettingsConfigDict(env_prefix="DBT_", extra="forbid", arbitrary_types_allowed=True)

    profiles_dir: Path = Field(
        default_factory=find_profiles_dir,
        description="Folder of profiles.yml; when not set the working directory if it has one, else ~/.dbt.",
    )
    project_dir: Path = Field(
        default_factory=Path.cwd,
        description="Folder of dbt_project.yml; the working directory when not set.",
    )
    log_level: _EventLevel = Field(
        default_factory=_prefects_level,
        description="Least severe level that dbt logs; when not set that of PREFECT_LOGGING_LEVEL.",
    )
    target_path: Path = Field(
        default=Path("target"),
        description="Folder that dbt writes its artifacts to, relative to the project.",
    )

    @field_validator("profiles_dir", "project_dir", "target_path")
    @classmethod
    def _expand_home(cls, value: Path) -> Path:
        return value.expanduser()

    def validate_for_orchestrator(self) -> None:
        """Check that the folders exist and hold what dbt looks for.

        Raises:
            ValueError: If `profiles_dir` or `project_dir` is not a folder, or `profiles.yml` or `dbt_project.yml` is
                not in it.
        """
        for name, folder, file, error in (
            ("project_dir", self.project_dir, "dbt_project.yml", DbtProjectError),
            ("profiles_dir", self.profiles_dir, "profiles.yml", DbtProfileError),
        ):
            if not folder.is_dir():
                what = "is not a folder" if folder.exists() else "does not exist"
                raise error(f"{name} {str(folder)!r} {what}. Set {name} or DBT_{name.upper()} to the folder of {file}.")
            if not (folder / file).is_file():
                raise error(
                    f"{name} {str(folder)!r} has no {file}. Set {name} or DBT_{name.upper()} to the folder that has it."
                )

    def load_profiles_yml(self) -> dict[str, Any]:
        """Read `profiles.yml` as it is; references to blocks and variables are not filled in.

        Returns:
            Its content: the names of profiles, each with its `target` and `outputs`.

        Raises:
            ValueError: If there is no `profiles.yml`, or if it is not valid YAML: then file and line are named.
        """
        return read_profiles(self.profiles_dir)

    @contextlib.contextmanager
    def resolve_profiles_yml(self) -> Generator[str, None, None]:
        """Lend a folder with a `profiles.yml` in which references to Prefect's blocks and variables are filled in.

        Values of blocks are not written to that file: it has calls of dbt's `env_var()`, and the variables are in the
        environment of this process as long as the folder is lent. Only this user can read the folder.

        Yields:
            The name of the folder, for `--profiles-dir`. It is removed in the end.

        Raises:
            ValueError: If there is no `profiles.yml`, if it is not valid YAML, or if a block or variable that the
                target in use refers to does not exist.

        Example:
            ```python
            from prefect_dbt import PrefectDbtSettings

            with PrefectDbtSettings(profiles_dir="shop").resolve_profiles_yml() as folder:
                ...  # dbt run --profiles-dir folder
            ```
        """
        with (
            resolved_profiles(self.profiles_dir, project_dir=self.project_dir, copy=True) as profiles,
            exported(profiles.env),
        ):
            yield str(profiles)
