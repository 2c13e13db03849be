"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_gitlab import (
    GitLabCredentials,
    GitLabRepository,
    create_issue,
    trigger_pipeline,
    trigger_pipeline_and_wait,
)
from prefect_integration_tests.backends.git_server import GitServer, basic
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.suites import GuideSuite


class TestGuide(GuideSuite):
    distribution = "prefect-gitlab"

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        gitlab_api: GitLabApi,
        git_server: GitServer,
        project: ProjectAtGitLab,
        clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[], object]:
        """A GitLab with the shop's project, its code, and a reader who answers what he is asked."""
        gitlab_api.token("glpat-shop")
        git_server.require(*gitlab_api.git_authorizations())
        remote = git_server.repository("shop/etl.git")
        remote.tag("v1.2.0", remote.commit({"flows/report.py": b"", "README.md": b""}))
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": "glpat-shop")
        credentials = GitLabCredentials(token="glpat-shop", url=gitlab_api.endpoint)
        repository = GitLabRepository(repository=git_server.url(remote), reference="v1.2.0", access_token="glpat-shop")

        def restore() -> None:
            credentials.save("shop-gitlab", overwrite=True)
            repository.save("shop-code", overwrite=True)

        return restore

    @pytest.fixture
    def provocations(
        self,
        gitlab_api: GitLabApi,
        git_server: GitServer,
        git_tls_server: GitServer,
        project: ProjectAtGitLab,
        credentials: GitLabCredentials,
        clock: FakeClock,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Mapping[str, Callable[[], object]]:
        gitlab_api.token("reads", "personal", "read_api")
        remote = git_server.repository("shop/etl.git")
        remote.commit({"flow.py": b""})
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)

        def pull(reference: str | None, server: GitServer = git_server, **fields: Any) -> object:
            if fields:
                server.require(basic("oauth2", "other"))
            block = GitLabRepository(repository=server.url("shop/etl.git"), reference=reference, **fields)
            return block.get_directory(local_path=str(tmp_path))

        def fail() -> object:
            project.play, project.failed_jobs = ["created", "failed"], ["test"]
            return trigger_pipeline_and_wait.fn("shop/etl", credentials, "main")

        reader = GitLabCredentials(token="reads", url=gitlab_api.endpoint)
        return {
            "The token is refused": lambda: pull("main", access_token="glpat-wrong"),
            "The branch does not exist": lambda: pull("gone"),
            "The certificate is unknown": lambda: pull(None, git_tls_server),
            "The token lacks a scope": lambda: trigger_pipeline.fn("shop/etl", reader, "main"),
            "The project is not found": lambda: create_issue.fn("shop/gone", "x", credentials),
            "A pipeline failed": fail,
        }
