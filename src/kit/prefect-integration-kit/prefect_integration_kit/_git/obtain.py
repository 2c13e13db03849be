"""Get one commit of a repository into an empty folder: with the fewest processes and bytes that git needs for it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from ..logs import Log
from .deliver import remove
from .errors import GitError, GitNotInstalled, GitPathNotFound, GitReferenceNotFound, GitRepositoryMoved
from .failures import CANNOT_WRITE, DISK_FULL, UNADVERTISED, as_error
from .process import Git, GitFailed
from .values import Address, is_commit, may_be_commit, parse_address

_EVERYTHING = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
_LOCATION = re.compile(r"(?:Recv header:|<) *location: *(\S+)", re.IGNORECASE)
_INFO_REFS = re.compile(r"/info/refs(?:\?.*)?$")
_LFS_FILES = ":(attr:filter=lfs)"
_FULL_BYTES = 64 * 1024
# What `git lfs install` sets; without, `git lfs pull` leaves the pointers.
_LFS_FILTER = (
    "-c", "filter.lfs.clean=git-lfs clean -- %f", "-c", "filter.lfs.smudge=git-lfs smudge -- %f",
    "-c", "filter.lfs.process=git-lfs filter-process",
)  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """What is wanted of a repository; all of it is checked already.

    Attributes:
        reference: Branch, tag, commit or full reference; the default branch if not given.
        depth: How many commits of history; all of it if not given.
        directories: Folders of a sparse checkout; all of the repository if there are none.
        include_submodules: Whether to get submodules, and theirs.
        lfs: Whether to get what is kept in LFS; if not given, where git-lfs is installed.
    """

    reference: str | None = None
    depth: int | None = 1
    directories: tuple[str, ...] = ()
    include_submodules: bool = False
    lfs: bool | None = None


class Obtain:
    """Gets one commit into an empty folder."""

    def __init__(
        self, git: Git, address: Address, wish: Wish, subject: str, logger: Log, *, has_credentials: bool
    ) -> None:
        """Say what to get.

        Args:
            git: Runs git.
            address: Where the repository is.
            wish: What is wanted of it.
            subject: What to call it in messages.
            logger: Told what is amiss.
            has_credentials: Whether git has any for the host, for messages.
        """
        self._git = git
        self._url = address.url
        self._wish = wish
        self._subject = subject
        self._logger = logger
        self._has_credentials = has_credentials

    def into(self, clone: Path) -> str:
        """Get it.

        Args:
            clone: A folder that does not exist yet.

        Returns:
            The full name of the commit.

        Raises:
            GitError: Of the class that tells what is wrong.
        """
        try:
            self._get(clone)
            commit = self._commit(clone)
            self._check_directories(clone)
            if self._wish.include_submodules:
                self._get_submodules(clone)
            if self._wish.lfs is not False:
                self._get_lfs(clone)
        except GitFailed as exc:
            meaning = exc.meaning
            if meaning is CANNOT_WRITE and _is_full(clone.parent):
                meaning = DISK_FULL  # git does not say so of every file
            raise as_error(self._subject, exc.code, exc.text, meaning, has_credentials=self._has_credentials) from None
        return commit

    # The commit

    def _get(self, clone: Path) -> None:
        reference = self._wish.reference
        if reference is not None and (is_commit(reference) or reference.startswith("refs/")):
            self._fetch(clone, reference)
            return
        try:
            self._clone(clone, reference)
        except GitFailed as exc:
            if reference is None or exc.meaning.error is not GitReferenceNotFound:
                raise
            remove(clone)
            self._fetch_other(clone, reference)

    def _fetch_other(self, clone: Path, reference: str) -> None:
        """Get what is no branch or tag: an abbreviated commit, or a reference such as pull/1/head."""
        if may_be_commit(reference):
            self._init(clone)
            self._fetch_everything(clone, reference)
        elif "/" in reference:
            self._fetch(clone, f"refs/{reference}")
        else:
            raise self._no_such_reference()

    def _clone(self, clone: Path, branch: str | None) -> None:
        options = [f"--depth={self._wish.depth}"] if self._wish.depth else []
        if branch is not None:
            options.append(f"--branch={branch}")
        if self._wish.directories:
            options += ["--filter=blob:none", "--no-checkout"]
        self._git.run("clone", "--quiet", "--template=", *options, "--", self._url, str(clone))
        if self._wish.directories:
            self._choose_directories(clone)
            self._git.run("checkout", "--quiet", folder=clone)

    def _init(self, clone: Path) -> None:
        self._git.run("init", "--quiet", "--template=", "--", str(clone))
        self._git.run("remote", "add", "--", "origin", self._url, folder=clone)

    def _fetch(self, clone: Path, reference: str) -> None:
        self._init(clone)
        options = [f"--depth={self._wish.depth}"] if self._wish.depth else []
        if self._wish.directories:
            options.append("--filter=blob:none")
        try:
            self._git.run("fetch", "--quiet", "--no-tags", *options, "--", "origin", reference, folder=clone)
        except GitFailed as exc:
            # Old servers hand out commits by name only if a branch or tag points there.
            if exc.meaning is not UNADVERTISED:
                raise
            self._fetch_everything(clone, reference)
            return
        self._check_out(clone, "FETCH_HEAD")

    def _fetch_everything(self, clone: Path, commit: str) -> None:
        self._git.run("fetch", "--quiet", "--", "origin", *_EVERYTHING, folder=clone)
        try:
            self._git.run("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", folder=clone)
        except GitFailed:
            raise self._no_such_reference() from None
        self._check_out(clone, commit)

    def _check_out(self, clone: Path, commit: str) -> None:
        if self._wish.directories:
            self._choose_directories(clone)
        self._git.run("checkout", "--quiet", "--detach", commit, folder=clone)

    def _commit(self, clone: Path) -> str:
        try:
            return self._git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", folder=clone).strip()
        except GitFailed:
            raise GitReferenceNotFound(
                f"{self._subject} has nothing on its default branch. Push a commit, or give a reference.",
                subject=self._subject,
            ) from None

    def _no_such_reference(self) -> GitReferenceNotFound:
        return GitReferenceNotFound(
            f"{self._subject} could not be pulled. The repository has no branch, tag or commit "
            f"{self._wish.reference!r}. Check the reference, and that it was pushed.",
            subject=self._subject,
        )

    # Parts of it

    def _choose_directories(self, clone: Path) -> None:
        self._git.run("sparse-checkout", "init", "--cone", folder=clone)
        self._git.run("sparse-checkout", "set", "--", *self._wish.directories, folder=clone)

    def _check_directories(self, clone: Path) -> None:
        for directory in self._wish.directories:
            if not (clone / directory).is_dir():
                raise GitPathNotFound(
                    f"Folder {directory!r} of directories is not in {self._subject}. Check the path and the reference.",
                    subject=self._subject,
                )

    def _get_submodules(self, clone: Path) -> None:
        if not (clone / ".gitmodules").exists():
            return
        options = [f"--depth={self._wish.depth}"] if self._wish.depth else []
        update = ("submodule", "update", "--quiet", "--init", "--recursive")
        paths: Sequence[str] = ("--", *self._wish.directories) if self._wish.directories else ()
        try:
            self._git.run(*update, *options, *paths, folder=clone)
        except GitFailed as exc:
            if not options or exc.meaning.error is not GitReferenceNotFound:
                raise
            self._git.run(*update, *paths, folder=clone)  # their server hands out no single commits

    # LFS

    def _get_lfs(self, clone: Path) -> None:
        repositories = [clone, *(self._submodules(clone) if self._wish.include_submodules else ())]
        with_lfs = {path: files for path in repositories if (files := self._lfs_files(path))}
        if not with_lfs:
            return
        if not self._has_lfs():
            count = sum(map(len, with_lfs.values()))
            message = (
                f"{self._subject} keeps {count} files in Git LFS, and git-lfs is not installed here. "
                "Install it to get them"
            )
            if self._wish.lfs:
                raise GitNotInstalled(f"{message}, or set lfs to false.", subject=self._subject)
            self._logger.warning("%s; what was pulled in their place are pointers.", message)
            return
        for path in with_lfs:
            include = [f"--include={','.join(self._wish.directories)}"] if self._wish.directories else []
            self._git.run(*_LFS_FILTER, "lfs", "pull", *(include if path == clone else ()), folder=path)

    def _lfs_files(self, repository: Path) -> list[str]:
        found = self._git.run("ls-files", "-z", "--", _LFS_FILES, folder=repository)
        return [name for name in found.split("\0") if name and (repository / name).is_file()]

    def _has_lfs(self) -> bool:
        try:
            self._git.run("lfs", "version")
        except GitFailed:
            return False
        return True

    def _submodules(self, clone: Path) -> list[Path]:
        if not (clone / ".gitmodules").exists():
            return []
        command = ("submodule", "--quiet", "foreach", "--recursive", "pwd")
        return [Path(line) for line in self._git.run(*command, folder=clone).splitlines() if line]


def _is_full(folder: Path) -> bool:
    """Say whether there is no room left for a file."""
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False


def follow(git: Git, address: Address, moved: GitRepositoryMoved) -> Address:
    """Find where a server redirects to, and go there if it is the same host.

    git would follow by itself, and take the credentials along to any host.

    Raises:
        GitRepositoryMoved: If it is another host, or not to be found out.
    """
    command = ("ls-remote", "--quiet", "--", address.url, "HEAD")
    locations = git.look_for(_LOCATION, *command, env={"GIT_TRACE_CURL": "2"})
    if not locations:
        raise moved
    try:
        target = parse_address(_INFO_REFS.sub("", urljoin(f"{address.url}/info/refs", locations[-1])))
    except GitError:
        raise moved from None
    is_same_host_by_tls = target.origin == address.origin.replace("http://", "https://")
    if target.origin != address.origin and not is_same_host_by_tls:
        raise GitRepositoryMoved(
            f"{moved.subject} has moved to {git.clean(target.url)}. Credentials are not sent to another host by "
            "themselves. Set the address to the new one if it is right.",
            subject=moved.subject,
        )
    if target.url == address.url:
        raise moved
    return target
