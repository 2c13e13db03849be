"""Clone GitHub repositories, and query and change what is at GitHub from Prefect flows.

The tasks are in modules of their own, which load what they need of GitHub's schema when they are first used:
`prefect_github.graphql`, `mutations`, `repository`, `organization`, `repository_owner`, `user` and `viewer`.
"""

from importlib.metadata import version

from ._block import GitHubRepository
from .credentials import GitHubAppCredentials, GitHubCredentials
from .errors import (
    GitHubAccessDenied,
    GitHubAuthenticationFailed,
    GitHubCertificateError,
    GitHubCredentialsError,
    GitHubError,
    GitHubInvalidRequest,
    GitHubNotFound,
    GitHubRateLimited,
    GitHubUnavailable,
    GitHubUncertain,
)
from .exceptions import InvalidRepositoryURLError

__version__ = version("prefect-github")

__all__ = [
    "GitHubAccessDenied",
    "GitHubAppCredentials",
    "GitHubAuthenticationFailed",
    "GitHubCertificateError",
    "GitHubCredentials",
    "GitHubCredentialsError",
    "GitHubError",
    "GitHubInvalidRequest",
    "GitHubNotFound",
    "GitHubRateLimited",
    "GitHubRepository",
    "GitHubUnavailable",
    "GitHubUncertain",
    "InvalidRepositoryURLError",
]
