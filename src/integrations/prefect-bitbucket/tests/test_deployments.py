"""Prefect's own steps and storage take the blocks, by reference in YAML and as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import flow
from prefect.deployments.steps.core import run_steps
from prefect.runner.storage import GitRepository

from prefect_bitbucket import BitBucketCredentials, BitBucketRepository
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
    """A repository at a host whose name says nothing of Bitbucket."""
    repository = git_tls_server.repository("scm/shop/etl.git")
    repository.commit({"flow.py": FLOW})
    return repository


PULL = """
pull:
  - prefect.deployments.steps.git_clone:
      id: clone
      repository: {url}
      branch: main
      credentials: "{{{{ prefect.blocks.bitbucket-credentials.{name} }}}}"
"""

API, ACCESS = "x-bitbucket-api-token-auth", "x-token-auth"
TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "access": ({"token": "ATCTT1"}, basic(ACCESS, "ATCTT1")),
    "unknown": ({"token": "t/1"}, basic(ACCESS, "t/1")),
    "prefixed": ({"token": "x-token-auth:t@1"}, basic(ACCESS, "t@1")),
    "api": ({"token": "ATATT1", "email": "ada@example.com"}, basic(API, "ATATT1")),
    "api-with-address": ({"token": "ATATT2", "username": "ada@example.com"}, basic(API, "ATATT2")),
    "in-one": ({"token": "ada:p%20w"}, basic("ada", "p%20w")),
    "server": ({"token": "BBDC-1", "username": "~a d", "url": "https://bitbucket.corp"}, basic("~a d", "BBDC-1")),
    "password": ({"username": "ada", "password": "p:w/ü"}, basic("ada", "p:w/ü")),
}


@pytest.mark.parametrize(("fields", "header"), TOKENS.values(), ids=TOKENS)
async def test_git_clone_in_yaml_takes_each_kind_of_token(
    fields: dict[str, Any], header: str, git_tls_server: GitServer, remote: BareRepository
) -> None:
    git_tls_server.require(header)
    await BitBucketCredentials(**fields).save("bitbucket-yaml", overwrite=True)
    steps = yaml.safe_load(PULL.format(url=git_tls_server.url(remote), name="bitbucket-yaml"))["pull"]
    outputs = await run_steps(steps)
    assert Path(outputs["directory"], "flow.py").read_bytes() == FLOW


@pytest.mark.parametrize("fields", [fields for fields, _ in TOKENS.values()], ids=TOKENS)
async def test_what_is_loaded_means_what_was_saved(fields: dict[str, Any]) -> None:
    url = "https://bitbucket.corp/scm/a/b"
    block = BitBucketCredentials(**fields)
    expected = block.format_git_credentials(url)
    await block.save("bitbucket-again", overwrite=True)
    loaded = await BitBucketCredentials.load("bitbucket-again")
    assert loaded.format_git_credentials(url) == expected
    if block.email or "@" in (block.username or ""):
        assert loaded.get_client("cloud").username == "ada@example.com"


async def test_submodules_come_with_the_credentials(git_tls_server: GitServer, remote: BareRepository) -> None:
    git_tls_server.require(basic(ACCESS, "ATCTT1"))
    inner = git_tls_server.repository("scm/shop/inner.git")
    commit = inner.commit({"inner.py": b"inner"})
    gitmodules = f'[submodule "inner"]\n\tpath = inner\n\turl = {git_tls_server.url(inner)}\n'
    remote.commit({".gitmodules": gitmodules.encode(), "inner": Submodule(commit)})
    await BitBucketCredentials(token="ATCTT1").save("bitbucket-submodules")
    step = {
        "repository": git_tls_server.url(remote),
        "include_submodules": True,
        "credentials": "{{ prefect.blocks.bitbucket-credentials.bitbucket-submodules }}",
    }
    outputs = await run_steps([{"prefect.deployments.steps.git_clone": step}])
    assert Path(outputs["directory"], "inner/inner.py").exists()


async def test_a_saved_repository_is_pulled_by_the_step(git_tls_server: GitServer, remote: BareRepository) -> None:
    git_tls_server.require(basic(ACCESS, "ATCTT1"))
    credentials = BitBucketCredentials(token="ATCTT1")
    await credentials.save("bitbucket-step-credentials")
    block = BitBucketRepository(
        repository=git_tls_server.url(remote), reference="main", bitbucket_credentials=credentials
    )
    await block.save("bitbucket-step")
    step = {"block_type_slug": "bitbucket-repository", "block_document_name": "bitbucket-step"}
    outputs = await run_steps([{"prefect.deployments.steps.pull_with_block": step}])
    assert Path(outputs["directory"], "flow.py").exists()


def test_a_flow_is_loaded_from_the_source_and_runs(git_tls_server: GitServer, remote: BareRepository) -> None:
    git_tls_server.require(basic(ACCESS, "ATCTT1"))
    credentials = BitBucketCredentials(token="ATCTT1")
    credentials.save("bitbucket-from-source")
    source = GitRepository(url=git_tls_server.url(remote), credentials=credentials)
    hello = flow.from_source(source=source, entrypoint="flow.py:hello")
    assert hello("shop") == "hello shop"
    step = source.to_pull_step()["prefect.deployments.steps.git_clone"]
    assert step["credentials"] == "{{ prefect.blocks.bitbucket-credentials.bitbucket-from-source }}"
