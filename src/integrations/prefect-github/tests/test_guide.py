"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_github import GitHubAppCredentials, GitHubCredentials, GitHubRepository
from prefect_github.graphql import execute_graphql
from prefect_integration_tests.backends.git_server import GitServer, basic
from prefect_integration_tests.backends.github_api import AppAtGitHub, FieldError, GitHubApi
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.suites import GuideSuite

ETL = {
    "id": "R_1",
    "stargazerCount": 42,
    "issues": {"nodes": [{"number": 7, "title": "Three parcels are late"}]},
}


class TestGuide(GuideSuite):
    distribution = "prefect-github"

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        github_api: GitHubApi,
        git_server: GitServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[], object]:
        """A GitHub with the shop's repository, and a reader who answers what he is asked."""
        github_api.token("ghp_shop")
        github_api.data = {"repository": ETL, "addStar": {"starrable": {"__typename": "Repository", **ETL}}}
        git_server.require(*github_api.git_authorizations())
        remote = git_server.repository("shop/etl.git")
        remote.tag("v1.2.0", remote.commit({"flows/report.py": b"", "README.md": b""}))
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": "ghp_shop")
        credentials = GitHubCredentials(token="ghp_shop", base_url=github_api.endpoint)
        repository = GitHubRepository(
            repository_url=git_server.url(remote), reference="v1.2.0", credentials=credentials
        )

        def restore() -> None:
            credentials.save("shop-github", overwrite=True)
            repository.save("shop-code", overwrite=True)

        return restore

    @pytest.fixture
    def provocations(
        self,
        github_api: GitHubApi,
        git_server: GitServer,
        git_tls_server: GitServer,
        app: AppAtGitHub,
        credentials: GitHubCredentials,
        clock: FakeClock,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Mapping[str, Callable[[], object]]:
        git_server.repository("shop/etl.git").commit({"flow.py": b""})
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
        github_api.scopes["Query.organization"] = "read:org"
        gone = FieldError("NOT_FOUND", "Could not resolve to a Repository with the name 'shop/gone'.")
        github_api.data = {"repository": gone}

        def pull(reference: str | None, server: GitServer = git_server, **fields: Any) -> object:
            if fields:
                server.require(basic("x-access-token", "other"))
            block = GitHubRepository(repository_url=server.url("shop/etl.git"), reference=reference, **fields)
            return block.get_directory(local_path=str(tmp_path))

        def use_up() -> object:
            github_api.limit("primary", seconds=1800)
            return execute_graphql.fn(
                "{ viewer { login } }", credentials.model_copy(update={"rate_limit_wait_seconds": 60.0})
            )

        nobody = GitHubAppCredentials(
            app_id=app.id, private_key=app.private_key, owner="nobody", base_url=github_api.endpoint
        )
        return {
            "The token is refused": lambda: pull("main", credentials=GitHubCredentials(token="ghp_wrong")),
            "The branch does not exist": lambda: pull("gone"),
            "The certificate is unknown": lambda: pull(None, git_tls_server),
            "The repository is not found": lambda: execute_graphql.fn(
                '{ repository(owner: "shop", name: "gone") { id } }', credentials
            ),
            "The token lacks a scope": lambda: execute_graphql.fn(
                '{ organization(login: "shop") { id } }', credentials
            ),
            "The rate limit is used up": use_up,
            "The App is not installed": lambda: nobody.get_token(),
        }
