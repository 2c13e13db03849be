"""Environment variables, old names too, change what operators may tune, and a bad value is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from prefect_kubernetes.settings import KubernetesSettings

PREFIX = "PREFECT_INTEGRATIONS_KUBERNETES_"


def read(path: str) -> Any:
    found: Any = KubernetesSettings()
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize(
    ("variable", "path", "default", "text", "value"),
    [
        ("CLUSTER_UID", "cluster_uid", None, "c-1", "c-1"),
        ("CLIENT_REQUEST_TIMEOUT_SECONDS", "client.request_timeout_seconds", 60.0, "5", 5.0),
        ("OBSERVER_ENABLED", "observer.enabled", True, "false", False),
        ("OBSERVER_NAMESPACES", "observer.namespaces", set(), "a, b", {"a", "b"}),
        ("OBSERVER_REPLICATE_POD_EVENTS", "observer.replicate_pod_events", True, "0", False),
        (
            "OBSERVER_ADDITIONAL_LABEL_FILTERS",
            "observer.additional_label_filters",
            {},
            "a=b, c=d",
            {"a": "b", "c": "d"},
        ),
        ("OBSERVER_ADDITIONAL_LABEL_FILTERS", "observer.additional_label_filters", {}, '{"a": "b"}', {"a": "b"}),
        ("OBSERVER_STARTUP_EVENT_CONCURRENCY", "observer.startup_event_concurrency", 5, "7", 7),
        ("OBSERVER_FORWARD_CRASHED_RUN_LOGS", "observer.forward_crashed_run_logs", True, "0", False),
        (
            "OBSERVER_FORWARD_CRASHED_RUN_LOGS_TAIL_LINES",
            "observer.forward_crashed_run_logs_tail_lines",
            500,
            "7",
            7,
        ),
        ("WORKER_API_KEY_SECRET_NAME", "worker.api_key_secret_name", None, "keys", "keys"),
        ("WORKER_API_AUTH_STRING_SECRET_NAME", "worker.api_auth_string_secret_name", None, "keys", "keys"),
        ("WORKER_CREATE_SECRET_FOR_API_KEY", "worker.create_secret_for_api_key", False, "true", True),
        ("WORKER_STORE_ENV_AS_SECRET", "worker.store_env_as_secret", False, "true", True),
        ("WORKER_PROTECT_SECRETS", "worker.protect_secrets", "when_allowed", "always", "always"),
        ("WORKER_ADD_TCP_KEEPALIVE", "worker.add_tcp_keepalive", True, "false", False),
        ("WORKER_CREATE_JOB_RETRY_MAX_RETRIES", "worker.create_job_retry.max_retries", 3, "9", 9),
        ("WORKER_CREATE_JOB_RETRY_DELAY_SECONDS", "worker.create_job_retry.delay_seconds", 1, "0", 0),
        ("WORKER_CREATE_JOB_RETRY_JITTER_MIN_SECONDS", "worker.create_job_retry.jitter_min_seconds", 0, "2", 2),
        ("WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS", "worker.create_job_retry.jitter_max_seconds", 3, "2", 2),
    ],
)
def test_a_variable_sets_its_field(
    variable: str, path: str, default: Any, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(path) == default
    monkeypatch.setenv(PREFIX + variable, text)
    assert read(path) == value


@pytest.mark.parametrize(
    ("variable", "path", "text", "value"),
    [
        ("PREFECT_KUBERNETES_CLUSTER_UID", "cluster_uid", "c-1", "c-1"),
        ("PREFECT_KUBERNETES_WORKER_STORE_PREFECT_API_IN_SECRET", "worker.create_secret_for_api_key", "1", True),
        ("PREFECT_KUBERNETES_WORKER_ADD_TCP_KEEPALIVE", "worker.add_tcp_keepalive", "0", False),
    ],
)
def test_an_old_name_sets_the_same_field(
    variable: str, path: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    assert read(path) == value


@pytest.mark.parametrize(
    ("variable", "text", "name"),
    [
        ("OBSERVER_ADDITIONAL_LABEL_FILTERS", "team", "additional_label_filters"),
        ("OBSERVER_ADDITIONAL_LABEL_FILTERS", "{not json", "additional_label_filters"),
        ("OBSERVER_FORWARD_CRASHED_RUN_LOGS_TAIL_LINES", "0", "forward_crashed_run_logs_tail_lines"),
        ("WORKER_CREATE_JOB_RETRY_MAX_RETRIES", "0", "max_retries"),
        ("WORKER_CREATE_JOB_RETRY_DELAY_SECONDS", "-1", "delay_seconds"),
        ("WORKER_PROTECT_SECRETS", "perhaps", "protect_secrets"),
        ("WORKER_STORE_ENV_AS_SECRET", "perhaps", "store_env_as_secret"),
        ("WORKER_API_KEY_SECRET_KEY", "key", "api_key_secret_name"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else None,
)
def test_a_bad_value_is_refused_by_name(variable: str, text: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + variable, text)
    with pytest.raises(ValidationError, match=name):
        KubernetesSettings()
