"""Read a work pool as its worker would, so that a command can say whether the pool's flow runs will start.

What is found is said by `prefect_integration_kit.findings`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .findings import Finding, failed, warning

if TYPE_CHECKING:
    from prefect.workers.base import BaseJobConfiguration

    Kinds = Mapping[str, Callable[[], type[BaseJobConfiguration]]]


class CommandFailed(Exception):
    """The command cannot do what it was asked; the message names what is wrong and the remedy."""


class PoolConfiguration(NamedTuple):
    """What the flow runs of a work pool ask for.

    Attributes:
        kind: Type of the pool.
        configuration: Its job template, filled in.
    """

    kind: str
    configuration: Any


def given_variables(texts: Sequence[str]) -> dict[str, Any]:
    """Read job variables as `name=value`.

    Args:
        texts: As they are given on the command line.

    Raises:
        CommandFailed: If one has no value.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise CommandFailed(f"--variable {name!r} has no value; give it as name=value.")
        values[name.strip()] = value
    return values


def read_configuration(
    work_pool: str, kinds: Kinds, *, values: Mapping[str, Any] | None = None, advice: str = ""
) -> PoolConfiguration:
    """Read a work pool, and fill its job template.

    Args:
        work_pool: Its name.
        kinds: Types of pools that can be read, and what gives the class of their configuration. The first one is
            what a pool that does not exist should be.
        values: Job variables, as a deployment would set them.
        advice: What to do about a template that is not valid.

    Raises:
        CommandFailed: If there is no such pool, it is of another type, its template is wrong, or the API does not
            answer.
    """
    return asyncio.run(_read(work_pool, kinds, dict(values or {}), advice))


async def _read(work_pool: str, kinds: Kinds, values: dict[str, Any], advice: str) -> PoolConfiguration:
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    try:
        async with get_client() as client:
            pool = await client.read_work_pool(work_pool)
            if pool.type not in kinds:
                raise CommandFailed(f"Work pool {work_pool!r} is of type {pool.type!r}{_wanted(sorted(kinds))}.")
            with template_errors(work_pool, advice):
                configuration: Any = await kinds[pool.type]().from_template_and_values(
                    base_job_template=pool.base_job_template, values=values, client=client
                )
            return PoolConfiguration(pool.type, configuration)
    except ObjectNotFound as exc:
        raise CommandFailed(
            f"There is no work pool {work_pool!r}. `prefect work-pool create --type {next(iter(kinds))} {work_pool}` "
            "makes one."
        ) from exc
    except (httpx.HTTPError, PrefectHTTPStatusError) as exc:
        raise CommandFailed(f"The Prefect API does not answer: {exc}. Check PREFECT_API_URL and the profile.") from exc


def _wanted(kinds: Sequence[str]) -> str:
    *others, last = (repr(kind) for kind in kinds)
    return f"; {', '.join(others)} and {last} can be checked" if others else f", not {last}"


@contextmanager
def template_errors(work_pool: str, advice: str = "") -> Generator[None, None, None]:
    """Say that a job template is not valid where it raises.

    Args:
        work_pool: Name of the pool.
        advice: What to do about it.

    Raises:
        CommandFailed: If it is not. Values, which may be secrets, are not in the message.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError) as exc:
        said = f"The job template of work pool {work_pool!r} is not valid: {_short(exc)}"
        raise CommandFailed(f"{said}. {advice}" if advice else said) from exc


def _short(error: Exception) -> str:
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'template'}: {each['msg']}"
            for each in error.errors(include_input=False)
        )
    return f"{type(error).__name__}: {error}"


def guarded(
    check: str,
    findings: Iterator[Finding],
    *,
    errors: type[Exception],
    is_open: Callable[[Exception], bool],
    describe: Callable[[Exception], str] = str,
) -> Iterator[Finding]:
    """Pass findings on. What may not be looked at is a warning: the worker may have other permissions.

    Args:
        check: What is looked at.
        findings: What is found.
        errors: Base of what looking raises.
        is_open: Says of such an error whether all may be well none the less: nobody could look.
        describe: Puts an error into words.
    """
    try:
        yield from findings
    except errors as exc:
        if is_open(exc):
            yield warning(check, f"Could not be checked: {describe(exc)}")
        else:
            yield failed(check, describe(exc))
    except ValueError as exc:
        yield failed(check, describe(exc))
