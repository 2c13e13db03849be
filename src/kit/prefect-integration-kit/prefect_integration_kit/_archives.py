"""The archive of files beside a bundle: whether it holds what its name promises, and unpacking it safely."""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from prefect.logging import get_logger

from prefect_integration_kit.files import complete_or_absent, make_folder
from prefect_integration_kit.paths import PathEscapes, local_target

MAX_MEMBERS = 100_000
"""How many files an archive may hold."""

ALWAYS_ALLOWED_BYTES = 1024**3
"""What an archive may unpack to, however small it is itself."""

MAX_RATIO = 100
"""How many times larger than itself an archive beyond `ALWAYS_ALLOWED_BYTES` may unpack to."""

_CHUNK_BYTES = 1024 * 1024
_ENCRYPTED = 0x1

logger = get_logger(__name__)


class BundleRefused(RuntimeError):
    """A bundle, or the archive of its files, is damaged, is none, or is not safe to unpack."""


@contextmanager
def _zip_errors(subject: str) -> Generator[None, None, None]:
    """Name the archive in what `zipfile` raises about its content."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as exc:
        raise BundleRefused(f"{subject} cannot be unpacked: {exc}. Submit the flow run again.") from exc


def names_content(archive: Path, digest: str, subject: str) -> bool:
    """Say whether `digest`, by which Prefect names an archive, is that of its files.

    Prefect hashes the files of the archive, with their paths and modes, since the bytes of the archive itself differ
    from one zlib to another.

    Args:
        archive: The archive on disk.
        digest: SHA-256 in hexadecimal.
        subject: What the archive is called in errors.

    Raises:
        BundleRefused: If it is not a ZIP archive, or unpacks to much more than its own size.
    """
    # As `prefect.bundles._zip_builder` computes it.
    found = hashlib.sha256(b"prefect-bundle-files-v1\0")
    with _zip_errors(subject), zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _check_size(members, archive, archive.parent, subject)
        for member in members:
            name = member.filename.encode()
            found.update(struct.pack(">I", len(name)) + name)
            found.update(struct.pack(">IQ", member.external_attr >> 16 & 0xFFFF, member.file_size))
            with opened.open(member) as content:
                while chunk := content.read(_CHUNK_BYTES):
                    found.update(chunk)
    return found.hexdigest() == digest


def unpack(archive: Path, destination: Path, subject: str) -> int:
    """Unpack an archive into a folder and nowhere else.

    All members are looked at before the first is written. Permissions are kept, but for set-user-ID and the like. A
    file that is there is replaced, and a warning says so.

    Args:
        archive: The archive on disk.
        destination: The folder.
        subject: What the archive is called in errors.

    Returns:
        The number of files.

    Raises:
        BundleRefused: If a member is absolute, leads out of the folder, is a link or a device, or is encrypted; if the
            archive unpacks to much more than its own size or to more than the disk can take; if it is damaged.
        IsADirectoryError: If a folder is in the place of a file.
        NotADirectoryError: If a file is in the place of a folder.
    """
    with _zip_errors(subject), zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _check_size(members, archive, destination, subject)
        for member in members:
            _check_member(member, destination, subject)
        files = 0
        for member in members:
            target = _target(member, destination, subject)
            if member.is_dir():
                make_folder(str(target), member.filename)
                continue
            if target.is_file():
                logger.warning("%s replaces the file %s.", subject, member.filename)
            with complete_or_absent(target) as part:
                # No more than the declared size is read: `zipfile` sees to that.
                with opened.open(member) as content, part.open("wb") as file:
                    shutil.copyfileobj(content, file, _CHUNK_BYTES)
                if permissions := member.external_attr >> 16 & 0o777:
                    part.chmod(permissions)
            files += 1
    return files


def _check_size(members: list[zipfile.ZipInfo], archive: Path, destination: Path, subject: str) -> None:
    if len(members) > MAX_MEMBERS:
        raise BundleRefused(
            f"{subject} holds {len(members)} files; at most {MAX_MEMBERS} are unpacked. "
            "Name fewer in include_files, or fetch them from a store in the flow."
        )
    size_bytes = sum(member.file_size for member in members)
    allowed = max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * archive.stat().st_size)
    if size_bytes > allowed:
        raise BundleRefused(
            f"{subject} would unpack to {size_bytes} bytes, more than {MAX_RATIO} times its own size. "
            "If the files are meant to be like that, fetch them from a store in the flow."
        )
    free = shutil.disk_usage(destination).free
    if size_bytes > free:
        raise BundleRefused(
            f"{subject} unpacks to {size_bytes} bytes, and the disk of the working directory has {free} left. "
            "Give the run a larger disk."
        )


def _check_member(member: zipfile.ZipInfo, destination: Path, subject: str) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "neither a file nor a folder"
        raise BundleRefused(f"{subject}: {member.filename!r} is {what}. Nothing was unpacked.")
    if member.flag_bits & _ENCRYPTED:
        raise BundleRefused(f"{subject}: {member.filename!r} is encrypted. Nothing was unpacked.")
    _target(member, destination, subject)


def _target(member: zipfile.ZipInfo, destination: Path, subject: str) -> Path:
    try:
        return local_target(destination, member.filename)
    except PathEscapes as exc:
        raise BundleRefused(f"{subject}: {exc}") from exc
