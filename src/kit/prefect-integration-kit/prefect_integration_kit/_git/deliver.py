"""Put what was pulled where it belongs: nothing outside the destination, no half of a file, links as links."""

from __future__ import annotations

import configparser
import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prefect_integration_kit.paths import PathEscapes

from .errors import GitDestinationConflict, GitInvalidRequest, GitPathNotFound

GIT_FOLDER = ".git"


def folder_in(clone: Path, from_path: str, subject: str) -> Path:
    """Find a folder of the repository.

    Args:
        clone: The root of the repository.
        from_path: The path of the folder, checked already.
        subject: What was pulled, for messages.

    Raises:
        GitPathNotFound: If there is no such folder.
        PathEscapes: If a symbolic link in the repository leads outside.
    """
    root = Path(os.path.realpath(clone))
    folder = Path(os.path.realpath(clone / from_path))
    if not _is_inside(folder, root) or _is_inside(folder, root / GIT_FOLDER):
        raise PathEscapes(
            f"Folder {from_path!r} of {subject} is a symbolic link that leads outside of the repository. "
            "Name the folder itself."
        )
    if folder.is_dir():
        return folder
    what = "is a file, not a folder" if folder.exists() else "does not exist"
    raise GitPathNotFound(
        f"Folder {from_path!r} {what} in {subject}. Check the path and the reference.", subject=subject
    )


def _is_inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def prepare_part(clone: Path, folder: Path) -> None:
    """Make a folder of a clone fit to stand alone.

    A link to something else in the repository becomes a copy of it; one that leads outside stays a link, as git made
    it. What ties a submodule to the clone goes.
    """
    root = Path(os.path.realpath(clone))
    for path in list(_walk(folder)):
        if path.name == GIT_FOLDER:
            remove(path)
        elif path.is_symlink():
            _resolve_link(path, folder, root)


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False) and entry.name != GIT_FOLDER:
            yield from _walk(Path(entry.path))


def _resolve_link(link: Path, folder: Path, root: Path) -> None:
    target = Path(os.path.realpath(link))
    is_ours = _is_inside(target, root) and not _is_inside(target, root / GIT_FOLDER)
    if not is_ours or _is_inside(target, folder) or _is_inside(folder, target) or not target.exists():
        return
    link.unlink()
    if target.is_dir():
        shutil.copytree(target, link, symlinks=True, ignore=shutil.ignore_patterns(GIT_FOLDER))
    else:
        shutil.copy2(target, link)


def deliver(source: Path, destination: Path, subject: str) -> None:
    """Move the files of a folder into another, over those of the same names.

    All conflicts are found before anything is moved. What else is in the destination stays.

    Args:
        source: The folder; it is used up.
        destination: An existing folder on the same file system.
        subject: What was pulled, for messages.

    Raises:
        GitDestinationConflict: If a file stands where a folder belongs, or a filled folder where a file does.
        PathEscapes: If a symbolic link in the destination leads outside of it.
    """
    root = Path(os.path.realpath(destination))
    _look_for_conflicts(source, root, root, subject)
    _move(source, root)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as scan:
        return sorted(scan, key=lambda entry: entry.name)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _look_for_conflicts(source: Path, target: Path, root: Path, subject: str) -> None:
    for entry in _entries(source):
        there = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            if there.is_symlink():
                if not _is_inside(Path(os.path.realpath(there)), root):
                    raise PathEscapes(
                        f"{str(there)!r} is a symbolic link that leads outside of the destination, and {subject} has a "
                        "folder there. Nothing was written. Remove the link, or choose another destination."
                    )
            elif _is_folder(there):
                _look_for_conflicts(Path(entry.path), there, root, subject)
            elif there.exists():
                raise _conflict(there, "is a file", "a folder", subject)
        elif _is_folder(there) and any(there.iterdir()):
            raise _conflict(there, "is a folder with something in it", "a file or link", subject)


def _conflict(path: Path, what: str, ours: str, subject: str) -> GitDestinationConflict:
    return GitDestinationConflict(
        f"{str(path)!r} {what}, and {subject} has {ours} of that name. Nothing was written. "
        "Remove it, or choose another destination.",
        subject=subject,
    )


def _move(source: Path, target: Path) -> None:
    for entry in _entries(source):
        there = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            if there.is_symlink():
                there.unlink()
            if there.exists():
                _move(Path(entry.path), there)
                continue
        elif _is_folder(there):
            there.rmdir()
        os.replace(entry.path, there)  # noqa: PTH105 - once for each file


def place_git_folder(git_folder: Path, destination: Path, url: str) -> bool:
    """Give the destination the `.git` folder of a clone, in place of an older one of the same repository.

    Args:
        git_folder: That of the clone, on the same file system.
        destination: Where the files of the clone are now.
        url: The address of the repository.

    Returns:
        `False` if the destination has a `.git` of something else, which stays as it is.
    """
    there = destination / GIT_FOLDER
    if os.path.lexists(there):
        if there.is_symlink() or not there.is_dir() or _remote_of(there) != _plain(url):
            return False
        there.replace(git_folder.with_name("git.old"))
    git_folder.replace(there)
    return True


def _remote_of(git_folder: Path) -> str | None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, interpolation=None)
    try:
        lines = (git_folder / "config").read_text(encoding="utf-8", errors="replace").splitlines()
        parser.read_string("\n".join(line.strip() for line in lines))
        return _plain(parser.get('remote "origin"', "url").strip('"'))
    except (OSError, configparser.Error):
        return None


def _plain(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    rest = rest.rpartition("@")[2] if mark and "@" in rest.partition("/")[0] else rest
    return f"{scheme}{mark}{rest}".rstrip("/").removesuffix(".git")


def staging_folders(destination: Path, prefix: str) -> list[Path]:
    """Find what a pull that was killed has left in the destination."""
    with contextlib.suppress(OSError):
        return [path for path in destination.iterdir() if path.name.startswith(prefix) and _is_folder(path)]
    return []


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, also what git has made read-only."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_make_writable)  # `onexc` is new in Python 3.12
    else:
        path.unlink(missing_ok=True)


def _make_writable(function: Callable[..., Any], path: str, error: Any) -> None:
    with contextlib.suppress(OSError):
        os.chmod(path, stat.S_IRWXU)  # noqa: PTH101
        function(path)


def make_destination(destination: Path) -> None:
    """Make the destination folder, if need be.

    Raises:
        GitDestinationConflict: If it, or something above it, is a file.
        GitInvalidRequest: If it cannot be a path.
    """
    try:
        destination.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        raise GitDestinationConflict(
            f"The destination {str(destination)!r}, or something above it, is a file. Choose another folder."
        ) from exc
    except ValueError as exc:
        raise GitInvalidRequest(f"The destination {str(destination)!r} cannot be a path.") from exc
