"""Each phase of a pod becomes one event of Prefect, next to the flow run that it is for."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import get_client
from prefect.states import Completed, Running

from prefect_kubernetes import observer
from prefect_kubernetes._observer.events import event_of
from prefect_kubernetes._observer.projections import pod_view

from ._observed import Stage, until

if TYPE_CHECKING:
    import pytest

LABELS = {
    "prefect.io/flow-id": "f",
    "prefect.io/flow-name": "etl",
    "prefect.io/deployment-id": "d",
    "prefect.io/work-pool-id": "p",
    "prefect.io/work-pool-name": "pool",
    "other": "thing",
}


async def test_each_phase_of_a_pod_becomes_an_event_that_follows_the_one_before(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    async with stage.observing():
        stage.start(run, "job", labels=LABELS)
        stage.play.start("job")
        pod = stage.play.pod("job")["metadata"]  # the job may be gone soon after its run is over
        stage.play.succeed("job")
        await stage.client.set_flow_run_state(run, Completed(), force=True)
        await until(lambda: stage.sent.names() == ["pending", "running", "succeeded"])
    pending, running, succeeded = stage.sent.events
    assert (running.follows, succeeded.follows) == (pending.id, running.id)
    assert succeeded.resource.id == f"prefect.kubernetes.pod.{pod['uid']}"
    assert succeeded.resource["prefect.resource.name"] == pod["name"]
    assert succeeded.resource["kubernetes.namespace"] == "default"
    related = {resource.role: (resource.id, resource.get("prefect.resource.name")) for resource in succeeded.related}
    assert related == {
        "flow-run": (f"prefect.flow-run.{run}", "brave-bee"),
        "flow": ("prefect.flow.f", "etl"),
        "deployment": ("prefect.deployment.d", None),
        "work-pool": ("prefect.work-pool.p", "pool"),
    }
    assert succeeded.payload["containers"][0]["exitCode"] == 0
    assert succeeded.payload["job"] == "job"


async def test_an_eviction_has_an_event_of_its_own_with_the_diagnosis(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing():
        stage.play.evict("job")
        await until(lambda: "evicted" in stage.sent.names())
    assert stage.sent.names() == ["running", "evicted"]
    assert stage.sent.events[-1].payload["diagnosis"]["category"] == "Evicted"


async def test_events_of_the_same_phase_have_the_same_id_whoever_sees_it(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    for _ in range(2):
        async with stage.observing():
            await until(lambda: stage.sent.events)
    first, second = stage.sent.events
    assert first.id == second.id
    raw = stage.play.pod("job")
    view = pod_view(raw)
    assert view is not None
    assert event_of(view).id == first.id


async def test_no_event_is_sent_if_the_settings_say_so(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing(replicate_pod_events=False):
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")
    assert stage.sent.events == []


async def test_events_wait_until_they_can_be_sent_and_runs_do_not_wait_for_them(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    stage.sent.failures = 10**9
    async with stage.observing() as observation:
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")
        assert stage.sent.events == []
        stage.sent.failures = 0
        sender = observation.sender
        assert sender is not None
        await until(lambda: sender.is_idle)
    assert stage.sent.names() == ["running", "failed"]
    said = [record for record in caplog.records if "cannot be sent" in record.getMessage() and record.levelno >= 30]
    assert len(said) == 1


async def test_no_environment_of_a_pod_is_in_its_event(stage: Stage, canary: str) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    name = stage.play.pod("job")["metadata"]["name"]
    raw = stage.api.get("pods", name, "default")
    raw["spec"]["containers"][0]["env"] = [{"name": "TOKEN", "value": canary}]
    view = pod_view(raw)
    assert view is not None
    assert canary not in event_of(view).model_dump_json()


async def test_an_event_reaches_the_server_once_though_it_is_sent_twice(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    view = pod_view(stage.play.pod("job"))
    assert view is not None
    event = event_of(view)

    class Logger:
        def debug(self, *args: Any) -> None: ...
        def warning(self, *args: Any) -> None: ...

    logger: Any = Logger()
    await observer.initialize_clients(logger)
    try:
        assert observer.events_client is not None
        for _ in range(2):
            await observer.events_client.emit(event)
    finally:
        await observer.cleanup_fn(logger)
    found = await until(lambda: _found(event.id))
    assert len(found) == 1


async def _found(event_id: uuid.UUID) -> list[Any]:
    async with get_client() as client:
        body = {"filter": {"id": {"id": [str(event_id)]}, "occurred": {"since": "2020-01-01T00:00:00Z"}}}
        answer = await client._client.post("/events/filter", json=body)  # pyright: ignore[reportPrivateUsage]
        return answer.json()["events"]
