"""Keys of objects and folders on disk: one resolver for every store.

Object stores have no folders, only keys with `/` in them. These functions say, once for all stores, which key a path
means below a block's folder, which keys lie in a folder, and which file a key may be written to. They are pure, but for
`local_target`, which looks for symbolic links.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath, PureWindowsPath

_SLASH = re.compile("/")
_SEPARATORS = re.compile(r"[/\\]")


class PathEscapes(ValueError):
    """A key or path points outside the folder that it must stay in."""


def _text(path: str | PurePath) -> str:
    text = path.as_posix() if isinstance(path, PurePath) else path
    while text.startswith("./"):
        text = text[2:].lstrip("/")
    return "" if text == "." else text


def _climbs(path: str) -> bool:
    r"""Say whether some prefix of `path` has more `..` than names, where only `/` separates or `\` does too."""
    return any(_climbs_over(separators.split(path)) for separators in (_SLASH, _SEPARATORS))


def _climbs_over(parts: list[str]) -> bool:
    depth = 0
    for part in parts:
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False


def is_within(key: str, folder: str) -> bool:
    """Say whether `key` is `folder` or lies in it. `logs2/a` does not lie in `logs`."""
    folder = folder.rstrip("/")
    return not folder or key == folder or key.startswith(f"{folder}/")


def object_key(root: str, path: str | PurePath) -> str:
    """Resolve a path to a key below `root`.

    The resolver is idempotent: a path that already begins with `root` is taken as it is, so the key that one call
    returns can be given to the next. Nothing else of the path changes, because stores tell `a//b` from `a/b`; only a
    leading `./` goes.

    Args:
        root: The folder to stay in; empty for the whole store.
        path: Key or relative path. A leading `/` is relative to `root` where there is one.

    Raises:
        PathEscapes: If the path climbs out of `root` with `..`.
    """
    root = _text(root.strip("/")).rstrip("/")
    key = _text(path)
    if root:
        inside = is_within(key, root)
        relative = key[len(root) :] if inside else key
        key = key if inside else f"{root}/{key.lstrip('/')}" if key else root
    else:
        relative = key
    if _climbs(relative) or _climbs(root):
        raise PathEscapes(
            f"Key {str(path)!r} leaves {f'folder {root!r}' if root else 'the bucket'} with '..'. "
            "Give a key that stays inside."
        )
    return key


def folder_prefix(root: str, folder: str | PurePath | None = None) -> str:
    """Resolve a folder to the prefix that its objects share: empty, or ending in one `/`.

    Args:
        root: The folder to stay in; empty for the whole store.
        folder: Folder below `root`; `root` itself when empty or `None`.

    Raises:
        PathEscapes: If the folder climbs out of `root` with `..`.
    """
    key = object_key(root, folder if folder is not None else "").rstrip("/")
    return f"{key}/" if key else ""


def relative_key(key: str, prefix: str) -> str:
    """Cut `prefix`, as `folder_prefix` makes it, off a key.

    Raises:
        PathEscapes: If the key does not lie below the prefix.
    """
    if not key.startswith(prefix):
        raise PathEscapes(f"Key {key!r} does not lie in folder {prefix!r}.")
    return key[len(prefix) :]


def local_target(destination: Path, relative: str) -> Path:
    r"""Find the file that an object may be written to, or refuse.

    Args:
        destination: The folder that everything must stay in. It need not exist.
        relative: Key relative to the downloaded folder.

    Returns:
        A path below `destination`. There may be a symbolic link in its place: replace it, as `files.complete_or_absent`
        does, and do not write through it.

    Raises:
        PathEscapes: If the key is absolute, names no file, has a `..` in it (behind `/` or `\`), or passes a symbolic
            link that leads outside.
    """
    names = [part for part in relative.split("/") if part not in ("", ".")]
    climbs = ".." in _SEPARATORS.split(relative)
    if not names or climbs or relative.startswith(("/", "\\")) or "\0" in relative:
        raise PathEscapes(
            f"Key {relative!r} would be written outside {str(destination)!r}; nothing was written for it. "
            "Rename the object or download it alone to a path of your choice."
        )
    if os.name == "nt" and (PureWindowsPath(relative).drive or ":" in relative):
        raise PathEscapes(f"Key {relative!r} names a drive or stream, which cannot be a file name here.")
    target = destination.joinpath(*names)
    root = os.path.realpath(destination)
    parent = os.path.realpath(target.parent)
    if parent != root and not parent.startswith(root.rstrip(os.sep) + os.sep):
        raise PathEscapes(
            f"Key {relative!r} passes a symbolic link that leads outside {str(destination)!r}. Remove the link."
        )
    return target
