"""Pipelines are started once, waited for truthfully, and cancelled when nobody waits any more."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest
from prefect import flow
from pydantic import SecretStr

import prefect_gitlab
from prefect_gitlab import (
    GitLabCredentials,
    GitLabInvalidRequest,
    GitLabNotFound,
    GitLabPipelineCanceled,
    GitLabPipelineFailed,
    GitLabPipelineTimeout,
    GitLabUnavailable,
    GitLabUncertain,
    Pipeline,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab
from prefect_integration_tests.clock import FakeClock


@pytest.fixture(params=["sync", "async"])
def do(request: pytest.FixtureRequest) -> Any:
    """Call a task by its name, in a thread without a loop or as a coroutine: once for each face."""

    async def call(name: str, *args: Any, **options: Any) -> Any:
        if request.param == "async":
            return await getattr(prefect_gitlab, f"a{name}").fn(*args, **options)
        return await asyncio.to_thread(getattr(prefect_gitlab, name).fn, *args, **options)

    return call


class TestStart:
    @pytest.mark.parametrize("name", ["shop/etl", "/shop/etl/", "number"])
    async def test_a_pipeline_is_started_for_a_branch_with_variables_and_inputs(
        self, name: str, do: Any, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        given = project.id if name == "number" else name
        variables = {"DAY": "2026-05-04", "KEY": SecretStr("hush")}
        pipeline = await do("trigger_pipeline", given, credentials, "v1.0", variables, {"size": 3})
        assert isinstance(pipeline, Pipeline)
        asked = project.pipelines[pipeline.id]["_asked"]
        assert asked == {
            "ref": "v1.0",
            "variables": [{"key": "DAY", "value": "2026-05-04"}, {"key": "KEY", "value": "hush"}],
            "inputs": {"size": 3},
        }
        assert (pipeline.ref, pipeline.status, pipeline.project_id) == ("v1.0", "created", project.id)
        assert pipeline.web_url.endswith(f"/-/pipelines/{pipeline.id}")

    async def test_without_a_reference_the_default_branch_is_meant(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        assert (await do("trigger_pipeline", "shop/etl", credentials)).ref == "main"

    async def test_the_token_of_a_job_starts_pipelines_of_other_projects(
        self, do: Any, gitlab_api: GitLabApi, project: ProjectAtGitLab
    ) -> None:
        gitlab_api.token("glcbt-1", "job")
        job = GitLabCredentials(token="glcbt-1", token_type="job", url=gitlab_api.endpoint)
        pipeline = await do("trigger_pipeline", "shop/etl", job, "main", {"DAY": "1"})
        assert project.pipelines[pipeline.id]["source"] == "pipeline"
        assert project.pipelines[pipeline.id]["_asked"]["variables"] == {"DAY": "1"}

    async def test_a_variable_that_is_no_text_is_refused_by_name(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        with pytest.raises(GitLabInvalidRequest, match=r"variable 'N' has a value of type int.*str\(value\)"):
            await do("trigger_pipeline", "shop/etl", credentials, "main", {"N": 1})
        assert not project.pipelines

    async def test_a_missing_branch_and_a_missing_project_are_named(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        with pytest.raises(GitLabInvalidRequest, match=r"shop/etl at 'gone': .*Reference not found"):
            await do("trigger_pipeline", "shop/etl", credentials, "gone")
        with pytest.raises(GitLabNotFound, match=r"shop/gone.*404 Project Not Found.*Check the project"):
            await do("trigger_pipeline", "shop/gone", credentials)
        with pytest.raises(ValueError, match="project is empty"):
            await do("trigger_pipeline", "", credentials)

    @pytest.mark.parametrize("status", [429, 503])
    async def test_it_is_repeated_while_gitlab_has_not_begun(
        self, status: int, do: Any, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: Any, clock: FakeClock
    ) -> None:
        gitlab_api.fail("create_pipeline", status, headers={"Retry-After": "17"})
        await do("trigger_pipeline", "shop/etl", credentials, "main")
        assert len(project.pipelines) == 1
        assert clock.sleeps == [17]

    @pytest.mark.parametrize("fault", ["lost", "500", "504"])
    async def test_it_is_not_repeated_once_gitlab_may_have_begun(
        self, fault: str, do: Any, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: Any, clock: FakeClock
    ) -> None:
        if fault == "lost":
            gitlab_api.fail("create_pipeline", when="lost")
        else:
            gitlab_api.fail("create_pipeline", int(fault), when="after")
        with pytest.raises(GitLabUncertain, match="Look at GitLab whether it was made"):
            await do("trigger_pipeline", "shop/etl", credentials, "main")
        assert len(project.pipelines) == 1
        assert clock.sleeps == []


class TestWait:
    async def test_success_is_what_gitlab_calls_success(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials, clock: FakeClock
    ) -> None:
        project.play = ["created", "pending", "running", "running", "success"]
        pipeline = await do("trigger_pipeline_and_wait", "shop/etl", credentials, poll_seconds=20)
        assert pipeline.status == "success"
        assert clock.sleeps == [20, 20, 20]

    @pytest.mark.parametrize("status", ["failed", "skipped", "canceled"])
    async def test_any_other_end_is_a_failure_that_names_the_jobs(
        self, status: str, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials, clock: FakeClock
    ) -> None:
        project.play = ["created", "running", status]
        project.failed_jobs = [f"test {number}" for number in range(7)] if status == "failed" else []
        started = await do("trigger_pipeline", "shop/etl", credentials)
        with pytest.raises(GitLabPipelineFailed, match=f"ended as {status}.*{started.web_url}") as caught:
            await do("wait_for_pipeline", "shop/etl", started.id, credentials)
        assert (caught.value.status, caught.value.web_url) == (status, started.web_url)
        assert isinstance(caught.value, GitLabPipelineCanceled) == (status == "canceled")
        assert ("test 4 (script_failure), 2 more" in str(caught.value)) == (status == "failed")

    async def test_trouble_that_passes_does_not_end_the_wait(
        self, do: Any, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: Any, clock: FakeClock
    ) -> None:
        project.hidden_looks = 2
        gitlab_api.fail("pipeline", 502, times=2, skip=3)
        gitlab_api.fail("pipeline", when="cut")
        assert (await do("trigger_pipeline_and_wait", "shop/etl", credentials)).status == "success"
        assert len(project.pipelines) == 1

    async def test_trouble_that_stays_is_told(
        self, do: Any, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: Any, clock: FakeClock
    ) -> None:
        started = await do("trigger_pipeline", "shop/etl", credentials)
        gitlab_api.fail("pipeline", 503, times=None)
        with pytest.raises(GitLabUnavailable, match=rf"Pipeline {started.id} of shop/etl: GitLab answered 503"):
            await do("wait_for_pipeline", "shop/etl", started.id, credentials)
        assert sum(clock.sleeps) <= 120

    async def test_a_pipeline_that_is_not_there_is_told_at_once(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials, clock: FakeClock
    ) -> None:
        with pytest.raises(GitLabNotFound, match="Pipeline 5 of shop/etl"):
            await do("wait_for_pipeline", "shop/etl", 5, credentials)
        assert clock.sleeps == []

    async def test_a_manual_job_is_warned_of(
        self,
        do: Any,
        project: ProjectAtGitLab,
        credentials: GitLabCredentials,
        clock: FakeClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        project.play = ["created", "manual", "manual", "running", "success"]
        await do("trigger_pipeline_and_wait", "shop/etl", credentials)
        assert caplog.text.count("waits for somebody to start a manual job") == 1


class TestEnd:
    async def test_when_the_time_is_up_the_pipeline_is_cancelled(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials, clock: FakeClock
    ) -> None:
        project.play = ["created", "running"]
        with pytest.raises(GitLabPipelineTimeout, match="was still running after 60 seconds"):
            await do("trigger_pipeline_and_wait", "shop/etl", credentials, timeout_seconds=60)
        (pipeline,) = project.pipelines.values()
        assert pipeline["status"] == "canceled"

    async def test_a_wait_that_ends_leaves_the_pipeline_of_others_alone(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials, clock: FakeClock
    ) -> None:
        project.play = ["created", "running"]
        started = await do("trigger_pipeline", "shop/etl", credentials)
        with pytest.raises(GitLabPipelineTimeout):
            await do("wait_for_pipeline", "shop/etl", started.id, credentials, timeout_seconds=60)
        assert project.pipelines[started.id]["status"] == "running"

    async def test_a_cancelled_run_cancels_the_pipeline(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        project.play = ["created", "running"]
        work = asyncio.create_task(
            prefect_gitlab.atrigger_pipeline_and_wait.fn("shop/etl", credentials, poll_seconds=0.01)
        )
        await apoll(_looked(gitlab_api), subject="a look", interval_seconds=0.01, timeout_seconds=20)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert [pipeline["status"] for pipeline in project.pipelines.values()] == ["canceled"]

    async def test_a_run_that_is_cancelled_while_it_starts_one_cancels_it(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        project.play = ["created", "running"]
        arrived, may_go = threading.Event(), threading.Event()
        answer = gitlab_api._create_pipeline

        def slowly(*args: Any) -> Any:
            arrived.set()
            may_go.wait(20)
            return answer(*args)

        gitlab_api._create_pipeline = slowly
        try:
            work = asyncio.create_task(prefect_gitlab.atrigger_pipeline.fn("shop/etl", credentials, "main"))
            await asyncio.to_thread(arrived.wait, 20)
            work.cancel()
            await asyncio.sleep(0)
            may_go.set()
            with pytest.raises(asyncio.CancelledError):
                await work
        finally:
            del gitlab_api._create_pipeline
        assert [pipeline["status"] for pipeline in project.pipelines.values()] == ["canceled"]

    def test_a_process_that_is_told_to_end_cancels_the_pipeline(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        project.play = ["created", "running"]

        def end(*_: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGUSR1, end)
        main = threading.main_thread().ident
        assert main is not None

        def watch() -> None:
            while not gitlab_api.called("pipeline"):
                threading.Event().wait(0.01)
            signal.pthread_kill(main, signal.SIGUSR1)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                prefect_gitlab.trigger_pipeline_and_wait.fn("shop/etl", credentials, poll_seconds=5)
        finally:
            watcher.join(5)
            signal.signal(signal.SIGUSR1, before)
        assert [pipeline["status"] for pipeline in project.pipelines.values()] == ["canceled"]

    async def test_that_it_could_not_be_cancelled_is_said_and_the_first_error_kept(
        self,
        do: Any,
        gitlab_api: GitLabApi,
        project: ProjectAtGitLab,
        credentials: GitLabCredentials,
        clock: FakeClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        project.play = ["created", "running"]
        gitlab_api.fail("cancel_pipeline", 500)
        with pytest.raises(GitLabPipelineTimeout):
            await do("trigger_pipeline_and_wait", "shop/etl", credentials, timeout_seconds=60)
        assert "may still run, at http" in caplog.text

    async def test_a_pipeline_is_cancelled_by_its_number(
        self, do: Any, project: ProjectAtGitLab, credentials: GitLabCredentials
    ) -> None:
        started = await do("trigger_pipeline", "shop/etl", credentials)
        assert (await do("cancel_pipeline", "shop/etl", started.id, credentials)).status == "canceled"


async def test_many_waits_share_the_event_loop(
    gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials
) -> None:
    project.play = ["created", "running", "running", "success"]
    before = threading.active_count()
    most = [before]

    async def count() -> None:
        while True:
            most[0] = max(most[0], threading.active_count())
            await asyncio.sleep(0.005)

    counter = asyncio.create_task(count())
    waits = [
        prefect_gitlab.atrigger_pipeline_and_wait.fn("shop/etl", credentials, "main", poll_seconds=0.05)
        for _ in range(30)
    ]
    found = await asyncio.gather(*waits)
    counter.cancel()
    assert {pipeline.status for pipeline in found} == {"success"}
    assert len({pipeline.id for pipeline in found}) == 30


async def test_secrets_are_kept_out_of_errors_and_logs(
    do: Any,
    gitlab_api: GitLabApi,
    project: ProjectAtGitLab,
    canary: str,
    no_canary_leaks: Any,
) -> None:
    gitlab_api.token(canary)
    credentials = GitLabCredentials(token=canary, url=gitlab_api.endpoint)
    await do("trigger_pipeline", "shop/etl", credentials, "main", {"KEY": SecretStr(canary)})
    with pytest.raises(GitLabInvalidRequest) as caught:
        await do("trigger_pipeline", "shop/etl", credentials, f"x{canary}", {"KEY": SecretStr("other")})
    assert "Reference not found" in str(caught.value)
    gitlab_api.fail("create_pipeline", 400)
    gitlab_api.tokens.clear()
    with pytest.raises(PermissionError) as refused:
        await do("trigger_pipeline", "shop/etl", credentials)
    no_canary_leaks.add_error(refused.value)


def test_the_tasks_work_in_a_sync_flow(
    project: ProjectAtGitLab, credentials: GitLabCredentials, prefect_harness: None
) -> None:
    @flow
    def release() -> str:
        started = prefect_gitlab.trigger_pipeline("shop/etl", credentials, "main")
        done = prefect_gitlab.wait_for_pipeline("shop/etl", started.id, credentials, poll_seconds=0.01)
        return done.status

    assert release() == "success"


async def test_the_tasks_work_in_an_async_flow(
    project: ProjectAtGitLab, credentials: GitLabCredentials, prefect_harness: None
) -> None:
    @flow
    async def release() -> list[str]:
        first = await prefect_gitlab.trigger_pipeline_and_wait("shop/etl", credentials, "main", poll_seconds=0.01)
        second = await prefect_gitlab.atrigger_pipeline_and_wait("shop/etl", credentials, "v1.0", poll_seconds=0.01)
        return [first.ref, second.ref]

    assert await release() == ["main", "v1.0"]


def _looked(gitlab_api: GitLabApi) -> Any:
    async def look() -> Any:
        return gitlab_api.called("pipeline") or None

    return look
