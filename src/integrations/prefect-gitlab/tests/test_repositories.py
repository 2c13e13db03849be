"""GitLab repositories and deployments, on a real git server that checks who asks as GitLab does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import prefect_gitlab.repositories
from prefect_gitlab import GitLabCredentials, GitLabRepository
from prefect_integration_kit.git import GitAuthenticationFailed
from prefect_integration_tests.backends.git_server import BareRepository, GitServer, Submodule, basic
from prefect_integration_tests.backends.gitlab_api import GitLabApi
from prefect_integration_tests.suites import GitIntegrationSuite


class TestGitLab(GitIntegrationSuite):
    repository_path = "group/sub group/project.git"
    credentials_block = GitLabCredentials
    repository_block = GitLabRepository
    pull_request = "merge-requests/7/head"
    attempts = prefect_gitlab.repositories
    scope_advice = "needs the scope read_repository"
    logins: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {
        "personal": ({"token": "glpat-1"}, basic("oauth2", "glpat-1")),
        "project": ({"token": "glpat-1", "token_type": "project"}, basic("oauth2", "glpat-1")),
        "group": ({"token": "glpat-1", "token_type": "group"}, basic("oauth2", "glpat-1")),
        "oauth": ({"token": "o-1", "token_type": "oauth"}, basic("oauth2", "o-1")),
        "prefixed": ({"token": "oauth2:glpat/1"}, basic("oauth2", "glpat/1")),
        "line-break": ({"token": "glpat-1\n"}, basic("oauth2", "glpat-1")),
        "deploy": ({"token": "a:b", "token_type": "deploy", "username": "d+t-7"}, basic("d+t-7", "a:b")),
        "deploy-in-one": ({"token": "d+t-7:gl@dt%1"}, basic("d+t-7", "gl@dt%1")),
        "deploy-in-one-and-said": ({"token": "d+t-7:gldt-1", "token_type": "deploy"}, basic("d+t-7", "gldt-1")),
        "user-beside": ({"token": "a:b", "username": "ada"}, basic("ada", "a:b")),
        "job": ({"token": "glcbt-1", "token_type": "job"}, basic("gitlab-ci-token", "glcbt-1")),
        "password": ({"username": "ada", "password": "p:w"}, basic("ada", "p:w")),
        "token-before-password": ({"username": "ada", "password": "p", "token": "glpat-1"}, basic("ada", "glpat-1")),
    }
    step_logins = ("personal", "prefixed", "deploy", "deploy-in-one", "job", "password")
    advice: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {
        "personal": ({"token": "x"}, "at least the role Reporter"),
        "deploy": ({"token": "x", "token_type": "deploy", "username": "u"}, "the one that GitLab shows beside it"),
        "job": ({"token": "x", "token_type": "job"}, "allowlist"),
    }
    addresses: ClassVar[dict[str, str]] = {
        "https://gitlab.com/group/project.git": "https://gitlab.com/group/project.git",
        "https://gitlab.com/group/sub/project": "https://gitlab.com/group/sub/project",
        "https://git.corp:8443/gitlab/group/project.git": "https://git.corp:8443/gitlab/group/project.git",
        "https://oauth2:old@git.corp/group/project.git": "https://git.corp/group/project.git",
        "http://git.corp/group/project.git": "http://git.corp/group/project.git",
        "git@gitlab.com:group/project.git": "git@gitlab.com:group/project.git",
        "ssh://git@git.corp:2222/group/project.git": "ssh://git@git.corp:2222/group/project.git",
    }

    def authorization(self, token: str) -> str:
        user, colon, rest = token.partition(":")
        return basic(user, rest) if colon else basic("oauth2", token)


@pytest.fixture
def remote(git_server: GitServer) -> BareRepository:
    repository = git_server.repository("shop/etl.git")
    repository.commit({"flow.py": b"print('flow')\n"})
    return repository


class TestWhoAsks:
    async def test_a_job_takes_its_token_from_its_environment(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git_server.require(basic("gitlab-ci-token", "glcbt-env"))
        block = GitLabRepository(repository=git_server.url(remote), credentials=GitLabCredentials(token_type="job"))
        monkeypatch.setenv("CI_JOB_TOKEN", "glcbt-env")
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").exists()

    async def test_a_token_of_its_own_does_without_a_block_of_credentials(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """`access_token`, as the guide of earlier releases has it."""
        git_server.require(basic("oauth2", "glpat-1"))
        block = GitLabRepository(repository=git_server.url(remote), access_token="glpat-1")
        assert "glpat-1" not in repr(block)
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").exists()

    def test_two_identities_are_refused(self) -> None:
        with pytest.raises(ValueError, match="Give one of them"):
            GitLabRepository(
                repository="https://gitlab.com/a/b", access_token="x", credentials=GitLabCredentials(token="y")
            )

    async def test_a_token_of_the_api_pulls_if_its_scope_allows_it(
        self, git_server: GitServer, gitlab_api: GitLabApi, remote: BareRepository, tmp_path: Path
    ) -> None:
        gitlab_api.token("reads", "project", "read_repository")
        gitlab_api.token("looks", "project", "read_api")
        git_server.require(*gitlab_api.git_authorizations())
        for token, is_allowed in (("reads", True), ("looks", False)):
            block = GitLabRepository(repository=git_server.url(remote), access_token=token)
            if is_allowed:
                await block.aget_directory(local_path=str(tmp_path / token))
            else:
                with pytest.raises(GitAuthenticationFailed, match="needs the scope read_repository"):
                    await block.aget_directory(local_path=str(tmp_path / token))

    async def test_submodules_that_are_written_for_ssh_come_with_the_token(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.require(basic("oauth2", "glpat-1"))
        inner = git_server.repository("shop/inner.git")
        commit = inner.commit({"inner.py": b"inner"})
        host = git_server.endpoint.removeprefix("http://")
        gitmodules = f'[submodule "inner"]\n\tpath = inner\n\turl = ssh://git@{host.partition(":")[0]}/shop/inner.git\n'
        remote.commit({".gitmodules": gitmodules.encode(), "inner": Submodule(commit)})
        block = GitLabRepository(repository=git_server.url(remote), access_token="glpat-1", include_submodules=True)
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "inner/inner.py").exists()


class TestSaved:
    async def test_a_deploy_token_in_one_keeps_its_user(self, prefect_harness: None) -> None:
        await GitLabCredentials(token="d+t-7:gldt-1").save("gitlab-in-one")
        loaded = await GitLabCredentials.load("gitlab-in-one")
        url = "https://git.corp/a/b"
        assert loaded.format_git_credentials(url) == "https://d%2Bt-7:gldt-1@git.corp/a/b"
        assert loaded.password is None

    @pytest.mark.parametrize("token", ["d+t-7:gldt-1", "oauth2:glpat-1", "glpat-1", "gitlab-ci-token:j", "d:a:b"])
    async def test_a_token_is_loaded_as_it_was_given(self, token: str, prefect_harness: None) -> None:
        await GitLabCredentials(token=token).save("gitlab-as-given", overwrite=True)
        loaded = await GitLabCredentials.load("gitlab-as-given")
        assert loaded.token is not None
        given = ("d", "a:b") if token == "d:a:b" else ("oauth2", token)
        assert (loaded.username, loaded.token.get_secret_value()) == given
        assert loaded.password is None

    async def test_a_deploy_token_in_one_is_refused_for_the_api_after_it_was_saved_too(
        self, prefect_harness: None
    ) -> None:
        await GitLabCredentials(token="d:gldt-1").save("gitlab-deploy-in-one")
        loaded = await GitLabCredentials.load("gitlab-deploy-in-one")
        await GitLabRepository(repository="https://git.corp/a/b", credentials=loaded).save("gitlab-deploy-code")
        repository = await GitLabRepository.load("gitlab-deploy-code")
        holders: list[Any] = [loaded, repository.credentials]
        for credentials in holders:
            with pytest.raises(ValueError, match="deploy token, which can pull repositories but not use the API"):
                credentials.get_client()

    @pytest.mark.parametrize("token", ["new", "oauth2:new"])
    def test_a_token_that_is_changed_where_it_was_saved_apart_is_the_new_one(self, token: str) -> None:
        saved = (
            GitLabCredentials(token="oauth2:old")._to_block_document("n", uuid4(), uuid4(), include_secrets=True).data
        )
        changed = GitLabCredentials(**{**saved, "token": token})
        assert changed.format_git_credentials("https://git.corp/a/b") == "https://oauth2:new@git.corp/a/b"
        assert changed.password is None

    async def test_a_block_that_an_earlier_release_saved_is_loaded(self) -> None:
        """It has no user name."""
        block = GitLabCredentials.model_validate({"token": "glpat-1", "url": None})
        assert block.format_git_credentials("https://git.corp/a/b") == "https://oauth2:glpat-1@git.corp/a/b"

    def test_a_repository_is_saved_under_the_name_that_it_was_given(self, prefect_harness: None) -> None:
        """As the first releases documented it."""
        GitLabRepository(name="gitlab-named", repository="https://git.corp/a/b").save()
        assert GitLabRepository.load("gitlab-named").repository == "https://git.corp/a/b"


ODD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(username=ODD.filter(lambda text: ":" not in text and text not in ("oauth2", "gitlab-ci-token")), token=ODD)
def test_odd_characters_are_sent_as_they_are(username: str, token: str) -> None:
    block = GitLabRepository(
        repository="https://git.corp/a/b", credentials=GitLabCredentials(username=username, token=token)
    )
    auth = block._source().access.auth
    assert callable(auth)
    found = auth()
    assert found is not None
    assert found.header == basic(username, token)
