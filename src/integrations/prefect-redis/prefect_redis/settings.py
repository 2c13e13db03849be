"""What operators tune for all blocks and lock managers."""

from __future__ import annotations

import os
from typing import Any, TypeVar, cast

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field


class RedisSettings(PrefectBaseSettings):
    """Settings of blocks, tasks and locks: `PREFECT_INTEGRATIONS_REDIS_*`."""

    model_config = build_settings_config(("integrations", "redis"))

    retry_seconds: float = Field(
        default=15.0,
        ge=0,
        description="Seconds for which a command is tried again while the server cannot be reached or fails over.",
    )
    connect_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Seconds that connecting may take before it counts as failed."
    )
    answer_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description=(
            "Seconds after which a command that does not wait for anything counts as failed when no answer comes. "
            "A block's own `socket_timeout` goes before it."
        ),
    )
    lock_lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description=(
            "Seconds after which a lock without `hold_timeout` is free again when its holder has died. "
            "While the holder lives, the lock is renewed."
        ),
    )


S = TypeVar("S", bound=PrefectBaseSettings)

_read: dict[type[Any], tuple[tuple[tuple[str, str], ...], Any]] = {}


def current(cls: type[S]) -> S:
    """Read settings, anew only when a variable of the environment has changed: reading takes about a millisecond.

    Args:
        cls: The class of the settings.
    """
    variables = tuple(item for item in os.environ.items() if item[0].startswith("PREFECT_"))
    known = _read.get(cls)
    if known is None or known[0] != variables:
        known = _read[cls] = (variables, cls())
    return cast("S", known[1])
