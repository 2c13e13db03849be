"""What holds for blocks that are a git repository, and for packages of git hosts."""

from __future__ import annotations

from .git_contents import GitContentsSuite
from .git_credentials import GitCredentialsSuite
from .git_deployments import GitDeploymentSuite
from .git_failures import GitFailureSuite
from .git_secrets import GitSecretSuite


class GitRepositorySuite(GitContentsSuite, GitFailureSuite, GitSecretSuite):
    """Checks a block with `get_directory` that pulls a git repository, on a real git server.

    The package says how a block is made (`make_block`) and what its credentials are on the wire (`authorization`).
    """


class GitIntegrationSuite(GitRepositorySuite, GitCredentialsSuite, GitDeploymentSuite):
    """Checks a package for a git host: its block of credentials, its block that pulls, and deployments with both.

    The package names its blocks and the logins that the host hands out (`logins`), and says what its credentials are on
    the wire (`authorization`).
    """
