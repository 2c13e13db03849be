"""One observer for the process, or a process of its own, for as long as somebody needs it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings
from prefect.states import Running

from prefect_integration_kit.observing import BackgroundObserver
from prefect_integration_kit.waiting import Backoff
from prefect_kubernetes import observer
from prefect_kubernetes._observer.places import places
from prefect_kubernetes.observer import observer_health, start_observer, stop_observer

from ._observed import FastClock, Stage, until

NAME = "prefect-kubernetes-observer"
logger: Any = logging.getLogger("test")


def threads() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def known_places(request: pytest.FixtureRequest) -> Any:
    places.add("default")
    yield
    for _ in range(3):
        stop_observer()


async def test_it_runs_once_and_until_its_last_user_has_gone(stage: Stage) -> None:
    assert (observer_health().state, threads()) == ("stopped", 0)
    start_observer()
    start_observer()
    await until(lambda: observer_health().is_healthy)
    assert threads() == 1
    await asyncio.to_thread(stop_observer)
    assert (observer_health().state, threads()) == ("healthy", 1)
    await asyncio.to_thread(stop_observer)
    assert (observer_health().state, threads()) == ("stopped", 0)
    stop_observer()  # once too often does no harm
    start_observer()
    await until(lambda: observer_health().is_healthy)
    await asyncio.to_thread(stop_observer)
    assert threads() == 0


async def test_it_gives_a_run_its_state_from_its_own_thread_with_its_own_clients(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    start_observer()
    await until(lambda: observer_health().is_healthy)
    assert observer.orchestration_client is not None
    assert observer.events_client is not None
    stage.play.oom_kill("job")
    await stage.becomes(run, "Crashed")
    await asyncio.to_thread(stop_observer)
    assert (observer.orchestration_client, observer.events_client) == (None, None)


async def test_it_does_not_run_if_the_settings_say_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED", "false")
    start_observer()
    assert (observer_health().is_healthy, threads()) == (False, 0)
    stop_observer()


async def test_it_runs_in_a_process_of_its_own_until_it_is_asked_to_end(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    environment = {
        **os.environ,
        **get_current_settings().to_environment_variables(exclude_unset=True),
        "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": "default",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect_kubernetes.observer"], env=environment, stderr=subprocess.PIPE
    )
    try:
        await until(lambda: stage.api.open_streams("jobs"), timeout_seconds=150)
        stage.play.oom_kill("job")
        await stage.becomes(run, "Crashed")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
    finally:
        process.kill()
        process.communicate()


async def test_a_prefect_that_is_away_at_the_start_is_waited_for(
    stage: Stage, fault_proxy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(str(PREFECT_API_URL.value()))
    assert address.hostname is not None
    proxy = fault_proxy(address.hostname, address.port)
    proxy.refuse = True
    background = BackgroundObserver(
        observer._observe,
        subject="Kubernetes jobs and pods",
        thread_name=NAME,
        backoff=Backoff(),
        logger=logger,
        clock=FastClock(100),
    )
    with temporary_settings({PREFECT_API_URL: f"{proxy.url}{address.path}"}), caplog.at_level(logging.ERROR):
        background.acquire()
    try:
        await until(lambda: "is started again" in caplog.text, timeout_seconds=60)
        assert not observer_health().is_healthy
        proxy.refuse = False
        await until(lambda: observer_health().is_healthy, timeout_seconds=60)
    finally:
        await asyncio.to_thread(background.release)


# Hooks


def test_an_operator_is_set_up_quiet_and_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_WATCH_TIMEOUT_SECONDS", "120")
    kopf = pytest.importorskip("kopf", reason="kopf needs Python 3.11")
    settings = kopf.OperatorSettings()
    observer.configure(settings, memo=None)
    assert settings.posting.enabled is False
    assert settings.scanning.disabled is True
    assert (settings.watching.server_timeout, settings.watching.client_timeout) == (120, 150)
    assert settings.queueing.worker_limit == 5


def test_what_an_operator_s_settings_lack_is_passed_over() -> None:
    settings: Any = SimpleNamespace(posting=SimpleNamespace(enabled=True), watching=SimpleNamespace())
    observer.configure(settings)
    assert settings.posting.enabled is False
    assert vars(settings.watching) == {}


async def test_the_clients_are_there_between_the_hooks_and_opened_once(prefect_harness: None) -> None:
    await observer.cleanup_fn(logger)  # nothing is open
    await observer.initialize_clients(logger, memo=None)
    client = observer.orchestration_client
    try:
        await observer.initialize_clients(logger)
        assert client is not None
        assert observer.orchestration_client is client
        assert (await client.api_healthcheck()) is None
    finally:
        await observer.cleanup_fn(logger, memo=None)
    assert (observer.orchestration_client, observer.events_client) == (None, None)
