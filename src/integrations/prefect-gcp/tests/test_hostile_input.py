"""Durations, keys, names and filters from outside: legal, or refused by a `ValueError` that quotes no key."""

from __future__ import annotations

import json
import re

import pytest

from prefect_gcp import _labels
from prefect_gcp._pubsub_messages import full_name
from prefect_gcp._service_accounts import parse
from prefect_gcp._vertex.spec import _duration
from prefect_gcp._workers.cloud_run import job_name_in
from prefect_gcp._workers.container_logs import quoted
from prefect_gcp.errors import GcpInvalidRequest
from prefect_integration_tests import hostile


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", {"seconds": "x"}, {"nanos": "NaN"}], ids=str)
def test_a_duration_that_is_no_number_of_seconds_is_refused_by_name(value: object) -> None:
    with pytest.raises(ValueError, match=r"job_spec\.timeout is"):
        _duration(value, "job_spec.timeout")


@pytest.mark.parametrize("end", ["[" * 100_000, "1" * 5000, "x"], ids=["deep", "digits", "word"])
def test_a_key_that_is_no_json_is_refused_and_not_quoted(end: str) -> None:
    with pytest.raises(ValueError, match="service_account_info: ") as caught:
        parse(f'{{"private_key": "q7ZxSecret", "a": {end}', "service_account_info")
    assert caught.value.__cause__ is None
    assert "q7ZxSecret" not in str(caught.value)


@pytest.mark.parametrize("text", hostile.NO_NAMES, ids=ascii)
def test_nothing_hostile_is_a_job_or_a_topic(text: str) -> None:
    with pytest.raises(ValueError, match="does not name a Cloud Run job"):
        job_name_in(text)
    with pytest.raises(GcpInvalidRequest):
        full_name("topics", text, "project")


@pytest.mark.parametrize("text", hostile.ALL, ids=ascii)
def test_a_text_in_a_filter_is_one_value(text: str) -> None:
    assert json.loads(quoted(text)) == text
    assert "\n" not in quoted(text)


@pytest.mark.parametrize("text", hostile.ALL, ids=ascii)
def test_labels_and_names_are_legal_whatever_they_are_made_of(text: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,62}", _labels.job_name(text, text))
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) for key in _labels.sanitized({text: text}))
