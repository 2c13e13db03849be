"""What the suites of a git host ask of a package: its two blocks, and the logins that the host hands out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from .git_host import GitHostSuite

if TYPE_CHECKING:
    from prefect_integration_tests.backends.certificates import PrivateCA

Login = tuple[Mapping[str, Any], str]
"""Fields of a block of credentials, and the `Authorization` header that the host gets for them."""


class GitIdentitySuite(GitHostSuite):
    """Fixtures of the suites for a git host that has a block of credentials.

    Attributes:
        credentials_block: The block of credentials.
        repository_block: The block that pulls.
        url_field: Its field for the address.
        credentials_field: Its field for the credentials.
        token_field: The field of the credentials that holds a token.
        logins: Every kind of login that the host hands out, by name.
        step_logins: Names of those that Prefect's own step can send as well; all of them if not given. It puts them
            into an address, which has room for a user name and a password only.
    """

    credentials_block: ClassVar[type[Any]]
    repository_block: ClassVar[type[Any]]
    url_field: ClassVar[str] = "repository"
    credentials_field: ClassVar[str] = "credentials"
    token_field: ClassVar[str] = "token"
    logins: ClassVar[Mapping[str, Login]]
    step_logins: ClassVar[tuple[str, ...] | None] = None

    def make_credentials(self, **fields: Any) -> Any:
        """Make a block of credentials.

        Args:
            fields: As the block calls them.
        """
        return self.credentials_block(**fields)

    def make_repository(self, url: str, credentials: Any = None, **fields: Any) -> Any:
        """Make a block that pulls.

        Args:
            url: Address of the repository.
            credentials: A block of credentials; `None` for nobody.
            fields: As the block calls them.
        """
        given = {self.url_field: url, self.credentials_field: credentials, **fields}
        return self.repository_block(**given)

    def make_block(self, url: str, token: str | None, **fields: Any) -> Any:
        """Make a block that pulls as whoever has a token."""
        credentials = None if token is None else self.make_credentials(**{self.token_field: token})
        return self.make_repository(url, credentials, **fields)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `login` once for each, and each that takes `step_login` for those of the step."""
        names = {"login": tuple(self.logins), "step_login": self.step_logins or tuple(self.logins)}
        for fixture, wanted in names.items():
            if fixture in metafunc.fixturenames:
                metafunc.parametrize(fixture, [self.logins[name] for name in wanted], ids=wanted)

    @pytest.fixture
    def workplace(
        self, _own_configuration: None, git_authority: PrivateCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Path:
        """An empty working directory on a machine whose git trusts the private authority, as one in a company does."""
        monkeypatch.setenv("GIT_SSL_CAINFO", str(git_authority.ca_file))
        monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
        folder = tmp_path / "work"
        folder.mkdir()
        monkeypatch.chdir(folder)
        return folder
