"""Files of a folder: find them, leave out the ignored ones, write one so that it is complete or absent."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

_TOKEN, _NUMBERS = secrets.token_hex(4), itertools.count()


def walk_files(directory: Path, ignore_lines: Iterable[str] | None = None) -> Iterator[tuple[Path, str]]:
    """Find the files below a folder, with their `/`-separated paths relative to it, sorted within each folder.

    Symbolic links are followed; a link to a folder above itself is not entered twice. Links that lead nowhere, pipes
    and sockets are left out.

    Args:
        directory: The folder.
        ignore_lines: Patterns of files to leave out, as in `.gitignore`.

    Raises:
        NotADirectoryError: If `directory` is a file.
        FileNotFoundError: If there is no `directory`.
    """
    if not directory.exists():
        raise FileNotFoundError(f"Folder {str(directory)!r} does not exist. Check the path.")
    if not directory.is_dir():
        raise NotADirectoryError(f"{str(directory)!r} is a file, not a folder. Upload it as a single file.")
    lines = list(ignore_lines or ())
    # A negated pattern may bring back a file below an ignored folder, so only then must all folders be entered.
    prunes = not any(line.lstrip().startswith("!") for line in lines)
    return _enter(str(directory), "", frozenset(), ignore_rules(lines), prunes)


def _enter(
    folder: str, prefix: str, above: frozenset[str], is_ignored: Callable[[str], bool], prunes: bool
) -> Iterator[tuple[Path, str]]:
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        relative = prefix + entry.name
        if entry.is_dir():
            if not (prunes and is_ignored(f"{relative}/")):
                yield from _enter(entry.path, f"{relative}/", above | {real}, is_ignored, prunes)
        elif entry.is_file() and not is_ignored(relative):
            yield Path(entry.path), relative


def ignore_rules(lines: Iterable[str]) -> Callable[[str], bool]:
    """Make a predicate of `/`-separated relative paths from patterns as in `.gitignore`; a folder ends in `/`.

    As Prefect does for its own ignore files, and unlike git, a negated pattern brings back a file also from an ignored
    folder.
    """
    patterns = list(lines)
    if not patterns:
        return lambda relative: False
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(patterns).match_file


def read_ignore_file(path: str | Path) -> list[str]:
    """Read the patterns of an ignore file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"Ignore file {str(path)!r} does not exist. Create it, or pass ignore_file=None.")
    return file.read_text(encoding="utf-8").splitlines()


def ignore_lines_if_any(path: str | Path | None) -> list[str] | None:
    """Read the patterns of an ignore file that need not exist, such as the default one of a deployment step.

    Args:
        path: The file; `None` or an empty text for none.

    Returns:
        The patterns; `None` where there is no file.
    """
    return read_ignore_file(path) if path and Path(path).expanduser().exists() else None


def make_folder(folder: str, target: str) -> None:
    """Make a folder and those above it, if need be.

    Args:
        folder: The folder.
        target: What it is made for, for the message.

    Raises:
        NotADirectoryError: If it, or something above it, is a file.
    """
    if os.path.isdir(folder):  # noqa: PTH112 - once for each file of a transfer
        return
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    except (FileExistsError, NotADirectoryError) as exc:
        raise NotADirectoryError(
            f"Cannot write {target!r}: {exc.filename!r} or a part of it is a file, not a folder. "
            "Remove that file, or choose another destination."
        ) from exc


@contextlib.contextmanager
def complete_or_absent(target: Path) -> Generator[Path, None, None]:
    """Give a temporary path beside `target` that takes its name on success and vanishes on failure.

    Parent folders are made. The temporary file has the permissions that the umask gives. A symbolic link to a file is
    replaced, not followed.

    Raises:
        IsADirectoryError: If `target` is a folder.
        NotADirectoryError: If something above `target` is a file.
    """
    name = str(target)
    if os.path.isdir(name):  # noqa: PTH112 - once for each file of a transfer
        raise IsADirectoryError(f"{name!r} is a folder; a file cannot replace it. Name a file.")
    folder = os.path.dirname(name)  # noqa: PTH120
    make_folder(folder or ".", name)
    # Short, so that a name of the longest length still fits beside its part.
    part = os.path.join(folder, f".{_TOKEN}{os.getpid():x}{next(_NUMBERS):x}.part")  # noqa: PTH118
    try:
        yield Path(part)
        os.replace(part, name)  # noqa: PTH105
    except BaseException as exc:
        with contextlib.suppress(OSError):
            os.unlink(part)  # noqa: PTH108
        if isinstance(exc, OSError) and exc.filename == part:
            exc.filename = name  # the name that the caller knows
        raise
