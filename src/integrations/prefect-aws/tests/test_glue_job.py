"""A Glue run is started and waited for, and every way that it can end is told truthfully."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from prefect import flow

from prefect_aws import AwsCredentials, errors, glue_job
from prefect_aws.glue_job import GlueJobBlock, GlueJobRun
from prefect_integration_tests.backends.aws_stub import Fault, HangUp

FACES = ("wait_for_completion", "await_for_completion")


def run(state: str, **more: Any) -> dict[str, Any]:
    return {"JobRun": {"JobRunState": state, **more}}


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("glue")
    stub.respond("StartJobRun", {"JobRunId": "jr_1"})
    stub.respond("BatchStopJobRun", {})
    return stub


@pytest.fixture
def block(stub: Any, make_credentials: Any) -> GlueJobBlock:
    return GlueJobBlock(
        job_name="nightly", arguments={"--day": "1"}, aws_credentials=make_credentials(stub.endpoint_url)
    )


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(glue_job, "_clock", fake_clock)
    return fake_clock


async def test_a_real_run_succeeds(aws_emulator: Any, aws_credentials: AwsCredentials, call: Any) -> None:
    block = GlueJobBlock(
        job_name=aws_emulator.new_glue_job(), aws_credentials=aws_credentials, job_watch_poll_interval=0.05
    )
    started = await call(block, "trigger")
    await call(started, "wait_for_completion", timeout_seconds=20)
    assert await call(started, "fetch_result") == "SUCCEEDED"


async def test_a_run_has_the_block_s_job_arguments_and_interval(block: GlueJobBlock, stub: Any, call: Any) -> None:
    block.job_watch_poll_interval = 5.0
    started = await call(block, "trigger")
    assert stub.calls[0].parameters == {"JobName": "nightly", "Arguments": {"--day": "1"}}
    assert (started.job_name, started.job_id, started.job_watch_poll_interval) == ("nightly", "jr_1", 5.0)


async def test_a_run_is_looked_at_once_an_interval(block: GlueJobBlock, stub: Any, clock: Any, call: Any) -> None:
    stub.respond("GetJobRun", run("STARTING"), run("RUNNING"), run("STOPPING"), run("SUCCEEDED"))
    await call(await call(block, "trigger"), "wait_for_completion")
    assert clock.sleeps == [60.0, 60.0, 60.0]
    assert stub.calls_of("GetJobRun")[0].parameters["RunId"] == "jr_1"


@pytest.mark.parametrize("state", ["STOPPED", "TIMEOUT", "FAILED", "ERROR", "EXPIRED"])
@pytest.mark.parametrize("message", [{}, {"ErrorMessage": "out of memory"}])
async def test_every_other_end_is_a_failure_that_names_job_run_and_state(
    block: GlueJobBlock, stub: Any, clock: Any, call: Any, state: str, message: dict[str, str]
) -> None:
    stub.respond("GetJobRun", run("RUNNING"), run(state, **message))
    started = await call(block, "trigger")
    with pytest.raises(RuntimeError, match=rf"Glue job 'nightly', run jr_1 ended as {state}: .+") as caught:
        await call(started, "wait_for_completion")
    assert isinstance(caught.value, errors.AwsJobFailed)
    assert message.get("ErrorMessage", "no reason") in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


async def test_the_state_of_a_run_is_fetched(block: GlueJobBlock, stub: Any, call: Any) -> None:
    stub.respond("GetJobRun", run("RUNNING"), run("STOPPED"))
    started = await call(block, "trigger")
    assert await call(started, "fetch_result") == "RUNNING"
    assert await call(started, "fetch_result") == "STOPPED"


async def test_a_look_that_fails_in_passing_is_repeated(block: GlueJobBlock, stub: Any, clock: Any, call: Any) -> None:
    stub.respond("GetJobRun", run("RUNNING"), run("SUCCEEDED"))
    started = await call(block, "trigger")
    faults = iter([run("RUNNING"), Fault.THROTTLED, Fault.INTERNAL, HangUp(), run("SUCCEEDED")])
    stub.respond("GetJobRun", lambda _: _as_answer(next(faults)))
    await call(started, "wait_for_completion")
    assert len(stub.calls_of("GetJobRun")) == 5


def _as_answer(answer: Any) -> Any:
    return answer


async def test_a_run_that_cannot_be_looked_at_at_all_is_an_error(
    block: GlueJobBlock, stub: Any, clock: Any, call: Any
) -> None:
    started = await call(block, "trigger")
    stub.fail("GetJobRun", HangUp())
    with pytest.raises(ConnectionError, match="jr_1"):
        await call(started, "wait_for_completion")
    stub.fail("GetJobRun", "EntityNotFoundException", "no such run")
    with pytest.raises(LookupError, match="jr_1"):
        await call(started, "wait_for_completion")
    assert clock.sleeps == []


async def test_a_wait_gives_up_in_time_and_leaves_the_run_alone(
    block: GlueJobBlock, stub: Any, clock: Any, call: Any
) -> None:
    stub.respond("GetJobRun", run("RUNNING"))
    with pytest.raises(TimeoutError, match=r"run jr_1.*150 seconds") as caught:
        await call(await call(block, "trigger"), "wait_for_completion", timeout_seconds=150)
    assert isinstance(caught.value, errors.AwsWaitTimeout)
    assert clock.sleeps == [60.0, 60.0, 30.0]
    assert stub.calls_of("BatchStopJobRun") == []


@pytest.mark.parametrize("stop", [True, False])
async def test_a_cancelled_wait_stops_the_run_unless_told_otherwise(block: GlueJobBlock, stub: Any, stop: bool) -> None:
    looked = threading.Event()

    def look(_: Any) -> Any:
        looked.set()
        return run("RUNNING")

    stub.respond("GetJobRun", look)
    block.stop_on_cancel = stop
    started = await block.atrigger()
    waiting = asyncio.create_task(started.await_for_completion())
    await asyncio.to_thread(looked.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    stopped = [call.parameters for call in stub.calls_of("BatchStopJobRun")]
    assert stopped == ([{"JobName": "nightly", "JobRunIds": ["jr_1"]}] if stop else [])


def test_an_interrupted_wait_stops_the_run(block: GlueJobBlock, stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupts:
        def monotonic(self) -> float:
            return 0.0

        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    stub.respond("GetJobRun", run("RUNNING"))
    monkeypatch.setattr(glue_job, "_clock", Interrupts())
    with pytest.raises(KeyboardInterrupt):
        block.trigger(_sync=True).wait_for_completion()
    assert len(stub.calls_of("BatchStopJobRun")) == 1


def test_a_run_that_cannot_be_stopped_does_not_hide_the_interruption(
    block: GlueJobBlock, stub: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stub.fail("BatchStopJobRun", Fault.ACCESS_DENIED)
    test_run = GlueJobRun(job_name="nightly", job_id="jr_1", aws_credentials=block.aws_credentials)
    test_run._stop()
    assert "could not be stopped" in caplog.text


async def test_a_missing_job_is_named(block: GlueJobBlock, stub: Any, call: Any) -> None:
    stub.fail("StartJobRun", "EntityNotFoundException", "no such job")
    with pytest.raises(RuntimeError, match="Glue job 'nightly'") as caught:
        await call(block, "trigger")
    assert isinstance(caught.value, errors.AwsNotFound)
    assert isinstance(caught.value, ClientError)
    assert caught.value.response["Error"]["Code"] == caught.value.code == "EntityNotFoundException"
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, RuntimeError)
    assert isinstance(again, errors.AwsNotFound)
    assert str(again) == str(caught.value)


async def test_a_client_that_is_given_is_used(block: GlueJobBlock, stub: Any, call: Any) -> None:
    stub.respond("GetJobRun", run("SUCCEEDED"))
    started = GlueJobRun(job_name="nightly", job_id="jr_9", client=stub.client("glue"))
    assert await call(started, "fetch_result") == "SUCCEEDED"


def test_a_run_travels_to_another_process(block: GlueJobBlock, stub: Any) -> None:
    stub.respond("GetJobRun", run("SUCCEEDED"))
    started = block.trigger(_sync=True)
    started.wait_for_completion()
    assert pickle.loads(pickle.dumps(started)) == started


async def test_the_wait_blocks_an_async_flow_too_under_its_published_name(
    prefect_harness: None, block: GlueJobBlock, stub: Any, clock: Any
) -> None:
    stub.respond("GetJobRun", run("RUNNING"), run("SUCCEEDED"))

    @flow
    async def async_flow() -> str:
        started = await block.trigger()
        started.wait_for_completion()
        return await started.fetch_result()

    assert await async_flow() == "SUCCEEDED"


def test_a_sync_flow_runs_a_job_without_await(
    prefect_harness: None, block: GlueJobBlock, stub: Any, clock: Any
) -> None:
    stub.respond("GetJobRun", run("RUNNING"), run("SUCCEEDED"))

    @flow
    def sync_flow() -> str:
        started = block.trigger()
        assert started.wait_for_completion() is None
        return started.fetch_result()

    assert sync_flow() == "SUCCEEDED"


def test_what_is_called_without_a_loop_may_be_given_to_one(block: GlueJobBlock, stub: Any) -> None:
    """`trigger` and `fetch_result` were coroutine functions."""
    stub.respond("GetJobRun", run("RUNNING"))
    started: Any = block.trigger()
    given: Any = asyncio.run(started)
    state: Any = given.fetch_result()
    assert (type(given), given == started, started == given) == (GlueJobRun, True, True)
    assert (type(asyncio.run(state)), state, pickle.loads(pickle.dumps(state))) == (str, "RUNNING", "RUNNING")

    async def both() -> list[Any]:
        return await asyncio.gather(started, state)

    assert asyncio.run(both()) == [given, "RUNNING"]
