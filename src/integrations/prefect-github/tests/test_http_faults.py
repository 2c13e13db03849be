"""What becomes of a change at GitHub when the line fails, answers are spoilt, or the token ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from prefect_github import (
    GitHubAppCredentials,
    GitHubAuthenticationFailed,
    GitHubCertificateError,
    GitHubCredentials,
    GitHubError,
    GitHubUnavailable,
    GitHubUncertain,
    _http,
)
from prefect_github.graphql import aexecute_graphql, execute_graphql
from prefect_integration_kit.waiting import Backoff
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.github_api import GitHubApi
from prefect_integration_tests.backends.http_edge import EdgeCall, HttpEdge
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.suites import HttpFaultSuite

STAR = "mutation($id: ID!) { addStar(input: {starrableId: $id}) { starrable { id } } }"
LOOK = "query($id: ID!) { node(id: $id) { id } }"


class _Edged(HttpFaultSuite):
    error = GitHubError
    named = r"GitHub's API at 127\.0\.0\.1"
    secret = "ghp_shop"
    document: str

    @pytest.fixture
    def edge(
        self,
        github_api: GitHubApi,
        credentials: GitHubCredentials,
        http_edge: Callable[..., HttpEdge],
        clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> HttpEdge:
        execute_graphql.fn(self.document, credentials, id="first")  # the server reads its schema: that takes a while
        monkeypatch.setattr(_http, "TIMEOUT_SECONDS", 0.8)
        monkeypatch.setattr(_http, "BACKOFF", Backoff(max_attempts=3))
        self.api, self.credentials = github_api, credentials
        return http_edge(github_api.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> None:
        there = self.credentials.model_copy(update={"base_url": edge.url})
        await aexecute_graphql.fn(self.document, there, id=key)


class TestChanges(_Edged):
    """A mutation is sent once: GitHub has no key that would tell a second one."""

    document = STAR
    unsure = frozenset({"reset", "time-out", "500", "503", "truncated", "lost"})

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(operation.variables["id"] == key for operation in self.api.operations)


class TestQueries(_Edged):
    """A query is sent again, whatever became of the first."""

    document = LOOK

    def changes(self, edge: HttpEdge, key: str) -> int:
        return min(1, sum(operation.variables["id"] == key for operation in self.api.operations))


class TestAppLogin(HttpFaultSuite):
    """A token of an App. One that is asked for twice does no harm."""

    error = GitHubError
    named = "GitHub"

    @pytest.fixture
    def edge(
        self,
        github_api: GitHubApi,
        app_credentials: GitHubAppCredentials,
        http_edge: Callable[..., HttpEdge],
        clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> HttpEdge:
        monkeypatch.setattr(_http, "TIMEOUT_SECONDS", 0.8)
        monkeypatch.setattr(_http, "BACKOFF", Backoff(max_attempts=3))
        self.api, self.credentials = github_api, app_credentials
        self.tokens: dict[str, str] = {}
        return http_edge(github_api.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> None:
        there = self.credentials.model_copy(update={"base_url": edge.url})
        self.tokens[key] = (await there.aget_token()).get_secret_value()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return int(self.tokens.get(key) in self.api.tokens)

    def strikes(self, call: EdgeCall) -> bool:
        return call.path.endswith("/access_tokens")


def test_an_app_at_a_host_that_no_resolver_knows_is_told(
    app_credentials: GitHubAppCredentials, clock: FakeClock
) -> None:
    nowhere = app_credentials.model_copy(update={"base_url": f"https://{UNRESOLVABLE_HOST}"})
    with pytest.raises(GitHubUnavailable, match="Check `base_url`, the network"):
        nowhere.get_token()
    assert len(clock.sleeps) > 1


def test_an_app_tells_nothing_to_a_server_whose_certificate_nobody_trusts(
    github_api: GitHubApi,
    app_credentials: GitHubAppCredentials,
    git_authority: PrivateCA,
    http_edge: Callable[..., HttpEdge],
    clock: FakeClock,
) -> None:
    edge = http_edge(github_api.endpoint, context=git_authority.issue("app", "127.0.0.1").server_context())
    with pytest.raises(GitHubCertificateError, match=r"`ca_bundle`"):
        app_credentials.model_copy(update={"base_url": edge.url}).get_token()
    assert (edge.calls, clock.sleeps) == ([], [])


async def test_a_host_that_no_resolver_knows_is_told(clock: FakeClock) -> None:
    nowhere = GitHubCredentials(token="x", base_url=f"https://{UNRESOLVABLE_HOST}")
    with pytest.raises(GitHubUnavailable, match=r"GitHub's API at .*Check `base_url`, the network") as caught:
        await aexecute_graphql.fn(STAR, nowhere, id="1")
    assert not isinstance(caught.value, GitHubUncertain)  # it was never sent
    assert len(clock.sleeps) > 1
    assert sum(clock.sleeps) <= 120


async def test_a_certificate_that_nobody_trusts_is_told_and_nothing_is_sent(
    github_api: GitHubApi, git_authority: PrivateCA, http_edge: Callable[..., HttpEdge], clock: FakeClock
) -> None:
    edge = http_edge(github_api.endpoint, context=git_authority.issue("github", "127.0.0.1").server_context())
    with pytest.raises(GitHubCertificateError, match=r"`ca_bundle`"):
        await aexecute_graphql.fn(STAR, GitHubCredentials(token="x", base_url=edge.url), id="1")
    assert (edge.calls, clock.sleeps) == ([], [])  # no other attempt would end otherwise


async def test_a_token_that_ended_is_told_at_once(
    github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
) -> None:
    github_api.tokens.clear()
    with pytest.raises(GitHubAuthenticationFailed, match=r"has not expired or been revoked") as caught:
        await aexecute_graphql.fn(STAR, credentials, id="1")
    assert "ghp_shop" not in str(caught.value)
    assert (len(github_api.calls), clock.sleeps, github_api.operations) == (1, [], [])


async def test_a_clock_that_jumps_does_not_matter(
    github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    github_api.limit("secondary", seconds=70, times=2)
    right, jumps = time.time, iter([86_400.0, -86_400.0])
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    await aexecute_graphql.fn(STAR, credentials, id="1")
    assert all(60 < seconds < 80 for seconds in clock.sleeps)
    assert len(clock.sleeps) == 2
    assert len(github_api.operations) == 1
