"""What becomes of a change at GitLab when the line fails, answers are spoilt, or the token ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from prefect_gitlab import (
    GitLabAuthenticationFailed,
    GitLabCertificateError,
    GitLabCredentials,
    GitLabError,
    GitLabUnavailable,
    GitLabUncertain,
    acreate_issue,
    atrigger_pipeline,
    await_for_pipeline,
)
from prefect_gitlab import credentials as blocks
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab
from prefect_integration_tests.backends.http_edge import HttpEdge
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.suites import HttpFaultSuite


class TestIssues(HttpFaultSuite):
    """What GitLab may have begun with is not repeated: it has no key that would tell a second one."""

    error = GitLabError
    named = "An issue of shop/etl"
    unsure = frozenset({"reset", "time-out", "500", "truncated", "lost"})
    secret = "glpat-shop"

    @pytest.fixture
    def edge(
        self,
        gitlab_api: GitLabApi,
        credentials: GitLabCredentials,
        project: ProjectAtGitLab,
        http_edge: Callable[..., HttpEdge],
        clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> HttpEdge:
        monkeypatch.setattr(blocks, "_TIMEOUT_SECONDS", 0.8)
        self.credentials, self.project = credentials, project
        return http_edge(gitlab_api.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> None:
        await acreate_issue.fn("shop/etl", key, self.credentials.model_copy(update={"url": edge.url}))

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(issue["title"] == key for issue in self.project.issues)


async def test_what_may_have_been_done_is_said_to_be(
    gitlab_api: GitLabApi,
    credentials: GitLabCredentials,
    project: ProjectAtGitLab,
    http_edge: Callable[..., HttpEdge],
    clock: FakeClock,
) -> None:
    edge = http_edge(gitlab_api.endpoint)
    there = credentials.model_copy(update={"url": edge.url})
    with edge.fault("lost"), pytest.raises(GitLabUncertain, match="Look at GitLab whether it was made"):
        await atrigger_pipeline.fn("shop/etl", there, "main")
    assert len(project.pipelines) == 1
    assert clock.sleeps == []


async def test_a_host_that_no_resolver_knows_is_told(clock: FakeClock) -> None:
    nowhere = GitLabCredentials(token="x", url=f"https://{UNRESOLVABLE_HOST}")
    with pytest.raises(GitLabUnavailable, match=r"An issue of shop/etl: .*Check `url`, the network") as caught:
        await acreate_issue.fn("shop/etl", "x", nowhere)
    assert not isinstance(caught.value, GitLabUncertain)  # it was never sent
    assert len(clock.sleeps) > 1
    assert sum(clock.sleeps) <= 120


async def test_a_certificate_that_nobody_trusts_is_told_and_nothing_is_sent(
    gitlab_api: GitLabApi, git_authority: PrivateCA, http_edge: Callable[..., HttpEdge], clock: FakeClock
) -> None:
    edge = http_edge(gitlab_api.endpoint, context=git_authority.issue("gitlab", "127.0.0.1").server_context())
    with pytest.raises(GitLabCertificateError, match=r"An issue of shop/etl: .*certificate.*ca_bundle"):
        await acreate_issue.fn("shop/etl", "x", GitLabCredentials(token="x", url=edge.url))
    assert (edge.calls, clock.sleeps) == ([], [])  # no other attempt would end otherwise


async def test_a_token_that_ended_is_told_at_once(
    gitlab_api: GitLabApi, credentials: GitLabCredentials, project: ProjectAtGitLab, clock: FakeClock
) -> None:
    gitlab_api.tokens.clear()
    with pytest.raises(GitLabAuthenticationFailed, match=r"An issue of shop/etl: .*has not expired") as caught:
        await acreate_issue.fn("shop/etl", "x", credentials)
    assert "glpat-shop" not in str(caught.value)
    assert (len(gitlab_api.calls), clock.sleeps, project.issues) == (1, [], [])


async def test_a_clock_that_jumps_does_not_matter(
    gitlab_api: GitLabApi,
    credentials: GitLabCredentials,
    project: ProjectAtGitLab,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gitlab_api.fail("create_issue", 429, headers={"Retry-After": "7"}, times=2)
    right, jumps = time.time, iter([86_400.0, -86_400.0])
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    await acreate_issue.fn("shop/etl", "x", credentials)
    assert clock.sleeps == [7, 7]
    assert len(project.issues) == 1


_WAIT = """
import sys
from prefect_gitlab import GitLabCredentials, trigger_pipeline_and_wait

credentials = GitLabCredentials(token="glpat-shop", url=sys.argv[1])
trigger_pipeline_and_wait.fn("shop/etl", credentials, "main", poll_seconds=0.05)
"""


async def test_a_pipeline_whose_waiter_was_killed_goes_on_and_can_be_taken_up(
    gitlab_api: GitLabApi, credentials: GitLabCredentials, project: ProjectAtGitLab
) -> None:
    project.play = ["created", "running"]

    async def has_looked() -> bool | None:
        return bool(gitlab_api.called("pipeline")) or None

    with subprocess.Popen([sys.executable, "-c", _WAIT, gitlab_api.endpoint]) as process:
        await apoll(has_looked, subject="A look at the pipeline", interval_seconds=0.02, timeout_seconds=60)
        process.kill()
    ((number, pipeline),) = project.pipelines.items()
    assert pipeline["status"] == "running"
    pipeline["_play"].append("success")
    assert (await await_for_pipeline.fn("shop/etl", number, credentials, poll_seconds=0.05)).status == "success"
    assert len(project.pipelines) == 1
