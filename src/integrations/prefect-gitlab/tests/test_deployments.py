"""Prefect's own steps and storage take the blocks, by reference in YAML and as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import flow
from prefect.deployments.steps.core import run_steps
from prefect.runner.storage import GitRepository
from pydantic import SecretStr

from prefect_gitlab import GitLabCredentials, GitLabRepository
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.git_server import BareRepository, GitServer, Submodule, basic

FLOW = b"from prefect import flow\n\n@flow\ndef hello(name: str = 'you') -> str:\n    return f'hello {name}'\n"

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def _trusted(git_authority: PrivateCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose git trusts the authority, as one in a company does, and an empty working directory."""
    monkeypatch.setenv("GIT_SSL_CAINFO", str(git_authority.ca_file))
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def remote(git_tls_server: GitServer) -> BareRepository:
    """A repository at a host whose name says nothing of GitLab."""
    repository = git_tls_server.repository("shop/etl.git")
    repository.commit({"flow.py": FLOW})
    return repository


PULL = """
pull:
  - prefect.deployments.steps.git_clone:
      id: clone
      repository: {url}
      branch: main
      credentials: "{{{{ prefect.blocks.gitlab-credentials.{name} }}}}"
"""

TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "personal": ({"token": "glpat-1"}, basic("oauth2", "glpat-1")),
    "prefixed": ({"token": "oauth2:glpat/1"}, basic("oauth2", "glpat/1")),
    "deploy-in-one": ({"token": "d+t-7:gl@dt%1"}, basic("d+t-7", "gl@dt%1")),
    "deploy": ({"token": "a:b", "token_type": "deploy", "username": "d+t-7"}, basic("d+t-7", "a:b")),
    "job": ({"token": "glcbt-1", "token_type": "job"}, basic("gitlab-ci-token", "glcbt-1")),
    "password": ({"username": "ada", "password": "p:w"}, basic("ada", "p:w")),
}


@pytest.mark.parametrize(("fields", "header"), TOKENS.values(), ids=TOKENS)
async def test_git_clone_in_yaml_takes_each_kind_of_token(
    fields: dict[str, Any], header: str, git_tls_server: GitServer, remote: BareRepository
) -> None:
    git_tls_server.require(header)
    name = f"gitlab-yaml-{len(header)}-{fields.get('token_type', 'any')}"
    await GitLabCredentials(**fields).save(name, overwrite=True)
    steps = yaml.safe_load(PULL.format(url=git_tls_server.url(remote), name=name))["pull"]
    outputs = await run_steps(steps)
    assert Path(outputs["directory"], "flow.py").read_bytes() == FLOW


async def test_what_is_loaded_means_what_was_saved() -> None:
    await GitLabCredentials(token="d+t-7:gldt-1").save("gitlab-in-one")
    loaded = await GitLabCredentials.load("gitlab-in-one")
    url = "https://git.corp/a/b"
    assert loaded.format_git_credentials(url) == "https://d%2Bt-7:gldt-1@git.corp/a/b"


async def test_a_token_that_is_changed_by_hand_is_the_one_that_is_sent(
    git_tls_server: GitServer, remote: BareRepository
) -> None:
    """In the user interface, which leaves all other fields as they were saved."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import BlockDocumentUpdate

    git_tls_server.require(basic("oauth2", "glpat-new"))
    document_id = await GitLabCredentials(token="glpat-old").save("gitlab-rotated")
    async with get_client() as client:
        await client.update_block_document(document_id, BlockDocumentUpdate(data={"token": "glpat-new"}))
    step = {
        "repository": git_tls_server.url(remote),
        "credentials": "{{ prefect.blocks.gitlab-credentials.gitlab-rotated }}",
    }
    await run_steps([{"prefect.deployments.steps.git_clone": step}])
    loaded = await GitLabCredentials.load("gitlab-rotated")
    assert loaded.token == SecretStr("glpat-new")
    assert loaded.password is None


async def test_a_block_that_an_earlier_release_saved_is_loaded() -> None:
    """It has no user name."""
    block = GitLabCredentials.model_validate({"token": "glpat-1", "url": None})
    assert block.format_git_credentials("https://git.corp/a/b") == "https://oauth2:glpat-1@git.corp/a/b"


async def test_submodules_come_with_the_credentials(git_tls_server: GitServer, remote: BareRepository) -> None:
    git_tls_server.require(basic("oauth2", "glpat-1"))
    inner = git_tls_server.repository("shop/inner.git")
    commit = inner.commit({"inner.py": b"inner"})
    gitmodules = f'[submodule "inner"]\n\tpath = inner\n\turl = {git_tls_server.url(inner)}\n'
    remote.commit({".gitmodules": gitmodules.encode(), "inner": Submodule(commit)})
    await GitLabCredentials(token="glpat-1").save("gitlab-submodules")
    step = {
        "repository": git_tls_server.url(remote),
        "include_submodules": True,
        "credentials": "{{ prefect.blocks.gitlab-credentials.gitlab-submodules }}",
    }
    outputs = await run_steps([{"prefect.deployments.steps.git_clone": step}])
    assert Path(outputs["directory"], "inner/inner.py").exists()


async def test_a_saved_repository_is_pulled_by_the_step(git_tls_server: GitServer, remote: BareRepository) -> None:
    git_tls_server.require(basic("oauth2", "glpat-1"))
    credentials = GitLabCredentials(token="glpat-1")
    await credentials.save("gitlab-step-credentials")
    block = GitLabRepository(repository=git_tls_server.url(remote), reference="main", credentials=credentials)
    await block.save("gitlab-step")
    step = {"block_type_slug": "gitlab-repository", "block_document_name": "gitlab-step"}
    outputs = await run_steps([{"prefect.deployments.steps.pull_with_block": step}])
    assert Path(outputs["directory"], "flow.py").exists()


def test_a_flow_is_loaded_from_the_source_and_runs(git_tls_server: GitServer, remote: BareRepository) -> None:
    git_tls_server.require(basic("oauth2", "glpat-1"))
    credentials = GitLabCredentials(token="glpat-1")
    credentials.save("gitlab-from-source")
    source = GitRepository(url=git_tls_server.url(remote), credentials=credentials)
    hello = flow.from_source(source=source, entrypoint="flow.py:hello")
    assert hello("shop") == "hello shop"
    step = source.to_pull_step()["prefect.deployments.steps.git_clone"]
    assert step["credentials"] == "{{ prefect.blocks.gitlab-credentials.gitlab-from-source }}"


def test_a_repository_is_saved_under_the_name_that_it_was_given() -> None:
    """As the first releases documented it."""
    GitLabRepository(name="gitlab-named", repository="https://git.corp/a/b").save()
    assert GitLabRepository.load("gitlab-named").repository == "https://git.corp/a/b"
