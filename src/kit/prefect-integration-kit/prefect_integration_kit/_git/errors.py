"""What can go wrong with a pull, drawn as a tree.

```
GitError                        also a RuntimeError and an OSError
├── GitInvalidRequest           ValueError: a value that git would take for something else
├── GitNotInstalled             FileNotFoundError: no `git`, or no `git-lfs` where it is asked for
├── GitAuthenticationFailed     PermissionError: no, wrong or expired credentials
├── GitAccessDenied             PermissionError: good credentials that may not read this
├── GitRepositoryNotFound       FileNotFoundError
├── GitReferenceNotFound        FileNotFoundError: no such branch, tag or commit
├── GitPathNotFound             FileNotFoundError: no such folder in the repository
├── GitRepositoryMoved          the server redirects to another host
├── GitCertificateError         a certificate, or an SSH host key, that is not trusted
├── GitDiskFull
├── GitDestinationConflict      FileExistsError: something else stands where a file belongs
├── GitTimeout                  TimeoutError
└── GitUnavailable              ConnectionError: the host cannot be reached or is in trouble; tried again
```
"""

from __future__ import annotations

from prefect_integration_kit.sdk_errors import TranslatedError


class GitError(TranslatedError, RuntimeError, OSError):
    """A pull failed. The message says what, why and what to do; it holds no credentials."""


class GitInvalidRequest(GitError, ValueError):
    """A value cannot be meant: it looks like an option of git, or leaves the repository."""


class GitNotInstalled(GitError, FileNotFoundError):
    """The program is missing."""


class GitAuthenticationFailed(GitError, PermissionError):
    """The host asks for credentials, or does not accept those that it was given."""


class GitAccessDenied(GitError, PermissionError):
    """The host knows who asks, and does not let them read the repository."""


class GitRepositoryNotFound(GitError, FileNotFoundError):
    """The host has no such repository, or does not show it to who asks."""


class GitReferenceNotFound(GitError, FileNotFoundError):
    """The repository has no such branch, tag or commit."""


class GitPathNotFound(GitError, FileNotFoundError):
    """The repository has no such folder at this reference."""


class GitRepositoryMoved(GitError):
    """The server sends us to another address."""


class GitCertificateError(GitError):
    """The host cannot prove who it is."""


class GitDiskFull(GitError):
    """There is no room left."""


class GitDestinationConflict(GitError, FileExistsError):
    """Something of another kind stands where a file or folder of the repository belongs."""


class GitTimeout(GitError, TimeoutError):
    """The pull took longer than it was given."""


class GitUnavailable(GitError, ConnectionError):
    """The host cannot be reached, or is in trouble. Trying again may help."""
