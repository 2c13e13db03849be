"""What an orchestrator is told: the values that cannot be are refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect_integration_kit.sql import whole_number

from ._cache import CacheOptions
from ._executor import DbtExecutor

if TYPE_CHECKING:
    from ._stores import Storage
    from .state import DbtState

__all__ = [
    "COMMAND",
    "BuildOptions",
    "artifact_key",
    "at_least",
    "build_options",
    "cache_of",
    "check_executor",
    "concurrency_of",
    "delays_of",
    "limit_of",
    "member",
    "state_of",
    "texts",
]

COMMAND = "build"

E = TypeVar("E", bound=Enum)

_ARTIFACT_KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class BuildOptions:
    """What a caller says of one run; see `PrefectDbtOrchestrator.run_build`."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    selector: str | None = None
    full_refresh: bool = False
    only_fresh_sources: bool = False
    target: str | None = None
    extra_cli_args: tuple[str, ...] = ()

    def as_args(self) -> list[str]:
        """Say it as arguments of `dbt build`."""
        args = [COMMAND]
        for option, values in (("--select", self.select), ("--exclude", self.exclude)):
            if values:
                args += [option, *values]
        if self.selector is not None:
            args += ["--selector", self.selector]
        if self.full_refresh:
            args.append("--full-refresh")
        if self.target is not None:
            args += ["--target", self.target]
        return [*args, *self.extra_cli_args]


def build_options(
    select: str | Sequence[str] | None,
    exclude: str | Sequence[str] | None,
    selector: str | None,
    full_refresh: bool,
    only_fresh_sources: bool,
    target: str | None,
    extra_cli_args: Sequence[str] | None,
) -> BuildOptions:
    """Check what a caller says of one run."""
    if isinstance(extra_cli_args, str):
        raise TypeError(f"extra_cli_args is the text {extra_cli_args!r}; give a list of words.")
    words = texts("extra_cli_args", extra_cli_args or ())
    for word in words:
        own = _OWN_OPTIONS.get(word.partition("=")[0])
        if own is not None:
            raise ValueError(f"extra_cli_args has {word!r}; use the argument {own} instead.")
    if selector is not None and (select or exclude):
        raise ValueError("selector is the name of a selector in selectors.yml; it cannot go with select or exclude.")
    return BuildOptions(
        select=_selection("select", select),
        exclude=_selection("exclude", exclude),
        selector=selector,
        full_refresh=full_refresh,
        only_fresh_sources=only_fresh_sources,
        target=target,
        extra_cli_args=words,
    )


_OWN_OPTIONS: Mapping[str, str] = {
    "--select": "select",
    "-s": "select",
    "--models": "select",
    "-m": "select",
    "--exclude": "exclude",
    "--selector": "selector",
    "--full-refresh": "full_refresh",
    "-f": "full_refresh",
    "--target": "target",
    "-t": "target",
    "--threads": "concurrency",
    "--project-dir": "settings",
    "--profiles-dir": "settings",
    "--target-path": "settings",
    "--log-level": "settings",
    "--favor-state": "favor_state of the orchestrator",  # dbt would defer what another invocation of this run builds
}


def _selection(name: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    return texts(name, [value] if isinstance(value, str) else value or ())


def texts(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """Check a list of texts."""
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{name} is {values!r}; give a list of texts.")
    if any(not value.strip() for value in values):
        raise ValueError(f"{name} is {list(values)!r}, which has an empty text.")
    return tuple(values)


def member(kind: type[E], name: str, value: Any) -> E:
    """Check a member of an enumeration, or its value."""
    try:
        return kind(value)
    except ValueError as exc:
        known = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"{name} is {value!r}; it must be one of {known}.") from exc


def at_least(name: str, value: Any, least: int) -> int:
    """Check a whole number."""
    number = whole_number(value)
    if number is None or number < least:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
    return number


def concurrency_of(value: Any) -> int | str | None:
    """Check how many nodes run at once, or the name of a limit."""
    if value is None:
        return None
    if isinstance(value, str):
        if not value.strip():
            raise ValueError("concurrency is an empty text; give a number, or the name of a global concurrency limit.")
        return value
    return at_least("concurrency", value, 1)


def cache_of(value: Any) -> CacheOptions | None:
    """Check options of the cache; `None` for no cache."""
    if isinstance(value, bool) or value is None:
        return CacheOptions() if value else None
    if not isinstance(value, CacheOptions):
        raise TypeError(f"cache is {value!r}; give True, False or CacheOptions.")
    return value


def delays_of(value: Any) -> float | list[float]:
    """Check the seconds before each retry."""
    is_list = isinstance(value, list)
    delays = [_seconds(delay) for delay in (cast("list[Any]", value) if is_list else [value])]
    known = [delay for delay in delays if delay is not None and delay >= 0]
    if len(known) < len(delays):
        raise ValueError(f"retry_delay_seconds is {value!r}; it must be seconds, or a list of them.")
    return known if is_list else known[0]


def limit_of(value: Any) -> float | None:
    """Check how long an attempt may take."""
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is None or seconds <= 0:
        raise ValueError(f"timeout_seconds is {value!r}; it must be more than 0, or None.")
    return seconds


def _seconds(value: Any) -> float | None:
    return value if isinstance(value, float) else whole_number(value)


def artifact_key(name: str, value: Any) -> str:
    """Check the key of an artifact."""
    if not isinstance(value, str) or not _ARTIFACT_KEY.fullmatch(value):
        raise ValueError(f"{name} is {value!r}; use lower-case letters, digits and single dashes.")
    return value


def check_executor(value: Any) -> DbtExecutor | None:
    """Check that an executor is one."""
    if value is not None and not isinstance(value, DbtExecutor):
        raise TypeError(
            f"executor is {value!r}, which lacks methods of an executor: execute_node, execute_wave, "
            "resolve_manifest_path. Use DbtCoreExecutor or DbtCloudExecutor."
        )
    return value


def state_of(state: DbtState | Storage | None, *, defer: bool, favor_state: bool) -> DbtState | None:
    """Check what is compared with, and deferred to."""
    if state is None:
        if defer or favor_state:
            raise ValueError("defer and favor_state need the artifacts of an earlier run: give state with them.")
        return None
    from .state import DbtState

    return DbtState.of(state, defer=defer, favor_state=favor_state)
