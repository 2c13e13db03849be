"""The build context: which files go to the engine, what they amount to, and a digest of them.

The digest covers paths, kinds, permissions, targets of links and contents, but no times and owners: a fresh clone of
the same commit has the same digest.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prefect_docker.errors import DockerInvalidRequest

LARGE_BYTES = 100 * 1024**2
"""From this size on, a context is warned about: it is read and sent at every build."""

_SHOWN = 5
_DOMINANT = 0.9
_PIECE_BYTES = 1 << 20
_REMOTE = ("http://", "https://", "git://", "github.com/", "git@")


def is_remote(path: str) -> bool:
    """Say whether a context is an address that the engine fetches itself, as docker-py tells it."""
    return path.startswith(_REMOTE)


@dataclass(frozen=True)
class ContextFile:
    """A file, folder or link of a context."""

    path: str
    size_bytes: int
    mark: bytes
    """What the digest takes of it."""


@dataclass(frozen=True)
class Context:
    """A folder that is sent to the engine, without what `.dockerignore` names."""

    root: Path
    ignored: tuple[str, ...]
    files: tuple[ContextFile, ...]

    @property
    def size_bytes(self) -> int:
        """What all files amount to."""
        return sum(file.size_bytes for file in self.files)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of what the context holds."""
        total = hashlib.sha256()
        for file in self.files:
            total.update(hashlib.sha256(os.fsencode(file.path)).digest() + file.mark)
        return total.hexdigest()

    def largest(self, count: int = _SHOWN) -> list[tuple[str, int]]:
        """Name the files and folders that weigh most.

        Args:
            count: How many.

        Returns:
            Paths, those of folders with a slash at the end, and sizes in bytes, largest first. A folder that owes its
            size to one thing in it gives way to that thing.
        """
        sizes: dict[str, int] = defaultdict(int)
        inside: dict[str, set[str]] = defaultdict(set)
        for file in self.files:
            parts = file.path.split("/")
            for depth in range(len(parts)):
                path = "/".join(parts[: depth + 1])
                sizes[path] += file.size_bytes
                inside["/".join(parts[:depth])].add(path)
        found: list[tuple[str, int]] = []
        for path in inside[""]:
            place = path
            while inside.get(place):
                heaviest = max(inside[place], key=lambda child: (sizes[child], child))
                if sizes[heaviest] < _DOMINANT * sizes[place]:
                    break
                place = heaviest
            found.append((f"{place}/" if inside.get(place) else place, sizes[place]))
        return sorted(found, key=lambda item: (-item[1], item[0]))[:count]


def read_context(root: Path, dockerfile: str, ignore_files: Sequence[Path] = ()) -> Context:
    """Look at all files of a context.

    Args:
        root: The folder.
        dockerfile: Path of the Dockerfile in it, which is sent whatever the ignore file says.
        ignore_files: Ignore files that go before `.dockerignore`, the first that exists counts.

    Raises:
        DockerInvalidRequest: If a file cannot be read.
    """
    from docker.utils.build import exclude_paths

    ignored = _ignored(next((path for path in (*ignore_files, root / ".dockerignore") if path.is_file()), None))
    try:
        # The function appends to the list that it is given.
        paths: Iterable[str] = exclude_paths(str(root), list(ignored), dockerfile=dockerfile)
        files = [_look_at(root, path) for path in sorted(paths)]
    except OSError as exc:
        name = exc.filename or root
        raise DockerInvalidRequest(
            f"Build context {root}: {name} cannot be read ({exc.strerror}). Correct its permissions, or name it in"
            " .dockerignore if the image does not need it."
        ) from exc
    return Context(root, ignored, tuple(file for file in files if file is not None))


def describe_large(context: Context, limit_bytes: int | None = None) -> str | None:
    """Say what makes a context large; `None` when it is not.

    Args:
        context: The context.
        limit_bytes: The size up to which it is not; `LARGE_BYTES` when not given.
    """
    size = context.size_bytes
    if size <= (LARGE_BYTES if limit_bytes is None else limit_bytes):
        return None
    heaviest = ", ".join(f"{path} ({format_size(weight)})" for path, weight in context.largest())
    return (
        f"The build context {context.root} holds {format_size(size)}, all of which is sent to the engine. Largest: "
        f"{heaviest}. Name in .dockerignore what the image does not need."
    )


def format_size(size_bytes: int) -> str:
    """Write a size as Docker does, in decimal units."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _ignored(path: Path | None) -> tuple[str, ...]:
    """The patterns of an ignore file, read as docker-py reads them."""
    if path is None:
        return ()
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _look_at(root: Path, path: str) -> ContextFile | None:
    full = root / path
    found = full.lstat()
    mode = stat.S_IMODE(found.st_mode)
    name = path.replace(os.sep, "/")
    if stat.S_ISREG(found.st_mode):
        content = _content_digest(str(full), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        return ContextFile(name, found.st_size, b"f%o " % mode + content)
    if stat.S_ISLNK(found.st_mode):
        return ContextFile(name, 0, b"l " + hashlib.sha256(os.fsencode(full.readlink())).digest())
    if stat.S_ISDIR(found.st_mode):
        return ContextFile(name, 0, b"d%o" % mode)
    return None  # sockets and devices are not sent


@lru_cache(maxsize=100_000)
def _content_digest(path: str, _size: int, _mtime_ns: int, _ctime_ns: int, _inode: int) -> bytes:
    """Hash a file, once for as long as it is not written to."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.digest()
