"""Who asks: each login as the host wants it, the authority that it trusts, and what is said when it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_kit.git import GitAccessDenied, GitAuthenticationFailed, GitUnavailable, parse_address
from prefect_integration_tests.backends._git.repositories import BareRepository

from .git_host import TREE, read_tree
from .git_identity import GitIdentitySuite, Login

if TYPE_CHECKING:
    from prefect_integration_tests.backends.certificates import PrivateCA
    from prefect_integration_tests.backends.git_server import GitServer, GitSshServer
    from prefect_integration_tests.clock import FakeClock


class GitCredentialsSuite(GitIdentitySuite):
    """Checks a host's block of credentials, through the block that pulls.

    Attributes:
        advice: Fields of credentials that are refused, and what of the host's own advice is said then, by name.
        scope_advice: What is said, as a pattern, when the host knows the token of `logins` that comes first, and does
            not let it read.
        addresses: Addresses as the host shows them, and what git is given for each.
        pull_request: How the host calls what a pull request proposes.
        attempts: The module whose constants say how often a pull is tried, and how soon again; `None` if there is none.
    """

    advice: ClassVar[Mapping[str, tuple[Mapping[str, Any], str]]]
    scope_advice: ClassVar[str] = "scope"
    addresses: ClassVar[Mapping[str, str]]
    pull_request: ClassVar[str] = "pull/7/head"
    attempts: ClassVar[ModuleType | None] = None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run the tests of tables once for each row."""
        super().pytest_generate_tests(metafunc)
        if "refused_login" in metafunc.fixturenames:
            metafunc.parametrize("refused_login", self.advice.values(), ids=list(self.advice))
        if "written_address" in metafunc.fixturenames:
            ids = [written.replace("/", "-") for written in self.addresses]
            metafunc.parametrize("written_address", self.addresses.items(), ids=ids)

    # Who asks

    async def test_each_login_is_sent_as_the_host_wants_it(
        self, login: Login, git_server: GitServer, tmp_path: Path
    ) -> None:
        """By the kind of the login and never by the name of the host: this one is `127.0.0.1`."""
        fields, header = login
        git_server.require(header)
        remote = git_server.repository(self.repository_path)
        remote.commit({"flow.py": b"flow"})
        block = self.make_repository(git_server.url(remote), self.make_credentials(**fields))
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == b"flow"
        assert {request.authorization for request in git_server.requests} == {header}

    async def test_credentials_without_a_token_read_what_is_public(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """They send nothing."""
        block = self.make_repository(git_server.url(remote), self.make_credentials())
        await block.aget_directory(local_path=str(tmp_path))
        assert read_tree(tmp_path) == TREE
        assert {request.authorization for request in git_server.requests} == {None}

    async def test_an_ssh_key_opens_the_door(self, git_ssh_server: GitSshServer, tmp_path: Path) -> None:
        """A deploy or access key of the repository block, beside credentials that are for HTTP."""
        remote = BareRepository(tmp_path / "remote.git", "main")
        remote.commit({"flow.py": b"by ssh"})
        block = self.block(
            git_ssh_server.url(remote.path),
            "not for ssh",
            ssh_private_key=git_ssh_server.private_key,
            ssh_known_hosts=git_ssh_server.known_hosts,
        )
        await block.aget_directory(local_path=str(tmp_path / "code"))
        assert (tmp_path / "code/flow.py").read_bytes() == b"by ssh"

    async def test_an_authority_is_trusted_by_the_credentials_or_the_repository(
        self, git_tls_server: GitServer, git_authority: PrivateCA, tmp_path: Path
    ) -> None:
        """What one of the two blocks says holds for both; so does that nobody is to be checked."""
        remote = git_tls_server.repository(self.repository_path)
        remote.commit({"flow.py": b""})
        url, bundle = git_tls_server.url(remote), git_authority.ca_file.read_text()
        token = {self.token_field: "x"}
        blocks = {
            "credentials": self.make_repository(url, self.make_credentials(**token, ca_bundle=bundle)),
            "repository": self.block(url, ca_bundle=str(git_authority.ca_file)),
            "unchecked": self.make_repository(url, self.make_credentials(**token, verify=False)),
        }
        for name, block in blocks.items():
            await block.aget_directory(local_path=str(tmp_path / name))
            assert (tmp_path / name / "flow.py").exists(), name

    # What is said

    async def test_a_refusal_says_what_these_credentials_need(
        self,
        refused_login: tuple[Mapping[str, Any], str],
        git_server: GitServer,
        remote: BareRepository,
        tmp_path: Path,
    ) -> None:
        """In the words of the host: its scopes, its roles, where its tokens are made."""
        fields, said = refused_login
        git_server.require("Basic other")
        block = self.make_repository(git_server.url(remote), self.make_credentials(**fields))
        with pytest.raises(GitAuthenticationFailed) as caught:
            await block.aget_directory(local_path=str(tmp_path))
        assert said in str(caught.value)

    async def test_a_token_without_the_scope_is_told_what_it_lacks(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Apart from one that the host does not know."""
        fields, header = next(iter(self.logins.values()))
        git_server.forbidden.add(header)
        block = self.make_repository(git_server.url(remote), self.make_credentials(**fields))
        with pytest.raises(GitAccessDenied, match=self.scope_advice):
            await block.aget_directory(local_path=str(tmp_path))

    # Which repository, and what of it

    def test_each_form_of_address_is_taken(self, written_address: tuple[str, str]) -> None:
        """As the host shows it for cloning; who asks is taken out of it."""
        written, meant = written_address
        block = self.block(written)
        assert getattr(block, self.url_field) == written
        assert parse_address(written).url == meant

    async def test_a_pull_request_is_pulled_by_its_reference(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Under the name that this host gives it, with and without `refs/`."""
        proposed = remote.commit({"flow.py": b"proposed"}, branch="topic")
        remote.set_reference(f"refs/{self.pull_request}", proposed)
        for number, reference in enumerate((self.pull_request, f"refs/{self.pull_request}")):
            block = self.block(git_server.url(remote), reference=reference)
            await block.aget_directory(local_path=str(tmp_path / str(number)))
            assert (tmp_path / str(number) / "flow.py").read_bytes() == b"proposed"

    def test_a_depth_below_one_is_refused(self) -> None:
        """When the block is made, by the name of the field."""
        with pytest.raises(ValueError, match=self.depth_field):
            self.block("https://host/org/repo", depth=0)

    async def test_attempts_are_those_of_the_module(
        self,
        git_server: GitServer,
        remote: BareRepository,
        tmp_path: Path,
        fake_clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Constants that the package publishes are read when a pull begins."""
        if self.attempts is None:
            pytest.skip("The package publishes no constants for it.")
        monkeypatch.setattr(self.repository_block, "_clock", fake_clock)
        for name, value in {
            "MAX_CLONE_ATTEMPTS": 4,
            "CLONE_RETRY_MIN_DELAY_SECONDS": 7,
            "CLONE_RETRY_MIN_DELAY_JITTER_SECONDS": 2,
            "CLONE_RETRY_MAX_DELAY_JITTER_SECONDS": 2,
        }.items():
            monkeypatch.setattr(self.attempts, name, value)
        git_server.fail(4)
        with pytest.raises(GitUnavailable):
            await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path))
        assert fake_clock.sleeps == [9, 9, 9]
