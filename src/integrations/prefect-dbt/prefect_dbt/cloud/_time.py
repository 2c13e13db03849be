"""The clock by which dbt Cloud is waited for."""

from __future__ import annotations

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

clock: Clock = SYSTEM_CLOCK
