"""What tests of the API share: a server, credentials for it, and time that passes at once."""

from __future__ import annotations

import pytest

from prefect_gitlab import GitLabCredentials, _api
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab
from prefect_integration_tests.clock import FakeClock


@pytest.fixture
def credentials(gitlab_api: GitLabApi) -> GitLabCredentials:
    """A token with the scope api."""
    gitlab_api.token("glpat-shop", "project", username="shop-bot")
    return GitLabCredentials(token="glpat-shop", token_type="project", url=gitlab_api.endpoint)


@pytest.fixture
def project(gitlab_api: GitLabApi) -> ProjectAtGitLab:
    """A project with one merge request."""
    return gitlab_api.project("shop/etl", merge_requests={7}, branches={"main", "v1.0"})


@pytest.fixture
def clock(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock that waits are measured by."""
    monkeypatch.setattr(_api, "clock", fake_clock)
    return fake_clock
