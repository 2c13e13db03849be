"""What tests of the local Google servers have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.google_api import GoogleApi

Json = dict[str, Any]
PROJECT = "test-project"
PLACE = f"projects/{PROJECT}/locations/us-central1"
JOB = f"{PLACE}/jobs/etl"
NAMESPACE = f"namespaces/{PROJECT}"


def at_once(api: GoogleApi) -> GoogleApi:
    """Let jobs be ready, and executions start, without delay."""
    api.run.settings.ready_delay_seconds = 0
    api.run.settings.start_delay_seconds = 0
    return api


def ended(api: GoogleApi, name: str) -> Json:
    """An execution, when it has ended."""

    def look() -> Json | None:
        execution = api.run.execution(name)
        return execution if "completionTime" in execution else None

    return poll(look, subject=name, interval_seconds=0.005, timeout_seconds=20)


def refused(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Status and message of a call that must be refused."""
    from googleapiclient.errors import HttpError

    with pytest.raises(HttpError) as caught:
        call()
    error = json.loads(caught.value.content)["error"]
    return error["code"], error["status"], error["message"]
