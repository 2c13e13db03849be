"""Errors say what is wrong and what to do, are those of the SDK as well, and survive a journey."""

from __future__ import annotations

import pickle
from typing import Any

import gitlab.exceptions
import pytest
import requests

from prefect_gitlab import GitLabCredentials, create_issue, errors
from prefect_gitlab.errors import gitlab_errors, is_transient
from prefect_integration_tests.backends.faults import closed_port
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab
from prefect_integration_tests.clock import FakeClock

ANSWERS: dict[int, tuple[type[errors.GitLabError], str, bool]] = {
    400: (errors.GitLabInvalidRequest, "400 as told", False),
    401: (errors.GitLabAuthenticationFailed, "has not expired", False),
    403: (errors.GitLabAccessDenied, "scope api", False),
    404: (errors.GitLabNotFound, "Check the project", False),
    409: (errors.GitLabInvalidRequest, "409", False),
    422: (errors.GitLabInvalidRequest, "422", False),
    418: (errors.GitLabError, "418", False),
    429: (errors.GitLabUnavailable, "try again later", True),
    500: (errors.GitLabUnavailable, "try again later", True),
    503: (errors.GitLabUnavailable, "try again later", True),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_an_answer_becomes_an_error_that_says_what_to_do(
    status: int, gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials
) -> None:
    cls, said, passes = ANSWERS[status]
    gitlab_api.fail("project", status)
    client = credentials.get_client()
    with (
        pytest.raises(cls, match=rf"^Project shop/etl: GitLab answered {status} .*{said}") as caught,
        gitlab_errors("Project shop/etl"),
    ):
        client.projects.get("shop/etl", obey_rate_limit=False)
    error = caught.value
    assert isinstance(error, gitlab.exceptions.GitlabError)
    assert error.http_status == status
    assert is_transient(error) is passes
    again = pickle.loads(pickle.dumps(error))
    assert (type(again).__name__, str(again), again.http_status) == (cls.__name__, str(error), status)
    assert isinstance(again, gitlab.exceptions.GitlabError)


def test_a_host_that_is_down_is_told_and_tried_again(clock: FakeClock) -> None:
    nobody = GitLabCredentials(token="x", url=f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(errors.GitLabUnavailable, match="Check `url`, the network") as caught:
        create_issue.fn("shop/etl", "x", nobody)
    assert isinstance(caught.value, requests.exceptions.ConnectionError | ConnectionError)
    assert not isinstance(caught.value, errors.GitLabUncertain)
    assert len(clock.sleeps) > 1


def test_a_sign_in_page_is_not_taken_for_an_answer(
    gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials
) -> None:
    gitlab_api.fail("create_issue", when="garbled")
    with pytest.raises(errors.GitLabError, match=r"no JSON.*sign-in page"):
        create_issue.fn("shop/etl", "x", credentials)


def test_a_secret_that_gitlab_repeats_is_masked(canary: str, no_canary_leaks: Any) -> None:
    with pytest.raises(errors.GitLabError) as caught, gitlab_errors("x", [canary]):
        raise gitlab.exceptions.GitlabHttpError(f"The value {canary} is wrong.", 400)
    no_canary_leaks.add_error(caught.value)


def test_what_is_not_gitlabs_stays_as_it_is() -> None:
    error = KeyError("x")
    with pytest.raises(KeyError) as caught, gitlab_errors("x"):
        raise error
    assert caught.value is error
    assert not is_transient(error)
