"""GitLab repositories, on a real git server that checks who asks as GitLab does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import prefect_gitlab.repositories
from prefect_gitlab import GitLabCredentials, GitLabRepository
from prefect_integration_kit.git import GitAccessDenied, GitAuthenticationFailed, GitUnavailable, parse_address
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.git_server import BareRepository, GitServer, GitSshServer, Submodule, basic
from prefect_integration_tests.backends.gitlab_api import GitLabApi
from prefect_integration_tests.suites import GitRepositorySuite


class TestGitLabRepository(GitRepositorySuite):
    repository_path = "group/sub group/project.git"

    def make_block(self, url: str, token: str | None, **fields: Any) -> GitLabRepository:
        credentials = None if token is None else GitLabCredentials(token=token)
        return GitLabRepository(repository=url, credentials=credentials, **fields)

    def authorization(self, token: str) -> str:
        user, colon, rest = token.partition(":")
        return basic(user, rest) if colon else basic("oauth2", token)


@pytest.fixture
def remote(git_server: GitServer) -> BareRepository:
    repository = git_server.repository("shop/etl.git")
    repository.commit({"flow.py": b"print('flow')\n"})
    return repository


TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "personal": ({"token": "glpat-1"}, basic("oauth2", "glpat-1")),
    "project": ({"token": "glpat-1", "token_type": "project"}, basic("oauth2", "glpat-1")),
    "group": ({"token": "glpat-1", "token_type": "group"}, basic("oauth2", "glpat-1")),
    "oauth": ({"token": "o-1", "token_type": "oauth"}, basic("oauth2", "o-1")),
    "oauth-with-prefix": ({"token": "oauth2:glpat-1"}, basic("oauth2", "glpat-1")),
    "deploy": ({"token": "gldt-1", "token_type": "deploy", "username": "d+t-7"}, basic("d+t-7", "gldt-1")),
    "deploy-in-one": ({"token": "d+t-7:gldt-1"}, basic("d+t-7", "gldt-1")),
    "deploy-in-one-and-said": ({"token": "d+t-7:gldt-1", "token_type": "deploy"}, basic("d+t-7", "gldt-1")),
    "user-beside": ({"token": "a:b", "username": "ada"}, basic("ada", "a:b")),
    "job": ({"token": "glcbt-1", "token_type": "job"}, basic("gitlab-ci-token", "glcbt-1")),
    "password": ({"username": "ada", "password": "p:w"}, basic("ada", "p:w")),
    "token-before-password": ({"username": "ada", "password": "p", "token": "glpat-1"}, basic("ada", "glpat-1")),
}


class TestWhoAsks:
    @pytest.mark.parametrize(("fields", "header"), TOKENS.values(), ids=TOKENS)
    async def test_each_kind_of_token_is_accepted_at_a_host_of_any_name(
        self, fields: dict[str, Any], header: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.require(header)
        block = GitLabRepository(repository=git_server.url(remote), credentials=GitLabCredentials(**fields))
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").exists()

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

    async def test_credentials_without_a_token_read_public_projects(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        block = GitLabRepository(repository=git_server.url(remote), credentials=GitLabCredentials())
        await block.aget_directory(local_path=str(tmp_path))
        assert {request.authorization for request in git_server.requests} == {None}

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


class TestAdvice:
    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"token": "x"}, "at least the role Reporter"),
            ({"token": "x", "token_type": "deploy", "username": "u"}, "the one that GitLab shows beside it"),
            ({"token": "x", "token_type": "job"}, "allowlist"),
        ],
        ids=["personal", "deploy", "job"],
    )
    async def test_a_refusal_says_what_this_kind_of_token_needs(
        self, fields: dict[str, Any], said: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.require("Basic other")
        block = GitLabRepository(repository=git_server.url(remote), credentials=GitLabCredentials(**fields))
        with pytest.raises(GitAuthenticationFailed, match=said):
            await block.aget_directory(local_path=str(tmp_path))

    async def test_a_token_without_the_scope_is_told_from_an_unknown_one(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.forbidden.add(basic("oauth2", "weak"))
        block = GitLabRepository(repository=git_server.url(remote), access_token="weak")
        with pytest.raises(GitAccessDenied, match="needs the scope read_repository"):
            await block.aget_directory(local_path=str(tmp_path))


class TestCertificates:
    async def test_an_authority_is_trusted_by_the_credentials_or_the_repository(
        self, git_tls_server: GitServer, git_authority: PrivateCA, tmp_path: Path
    ) -> None:
        remote = git_tls_server.repository("shop/etl.git")
        remote.commit({"flow.py": b""})
        url, bundle = git_tls_server.url(remote), git_authority.ca_file.read_text()
        blocks = {
            "credentials": GitLabRepository(repository=url, credentials=GitLabCredentials(token="x", ca_bundle=bundle)),
            "repository": GitLabRepository(repository=url, ca_bundle=str(git_authority.ca_file)),
            "unchecked": GitLabRepository(repository=url, credentials=GitLabCredentials(token="x", verify=False)),
        }
        for name, block in blocks.items():
            await block.aget_directory(local_path=str(tmp_path / name))
            assert (tmp_path / name / "flow.py").exists()


class TestReferences:
    async def test_a_merge_request_is_pulled_by_its_reference(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        proposed = remote.commit({"flow.py": b"proposed"}, branch="topic")
        remote.set_reference("refs/merge-requests/7/head", proposed)
        for name in ("merge-requests/7/head", "refs/merge-requests/7/head"):
            block = GitLabRepository(repository=git_server.url(remote), reference=name)
            await block.aget_directory(local_path=str(tmp_path / name))
            assert (tmp_path / name / "flow.py").read_bytes() == b"proposed"

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("https://gitlab.com/group/project.git", "https://gitlab.com/group/project.git"),
            ("https://gitlab.com/group/sub/project", "https://gitlab.com/group/sub/project"),
            ("https://git.corp:8443/gitlab/group/project.git",) * 2,
            ("https://oauth2:old@git.corp/group/project.git", "https://git.corp/group/project.git"),
            ("http://git.corp/group/project.git",) * 2,
            ("git@gitlab.com:group/project.git",) * 2,
            ("ssh://git@git.corp:2222/group/project.git",) * 2,
        ],
        ids=lambda value: value.replace("/", "-"),
    )
    def test_each_form_that_gitlab_shows_is_taken(self, written: str, meant: str) -> None:
        assert parse_address(GitLabRepository(repository=written).repository).url == meant

    async def test_a_deploy_key_opens_the_door_of_ssh(self, git_ssh_server: GitSshServer, tmp_path: Path) -> None:
        remote = BareRepository(tmp_path / "remote.git", "main")
        remote.commit({"flow.py": b"by ssh"})
        block = GitLabRepository(
            repository=git_ssh_server.url(remote.path),
            ssh_private_key=git_ssh_server.private_key,
            ssh_known_hosts=git_ssh_server.known_hosts,
            credentials=GitLabCredentials(token="not for ssh"),
        )
        await block.aget_directory(local_path=str(tmp_path / "code"))
        assert (tmp_path / "code/flow.py").read_bytes() == b"by ssh"

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


class TestAttempts:
    async def test_their_number_and_waits_are_those_of_the_module(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, fake_clock: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(GitLabRepository, "_clock", fake_clock)
        for name, value in {
            "MAX_CLONE_ATTEMPTS": 4,
            "CLONE_RETRY_MIN_DELAY_SECONDS": 7,
            "CLONE_RETRY_MIN_DELAY_JITTER_SECONDS": 2,
            "CLONE_RETRY_MAX_DELAY_JITTER_SECONDS": 2,
        }.items():
            monkeypatch.setattr(prefect_gitlab.repositories, name, value)
        git_server.fail(4)
        with pytest.raises(GitUnavailable):
            await GitLabRepository(repository=git_server.url(remote)).aget_directory(local_path=str(tmp_path))
        assert fake_clock.sleeps == [9, 9, 9]

    def test_a_depth_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="git_depth"):
            GitLabRepository(repository="https://gitlab.com/a/b", git_depth=0)


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
