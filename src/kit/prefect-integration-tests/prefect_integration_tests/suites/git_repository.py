"""What holds for blocks that are a git repository."""

from __future__ import annotations

from .git_contents import GitContentsSuite
from .git_failures import GitFailureSuite
from .git_secrets import GitSecretSuite


class GitRepositorySuite(GitContentsSuite, GitFailureSuite, GitSecretSuite):
    """Checks a block with `get_directory` that pulls a git repository, on a real git server.

    The package says how a block is made (`make_block`) and what its credentials are on the wire (`authorization`).
    """
