"""A command reads a work pool as its worker would, and says in one sentence why it cannot."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.base import BaseJobConfiguration
from pydantic import Field

from prefect_integration_kit.findings import Finding, ok
from prefect_integration_kit.pool_checks import (
    CommandFailed,
    given_variables,
    guarded,
    read_configuration,
    template_errors,
)


class BoxConfiguration(BaseJobConfiguration):
    """What a box takes."""

    size: int = Field(description="Its size.")


KINDS: dict[str, Any] = {"box": lambda: BoxConfiguration}


def new_pool(kind: str = "box", **properties: Any) -> str:
    name = f"pool-{uuid.uuid4().hex[:8]}"
    template = {"job_configuration": {"size": "{{ size }}"}, "variables": {"properties": properties}}
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=template))
    return name


def test_the_template_is_filled_with_defaults_and_with_what_is_given(prefect_harness: None) -> None:
    pool = new_pool(size={"type": "integer", "default": 3})
    kind, configuration = read_configuration(pool, KINDS)
    assert (kind, configuration.size) == ("box", 3)
    assert read_configuration(pool, KINDS, values={"size": "4"}).configuration.size == 4


def test_what_cannot_be_read_is_one_sentence(prefect_harness: None) -> None:
    with pytest.raises(CommandFailed, match=r"There is no work pool 'nowhere'\. `prefect work-pool create --type box"):
        read_configuration("nowhere", KINDS)
    pool = new_pool("crate", size={"type": "integer"})
    with pytest.raises(CommandFailed, match="is of type 'crate', not 'box'"):
        read_configuration(pool, KINDS)
    with pytest.raises(CommandFailed, match="is of type 'crate'; 'bag' and 'box' can be checked"):
        read_configuration(pool, {**KINDS, "bag": KINDS["box"]})
    pool = new_pool(size={"type": "integer"})
    with pytest.raises(CommandFailed, match=r"is not valid: size: .*Give it"):
        read_configuration(pool, KINDS, advice="Give it.")
    with pytest.raises(CommandFailed, match="is not valid: size") as caught:
        read_configuration(pool, KINDS, values={"size": "c4n4ry"})
    assert "c4n4ry" not in str(caught.value)


def test_an_api_that_does_not_answer_is_named() -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(CommandFailed, match="The Prefect API does not answer"),
    ):
        read_configuration("any", KINDS)


def test_variables_have_a_name_and_a_value() -> None:
    assert given_variables(["a=1", " b =x=y"]) == {"a": "1", "b": "x=y"}
    with pytest.raises(CommandFailed, match="--variable 'a' has no value"):
        given_variables(["a"])
    with pytest.raises(CommandFailed, match="not valid: KeyError: 'x'"), template_errors("p"):
        raise KeyError("x")


class _Refused(Exception):
    """What looking raises."""


@pytest.mark.parametrize(
    ("error", "level"),
    [(_Refused("open"), "warning"), (_Refused("bad"), "failed"), (ValueError("bad"), "failed")],
    ids=["open", "failed", "value"],
)
def test_what_was_found_before_an_error_counts_and_the_error_is_a_finding(error: Exception, level: str) -> None:
    def look() -> Iterator[Finding]:
        yield ok("box", "It is there.")
        raise error

    found = list(guarded("box", look(), errors=_Refused, is_open=lambda exc: str(exc) == "open", describe=repr))
    assert [each.level.value for each in found] == ["ok", level]
    assert repr(error) in found[1].message


def test_other_errors_are_not_swallowed() -> None:
    def look() -> Iterator[Finding]:
        raise KeyError("bug")
        yield

    with pytest.raises(KeyError):
        list(guarded("box", look(), errors=_Refused, is_open=lambda _: True))
