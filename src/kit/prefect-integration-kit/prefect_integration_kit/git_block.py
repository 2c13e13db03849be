"""A block that is a git repository: options that all hosts share, and `get_directory` in both faces.

The block inherits `GitRepositoryBlock` and `ReadableDeploymentStorage`, publishes its fields, and says which
`GitSource` they mean. Its `model_config` has `hide_input_in_errors`, for addresses may hold passwords. The fields that
all such blocks have are types here, with their checks and descriptions.

At a host that has a block of credentials it inherits `HostedRepositoryBlock`, and says who asks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr

from prefect_integration_kit.dispatch import async_dispatch, run_stoppable
from prefect_integration_kit.git import (
    CLONE_BACKOFF,
    TIMEOUT_SECONDS,
    CloneBackoff,
    GitAccess,
    GitAccessDenied,
    GitAuth,
    GitAuthenticationFailed,
    GitSource,
    Pulled,
    check_directories,
    check_folder,
    check_private_key,
    check_reference,
    parse_address,
    pull,
    without_userinfo,
)
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

if TYPE_CHECKING:
    import threading

__all__ = [
    "TIMEOUT_SECONDS",
    "CaBundle",
    "Directories",
    "GitIdentity",
    "GitRepositoryBlock",
    "HostedRepositoryBlock",
    "IncludeSubmodules",
    "Lfs",
    "Proxy",
    "Reference",
    "RepositoryUrl",
    "SshKnownHosts",
    "SshPrivateKey",
    "TimeoutSeconds",
    "Verify",
    "backoff_of",
]


def _is_address(url: str) -> str:
    parse_address(url)
    return url


def _are_directories(directories: list[str] | None) -> list[str] | None:
    check_directories(directories)
    return directories


RepositoryUrl = Annotated[str, AfterValidator(_is_address)]
"""The address of a repository. Each block describes its own forms."""

Reference = Annotated[str | None, AfterValidator(check_reference)]
"""What to pull. Each block describes its own forms."""

IncludeSubmodules = Annotated[
    bool, Field(description="Whether to get submodules, and theirs. Those on the same host get the same credentials.")
]
Directories = Annotated[
    list[str] | None,
    AfterValidator(_are_directories),
    Field(
        description="Folders to get, beside the files at the root of the repository, as in a sparse checkout. "
        "Without, all of it."
    ),
]
Lfs = Annotated[
    bool | None,
    Field(
        title="LFS",
        description="Whether to get files that are kept in Git LFS. If not set, where git-lfs is installed.",
    ),
]
SshPrivateKey = Annotated[
    SecretStr | None,
    AfterValidator(lambda key: None if key is None else check_private_key(key)),
    Field(
        title="SSH Private Key",
        description="Text of a private key without passphrase, such as a deploy key, for addresses of SSH. Without, "
        "the keys that ssh finds.",
    ),
]
SshKnownHosts = Annotated[
    str | None,
    Field(
        title="SSH Known Hosts",
        description="Lines of a known_hosts file that the host must be in, for addresses of SSH. Without, the files "
        "that ssh finds.",
    ),
]
CaBundle = Annotated[
    str | None,
    Field(
        title="CA Bundle",
        description="Certificates of a private authority that has signed the host's: the text in PEM form, or the path "
        "of a file.",
    ),
]
Verify = Annotated[
    bool,
    Field(description="Whether the host must prove who it is. Without, anybody on the way can read the credentials."),
]
Proxy = Annotated[
    SecretStr | None,
    Field(
        description="Address of a proxy, with user name and password if it asks for them. Without, the one that the "
        "environment or git's configuration names."
    ),
]
TimeoutSeconds = Annotated[
    float | None,
    Field(gt=0, description="Seconds that a pull may take, all attempts together. None is for no end."),
]


class GitRepositoryBlock(ABC):
    """A base of blocks that are a git repository."""

    _clock: ClassVar[Clock] = SYSTEM_CLOCK

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the fields, but no credentials in addresses."""
        base: Any = super()
        shown: Iterable[tuple[str | None, Any]] = base.__repr_args__()
        return [(name, without_userinfo(value) if isinstance(value, str) else value) for name, value in shown]

    @abstractmethod
    def _source(self) -> GitSource:
        """Say which repository the fields mean."""

    def _backoff(self) -> Backoff:
        """Say how often, and how soon, to try again."""
        return CLONE_BACKOFF

    def _pull(
        self, from_path: str | None, local_path: str | Path | None, stop: threading.Event | None = None
    ) -> Pulled:
        return pull(
            self._source(),
            local_path or ".",
            from_path=from_path,
            backoff=self._backoff(),
            logger=run_logger(type(self).__module__),
            clock=self._clock,
            stop=stop,
        )

    async def aget_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        """Async form of `get_directory`; when it is cancelled, git is ended first.

        Args:
            from_path: A folder of the repository that is wanted without the rest; it has the same path below
                `local_path`. All of the repository if not given.
            local_path: Where to put it; the working directory if not given.
        """
        if from_path:
            check_folder(from_path, "from_path")
        target = Path(local_path or ".").expanduser().absolute()  # noqa: ASYNC240 - now, whatever the thread's folder is
        await run_stoppable(lambda brake: self._pull(from_path, target, brake))

    @async_dispatch(aget_directory)
    def get_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        """Pull the repository, or a folder of it, into a local folder.

        Files of the same names are replaced; others stay. All of a repository comes with its `.git` folder, which holds
        no credentials. Nothing is written before everything is there. Pulls into one folder wait for each other.

        Args:
            from_path: A folder of the repository that is wanted without the rest; it has the same path below
                `local_path`. All of the repository if not given.
            local_path: Where to put it; the working directory if not given.

        Raises:
            GitError: Of the class that tells what is wrong (`prefect_integration_kit.git`).
            PathEscapes: If a symbolic link would lead outside of the repository or of `local_path`.
        """
        self._pull(from_path, local_path)


@dataclass(frozen=True)
class GitIdentity:
    """Who asks, as a host's block of credentials says it.

    Attributes:
        auth: Asked before each attempt, so that tokens are fresh; `None` for nobody.
        advice: What the host wants of such credentials, in sentences. They follow the message when it refuses them.
        ca_bundle: Certificates of a private authority, if the repository names none.
        verify: Whether the host must prove who it is.
        url_rewrites: Beginnings of addresses in `.gitmodules`, and what to use in their place.
    """

    auth: Callable[[], GitAuth | None] | None = None
    advice: str = ""
    ca_bundle: str | None = None
    verify: bool = True
    url_rewrites: tuple[tuple[str, str], ...] = ()


_NOBODY = GitIdentity()


class HostedRepositoryBlock(GitRepositoryBlock):
    """A base of blocks that are a repository at a host with a block of credentials.

    It reads the fields `reference`, `git_depth`, `include_submodules`, `directories`, `lfs`, `ssh_private_key`,
    `ssh_known_hosts`, `ca_bundle`, `verify`, `proxy` and `timeout_seconds`, and that of `_address_field`.
    """

    _address_field: ClassVar[str] = "repository"

    @abstractmethod
    def _identity(self) -> GitIdentity | None:
        """Say who asks; `None` for nobody."""

    def _source(self) -> GitSource:
        fields: Any = self
        identity = self._identity() or _NOBODY
        return GitSource(
            getattr(self, self._address_field),
            fields.reference,
            fields.git_depth,
            fields.directories,
            fields.include_submodules,
            fields.lfs,
            GitAccess(
                identity.auth,
                fields.ca_bundle or identity.ca_bundle,
                fields.verify and identity.verify,
                fields.proxy,
                fields.ssh_private_key,
                fields.ssh_known_hosts,
                identity.url_rewrites,
            ),
            fields.timeout_seconds,
        )

    def _pull(
        self, from_path: str | None, local_path: str | Path | None, stop: threading.Event | None = None
    ) -> Pulled:
        try:
            return super()._pull(from_path, local_path, stop)
        except (GitAuthenticationFailed, GitAccessDenied) as exc:
            identity = self._identity()
            if identity is None or identity.auth is None or not identity.advice:
                raise
            raise type(exc)(f"{str(exc).rstrip('.')}. {identity.advice}", subject=exc.subject) from exc


def backoff_of(constants: Mapping[str, Any]) -> CloneBackoff:
    """Read how often a pull is tried, and how soon again, from constants that a package publishes.

    Args:
        constants: The module's `globals()`, with `MAX_CLONE_ATTEMPTS`, `CLONE_RETRY_MIN_DELAY_SECONDS`,
            `CLONE_RETRY_MIN_DELAY_JITTER_SECONDS` and `CLONE_RETRY_MAX_DELAY_JITTER_SECONDS`.
    """
    return CloneBackoff(
        max_attempts=constants["MAX_CLONE_ATTEMPTS"],
        wait_seconds=constants["CLONE_RETRY_MIN_DELAY_SECONDS"],
        jitter_seconds=(
            constants["CLONE_RETRY_MIN_DELAY_JITTER_SECONDS"],
            constants["CLONE_RETRY_MAX_DELAY_JITTER_SECONDS"],
        ),
    )
