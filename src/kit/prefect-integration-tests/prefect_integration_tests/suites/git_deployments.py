"""Deployments: Prefect's own steps and storage take a host's blocks, by reference in YAML and as objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import pytest
import yaml

from prefect_integration_tests.backends._git.repositories import Submodule

from .git_identity import GitIdentitySuite, Login

if TYPE_CHECKING:
    from prefect_integration_tests.backends._git.repositories import BareRepository
    from prefect_integration_tests.backends.git_server import GitServer

FLOW = b"from prefect import flow\n\n@flow\ndef hello(name: str = 'you') -> str:\n    return f'hello {name}'\n"

_PULL = """
pull:
  - prefect.deployments.steps.git_clone:
      id: clone
      repository: {url}
      branch: main
      credentials: "{{{{ prefect.blocks.{slug}.{name} }}}}"
"""


class GitDeploymentSuite(GitIdentitySuite):
    """Checks that deployments pull code with a host's blocks.

    Prefect's own step `git_clone` is another program than the block that pulls: it puts the login into the address, and
    what it makes of a block in YAML are the fields that the block was saved with.
    """

    @pytest.fixture
    def tls_remote(self, git_tls_server: GitServer) -> BareRepository:
        """A repository with a flow in it, at a host over TLS whose name says nothing of who runs it.

        Of credentials in a dictionary, Prefect sends none over HTTP.
        """
        repository = git_tls_server.repository(self.repository_path)
        repository.commit({"flow.py": FLOW, "lib/a.py": b"a", "docs/b.md": b"b"})
        return repository

    def one_login(self) -> tuple[Any, str]:
        """Make a block of the first login that the step can send.

        Returns:
            The block, and the header that the host gets.
        """
        fields, header = self.logins[self.step_logins[0] if self.step_logins else next(iter(self.logins))]
        return self.make_credentials(**fields), header

    @property
    def slug(self) -> str:
        """What the block of credentials is called in YAML."""
        return str(self.credentials_block.get_block_type_slug())

    # The step `git_clone`

    async def test_git_clone_in_yaml_takes_each_login(
        self,
        step_login: Login,
        git_tls_server: GitServer,
        tls_remote: BareRepository,
        workplace: Path,
        prefect_harness: None,
    ) -> None:
        """As `prefect.yaml` names the block; the name of the host says nothing."""
        from prefect.deployments.steps.core import run_steps

        fields, header = step_login
        git_tls_server.require(header)
        name = _name()
        await self.make_credentials(**fields).save(name)
        text = _PULL.format(url=git_tls_server.url(tls_remote), slug=self.slug, name=name)
        outputs = await run_steps(yaml.safe_load(text)["pull"])
        assert (workplace / outputs["directory"] / "flow.py").read_bytes() == FLOW
        assert outputs["clone"] == {"directory": outputs["directory"]}

    @pytest.mark.parametrize("form", ["block", "loaded", "dictionary"])
    async def test_git_clone_takes_the_block_in_each_form(
        self,
        form: Literal["block", "loaded", "dictionary"],
        git_tls_server: GitServer,
        tls_remote: BareRepository,
        workplace: Path,
        prefect_harness: None,
    ) -> None:
        """The block itself, the block as it is loaded again, and a dictionary of what it was saved with."""
        from prefect.client.orchestration import get_client
        from prefect.deployments.steps.pull import agit_clone

        block, header = self.one_login()
        git_tls_server.require(header)
        document = await block.save(name := _name())
        given: Any = block
        if form == "loaded":
            given = await self.credentials_block.load(name)
        elif form == "dictionary":
            async with get_client() as client:
                given = (await client.read_block_document(document, include_secrets=True)).data
        output = await agit_clone(git_tls_server.url(tls_remote), credentials=given)
        assert (workplace / output["directory"] / "flow.py").read_bytes() == FLOW

    @pytest.mark.parametrize("wanted", ["branch", "tag", "commit", "directories"])
    async def test_git_clone_pulls_what_is_asked_for(
        self,
        wanted: str,
        git_tls_server: GitServer,
        tls_remote: BareRepository,
        workplace: Path,
    ) -> None:
        """With the credentials at each of its requests."""
        from prefect.deployments.steps.pull import agit_clone

        block, header = self.one_login()
        git_tls_server.require(header)
        commit = tls_remote.commit({"flow.py": b"wanted"}, branch="topic")
        tls_remote.tag("v1", commit)
        options: dict[str, dict[str, Any]] = {
            "branch": {"branch": "topic"},
            "tag": {"branch": "v1"},
            "commit": {"commit_sha": commit},
            "directories": {"branch": "topic", "directories": ["lib"]},
        }
        output = await agit_clone(git_tls_server.url(tls_remote), credentials=block, **options[wanted])
        folder = workplace / output["directory"]
        assert (folder / "flow.py").read_bytes() == b"wanted"
        assert (folder / "lib/a.py").exists()
        assert (folder / "docs/b.md").exists() is (wanted != "directories")

    async def test_git_clone_gets_submodules_with_the_credentials(
        self, git_tls_server: GitServer, tls_remote: BareRepository, workplace: Path, prefect_harness: None
    ) -> None:
        """Those on the same host."""
        from prefect.deployments.steps.core import run_steps

        block, header = self.one_login()
        git_tls_server.require(header)
        inner = git_tls_server.repository("inner.git")
        commit = inner.commit({"inner.py": b"inner"})
        gitmodules = f'[submodule "inner"]\n\tpath = inner\n\turl = {git_tls_server.url(inner)}\n'
        tls_remote.commit({".gitmodules": gitmodules.encode(), "inner": Submodule(commit)})
        await block.save(name := _name())
        step = {
            "repository": git_tls_server.url(tls_remote),
            "include_submodules": True,
            "credentials": f"{{{{ prefect.blocks.{self.slug}.{name} }}}}",
        }
        outputs = await run_steps([{"prefect.deployments.steps.git_clone": step}])
        assert (workplace / outputs["directory"] / "inner/inner.py").read_bytes() == b"inner"

    async def test_a_login_that_is_refused_is_not_said(
        self, git_tls_server: GitServer, tls_remote: BareRepository, workplace: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither in the error, nor in its causes, nor in the log, at any level."""
        from prefect.runner.storage import GitRepository

        block = self.make_credentials(**{self.token_field: "p@ss/w0rd-of-the-step"})
        git_tls_server.require("Basic other")
        caplog.set_level(0)
        with pytest.raises(RuntimeError) as caught:
            await GitRepository(url=git_tls_server.url(tls_remote), credentials=block).pull_code()
        said = [str(caught.value), str(caught.value.__cause__), *(record.getMessage() for record in caplog.records)]
        assert git_tls_server.requests, "The host was not asked."
        assert not [text for text in said if "w0rd-of-the-step" in text]

    # What is saved

    async def test_what_is_loaded_means_what_was_saved(self, step_login: Login, prefect_harness: None) -> None:
        """The user name that is saved for the step does not change what the block sends."""
        url = "https://git.corp/org/repo"
        block = self.make_credentials(**step_login[0])
        before = block.format_git_credentials(url)
        await block.save(name := _name())
        loaded = await self.credentials_block.load(name)
        assert loaded.format_git_credentials(url) == block.format_git_credentials(url) == before

    async def test_a_token_that_is_changed_by_hand_is_the_one_that_is_sent(
        self, git_tls_server: GitServer, tls_remote: BareRepository, workplace: Path, prefect_harness: None
    ) -> None:
        """In the user interface, which leaves all other fields as they were saved."""
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.actions import BlockDocumentUpdate
        from prefect.deployments.steps.core import run_steps

        git_tls_server.require(self.authorization("the-new-one"))
        document = await self.make_credentials(**{self.token_field: "the-old-one"}).save(name := _name())
        async with get_client() as client:
            await client.update_block_document(document, BlockDocumentUpdate(data={self.token_field: "the-new-one"}))
        text = _PULL.format(url=git_tls_server.url(tls_remote), slug=self.slug, name=name)
        outputs = await run_steps(yaml.safe_load(text)["pull"])
        assert (workplace / outputs["directory"] / "flow.py").exists()
        loaded = await self.credentials_block.load(name)
        assert getattr(loaded, self.token_field).get_secret_value() == "the-new-one"

    # The blocks as storage

    async def test_a_saved_repository_is_pulled_by_the_step(
        self,
        git_tls_server: GitServer,
        tls_remote: BareRepository,
        workplace: Path,
        prefect_harness: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """`pull_with_block`, as `prefect.yaml` calls it."""
        from prefect.deployments.steps.core import run_steps

        # Whoever loads a block by its type imports all packages that are installed here, which may take long.
        monkeypatch.setattr("prefect.blocks.core.load_prefect_collections", lambda: None)
        credentials, header = self.one_login()
        git_tls_server.require(header)
        await credentials.save(_name())
        fields = {self.reference_field: "main"}
        await self.make_repository(git_tls_server.url(tls_remote), credentials, **fields).save(name := _name())
        step = {"block_type_slug": self.repository_block.get_block_type_slug(), "block_document_name": name}
        outputs = await run_steps([{"prefect.deployments.steps.pull_with_block": step}])
        assert (workplace / outputs["directory"] / "flow.py").read_bytes() == FLOW

    async def test_a_deployment_of_prefect_yaml_pulls_its_code_and_runs(
        self, git_tls_server: GitServer, tls_remote: BareRepository, workplace: Path, prefect_harness: None
    ) -> None:
        """As a worker does it: the steps are those of the deployment, and the flow is loaded from where they lead."""
        from prefect.client.orchestration import get_client
        from prefect.flows import load_flow_from_flow_run

        credentials, header = self.one_login()
        git_tls_server.require(header)
        await credentials.save(name := _name())
        text = _PULL.format(url=git_tls_server.url(tls_remote), slug=self.slug, name=name)
        async with get_client() as client:
            deployment = await client.create_deployment(
                await client.create_flow_from_name("hello"),
                name,
                pull_steps=yaml.safe_load(text)["pull"],
                entrypoint="flow.py:hello",
            )
            run = await client.create_flow_run_from_deployment(deployment, parameters={"name": "shop"})
            loaded = await load_flow_from_flow_run(run, use_placeholder_flow=False)
        assert loaded.fn("shop") == "hello shop"
        assert Path.cwd().parent == workplace

    def test_a_flow_is_loaded_from_the_source_and_runs(
        self, git_tls_server: GitServer, tls_remote: BareRepository, workplace: Path, prefect_harness: None
    ) -> None:
        """`flow.from_source` with the block; what it deploys names the block, and holds no login."""
        from prefect import flow
        from prefect.runner.storage import GitRepository

        credentials, header = self.one_login()
        git_tls_server.require(header)
        credentials.save(name := _name())
        source = GitRepository(url=git_tls_server.url(tls_remote), credentials=credentials)
        hello: Any = flow.from_source(source=source, entrypoint="flow.py:hello")
        assert hello("shop") == "hello shop"
        step = source.to_pull_step()["prefect.deployments.steps.git_clone"]
        assert step["credentials"] == f"{{{{ prefect.blocks.{self.slug}.{name} }}}}"


def _name() -> str:
    """Think of a name for a block: tests of a process share their Prefect server."""
    return f"git-{uuid4().hex[:12]}"
