"""Each run ends as it should, with the cause, whatever becomes of its job and pods; nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from prefect.states import (
    AwaitingRetry,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Paused,
    Pending,
    Running,
    Scheduled,
    State,
    Submitting,
    Suspended,
)
from prefect.utilities.engine import propose_state

from ._observed import FastClock, Stage, observed_flow, until

IMAGE = "0/1 nodes are available: 1 Insufficient cpu."


def live_pods(stage: Stage) -> list[str]:
    return [pod["metadata"]["name"] for pod in stage.pods() if pod["status"]["phase"] in ("Pending", "Running")]


Act = Callable[[Stage, str], None]

ENDS: dict[str, tuple[Act, str]] = {
    "evicted": (lambda stage, job: stage.play.evict(job), "evicted"),
    "out of memory": (lambda stage, job: stage.play.oom_kill(job), "more memory than it may"),
    "preempted": (lambda stage, job: stage.play.preempt(job), "preempted"),
    "drained": (lambda stage, job: stage.play.evict_by_api(job), "drained"),
    "deleted by hand": (lambda stage, job: stage.play.delete(job), "pod was deleted"),
    "exit code": (lambda stage, job: stage.play.fail(job, exit_code=3), "exited with 3"),
    "not found": (lambda stage, job: stage.play.fail(job, exit_code=127), "its command was not found"),
}


# No retries


@pytest.mark.parametrize("end", ENDS)
async def test_a_run_whose_pod_ends_before_it_is_crashed_with_the_cause(stage: Stage, end: str) -> None:
    act, said = ENDS[end]
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing() as observation:
        act(stage, "job")
        state = await stage.becomes(run, "Crashed")
        await until(lambda: not live_pods(stage) and not len(observation.records))
    assert said in str(state.message).lower()
    assert "Kubernetes job job in namespace default" in str(state.message)
    assert (await stage.history_of(run)).count("Crashed") == 1
    assert said in (await stage.logs_of(run)).lower()


async def test_a_job_that_is_deleted_takes_its_run_along(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing():
        stage.play.delete_job("job")
        state = await stage.becomes(run, "Crashed")
    assert "The job was deleted" in str(state.message)


async def test_a_job_that_takes_too_long_says_so(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job", activeDeadlineSeconds=1000)
    stage.play.start("job")
    async with stage.observing():
        stage.play.pass_deadline("job")
        state = await stage.becomes(run, "Crashed")
    assert "job_watch_timeout_seconds" in str(state.message)


async def test_a_pod_whose_node_is_lost_is_released_and_its_run_crashed(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing(clock=FastClock(100)):
        stage.play.lose_node("job")
        state = await stage.becomes(run, "Crashed")
        await until(lambda: not live_pods(stage))
    assert "node" in str(state.message)
    assert (await stage.history_of(run)).count("Crashed") == 1


async def test_an_init_container_that_fails_is_named(stage: Stage) -> None:
    run = await stage.run_in(Pending(), "job")
    stage.start(run, "job", init=("fetch",))
    async with stage.observing():
        stage.api.change("pods", stage.play.pod("job")["metadata"]["name"], _init_failed)
        state = await stage.becomes(run, "Crashed")
    assert "Init container 'fetch' exited with 2" in str(state.message)


def _init_failed(pod: Any) -> None:
    ended = {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": "2026-03-01T10:00:00Z"}}
    status = {"name": "fetch", "image": "f", "imageID": "", "ready": False, "restartCount": 0, "state": ended}
    waiting = {"waiting": {"reason": "PodInitializing"}}
    own = {"name": "prefect-job", "image": "f", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
    pod["status"].update(phase="Failed", initContainerStatuses=[status], containerStatuses=[own])


async def test_the_last_lines_of_the_flows_container_reach_the_run_and_not_a_sidecars(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job", containers=("proxy", "prefect-job"))
    stage.play.start("job")
    stage.play.write("job", "\n".join(f"line {number}" for number in range(30)), container="prefect-job")
    stage.play.write("job", "of the proxy", container="proxy")
    async with stage.observing(forward_crashed_run_logs_tail_lines=3):
        stage.play.fail("job", exit_code=1)
        await until(lambda: _logged(stage, run, "line 29"))
    logs = await stage.logs_of(run)
    assert "line 27\nline 28\nline 29" in logs
    assert "line 26" not in logs
    assert "of the proxy" not in logs


async def _logged(stage: Stage, run: Any, text: str) -> bool:
    return text in await stage.logs_of(run)


async def test_lines_are_forwarded_only_if_the_settings_say_so(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    stage.play.write("job", "last words")
    async with stage.observing(forward_crashed_run_logs=False) as observation:
        stage.play.fail("job", exit_code=1)
        await until(lambda: not len(observation.records))
    assert "last words" not in await stage.logs_of(run)
    assert stage.api.calls_of("get", "pods/log") == []


async def test_a_run_is_crashed_though_its_lines_cannot_be_had(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    stage.api.fail("get", "pods/log", 403)
    async with stage.observing():
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")
        await until(lambda: "could not be sent to Prefect" in caplog.text)


async def test_a_run_that_says_nothing_after_its_job_succeeded_is_crashed_in_the_end(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing(clock=FastClock(30)):
        stage.play.succeed("job")
        await until(lambda: len(stage.counting.calls) >= 2)
        assert (await stage.state_of(run)).is_running()
        state = await stage.becomes(run, "Crashed")
    assert "without reporting" in str(state.message)


@pytest.mark.parametrize(
    "state",
    [Completed(), Failed(), Scheduled(), Paused(timeout_seconds=60), Suspended(timeout_seconds=60)],
    ids=lambda state: state.name,
)
async def test_a_run_that_needs_no_pod_keeps_its_state(stage: Stage, state: State[Any]) -> None:
    run = await stage.run_in(state, "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing() as observation:
        stage.play.fail("job", exit_code=1)
        await until(lambda: not len(observation.records))
    assert (await stage.state_of(run)).name == state.name
    assert await stage.logs_of(run) == ""
    assert stage.jobs() == ["job"]  # it is over by itself, and left to be looked at


async def test_a_run_that_went_on_in_another_job_is_left_alone(stage: Stage) -> None:
    run = await stage.run_in(Running(), "second")
    stage.start(run, "first")
    stage.play.start("first")
    async with stage.observing() as observation:
        stage.play.fail("first", exit_code=1)
        await until(lambda: not len(observation.records))
    assert (await stage.state_of(run)).is_running()


async def test_a_sidecar_does_not_keep_a_run_whose_container_has_ended(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job", containers=("prefect-job", "proxy"))
    stage.play.start("job")
    async with stage.observing(clock=FastClock(60)):
        stage.api.change("pods", stage.play.pod("job")["metadata"]["name"], _own_failed)
        state = await stage.becomes(run, "Crashed")
        await until(lambda: not stage.jobs())
    assert "exited with 5" in str(state.message)


def _own_failed(pod: Any) -> None:
    for status in pod["status"]["containerStatuses"]:
        if status["name"] == "prefect-job":
            at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            status["state"] = {"terminated": {"exitCode": 5, "reason": "Error", "finishedAt": at}}


# Retries


@pytest.mark.parametrize("end", ENDS)
async def test_a_run_whose_job_starts_another_pod_is_not_crashed(stage: Stage, end: str) -> None:
    act, _ = ENDS[end]
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job", backoffLimit=2)
    stage.play.start("job")
    first = stage.play.pod("job")["metadata"]["name"]
    async with stage.observing() as observation:
        act(stage, "job")
        await until(lambda: stage.play.pod("job")["metadata"]["name"] != first)
        await until(lambda: "read_flow_run" in stage.counting.calls and observation.rounds.is_idle)
        assert len(live_pods(stage)) == 1
        stage.play.start("job")
        await stage.client.set_flow_run_state(run, Completed(), force=True)
        stage.play.succeed("job")
        await until(lambda: not len(observation.records))
    assert await stage.history_of(run) == ["Pending", "Running", "Completed"]


async def test_a_job_that_has_used_up_its_retries_crashes_its_run_once(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job", backoffLimit=2)
    async with stage.observing() as observation:
        for count in range(3):
            await until(lambda count=count: len(stage.play.pods("job")) == count + 1)
            stage.play.start("job")
            stage.play.oom_kill("job")
        state = await stage.becomes(run, "Crashed")
        await until(lambda: not len(observation.records))
    assert "used up its 2 retries" in str(state.message)
    assert "more memory" in str(state.message)
    assert (await stage.history_of(run)).count("Crashed") == 1


@pytest.mark.parametrize("state", [Crashed(), Failed(), Completed()], ids=lambda state: state.name)
async def test_no_pod_is_started_for_a_run_that_is_final(stage: Stage, state: State[Any]) -> None:
    run = await stage.run_in(Running(), "job")
    stage.play.backoff_seconds = 2.0
    stage.start(run, "job", backoffLimit=2)
    stage.play.start("job")
    async with stage.observing():
        await stage.client.set_flow_run_state(run, state, force=True)
        stage.play.fail("job", exit_code=1)
        await until(lambda: not stage.jobs())
        await until(lambda: not stage.pods())
    assert (await stage.history_of(run))[-1] == state.name


async def test_a_rescheduled_run_is_left_to_its_next_job(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.play.backoff_seconds = 2.0
    stage.start(run, "job", backoffLimit=2)
    stage.play.start("job")
    async with stage.observing():
        await stage.client.set_flow_run_state(run, AwaitingRetry(), force=True)
        stage.play.fail("job", exit_code=1)
        await until(lambda: not stage.jobs())
    assert (await stage.state_of(run)).name == "AwaitingRetry"


@pytest.mark.parametrize("state", [Running(), Crashed(), Failed()], ids=lambda state: state.name)
async def test_the_api_lets_a_second_pod_take_a_run_over(stage: Stage, state: State[Any]) -> None:
    """Why a job must not start a pod for a run that is at its end: nothing else keeps the pod from running it."""
    run = await stage.run_in(state)
    assert (await propose_state(stage.client, Running(), flow_run_id=run)).is_running()
    assert (await stage.state_of(run)).is_running()


async def test_a_cancelled_run_gets_no_second_pod(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.play.backoff_seconds = 2.0
    stage.start(run, "job", backoffLimit=2)
    stage.play.start("job")
    async with stage.observing():
        await stage.client.set_flow_run_state(run, Cancelling(), force=True)
        stage.play.fail("job", exit_code=143)
        await stage.becomes(run, "Cancelled")
        await until(lambda: not stage.jobs())
    assert len({call.name for call in stage.api.calls_of("get", "pods/log")}) == 0


async def test_a_cluster_that_does_not_count_deleted_pods_gets_no_second_one(stage: Stage) -> None:
    stage.play.counts_deleted_pods = False
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing():
        stage.play.delete("job")
        state = await stage.becomes(run, "Crashed")
        await until(lambda: not stage.pods())
    assert "may not start another pod" in str(state.message)
    assert "pod was deleted" in str(state.message)


# Pods that cannot start

TROUBLES: dict[str, tuple[Act, str]] = {
    "unschedulable": (lambda stage, job: stage.play.unschedulable(job, message=IMAGE), "No node has room"),
    "no image": (lambda stage, job: stage.play.image_pull_error(job), "could not be pulled"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("state", [Pending(), Submitting()], ids=lambda state: state.name)
async def test_a_run_whose_pod_cannot_start_says_why_and_is_not_crashed(
    stage: Stage, trouble: str, state: State[Any]
) -> None:
    act, said = TROUBLES[trouble]
    run = await stage.run_in(state, "job")
    stage.start(run, "job")
    async with stage.observing(clock=FastClock(1)) as observation:
        act(stage, "job")
        now = await stage.becomes(run, "InfrastructurePending")
        assert said in str(now.message)
        await until(lambda: observation.rounds.is_idle)
        calls = len(stage.counting.calls)
        act(stage, "job")  # the same again
        stage.api.change("pods", stage.play.pod("job")["metadata"]["name"], _touch)
        await until(lambda: stage.api.open_streams("pods") and observation.rounds.is_idle)
        assert len(stage.counting.calls) == calls
        stage.play.start("job")
        await until(lambda: stage.sent.names()[-1:] == ["running"])
    assert (await stage.state_of(run)).name == "InfrastructurePending"
    assert said in await stage.logs_of(run)
    assert stage.jobs() == ["job"]


def _touch(pod: Any) -> None:
    pod["metadata"].setdefault("annotations", {})["touched"] = "yes"


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_pod_that_cannot_start_in_time_is_deleted_with_its_job(stage: Stage, trouble: str) -> None:
    act, said = TROUBLES[trouble]
    run = await stage.run_in(Pending(), "job")
    stage.start(run, "job", annotations={"prefect.io/pod-watch-timeout-seconds": "120"})
    async with stage.observing(clock=FastClock(60)):
        act(stage, "job")
        state = await stage.becomes(run, "Crashed")
        await until(lambda: not stage.jobs() and not stage.pods())
    assert "could not start within 120 seconds" in str(state.message)
    assert said in str(state.message)
    assert (await stage.history_of(run))[-2:] == ["InfrastructurePending", "Crashed"]


async def test_the_settings_say_how_long_a_pod_may_be_unable_to_start(stage: Stage) -> None:
    run = await stage.run_in(Pending(), "job")
    stage.start(run, "job")
    async with stage.observing(clock=FastClock(60), pending_timeout_seconds=60):
        stage.play.unschedulable("job", message=IMAGE)
        state = await stage.becomes(run, "Crashed")
    assert "within 60 seconds" in str(state.message)


async def test_a_pod_that_only_takes_its_time_is_not_given_up(stage: Stage) -> None:
    run = await stage.run_in(Pending(), "job")
    stage.start(run, "job")
    stage.play.schedule("job")
    clock = FastClock(4)  # pods are listed after jobs: ten seconds of it have to suffice for both
    async with stage.observing(clock=clock, pending_timeout_seconds=5) as observation:
        state = await stage.becomes(run, "InfrastructurePending")
        assert "images pulled" in str(state.message)
        clock.advance(1000)
        for record in observation.records:
            observation.rounds.mark(record)
        await until(lambda: observation.rounds.is_idle)
        assert stage.jobs() == ["job"]
    assert (await stage.state_of(run)).name == "InfrastructurePending"


async def test_a_job_that_gets_no_pod_says_what_its_events_say(stage: Stage) -> None:
    stage.api.set_quota({"pods": "0"})
    run = await stage.run_in(Pending(), "job")
    stage.start(run, "job")
    async with stage.observing(clock=FastClock(60), pending_timeout_seconds=120):
        state = await stage.becomes(run, "InfrastructurePending")
        assert "exceeded quota" in str(state.message)
        state = await stage.becomes(run, "Crashed")
        await until(lambda: not stage.jobs())
    assert "exceeded quota" in str(state.message)


async def test_a_suspended_job_waits_for_as_long_as_its_queue_likes(stage: Stage) -> None:
    run = await stage.run_in(Pending(), "job")
    stage.start(run, "job", suspend=True)
    clock = FastClock(20)
    async with stage.observing(clock=clock, pending_timeout_seconds=5) as observation:
        await stage.becomes(run, "InfrastructurePending")
        clock.advance(100_000)
        for record in observation.records:
            observation.rounds.mark(record)
        await until(lambda: observation.rounds.is_idle)
        assert stage.jobs() == ["job"]
    assert (await stage.state_of(run)).is_pending()


# Cancelled runs


async def test_a_cancelled_run_whose_job_is_gone_is_cancelled(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing():
        await stage.client.set_flow_run_state(run, Cancelling(), force=True)
        stage.play.delete_job("job")
        await stage.becomes(run, "Cancelled")
    assert "Crashed" not in await stage.history_of(run)


async def test_a_job_whose_run_stays_cancelling_is_deleted_though_its_deployment_is_gone(stage: Stage) -> None:
    flow_id = await stage.client.create_flow(observed_flow)
    deployment = await stage.client.create_deployment(flow_id, "to-be-deleted")
    made = await stage.client.create_flow_run_from_deployment(deployment)
    run = made.id
    await stage.client.set_flow_run_state(run, Running(), force=True)
    stage.start(run, "job")
    stage.play.start("job")
    await stage.client.delete_deployment(deployment)
    await stage.client.set_flow_run_state(run, Cancelling(), force=True)
    async with stage.observing(clock=FastClock(30), sweep_interval_seconds=10, cancellation_grace_seconds=30):
        await stage.becomes(run, "Cancelled")
        await until(lambda: not stage.jobs() and not stage.pods())
    [deletion] = stage.api.calls_of("delete", "jobs")
    assert deletion.body["propagationPolicy"] == "Foreground"


@pytest.mark.parametrize("state", [Completed(), Failed(), Crashed()], ids=lambda state: state.name)
async def test_a_job_that_outlives_its_run_is_deleted_after_a_while(stage: Stage, state: State[Any]) -> None:
    run = await stage.run_in(state, "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing(clock=FastClock(30), sweep_interval_seconds=10, cancellation_grace_seconds=30):
        await until(lambda: not stage.jobs() and not stage.pods())
    assert (await stage.state_of(run)).id == state.id or (await stage.state_of(run)).name == state.name


async def test_jobs_of_running_and_of_unknown_runs_are_swept_by_nobody(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    gone = await stage.run_in(Running(), "other")
    stage.start(gone, "other")
    await stage.client.delete_flow_run(gone)
    for name in ("job", "other"):
        stage.play.start(name)
    async with stage.observing(clock=FastClock(100), sweep_interval_seconds=10, cancellation_grace_seconds=0):
        await until(lambda: stage.counting.calls.count("read_flow_runs") >= 3)
    assert sorted(stage.jobs()) == ["job", "other"]


async def test_a_job_that_may_not_be_deleted_is_told_of_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    run = await stage.run_in(Cancelling(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    token = stage.api.add_user("watcher", _reading())
    stage.api.write_kubeconfig(_config_path(), token)
    async with stage.observing(clock=FastClock(100), sweep_interval_seconds=10, cancellation_grace_seconds=0):
        await until(lambda: len(stage.api.calls_of("delete", "jobs")) >= 3)
    said = [record for record in caplog.records if "may not delete jobs" in record.getMessage()]
    assert len(said) == 1
    assert "verbs" in said[0].getMessage()
    assert (await stage.state_of(run)).is_cancelling()


def _reading() -> list[dict[str, Any]]:
    return [{"apiGroups": ["", "batch"], "resources": ["jobs", "pods"], "verbs": ["get", "list", "watch"]}]


def _config_path() -> Path:
    return Path(os.environ["KUBECONFIG"])


# When Prefect cannot be reached


async def test_a_run_gets_its_state_when_prefect_is_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    asked: list[Any] = []

    async with stage.observing(clock=FastClock(100)):
        real = stage.counting._client

        class Away:
            async def read_flow_run(self, flow_run_id: Any) -> Any:
                asked.append(flow_run_id)
                if len(asked) > 3:
                    stage.counting._client = real
                raise ConnectionError("away")

        stage.counting._client = Away()  # type: ignore[assignment]
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")
    assert len(asked) >= 3
