"""Errors say what is wrong and what to do, keep the token to themselves, and survive a journey."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from prefect_github import GitHubCredentials, errors
from prefect_github.errors import is_transient
from prefect_github.graphql import aexecute_graphql, execute_graphql
from prefect_integration_tests.backends.faults import closed_port
from prefect_integration_tests.backends.github_api import GitHubApi
from prefect_integration_tests.clock import FakeClock

VIEWER = "{ viewer { login } }"

ANSWERS: dict[int, tuple[type[errors.GitHubError], str, bool]] = {
    302: (errors.GitHubError, "302", False),
    400: (errors.GitHubInvalidRequest, "400 as told", False),
    401: (errors.GitHubAuthenticationFailed, "has not expired", False),
    403: (errors.GitHubAccessDenied, "scope or permission", False),
    404: (errors.GitHubNotFound, "Check the name", False),
    422: (errors.GitHubInvalidRequest, "422", False),
    418: (errors.GitHubError, "418", False),
    500: (errors.GitHubUnavailable, "try again later", True),
    503: (errors.GitHubUnavailable, "try again later", True),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_an_answer_becomes_an_error_that_says_what_to_do(
    status: int, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
) -> None:
    cls, said, passes = ANSWERS[status]
    github_api.fail("graphql", status, times=None)
    with pytest.raises(cls, match=rf"^GitHub's API at .*: GitHub answered {status} .*{said}") as caught:
        execute_graphql.fn(VIEWER, credentials)
    error = caught.value
    assert error.http_status == status
    assert is_transient(error) is passes
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.http_status) == (cls, str(error), status)


def test_a_token_that_github_does_not_know_is_refused_at_once(github_api: GitHubApi, clock: FakeClock) -> None:
    stranger = GitHubCredentials(token="ghp_old", base_url=github_api.endpoint)
    with pytest.raises(errors.GitHubAuthenticationFailed, match=r"401 \(Bad credentials\).*`base_url`"):
        execute_graphql.fn(VIEWER, stranger)
    assert len(github_api.calls) == 1
    with pytest.raises(errors.GitHubAuthenticationFailed, match="requires you to be authenticated"):
        execute_graphql.fn(VIEWER, GitHubCredentials(base_url=github_api.endpoint))


@pytest.mark.parametrize("document", [VIEWER, "mutation { a }"], ids=["query", "mutation"])
async def test_a_host_that_is_down_is_told_and_tried_again(document: str, clock: FakeClock) -> None:
    """A mutation, too: without a connection nothing was sent."""
    nobody = GitHubCredentials(token="x", base_url=f"http://127.0.0.1:{closed_port()}")
    said = r"no answer.*Check `base_url`, the network"
    with pytest.raises(errors.GitHubUnavailable, match=said) as caught:
        execute_graphql.fn(document, nobody)
    assert not isinstance(caught.value, errors.GitHubUncertain)
    assert len(clock.sleeps) > 1
    clock.sleeps.clear()
    with pytest.raises(errors.GitHubUnavailable, match=said):
        await aexecute_graphql.fn(document, nobody)
    assert len(clock.sleeps) > 1


def test_a_sign_in_page_is_not_taken_for_an_answer(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    github_api.fail("graphql", when="garbled")
    with pytest.raises(errors.GitHubError, match=r"no answer of GraphQL.*sign-in page"):
        execute_graphql.fn(VIEWER, credentials)


@pytest.mark.parametrize("when", ["before", "lost"])
async def test_the_token_is_in_no_error_and_no_log(
    when: Any,
    github_api: GitHubApi,
    canary: str,
    no_canary_leaks: Any,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    github_api.token(canary)
    block = GitHubCredentials(token=canary, base_url=github_api.endpoint)
    github_api.fail("graphql", times=None, when=when)
    with pytest.raises(errors.GitHubUnavailable) as caught:
        await aexecute_graphql.fn(VIEWER, block)
    no_canary_leaks.add_error(caught.value)
    assert github_api.calls[0].headers["authorization"] == f"Bearer {canary}"
    assert canary not in caplog.text


def test_what_is_not_githubs_is_not_transient() -> None:
    assert not is_transient(KeyError("x"))
