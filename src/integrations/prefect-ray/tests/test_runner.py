"""Options of the task runner, what it connects to, and what it says when that cannot work."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
import time
from typing import Any

import cloudpickle
import prefect.context
import pytest
from prefect import flow, task
from prefect.settings import (
    PREFECT_API_KEY,
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_LOGGING_LEVEL,
    temporary_settings,
)

from prefect_integration_kit.task_run_orders import for_worker
from prefect_integration_tests.backends.processes import free_port
from prefect_ray import RayTaskRunner, _worker
from prefect_ray._connection import check_address, with_settings
from prefect_ray.errors import RayClusterUnavailable, RayConfigurationError


@task
def one() -> int:
    return 1


def test_a_wrong_address_is_named_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_RAY_CONNECT_TIMEOUT_SECONDS", "1")
    for address in (f"ray://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"):
        began = time.monotonic()
        with pytest.raises(RayClusterUnavailable, match=address):
            check_address(address)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "address", ["http://my-ray:8265", "tcp://my-ray:1", "my-ray", "a:b:c"], ids=["http", "tcp", "no-port", "colons"]
)
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(RayConfigurationError, match="is not one of a Ray cluster"):
        check_address(address)


@pytest.mark.parametrize("address", ["auto", "ray://:10001", "anyscale://cluster"], ids=["auto", "no-host", "other"])
def test_addresses_that_ray_looks_up_are_left_to_it(address: str) -> None:
    check_address(address)


def test_a_flow_with_a_wrong_address_ends_before_it_begins() -> None:
    code = f"""
from prefect_ray import RayTaskRunner
from prefect_ray.errors import RayClusterUnavailable
import ray
try:
    RayTaskRunner(address="127.0.0.1:{free_port()}").__enter__()
except RayClusterUnavailable as exc:
    print(exc)
assert not ray.is_initialized()
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "No Ray cluster answers at '127.0.0.1:" in done.stdout


@pytest.mark.parametrize("options", ["num_cpu=2", "num_cpus=-1", "resources={'CPU': 1}"])
def test_options_that_ray_refuses_are_told_from_a_ray_that_does_not_start(options: str) -> None:
    code = f"""
from prefect_ray import RayTaskRunner
from prefect_ray.errors import RayConfigurationError
import ray
try:
    RayTaskRunner(init_kwargs=dict(include_dashboard=False, {options})).__enter__()
except RayConfigurationError as exc:
    print(exc)
assert not ray.is_initialized()
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "Ray refuses `init_kwargs`: " in done.stdout


def test_two_addresses_are_refused() -> None:
    with pytest.raises(RayConfigurationError, match="Give one of them"):
        RayTaskRunner(address="auto", init_kwargs={"address": "local"})


def test_another_address_than_the_connected_one_is_told(
    runner: RayTaskRunner[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), RayTaskRunner(address="ray://elsewhere:10001") as other:
        assert other.submit(one, {}).result() == 1
    assert "connected to Ray at" in caplog.text
    assert "rather than ray://elsewhere:10001" in caplog.text


def test_a_duplicate_has_the_same_options() -> None:
    runner: RayTaskRunner[Any] = RayTaskRunner(address="auto", init_kwargs={"num_cpus": 4})
    duplicate = runner.duplicate()
    assert duplicate == runner
    assert duplicate is not runner
    assert duplicate != RayTaskRunner()


def test_a_pickled_runner_knows_the_address() -> None:
    runner: RayTaskRunner[Any] = RayTaskRunner(address="auto", init_kwargs={"num_cpus": 4})
    assert pickle.loads(pickle.dumps(runner)).address == "auto"


class Subclass(RayTaskRunner[Any]):
    """Of a user, with an attribute of its own."""

    team = "none"


def test_a_flow_that_is_sent_elsewhere_keeps_the_options_of_its_runner() -> None:
    runner = Subclass(init_kwargs={"num_cpus": 4, "runtime_env": {"pip": ["pandas"]}})
    runner.team = "shop"

    @flow(task_runner=runner)
    def sent() -> None: ...

    # As bundles do, and flow runs in a process of their own.
    arrived: Any = cloudpickle.loads(cloudpickle.dumps(sent)).task_runner
    assert (type(arrived), arrived.team) == (Subclass, "shop")
    assert arrived == runner
    assert arrived is not runner
    assert copy.deepcopy(arrived) == runner


def test_what_starts_ray_does_not_travel_to_its_workers() -> None:
    with for_worker():
        sent = pickle.dumps(RayTaskRunner(address="auto", init_kwargs={"namespace": "canary"}))
    assert b"canary" not in sent
    assert pickle.loads(sent).address == "auto"


def test_a_replaced_ray_init_is_asked_for_what_was_given() -> None:
    code = """
from unittest.mock import MagicMock
import ray
ray.init, ray.shutdown = MagicMock(), MagicMock()
from prefect_ray import RayTaskRunner
with RayTaskRunner(address="ray://nowhere.invalid:10001", init_kwargs={"runtime_env": {"pip": ["pandas"]}}):
    pass
ray.init.assert_called_once_with("ray://nowhere.invalid:10001", runtime_env={"pip": ["pandas"]})
ray.shutdown.assert_called_once_with()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_go_with_the_runtime_environment_and_secrets_do_not() -> None:
    settings = {
        PREFECT_API_URL: "http://prefect.example/api",
        PREFECT_API_KEY: "pnu_secret",
        PREFECT_LOGGING_LEVEL: "DEBUG",
        PREFECT_HOME: "/here",
    }
    given = {"env_vars": {"PREFECT_LOGGING_LEVEL": "ERROR", "MINE": "1"}, "pip": ["x"]}
    with temporary_settings(settings):
        made = with_settings(given)
    assert made["env_vars"]["PREFECT_API_URL"] == "http://prefect.example/api"
    assert made["env_vars"]["PREFECT_LOGGING_LEVEL"] == "ERROR"
    assert made["env_vars"]["MINE"] == "1"
    assert made["pip"] == ["x"]
    assert "pnu_secret" not in str(made)
    assert "PREFECT_HOME" not in made["env_vars"]
    assert given["env_vars"] == {"PREFECT_LOGGING_LEVEL": "ERROR", "MINE": "1"}


def test_what_the_job_has_set_is_not_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray refuses a variable that both have, even with the same value."""
    from ray.runtime_env.runtime_env import _merge_runtime_env

    job = {"env_vars": {"PREFECT_API_URL": "http://prefect.example/api", "MINE": "1"}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps({"runtime_env": job}))
    with temporary_settings({PREFECT_API_URL: "http://prefect.example/api", PREFECT_LOGGING_LEVEL: "DEBUG"}):
        made: Any = _merge_runtime_env(job, with_settings({"pip": ["x"]}))  # pyright: ignore[reportArgumentType]
    assert made["env_vars"].items() >= {**job["env_vars"], "PREFECT_LOGGING_LEVEL": "DEBUG"}.items()
    assert made["pip"] == ["x"]


def test_settings_of_the_flow_hold_on_workers(runner: RayTaskRunner[Any]) -> None:
    @task
    def seen_there() -> tuple[str, str]:
        settings = prefect.context.get_settings_context().settings
        return str(settings.api.url), str(settings.tasks.default_retry_delay_seconds)

    from prefect.settings import PREFECT_TASK_DEFAULT_RETRY_DELAY_SECONDS

    @flow(task_runner=runner)
    def told() -> tuple[str, str]:
        return seen_there.submit().result()

    with temporary_settings({PREFECT_TASK_DEFAULT_RETRY_DELAY_SECONDS: 7}):
        assert told() == (str(PREFECT_API_URL.value()), "7")


def test_versions_of_workers_are_compared() -> None:
    ours = {"Python": "3.11", "prefect": "3.9.1", "prefect-ray": "0.7.0"}
    theirs = {"Python": "3.11", "prefect": "3.8.4"}
    assert _worker.differences(ours, ours) == []
    assert _worker.differences(ours, theirs) == [
        "prefect: 3.8.4 there, 3.9.1 here",
        "prefect-ray: none there, 0.7.0 here",
    ]


def test_other_versions_of_workers_are_told(runner: RayTaskRunner[Any], seen: Any, eventually: Any) -> None:
    @flow(task_runner=runner)
    def told() -> Any:
        from prefect.context import FlowRunContext

        context = FlowRunContext.get()
        assert context is not None
        submitter: Any = context.task_runner._submitter
        submitter._versions = {**submitter._versions, "prefect": "3.0.0"}
        one.submit().wait()
        return context.flow_run.id

    flow_run_id = told()
    eventually(lambda: any("3.0.0 here" in each["message"] for each in seen.logs(flow_run_id)))


def test_import_loads_no_ray() -> None:
    code = "import sys, prefect_ray, prefect_ray.task_runners, prefect_ray.context; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
