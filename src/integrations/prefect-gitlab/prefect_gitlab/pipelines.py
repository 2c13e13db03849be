"""Pipelines: start one, wait for its end, cancel it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import anyio
from prefect import task
from pydantic import SecretStr

from prefect_integration_kit.dispatch import sync_task
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import WaitTimeout, apoll, poll

from . import _api
from ._api import Api, Json, field, project_path
from ._login import login_of
from .credentials import GitLabCredentials
from .errors import (
    GitLabError,
    GitLabInvalidRequest,
    GitLabNotFound,
    GitLabPipelineCanceled,
    GitLabPipelineFailed,
    GitLabPipelineTimeout,
    is_transient,
)

__all__ = [
    "Pipeline",
    "acancel_pipeline",
    "atrigger_pipeline",
    "atrigger_pipeline_and_wait",
    "await_for_pipeline",
    "cancel_pipeline",
    "trigger_pipeline",
    "trigger_pipeline_and_wait",
    "wait_for_pipeline",
]

Values = Mapping[str, str | SecretStr]

# https://docs.gitlab.com/api/pipelines/#list-project-pipelines has all of them.
_ENDED = frozenset({"success", "failed", "canceled", "skipped"})
_SHOWN_JOBS = 5


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as GitLab described it.

    Attributes:
        id: Its number, in all of the instance.
        project_id: Number of its project.
        status: `created`, `waiting_for_resource`, `preparing`, `pending`, `running`, `success`, `failed`, `canceling`,
            `canceled`, `skipped`, `manual` or `scheduled`.
        ref: Branch or tag that it runs for.
        sha: The commit.
        web_url: Its page.
    """

    id: int
    project_id: int
    status: str
    ref: str
    sha: str
    web_url: str

    @property
    def has_ended(self) -> bool:
        """Whether its status will not change by itself."""
        return self.status in _ENDED


def _pipeline(answer: Any, subject: str) -> Pipeline:
    return Pipeline(
        id=field(answer, "id", int, subject),
        project_id=field(answer, "project_id", int, subject),
        status=field(answer, "status", str, subject),
        ref=field(answer, "ref", str, subject),
        sha=field(answer, "sha", str, subject),
        web_url=field(answer, "web_url", str, subject),
    )


# Start


@dataclass(frozen=True)
class _Start:
    """What to ask for a new pipeline."""

    project: str | int
    ref: str | None
    credentials: GitLabCredentials
    variables: Values
    inputs: Mapping[str, Any]

    @property
    def subject(self) -> str:
        return f"A pipeline of {self.project}" + (f" at {self.ref!r}" if self.ref else "")

    @property
    def secrets(self) -> list[SecretStr]:
        return [value for value in self.variables.values() if isinstance(value, SecretStr)]

    def request(self, ref: str) -> tuple[str, Json]:
        """Write the request: path and body (https://docs.gitlab.com/api/pipelines/#create-a-new-pipeline)."""
        variables = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.variables.items()
        }
        for name, value in variables.items():
            if not name or not isinstance(value, str):
                raise GitLabInvalidRequest(
                    f"{self.subject}: the variable {name!r} has a value of type {type(value).__name__}; GitLab takes "
                    "texts. Write str(value)."
                )
        body: Json = {"ref": ref, **({"inputs": dict(self.inputs)} if self.inputs else {})}
        path = project_path(self.project)
        if self.credentials.token_type == "job":  # noqa: S105 - a kind of token
            # A job's token may start pipelines of other projects, by the door for triggers:
            # https://docs.gitlab.com/ci/triggers/#use-a-cicd-job
            _, token = login_of(self.credentials) or ("", "")
            return f"{path}/trigger/pipeline", {**body, "token": token, "variables": variables}
        listed = [{"key": name, "value": value} for name, value in variables.items()]
        return f"{path}/pipeline", {**body, **({"variables": listed} if listed else {})}


def _start(
    project: str | int,
    ref: str | None,
    credentials: GitLabCredentials,
    variables: Values | None,
    inputs: Mapping[str, Any] | None,
) -> _Start:
    return _Start(project, ref, credentials, variables or {}, inputs or {})


def _say_started(pipeline: Pipeline) -> None:
    run_logger(__name__).info("Started pipeline %d at %s: %s", pipeline.id, pipeline.ref, pipeline.web_url)


def _trigger(api: Api, start: _Start) -> Pipeline:
    ref = start.ref
    if ref is None:
        answer = api.ask("get", project_path(start.project), start.subject)
        ref = field(answer, "default_branch", str, start.subject)
    path, body = start.request(ref)
    pipeline = _pipeline(api.ask("post", path, start.subject, body), start.subject)
    _say_started(pipeline)
    return pipeline


async def _atrigger(api: Api, start: _Start) -> Pipeline:
    ref = start.ref
    if ref is None:
        answer = await api.aask("get", project_path(start.project), start.subject)
        ref = field(answer, "default_branch", str, start.subject)
    path, body = start.request(ref)
    work = asyncio.ensure_future(api.aask("post", path, start.subject, body))
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True), contextlib.suppress(GitLabError):
            # Somebody else would have to end it.
            await _acancel_quietly(api, start.project, _pipeline(await work, start.subject))
        raise
    pipeline = _pipeline(work.result(), start.subject)
    _say_started(pipeline)
    return pipeline


@task
async def atrigger_pipeline(
    project: str | int,
    gitlab_credentials: GitLabCredentials,
    ref: str | None = None,
    variables: Values | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Pipeline:
    """Async form of `trigger_pipeline`; when it is cancelled, the pipeline is, too."""
    start = _start(project, ref, gitlab_credentials, variables, inputs)
    with Api(gitlab_credentials, start.secrets) as api:
        return await _atrigger(api, start)


@sync_task(atrigger_pipeline)
def trigger_pipeline(
    project: str | int,
    gitlab_credentials: GitLabCredentials,
    ref: str | None = None,
    variables: Values | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Pipeline:
    """Start a pipeline, without waiting for it. A second call starts a second one.

    Args:
        project: Path of the project, such as `group/name`, or its number.
        gitlab_credentials: Who asks: a token with the scope api, or that of a CI job.
        ref: Branch or tag; the default branch if not given.
        variables: Variables of the pipeline, which GitLab shows to whoever may see them; values are texts. Secret ones
            are kept out of logs and messages here.
        inputs: [Inputs](https://docs.gitlab.com/ci/inputs/) of the pipeline's configuration.

    Returns:
        The pipeline as it was created.

    Raises:
        GitLabError: Of the class that tells what is wrong. After `GitLabUncertain` it may have been started.
    """
    start = _start(project, ref, gitlab_credentials, variables, inputs)
    with Api(gitlab_credentials, start.secrets) as api:
        return _trigger(api, start)


# Wait


class _Watch:
    """One wait: what both faces do between two looks."""

    def __init__(self, project: str | int, pipeline_id: int, *, is_new: bool) -> None:
        self.path = f"{project_path(project)}/pipelines/{pipeline_id}"
        self.subject = f"Pipeline {pipeline_id} of {project}"
        self._is_new = is_new
        self._status = ""

    def verdict(self, error: Exception) -> bool | float:
        # A replica of the database may not know yet what another has made.
        return True if self._is_new and isinstance(error, GitLabNotFound) else is_transient(error)

    def look(self, answer: Any) -> Pipeline | None:
        pipeline = _pipeline(answer, self.subject)
        self._is_new = False
        if pipeline.status != self._status:
            self._status = pipeline.status
            if pipeline.status == "manual":
                run_logger(__name__).warning(
                    "%s waits for somebody to start a manual job: %s", self.subject, pipeline.web_url
                )
            else:
                run_logger(__name__).info("%s is %s", self.subject, pipeline.status)
        return pipeline if pipeline.has_ended else None

    def timed_out(self, seconds: float | None) -> GitLabPipelineTimeout:
        return GitLabPipelineTimeout(
            f"{self.subject} was still {self._status} after {seconds:g} seconds. Raise timeout_seconds if it needs "
            "longer.",
            subject=self.subject,
        )

    def failure(self, pipeline: Pipeline, jobs: Any) -> GitLabPipelineFailed:
        cls = GitLabPipelineCanceled if pipeline.status == "canceled" else GitLabPipelineFailed
        names = _failed_jobs(jobs)
        message = f"{self.subject} ended as {pipeline.status}."
        if names:
            message += f" Failed jobs: {', '.join(names)}."
        return cls(
            f"{message} Its page shows why: {pipeline.web_url}",
            subject=self.subject,
            status=pipeline.status,
            web_url=pipeline.web_url,
        )


def _failed_jobs(answer: Any) -> list[str]:
    jobs = cast("list[Json]", answer) if isinstance(answer, list) else []
    names = [
        f"{job.get('name')} ({job.get('failure_reason') or job.get('stage')})"
        for job in jobs
        if not job.get("allow_failure")
    ]
    more = len(names) - _SHOWN_JOBS
    return [*names[:_SHOWN_JOBS], *([f"{more} more"] if more > 0 else [])]


_FAILED: Json = {"scope[]": "failed", "per_page": 100}


def _wait(api: Api, watch: _Watch, poll_seconds: float, timeout_seconds: float | None) -> Pipeline:
    try:
        pipeline = poll(
            lambda: watch.look(api.ask("get", watch.path, watch.subject, verdict=watch.verdict)),
            subject=watch.subject,
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
            clock=_api.clock,
        )
    except WaitTimeout as exc:
        raise watch.timed_out(timeout_seconds) from exc
    if pipeline.status == "success":
        return pipeline
    jobs: Any = None
    with contextlib.suppress(GitLabError):
        jobs = api.ask("get", f"{watch.path}/jobs", watch.subject, query=_FAILED)
    raise watch.failure(pipeline, jobs)


async def _await(api: Api, watch: _Watch, poll_seconds: float, timeout_seconds: float | None) -> Pipeline:
    async def look() -> Pipeline | None:
        return watch.look(await api.aask("get", watch.path, watch.subject, verdict=watch.verdict))

    try:
        pipeline = await apoll(
            look,
            subject=watch.subject,
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
            clock=_api.clock,
        )
    except WaitTimeout as exc:
        raise watch.timed_out(timeout_seconds) from exc
    if pipeline.status == "success":
        return pipeline
    jobs: Any = None
    with contextlib.suppress(GitLabError):
        jobs = await api.aask("get", f"{watch.path}/jobs", watch.subject, query=_FAILED)
    raise watch.failure(pipeline, jobs)


@task
async def await_for_pipeline(
    project: str | int,
    pipeline_id: int,
    gitlab_credentials: GitLabCredentials,
    poll_seconds: float = 10.0,
    timeout_seconds: float | None = 3600.0,
) -> Pipeline:
    """Async form of `wait_for_pipeline`; many waits share the event loop."""
    with Api(gitlab_credentials) as api:
        return await _await(api, _Watch(project, pipeline_id, is_new=False), poll_seconds, timeout_seconds)


@sync_task(await_for_pipeline)
def wait_for_pipeline(
    project: str | int,
    pipeline_id: int,
    gitlab_credentials: GitLabCredentials,
    poll_seconds: float = 10.0,
    timeout_seconds: float | None = 3600.0,
) -> Pipeline:
    """Wait until a pipeline has ended. The pipeline goes on whatever becomes of the wait.

    Args:
        project: Path of the project, such as `group/name`, or its number.
        pipeline_id: Number of the pipeline.
        gitlab_credentials: Who asks.
        poll_seconds: Seconds between two looks.
        timeout_seconds: Seconds to wait at most; `None` for no end.

    Returns:
        The pipeline, whose status is `success`.

    Raises:
        GitLabPipelineFailed: If it ended otherwise; the message names the jobs that failed.
        GitLabPipelineTimeout: If it has not ended in time.
        GitLabError: If GitLab cannot be asked.
    """
    with Api(gitlab_credentials) as api:
        return _wait(api, _Watch(project, pipeline_id, is_new=False), poll_seconds, timeout_seconds)


# Start, and wait


@task
async def atrigger_pipeline_and_wait(
    project: str | int,
    gitlab_credentials: GitLabCredentials,
    ref: str | None = None,
    variables: Values | None = None,
    inputs: Mapping[str, Any] | None = None,
    poll_seconds: float = 10.0,
    timeout_seconds: float | None = 3600.0,
) -> Pipeline:
    """Async form of `trigger_pipeline_and_wait`; many waits share the event loop."""
    start = _start(project, ref, gitlab_credentials, variables, inputs)
    with Api(gitlab_credentials, start.secrets) as api:
        pipeline = await _atrigger(api, start)
        try:
            return await _await(api, _Watch(project, pipeline.id, is_new=True), poll_seconds, timeout_seconds)
        except (asyncio.CancelledError, GitLabPipelineTimeout):
            with anyio.CancelScope(shield=True):
                await _acancel_quietly(api, project, pipeline)
            raise


@sync_task(atrigger_pipeline_and_wait)
def trigger_pipeline_and_wait(
    project: str | int,
    gitlab_credentials: GitLabCredentials,
    ref: str | None = None,
    variables: Values | None = None,
    inputs: Mapping[str, Any] | None = None,
    poll_seconds: float = 10.0,
    timeout_seconds: float | None = 3600.0,
) -> Pipeline:
    """Start a pipeline, and wait until it has ended. If the wait ends first, the pipeline is cancelled.

    That is so when the time is up, the run is cancelled, or the process is told to end.

    Args:
        project: Path of the project, such as `group/name`, or its number.
        gitlab_credentials: Who asks: a token with the scope api.
        ref: Branch or tag; the default branch if not given.
        variables: Variables of the pipeline, which GitLab shows to whoever may see them; values are texts. Secret ones
            are kept out of logs and messages here.
        inputs: [Inputs](https://docs.gitlab.com/ci/inputs/) of the pipeline's configuration.
        poll_seconds: Seconds between two looks.
        timeout_seconds: Seconds to wait at most; `None` for no end.

    Returns:
        The pipeline, whose status is `success`.

    Raises:
        GitLabPipelineFailed: If it ended otherwise; the message names the jobs that failed.
        GitLabPipelineTimeout: If it has not ended in time.
        GitLabError: Of the class that tells what else is wrong. After `GitLabUncertain` it may have been started.
    """
    start = _start(project, ref, gitlab_credentials, variables, inputs)
    with Api(gitlab_credentials, start.secrets) as api:
        pipeline = _trigger(api, start)
        try:
            return _wait(api, _Watch(project, pipeline.id, is_new=True), poll_seconds, timeout_seconds)
        except BaseException as exc:
            if not isinstance(exc, Exception) or isinstance(exc, GitLabPipelineTimeout):
                _cancel_quietly(api, project, pipeline)
            raise


# Cancel


def _cancel_path(project: str | int, pipeline_id: int) -> tuple[str, str]:
    return f"{project_path(project)}/pipelines/{pipeline_id}/cancel", f"Pipeline {pipeline_id} of {project}"


def _never(_: Exception) -> bool:
    return False


def _cancel_quietly(api: Api, project: str | int, pipeline: Pipeline) -> None:
    """Cancel, once; the error that led here is the one to raise."""
    try:
        api.ask("post", *_cancel_path(project, pipeline.id), verdict=_never)
    except GitLabError as exc:
        _say_left(pipeline, exc)
    else:
        run_logger(__name__).info("Cancelled pipeline %d", pipeline.id)


async def _acancel_quietly(api: Api, project: str | int, pipeline: Pipeline) -> None:
    try:
        await api.aask("post", *_cancel_path(project, pipeline.id), verdict=_never)
    except GitLabError as exc:
        _say_left(pipeline, exc)
    else:
        run_logger(__name__).info("Cancelled pipeline %d", pipeline.id)


def _say_left(pipeline: Pipeline, exc: Exception) -> None:
    run_logger(__name__).warning("Pipeline %d may still run, at %s. %s", pipeline.id, pipeline.web_url, exc)


@task
async def acancel_pipeline(project: str | int, pipeline_id: int, gitlab_credentials: GitLabCredentials) -> Pipeline:
    """Async form of `cancel_pipeline`."""
    path, subject = _cancel_path(project, pipeline_id)
    with Api(gitlab_credentials) as api:
        return _pipeline(await api.aask("post", path, subject), subject)


@sync_task(acancel_pipeline)
def cancel_pipeline(project: str | int, pipeline_id: int, gitlab_credentials: GitLabCredentials) -> Pipeline:
    """Cancel a pipeline: jobs that have not ended do not start, or are ended. One that has ended stays as it is.

    Args:
        project: Path of the project, such as `group/name`, or its number.
        pipeline_id: Number of the pipeline.
        gitlab_credentials: Who asks: a token with the scope api.

    Returns:
        The pipeline, whose status is `canceling` or `canceled` unless it had ended.

    Raises:
        GitLabError: Of the class that tells what is wrong.
    """
    path, subject = _cancel_path(project, pipeline_id)
    with Api(gitlab_credentials) as api:
        return _pipeline(api.ask("post", path, subject), subject)
