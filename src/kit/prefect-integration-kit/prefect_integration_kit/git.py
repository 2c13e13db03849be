"""Pull code from a git repository: clone what is wanted, and put it into a folder.

One layer for every git host. Credentials reach neither arguments, nor files on disk, nor environments, nor messages,
and go to the host of the repository only. Nothing asks on a terminal; a pull has an end, and ends all that it started
when it is cancelled. What git says becomes an error with a cause and a remedy; what is transient is tried again.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_integration_kit.dispatch import run_stoppable
from prefect_integration_kit.redact import Redactor
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, retry

from ._git.auth import GitAuth
from ._git.carrier import Setting, carry
from ._git.errors import (
    GitAccessDenied,
    GitAuthenticationFailed,
    GitCertificateError,
    GitDestinationConflict,
    GitDiskFull,
    GitError,
    GitInvalidRequest,
    GitNotInstalled,
    GitPathNotFound,
    GitReferenceNotFound,
    GitRepositoryMoved,
    GitRepositoryNotFound,
    GitTimeout,
    GitUnavailable,
)
from ._git.ssh import check_private_key, ssh_env, write_private
from ._git.values import (
    Address,
    check_directories,
    check_folder,
    check_reference,
    parse_address,
    without_userinfo,
)
from .logs import Log

if TYPE_CHECKING:
    from pydantic import SecretStr

    from prefect_integration_kit.brakes import Brake

    from ._git.process import Git

__all__ = [
    "CLONE_BACKOFF",
    "Address",
    "CloneBackoff",
    "GitAccess",
    "GitAccessDenied",
    "GitAuth",
    "GitAuthenticationFailed",
    "GitCertificateError",
    "GitDestinationConflict",
    "GitDiskFull",
    "GitError",
    "GitInvalidRequest",
    "GitNotInstalled",
    "GitPathNotFound",
    "GitReferenceNotFound",
    "GitRepositoryMoved",
    "GitRepositoryNotFound",
    "GitSource",
    "GitTimeout",
    "GitUnavailable",
    "Pulled",
    "apull",
    "check_directories",
    "check_folder",
    "check_private_key",
    "check_reference",
    "parse_address",
    "pull",
    "without_userinfo",
]


_logger = logging.getLogger(__name__)
_STAGING = ".git-pull-"
_REDIRECTS = 3

TIMEOUT_SECONDS = 3600.0
"""How long a pull may take by default, all attempts together."""


@dataclass(frozen=True)
class CloneBackoff(Backoff):
    """A wait between attempts that hardly grows: some seconds, and a random part so that many runs do not come at once.

    Attributes:
        wait_seconds: The least.
        jitter_seconds: Bounds of what is added.
    """

    max_attempts: int | None = 3
    deadline_seconds: float = TIMEOUT_SECONDS
    wait_seconds: float = 1.0
    jitter_seconds: tuple[float, float] = (0.0, 3.0)

    def delay(self, attempt: int, retry_after_seconds: float | None = None) -> float:
        """Seconds to wait after a failed attempt, whatever its number."""
        low, high = self.jitter_seconds
        return max(self.wait_seconds + low + (high - low) * self.random(), retry_after_seconds or 0.0)


CLONE_BACKOFF = CloneBackoff()


@dataclass(frozen=True)
class GitAccess:
    """How to reach the host, and who asks.

    Attributes:
        auth: Credentials for HTTP; a callable is asked before each attempt, so that tokens are fresh. They go to the
            host of the repository and to no other; submodules on the same host get them, too.
        ca_bundle: Certificates of a private authority: PEM text, or the path of a PEM file.
        verify: Whether the host must prove who it is. Without, anybody on the way can read the credentials.
        proxy: Address of an HTTP or SOCKS proxy, with user name and password if it asks for them.
        ssh_private_key: Text of a key without passphrase. Without, ssh uses the keys that it finds.
        ssh_known_hosts: Lines of a `known_hosts` file; the host must be in it. Without, ssh uses its own files.
        url_rewrites: Beginnings of addresses in `.gitmodules` and what to use in their place.
    """

    auth: GitAuth | Callable[[], GitAuth | None] | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    verify: bool = True
    proxy: SecretStr | None = None
    ssh_private_key: SecretStr | None = None
    ssh_known_hosts: str | None = None
    url_rewrites: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class GitSource:
    """A repository, and what is wanted of it.

    Attributes:
        url: `https://…`, `ssh://…`, `user@host:path` or a local path. Credentials in it are taken out, and used unless
            `access` has others.
        reference: Branch, tag, commit (also abbreviated) or full reference such as `refs/pull/1/head`; the default
            branch if not given. Of a branch and a tag of one name, the branch is meant.
        depth: How many commits of history; all of it if not given.
        directories: Folders to check out, with what is in them, beside the files at the root; all if none are given.
        include_submodules: Whether to get submodules, and theirs.
        lfs: Whether to get what is kept in Git LFS. If not given, where `git-lfs` is installed.
        access: How to reach the host.
        timeout_seconds: How long a pull may take, all attempts together; `None` for no end.
    """

    url: str = field(repr=False)
    reference: str | None = None
    depth: int | None = 1
    directories: Iterable[str] | None = None
    include_submodules: bool = False
    lfs: bool | None = None
    access: GitAccess = field(default_factory=GitAccess)
    timeout_seconds: float | None = TIMEOUT_SECONDS


@dataclass(frozen=True)
class Pulled:
    """What a pull brought.

    Attributes:
        commit: Full name of the commit.
        destination: The folder that the repository, or the folder of it, was put into.
    """

    commit: str
    destination: Path


def pull(
    source: GitSource,
    destination: str | Path = ".",
    *,
    from_path: str | None = None,
    backoff: Backoff = CLONE_BACKOFF,
    logger: Log = _logger,
    clock: Clock = SYSTEM_CLOCK,
    stop: threading.Event | None = None,
) -> Pulled:
    """Pull a repository, or a folder of it, into a folder.

    Files of the same names are replaced; others stay. All of a repository comes with its `.git` folder, whose
    configuration holds no credentials; one of another repository that is there already stays as it is. Nothing is
    written before everything is there. Pulls into one folder wait for each other.

    Args:
        source: The repository, and what is wanted of it.
        destination: Where to put it; made if need be.
        from_path: A folder of the repository that is wanted without the rest. It has the same path below the
            destination. Links in it to other parts of the repository become copies.
        backoff: How often, and how soon, to try again when the host cannot be reached or is in trouble.
        logger: Told of retries, of what is amiss, and of what came.
        clock: Time between attempts.
        stop: Ends the pull when it is set.

    Raises:
        GitError: Of the class that tells what is wrong; what it says holds no credentials.
        PathEscapes: If a symbolic link would lead outside of the repository or the destination.
    """
    return _Pull(source, Path(destination).expanduser().absolute(), from_path, logger, stop).run(backoff, clock)


async def apull(
    source: GitSource,
    destination: str | Path = ".",
    *,
    from_path: str | None = None,
    backoff: Backoff = CLONE_BACKOFF,
    logger: Log = _logger,
    clock: Clock = SYSTEM_CLOCK,
) -> Pulled:
    """Async form of `pull`; when it is cancelled, git and all that it started are ended first."""
    target = Path(destination).expanduser().absolute()  # noqa: ASYNC240 - now, not when the thread gets its turn

    def body(brake: Brake) -> Pulled:
        return pull(source, target, from_path=from_path, backoff=backoff, logger=logger, clock=clock, stop=brake)

    return await run_stoppable(body)


class _Pull:
    """One pull, with all its attempts."""

    def __init__(
        self, source: GitSource, destination: Path, from_path: str | None, logger: Log, stop: threading.Event | None
    ) -> None:
        from ._git.obtain import Wish
        from ._git.process import Limit

        self._source = source
        self._address = parse_address(source.url)
        self._wish = Wish(
            check_reference(source.reference),
            _check_depth(source.depth),
            check_directories(source.directories),
            source.include_submodules,
            source.lfs,
        )
        self._from_path = check_folder(from_path, "from_path") if from_path else ""
        key = source.access.ssh_private_key
        self._key = check_private_key(key) if key is not None else None
        self._destination = destination
        self._logger = logger
        self._limit = Limit(source.timeout_seconds, stop)

    @property
    def _subject(self) -> str:
        at = f" at {self._wish.reference!r}" if self._wish.reference else ""
        return f"Repository {self._address.url}{at}"

    def run(self, backoff: Backoff, clock: Clock) -> Pulled:
        from ._git.deliver import make_destination, remove, staging_folders
        from ._git.locks import folder_lock

        self._warn()
        make_destination(self._destination)
        with folder_lock(self._destination, self._limit.check):
            for left in staging_folders(self._destination, _STAGING):
                remove(left)
            return retry(
                self._attempt,
                is_transient=lambda exc: isinstance(exc, ConnectionError),  # of the host, or of who hands out tokens
                backoff=backoff,
                on_retry=self._say_retry,
                clock=_StoppableClock(clock, self._limit.stop),
            )

    def _warn(self) -> None:
        if self._address.kind != "http":
            return
        if not self._source.access.verify:
            self._logger.warning(
                "The certificate of %s is not checked: anybody on the way can read the credentials and change the "
                "code. Set ca_bundle to its authority instead.",
                self._address.host,
            )
        has_credentials = self._source.access.auth is not None or self._address.password
        if has_credentials and self._address.url.startswith("http://") and not self._address.is_loopback:
            self._logger.warning(
                "Credentials for %s go over http, where anybody on the way can read them. Use https.",
                self._address.host,
            )

    def _say_retry(self, exc: Exception, delay: float) -> None:
        self._logger.warning("%s Trying again in %.1f seconds.", exc, delay)

    def _attempt(self) -> Pulled:
        from ._git.deliver import remove

        try:
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._destination))
        except OSError as exc:
            raise _not_written(f"Cannot write to {str(self._destination)!r}", exc) from exc
        try:
            commit = self._obtain(staging / "clone")
            self._put(staging)
        finally:
            remove(staging)
        self._logger.info("Pulled %s, commit %s, into %s", self._address.url, commit[:12], self._destination)
        return Pulled(commit, self._destination)

    def _obtain(self, clone: Path) -> str:
        from ._git.deliver import remove
        from ._git.obtain import Obtain, follow

        auth = self._auth()
        for hop in range(_REDIRECTS + 1):
            with self._git(auth) as git:
                try:
                    obtain = Obtain(
                        git,
                        self._address,
                        self._wish,
                        self._subject,
                        self._logger,
                        has_credentials=auth is not None,
                    )
                    return obtain.into(clone)
                except GitRepositoryMoved as moved:
                    if hop == _REDIRECTS:
                        raise
                    self._address = follow(git, self._address, moved)
                    remove(clone)
        raise AssertionError  # the last hop returns or raises

    def _put(self, staging: Path) -> None:
        from ._git.deliver import GIT_FOLDER, deliver, folder_in, place_git_folder, prepare_part

        clone = staging / "clone"
        try:
            if self._from_path:
                folder = folder_in(clone, self._from_path, self._subject)
                prepare_part(clone, folder)
                place = staging / "part" / self._from_path
                place.parent.mkdir(parents=True)
                folder.rename(place)
                deliver(staging / "part", self._destination, self._subject)
                return
            git_folder = staging / "git"
            (clone / GIT_FOLDER).rename(git_folder)
            deliver(clone, self._destination, self._subject)
            if not place_git_folder(git_folder, self._destination, self._address.url):
                self._logger.warning("%s has a .git of another repository, which was left as it is.", self._destination)
        except GitError:
            raise
        except OSError as exc:
            where = str(exc.filename or self._destination)
            raise _not_written(f"{self._subject} cannot be written to {where!r}", exc) from exc

    # Who asks, and how

    def _auth(self) -> GitAuth | None:
        auth = self._source.access.auth
        auth = auth() if callable(auth) else auth
        if auth is None and self._address.kind == "http" and self._address.password:
            return GitAuth.basic(self._address.username, self._address.password)
        return auth

    @contextlib.contextmanager
    def _git(self, auth: GitAuth | None) -> Generator[Git, None, None]:
        from ._git.process import Git, environment

        access = self._source.access
        secrets = [*(auth.secrets if auth else ()), self._address.password, access.proxy, self._key]
        if access.proxy is not None:
            secrets += _userinfo(access.proxy)
        with tempfile.TemporaryDirectory(prefix="prefect-git-", ignore_cleanup_errors=True) as private:
            env = environment(
                ssh_env(Path(private), self._key, access.ssh_known_hosts),
                without=("GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY") if access.ca_bundle else (),
            )
            with carry(self._settings(auth, Path(private))) as carried:
                redactor = Redactor(secrets)
                yield Git(carried, env, redactor, self._limit)

    def _settings(self, auth: GitAuth | None, private: Path) -> list[Setting]:
        access, origin = self._source.access, self._address.origin
        settings = list(_SETTINGS)
        if not origin:
            return settings
        scope = f"http.{origin}"
        if auth is not None:
            settings += [
                ("credential.helper", ""),  # none may store them
                (f"{scope}.extraHeader", ""),
                (f"{scope}.extraHeader", f"Authorization: {auth.header}"),
                ("http.followRedirects", "false"),
            ]
            settings += [(f"url.{origin}.insteadOf", form) for form in self._ssh_forms()]
        elif self._address.username:
            settings.append((f"credential.{origin}.username", self._address.username))
        if access.ca_bundle:
            settings += [
                (f"{scope}.sslCAInfo", _certificates(access.ca_bundle, private)),
                (f"{scope}.schannelUseSSLCAInfo", "true"),
            ]
        if not access.verify:
            settings.append((f"{scope}.sslVerify", "false"))
        if access.proxy is not None:
            settings.append((f"{scope}.proxy", access.proxy.get_secret_value()))
        settings += [(f"url.{target}.insteadOf", begin) for begin, target in access.url_rewrites]
        return settings

    def _ssh_forms(self) -> list[str]:
        """How the same host is written for SSH: with a token, its submodules come over HTTP."""
        if self._address.kind != "http":
            return []
        name = self._address.host.rsplit(":", 1)[0] if "]" not in self._address.host else self._address.host
        return [f"git@{name}:", f"ssh://git@{name}/"]


def _not_written(what: str, exc: OSError) -> GitError:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return GitDiskFull(f"{what}: {exc.strerror}. Free some space, or pull less: a folder of the repository.")
    return GitError(f"{what}: {exc.strerror or exc}.")


def _userinfo(proxy: SecretStr) -> list[str]:
    from urllib.parse import unquote

    before, mark, _ = proxy.get_secret_value().rpartition("@")
    password = before.rpartition("://")[2].partition(":")[2] if mark else ""
    return [password, unquote(password)] if password else []


def _certificates(ca_bundle: str, private: Path) -> str:
    if "-----BEGIN" in ca_bundle:
        return write_private(private, "ca.pem", ca_bundle.strip() + "\n").as_posix()
    path = Path(ca_bundle).expanduser().absolute()
    if not path.is_file():
        raise GitInvalidRequest(
            f"ca_bundle {ca_bundle!r} is neither the text of a certificate nor the path of a file. "
            "Give a PEM file, or its text."
        )
    return path.as_posix()


def _check_depth(depth: int | None) -> int | None:
    if depth is not None and depth < 1:
        raise GitInvalidRequest(f"depth is {depth}; it must be at least 1, or None for all of the history.")
    return depth


class _StoppableClock:
    """A clock whose sleep ends early when nobody waits any more."""

    def __init__(self, clock: Clock, stop: threading.Event | None) -> None:
        self._clock = clock
        self._stop = stop

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        if self._stop is not None and self._clock is SYSTEM_CLOCK:
            self._stop.wait(seconds)
        else:
            self._clock.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await self._clock.asleep(seconds)


_SETTINGS: tuple[Setting, ...] = (
    ("core.hooksPath", "/dev/null"),
    ("core.askPass", ""),
    ("core.fsmonitor", "false"),
    ("advice.detachedHead", "false"),
    ("clone.defaultRemoteName", "origin"),
    ("gc.auto", "0"),  # nothing goes on in the background
    ("maintenance.auto", "false"),
    # Others run programs, `ext::` among them. Local paths are for the user's own address, not for submodules.
    ("protocol.allow", "never"),
    ("protocol.https.allow", "always"),
    ("protocol.http.allow", "always"),
    ("protocol.ssh.allow", "always"),
    ("protocol.git.allow", "always"),
    ("protocol.file.allow", "user"),
)
"""What every pull sets, whatever the user's own configuration says."""
