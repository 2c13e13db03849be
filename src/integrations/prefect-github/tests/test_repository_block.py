"""GitHub repositories and deployments, on a real git server that checks who asks as GitHub does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_github import GitHubAppCredentials, GitHubCredentials, GitHubRepository, InvalidRepositoryURLError
from prefect_integration_kit.git import GitAuthenticationFailed, GitRepositoryNotFound
from prefect_integration_tests.backends.git_server import BareRepository, GitServer, basic
from prefect_integration_tests.backends.github_api import AppAtGitHub, GitHubApi
from prefect_integration_tests.suites import GitIntegrationSuite

USER = "x-access-token"


def as_github_takes_it(authorization: str, tokens: list[str]) -> list[str]:
    """List the headers that GitHub takes for one: a token is a password beside any name, or stands in place of one."""
    return [authorization, *(basic(token, "") for token in tokens if authorization == basic(USER, token))]


class TestGitHub(GitIntegrationSuite):
    repository_path = "shop/etl.git"
    credentials_block = GitHubCredentials
    repository_block = GitHubRepository
    url_field = "repository_url"
    scope_advice = "permission to read its contents"
    logins: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {
        "classic": ({"token": "ghp_1"}, basic(USER, "ghp_1")),
        "fine-grained": ({"token": "github_pat_1_a"}, basic(USER, "github_pat_1_a")),
        "workflow": ({"token": "ghs_1"}, basic(USER, "ghs_1")),
        "odd": ({"token": "t:/@%20+?#"}, basic(USER, "t:/@%20+?#")),
        "copied-with-a-line-break": ({"token": "ghp_1\n"}, basic(USER, "ghp_1")),
    }
    step_logins = ("classic", "fine-grained", "workflow", "odd")
    advice: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {
        "token": ({"token": "x"}, "a classic one needs the scope repo"),
    }
    addresses: ClassVar[dict[str, str]] = {
        "https://github.com/org/repo.git": "https://github.com/org/repo.git",
        "https://github.com/org/repo": "https://github.com/org/repo",
        "https://github.example.com:8443/org/repo.git": "https://github.example.com:8443/org/repo.git",
        "https://ghp_old@github.com/org/repo.git": "https://github.com/org/repo.git",
        "http://github.example.com/org/repo.git": "http://github.example.com/org/repo.git",
        "git@github.com:org/repo.git": "git@github.com:org/repo.git",
        "ssh://git@ssh.github.com:443/org/repo.git": "ssh://git@ssh.github.com:443/org/repo.git",
    }

    def authorization(self, token: str) -> str:
        return basic(USER, token)

    @pytest.fixture
    def git_tls_server(self, git_tls_server: GitServer, monkeypatch: pytest.MonkeyPatch) -> GitServer:
        """Prefect's own step sends the token in place of a name."""
        require = git_tls_server.require
        tokens = [str(fields["token"]) for fields, _ in self.logins.values()] + ["the-new-one"]
        monkeypatch.setattr(
            git_tls_server,
            "require",
            lambda *headers: require(*(each for header in headers for each in as_github_takes_it(header, tokens))),
        )
        return git_tls_server


@pytest.fixture
def remote(git_server: GitServer) -> BareRepository:
    repository = git_server.repository("shop/etl.git")
    repository.commit({"flow.py": b"print('flow')\n"})
    return repository


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        ["git@github.com:org/repo.git", "ssh://git@github.com/org/repo.git", "http://github.example.com/org/repo.git"],
        ids=["scp", "ssh", "http"],
    )
    def test_a_token_goes_over_https_only(self, url: str, canary: str, no_canary_leaks: Any) -> None:
        with pytest.raises(ValueError, match=r"repository_url .*go over HTTPS only") as caught:
            GitHubRepository(repository_url=url, credentials=GitHubCredentials(token=canary))
        errors: Any = caught.value
        assert isinstance(errors.errors()[0]["ctx"]["error"], InvalidRepositoryURLError)
        no_canary_leaks.add_error(caught.value)

    def test_credentials_without_a_token_may_stand_beside_any_address(self) -> None:
        url = "git@github.com:org/repo.git"
        assert GitHubRepository(repository_url=url, credentials=GitHubCredentials()).repository_url == url


async def test_a_repository_that_is_not_shown_is_told_what_the_token_needs(
    git_server: GitServer, tmp_path: Path
) -> None:
    """GitHub does not tell a private repository from one that is not there."""
    url = git_server.url("shop/gone.git")
    with pytest.raises(GitRepositoryNotFound) as plain:
        await GitHubRepository(repository_url=url).aget_directory(local_path=str(tmp_path))
    assert "classic one needs" not in str(plain.value)
    block = GitHubRepository(repository_url=url, credentials=GitHubCredentials(token="ghp_1"))
    with pytest.raises(GitRepositoryNotFound, match="classic one needs the scope repo"):
        await block.aget_directory(local_path=str(tmp_path))


class TestReferences:
    @pytest.mark.parametrize("reference", ["pull/7", "pull/7/head", "refs/pull/7", "refs/pull/7/head"])
    async def test_a_pull_request_may_be_named_shortly(
        self, reference: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        remote.set_reference("refs/pull/7/head", remote.commit({"flow.py": b"proposed"}, branch="topic"))
        block = GitHubRepository(repository_url=git_server.url(remote), reference=reference)
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == b"proposed"

    async def test_what_the_merge_would_give_is_pulled(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        remote.set_reference("refs/pull/7/merge", remote.commit({"flow.py": b"merged"}, branch="topic"))
        block = GitHubRepository(repository_url=git_server.url(remote), reference="pull/7/merge")
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == b"merged"

    async def test_a_branch_of_a_like_name_is_a_branch(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        remote.commit({"flow.py": b"branch"}, branch="pull/seven")
        block = GitHubRepository(repository_url=git_server.url(remote), reference="pull/seven")
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == b"branch"


class TestApps:
    async def test_a_pull_makes_its_token(
        self,
        call: Any,
        git_server: GitServer,
        github_api: GitHubApi,
        app_credentials: GitHubAppCredentials,
        remote: BareRepository,
        tmp_path: Path,
    ) -> None:
        git_server.require(basic(USER, (await app_credentials.aget_token()).get_secret_value()))
        block = GitHubRepository(repository_url=git_server.url(remote), credentials=app_credentials)
        await call(block, "get_directory", local_path=str(tmp_path))
        assert (tmp_path / "flow.py").exists()
        assert len(github_api.called("access_token")) == 1

    async def test_a_refusal_says_what_an_app_needs(
        self, git_server: GitServer, app_credentials: GitHubAppCredentials, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.require("Basic other")
        block = GitHubRepository(repository_url=git_server.url(remote), credentials=app_credentials)
        with pytest.raises(GitAuthenticationFailed, match="App must be installed for the repository"):
            await block.aget_directory(local_path=str(tmp_path))

    async def test_an_app_that_is_not_installed_stops_the_pull(
        self, git_server: GitServer, github_api: GitHubApi, app: AppAtGitHub, remote: BareRepository, tmp_path: Path
    ) -> None:
        stranger = GitHubAppCredentials(
            app_id=app.id, private_key=app.private_key, owner="nobody", base_url=github_api.endpoint
        )
        block = GitHubRepository(repository_url=git_server.url(remote), credentials=stranger)
        with pytest.raises(LookupError, match="not installed at 'nobody'"):
            await block.aget_directory(local_path=str(tmp_path))

    async def test_a_saved_repository_keeps_its_app(
        self, app_credentials: GitHubAppCredentials, prefect_harness: None
    ) -> None:
        await app_credentials.save("github-app-of-repository")
        block = GitHubRepository(repository_url="https://github.com/shop/etl.git", credentials=app_credentials)
        await block.save("github-with-app")
        loaded = await GitHubRepository.load("github-with-app")
        assert isinstance(loaded.credentials, GitHubAppCredentials)
        assert loaded.credentials.private_key == app_credentials.private_key


PULL = """
pull:
  - prefect.deployments.steps.git_clone:
      repository: {url}
      branch: main
      credentials: "{{{{ prefect.blocks.github-app-credentials.{name} }}}}"
"""


class TestStep:
    @pytest.fixture(autouse=True)
    def _workplace(self, git_authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(git_authority.ca_file))
        monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)

    async def test_git_clone_in_yaml_takes_an_app(
        self,
        git_tls_server: GitServer,
        github_api: GitHubApi,
        app_credentials: GitHubAppCredentials,
        prefect_harness: None,
    ) -> None:
        """It has no token when it is saved; one is made when the step runs."""
        from prefect.deployments.steps.core import run_steps

        remote = git_tls_server.repository("shop/etl.git")
        remote.commit({"flow.py": b"flow"})
        await app_credentials.save("github-app-yaml")
        git_tls_server.require(basic(USER, (await app_credentials.aget_token()).get_secret_value()))
        text = PULL.format(url=git_tls_server.url(remote), name="github-app-yaml")
        outputs = await run_steps(yaml.safe_load(text)["pull"])
        assert Path(outputs["directory"], "flow.py").read_bytes() == b"flow"


ODD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=20)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=ODD)
def test_odd_characters_are_sent_as_they_are(token: str) -> None:
    block = GitHubRepository(
        repository_url="https://github.com/a/b", credentials=GitHubCredentials(token=f" {token}\n")
    )
    auth = block._source().access.auth
    assert callable(auth)
    found = auth()
    assert found is not None
    username, _, rest = token.strip().partition(":")
    assert found.header in (basic(USER, token.strip()), basic(username, rest))
