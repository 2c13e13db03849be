"""Job variables that a work pool's template has no place for are named, once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.job_configuration import JobConfiguration, unused_variables

if TYPE_CHECKING:
    import pytest


class BoxConfiguration(JobConfiguration):
    """What a flow run asks of a box."""

    size: int = 1


class Described(JobConfiguration):
    """What a flow run asks of a box, in the box's own words."""

    manifest: dict[str, Any]


def test_a_variable_without_a_place_is_found_by_its_name() -> None:
    template = {"job_configuration": {"size": "{{ size }}", "labels": {"of": "{{ labels.owner }}"}}}
    given = {"size": 7, "labels": {}, "env.NAME": "x", "lid": True, "colour.rim": "red"}
    assert unused_variables(template, given) == ("colour", "lid")


async def test_a_variable_without_a_place_is_warned_of_once(
    prefect_harness: None, caplog: pytest.LogCaptureFixture
) -> None:
    properties = {name: {"type": "integer"} for name in ("size", "lids")}
    template = {"job_configuration": {"size": "{{ size }}"}, "variables": {"properties": properties}}
    with caplog.at_level(logging.WARNING, "prefect"):
        for _ in range(2):
            made = await BoxConfiguration.from_template_and_values(template, {"size": 7, "lids": 2})
    assert made.size == 7
    warnings = [message for message in caplog.messages if "job variables" in message]
    assert len(warnings) == 1
    assert "does not use the job variables lids, so they have no effect" in warnings[0]
    assert "{{ lids }}" in warnings[0]


def test_a_configuration_does_not_show_its_environment() -> None:
    environment = {"KEY": "c4n4ry"}
    shown = repr(
        Described(env=environment, manifest={"env": [{"name": "KEY", "value": "c4n4ry"}], "cpu": 2}, name="run")
    )
    assert "c4n4ry" not in shown
    assert all(text in shown for text in ("'KEY'", "'cpu': 2", "name='run'"))
