"""What tests of the API share: a server, credentials for it, and time that passes at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_github import GitHubAppCredentials, GitHubCredentials, _app, _http
from prefect_integration_tests.backends.github_api import AppAtGitHub, GitHubApi
from prefect_integration_tests.clock import FakeClock


@pytest.fixture
def credentials(github_api: GitHubApi) -> GitHubCredentials:
    """A token that may read and write."""
    github_api.token("ghp_shop", "repo")
    return GitHubCredentials(token="ghp_shop", base_url=github_api.endpoint)


@pytest.fixture
def clock(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock that waits are measured by."""
    monkeypatch.setattr(_http, "clock", fake_clock)
    return fake_clock


@pytest.fixture
def app(github_api: GitHubApi) -> AppAtGitHub:
    """An App that the organization `shop` has installed."""
    made = github_api.app()
    made.install("shop", repositories={"etl", "web"})
    return made


@pytest.fixture
def app_credentials(github_api: GitHubApi, app: AppAtGitHub) -> Iterator[GitHubAppCredentials]:
    """Credentials of the App, without a token yet."""
    yield GitHubAppCredentials(app_id=app.id, private_key=app.private_key, owner="shop", base_url=github_api.endpoint)
    _app._kept.clear()
