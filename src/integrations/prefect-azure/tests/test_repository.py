"""Azure DevOps repositories, on a real git server that checks who asks as Azure DevOps does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import prefect_azure.repository
from prefect_azure import AzureDevopsCredentials, AzureDevopsRepository
from prefect_integration_kit.git import GitAuthenticationFailed, GitUnavailable, parse_address
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.git_server import BareRepository, GitServer, Submodule, basic
from prefect_integration_tests.suites import GitRepositorySuite


class TestAzureDevopsRepository(GitRepositorySuite):
    repository_path = "myorg/my project/_git/my repo"

    def make_block(self, url: str, token: str | None, **fields: Any) -> AzureDevopsRepository:
        credentials = None if token is None else AzureDevopsCredentials(token=SecretStr(token))
        return AzureDevopsRepository(repository=url, credentials=credentials, **fields)

    def authorization(self, token: str) -> str:
        return basic("", token)


@pytest.fixture
def remote(git_server: GitServer) -> BareRepository:
    repository = git_server.repository("myorg/myproject/_git/myrepo")
    repository.commit({"flow.py": b"print('flow')\n"})
    return repository


class TestWhoAsks:
    async def test_a_login_at_entra_is_a_bearer_token(
        self,
        git_server: GitServer,
        remote: BareRepository,
        azure_identity: AzureIdentity,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        azure_identity.reset()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
        application = azure_identity.application()
        credentials = AzureDevopsCredentials(
            tenant_id=azure_identity.tenant_id,
            client_id=application.client_id,
            client_secret=SecretStr(application.client_secret),
            authority=azure_identity.authority,
        )
        block = AzureDevopsRepository(repository=git_server.url(remote), credentials=credentials)
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").exists()
        for request in git_server.requests:
            kind, _, token = (request.authorization or "").partition(" ")
            # What Azure DevOps is called at Entra ID: https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/entra
            assert kind == "Bearer"
            assert azure_identity.check(token, "499b84ac-1321-427f-aa17-267ca6975798") == application.client_id

    async def test_credentials_without_a_token_read_public_projects(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        block = AzureDevopsRepository(repository=git_server.url(remote), credentials=AzureDevopsCredentials())
        await block.aget_directory(local_path=str(tmp_path))
        assert {request.authorization for request in git_server.requests} == {None}

    async def test_the_organization_in_an_address_is_no_user(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Azure DevOps shows https://myorg@dev.azure.com/myorg/… for cloning."""
        git_server.require(basic("", "pat"))
        url = git_server.url(remote).replace("://", "://myorg@")
        block = AzureDevopsRepository(repository=url, credentials=AzureDevopsCredentials(token=SecretStr("pat")))
        await block.aget_directory(local_path=str(tmp_path))
        assert "myorg@" not in (tmp_path / ".git/config").read_text()
        public = AzureDevopsRepository(repository=url)
        with pytest.raises(GitAuthenticationFailed):
            await public.aget_directory(local_path=str(tmp_path))

    async def test_a_submodule_whose_address_names_the_organization_gets_the_token(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.require(basic("", "pat"))
        inner = git_server.repository("myorg/myproject/_git/inner")
        commit = inner.commit({"inner.py": b"inner"})
        url = git_server.url(inner).replace("://", "://myorg@")
        gitmodules = f'[submodule "inner"]\n\tpath = inner\n\turl = {url}\n'
        remote.commit({".gitmodules": gitmodules.encode(), "inner": Submodule(commit)})
        block = AzureDevopsRepository(
            repository=git_server.url(remote),
            credentials=AzureDevopsCredentials(token=SecretStr("pat")),
            include_submodules=True,
        )
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "inner/inner.py").exists()

    async def test_a_token_is_renewed_between_attempts(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, fake_clock: Any, monkeypatch: Any
    ) -> None:
        from azure.core.credentials import AccessToken

        class Renewing:
            tokens = iter(["first", "second"])

            def get_token(self, *scopes: str, **options: Any) -> AccessToken:
                return AccessToken(next(self.tokens), 0)

        monkeypatch.setattr(AzureDevopsRepository, "_clock", fake_clock)
        git_server.fail()
        credentials = AzureDevopsCredentials.from_token_credential(Renewing())
        block = AzureDevopsRepository(repository=git_server.url(remote), credentials=credentials)
        await block.aget_directory(local_path=str(tmp_path))
        assert [request.authorization for request in git_server.requests][:2] == ["Bearer first", "Bearer second"]


class TestAddresses:
    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("https://dev.azure.com/o/p/_git/r", "https://dev.azure.com/o/p/_git/r"),
            ("https://o@dev.azure.com/o/p/_git/r", "https://dev.azure.com/o/p/_git/r"),
            ("https://o@dev.azure.com/o/My%20Project/_git/r", "https://dev.azure.com/o/My%20Project/_git/r"),
            ("https://dev.azure.com/o/My Project/_git/ü", "https://dev.azure.com/o/My%20Project/_git/%C3%BC"),
            ("https://o.visualstudio.com/p/_git/r", "https://o.visualstudio.com/p/_git/r"),
            ("https://o.visualstudio.com/DefaultCollection/p/_git/r",) * 2,
            ("https://tfs.example.com:8443/tfs/Collection/p/_git/r",) * 2,
            ("http://tfs.example.com:8080/tfs/Collection/p/_git/r",) * 2,
            ("git@ssh.dev.azure.com:v3/o/p/r", "git@ssh.dev.azure.com:v3/o/p/r"),
            ("o@vs-ssh.visualstudio.com:v3/o/p/r", "o@vs-ssh.visualstudio.com:v3/o/p/r"),
            ("ssh://tfs.example.com:22/tfs/Collection/p/_git/r",) * 2,
        ],
        ids=lambda value: value.replace("/", "-"),
    )
    def test_each_form_that_azure_devops_shows_is_taken(self, written: str, meant: str) -> None:
        block = AzureDevopsRepository(repository=written)
        assert block.repository == written
        assert parse_address(block.repository).url == meant

    def test_the_address_of_a_web_page_is_refused(self) -> None:
        with pytest.raises(ValueError, match="shows for cloning"):
            AzureDevopsRepository(repository="https://dev.azure.com/o/p/_git/r?path=/flows&version=GBmain")

    @pytest.mark.parametrize(
        ("repository", "written"),
        [
            ("https://o@dev.azure.com/o/p/_git/r", "git@ssh.dev.azure.com:v3/o/p/x"),
            ("https://dev.azure.com/o/p/_git/r", "ssh://git@ssh.dev.azure.com/v3/o/p/x"),
            ("https://o.visualstudio.com/p/_git/r", "o@vs-ssh.visualstudio.com:v3/o/p/x"),
        ],
        ids=["scp", "ssh", "visualstudio"],
    )
    def test_submodules_of_the_project_that_are_written_for_ssh_come_over_http(
        self, repository: str, written: str
    ) -> None:
        block = AzureDevopsRepository(repository=repository, credentials=AzureDevopsCredentials(token=SecretStr("pat")))
        rewrites = dict(block._source().access.url_rewrites)
        begin = next(begin for begin in rewrites if written.startswith(begin))
        project = parse_address(repository).url.removesuffix("r")
        assert rewrites[begin] + written.removeprefix(begin) == f"{project}x"


class TestAttempts:
    async def test_their_number_and_waits_are_those_of_the_module(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, fake_clock: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(AzureDevopsRepository, "_clock", fake_clock)
        for name, value in {
            "MAX_CLONE_ATTEMPTS": 4,
            "CLONE_RETRY_MIN_DELAY_SECONDS": 7,
            "CLONE_RETRY_MIN_DELAY_JITTER_SECONDS": 2,
            "CLONE_RETRY_MAX_DELAY_JITTER_SECONDS": 2,
        }.items():
            monkeypatch.setattr(prefect_azure.repository, name, value)
        git_server.fail(4)
        with pytest.raises(GitUnavailable):
            await AzureDevopsRepository(repository=git_server.url(remote)).aget_directory(local_path=str(tmp_path))
        assert fake_clock.sleeps == [9, 9, 9]

    def test_a_depth_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="git_depth"):
            AzureDevopsRepository(repository="https://dev.azure.com/o/p/_git/r", git_depth=0)


class TestDeployments:
    async def test_a_saved_repository_is_pulled_by_the_step(
        self,
        git_server: GitServer,
        remote: BareRepository,
        prefect_harness: None,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """`prefect.deployments.steps.pull_with_block`, as `prefect.yaml` calls it."""
        from prefect.deployments.steps.core import run_steps

        git_server.require(basic("", "pat"))
        credentials = AzureDevopsCredentials(token=SecretStr("pat"))
        await credentials.save("devops-step-credentials")
        block = AzureDevopsRepository(repository=git_server.url(remote), reference="main", credentials=credentials)
        await block.save("devops-step")
        monkeypatch.chdir(tmp_path)
        step = {"block_type_slug": "azure-devops-repository", "block_document_name": "devops-step"}
        outputs = await run_steps([{"prefect.deployments.steps.pull_with_block": step}])
        assert (tmp_path / outputs["directory"] / "flow.py").exists()

    async def test_the_git_clone_step_of_prefect_takes_the_credentials(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`GitRepository` and the step `git_clone` ask a block for the address with its credentials."""
        from prefect.deployments.steps.pull import agit_clone

        token = "p@t/+ ü"
        git_server.require(basic("pat", token))
        monkeypatch.chdir(tmp_path)
        credentials = AzureDevopsCredentials(token=SecretStr(token))
        output = await agit_clone(git_server.url(remote), credentials=credentials)
        assert (tmp_path / output["directory"] / "flow.py").exists()

    def test_only_an_address_over_http_gets_credentials(self) -> None:
        credentials = AzureDevopsCredentials(token=SecretStr("pat"))
        url = "https://dev.azure.com/o/p/_git/r"
        assert credentials.format_git_credentials(url) == "https://pat:pat@dev.azure.com/o/p/_git/r"
        assert credentials.format_git_credentials(f"https://o@{url[8:]}") == credentials.format_git_credentials(url)
        ssh = "git@ssh.dev.azure.com:v3/o/p/r"
        assert credentials.format_git_credentials(ssh) == ssh
