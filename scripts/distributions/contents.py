"""Says what is wrong with a wheel or a source distribution: files that lack, files too many, metadata that lack."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from packaging.metadata import ExceptionGroup, Metadata
from packaging.specifiers import SpecifierSet

from scripts.matrix import needs_of
from scripts.workspace import ROOT, Package

REQUIRED = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")
"""Files that each package has beside its modules; all are part of its source distribution."""

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
"""The releases of Python that a package is for, but those that its `pyproject.toml` leaves out with a reason."""

_ALLOWED = {*REQUIRED, "PKG-INFO", "build_backend.py", "interface.txt", "published-pages.txt", ".gitignore"}
_DATA = {".py", ".json", ".yaml", ".md", ".gz"}
_LEFT_OUT = {"__pycache__", ".hypothesis", ".pytest_cache", ".ruff_cache", "logs"}
_LABELS = {"Homepage", "Documentation", "Changelog", "Source", "Issues"}
_RELATIVE = re.compile(r"\]\((?!https?://|#|mailto:)[^)]*\)")


def problems(file: Path, package: Package) -> list[str]:
    """Say what is wrong with a wheel or a source distribution, one sentence each.

    Args:
        file: A wheel, or a `.tar.gz`.
        package: The package that it was built of.
    """
    return wheel_problems(file, package) if file.suffix == ".whl" else sdist_problems(file, package)


# Wheels


def wheel_files(wheel: Path) -> dict[str, bytes]:
    """Read all files of a wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def wheel_problems(wheel: Path, package: Package) -> list[str]:
    """Say what is wrong with a wheel, one sentence each."""
    files = wheel_files(wheel)
    info = f"{package.module}-{package.version}.dist-info"
    expected = {f"{package.module}/{name}" for name in sources(package.path / package.module)}
    expected |= {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE")}
    if f"{info}/entry_points.txt" in files:  # only where the package has some
        expected.add(f"{info}/entry_points.txt")
    found = [*_compare(set(files), expected), *_odd(name for name in files if not name.startswith(info))]
    if f"{info}/METADATA" in files:
        found += metadata_problems(files[f"{info}/METADATA"], package)
    if files.get(f"{info}/licenses/LICENSE") != (ROOT / "LICENSE").read_bytes():
        found.append("its LICENSE is not that of the repository")
    if f"{package.module}/py.typed" not in files:
        found.append("py.typed lacks: type checkers do not read its annotations")
    return found + record_problems(files, f"{info}/RECORD")


def record_problems(files: dict[str, bytes], record: str) -> list[str]:
    """Say where a wheel's record and its files differ.

    Args:
        files: All files of the wheel.
        record: Name of its record, https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
    """
    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(files.get(record, b"").decode()))}
    found = _compare(set(rows), set(files), of="RECORD")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        told = rows.get(name)
        if name != record and told is not None and told != (f"sha256={digest}", str(len(content))):
            found.append(f"RECORD has another checksum or size of {name}")
    return found


def differences(one: Path, other: Path) -> list[str]:
    """Name the files in which two wheels differ."""
    first, second = wheel_files(one), wheel_files(other)
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


# Source distributions


def sdist_files(sdist: Path) -> dict[str, bytes]:
    """Read all files of a source distribution, by name below its one folder."""
    top = sdist.name.removesuffix(".tar.gz")
    files: dict[str, bytes] = {}
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is None:
                files[member.name] = b""  # a link or a folder: neither is expected
            else:
                files[member.name.removeprefix(f"{top}/")] = stream.read()
    return files


def sdist_problems(sdist: Path, package: Package) -> list[str]:
    """Say what is wrong with a source distribution, one sentence each."""
    files = sdist_files(sdist)
    expected = set(REQUIRED) | {"PKG-INFO"}
    # The template has its page beside it, and between releases a package has news that are not in its changelog yet.
    for folder in (package.module, "tests", "docs", "news"):
        expected |= {f"{folder}/{name}" for name in sources(package.path / folder)}
    found = [*_compare(set(files) - _ALLOWED, expected - _ALLOWED), *_compare(set(files) & expected, expected)]
    found += _odd(name for name in files if name not in _ALLOWED and not name.startswith(("tests/", "docs/", "news/")))
    if files.get("LICENSE") != (ROOT / "LICENSE").read_bytes():
        found.append("its LICENSE is not that of the repository")
    if "PKG-INFO" in files:
        found += metadata_problems(files["PKG-INFO"], package)
    return list(dict.fromkeys(found))


def sources(folder: Path) -> set[str]:
    """Name the files below a folder, without what programs leave behind."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(folder).parts) and path.suffix != ".pyc"
    }


# Metadata


def metadata_problems(text: bytes, package: Package) -> list[str]:
    """Say what lacks in metadata, or is not valid, one sentence each.

    Args:
        text: Content of `METADATA` or `PKG-INFO`, https://packaging.python.org/en/latest/specifications/core-metadata/.
        package: The package.
    """
    # Version 2.5 adds a field that we do not use, and packaging knows it from 26 on: https://peps.python.org/pep-0794/
    known = text.replace(b"Metadata-Version: 2.5\n", b"Metadata-Version: 2.4\n", 1)
    try:
        metadata = Metadata.from_email(known, validate=True)
    except ExceptionGroup as exc:
        return [f"metadata: {reason}" for reason in exc.exceptions]
    found: list[str] = []

    def must(holds: object, problem: str) -> None:
        if not holds:
            found.append(f"metadata: {problem}")

    # Before version 2.4 there is no field for the expression nor for the file: https://peps.python.org/pep-0639/
    if metadata.metadata_version in ("2.1", "2.2", "2.3"):
        must(metadata.license == "Apache-2.0", "the licence is not told")
    else:
        must(metadata.license_expression == "Apache-2.0", "the licence is not told as an SPDX expression")
        must(metadata.license_files == ["LICENSE"], "the file of the licence is not named")
    must(metadata.name == package.name, f"the name is {metadata.name}")
    must(str(metadata.version) == package.version, f"the version is {metadata.version}")
    must(metadata.summary == package.description, "`description` is not told")
    must(metadata.requires_python == SpecifierSet(">=3.10"), "`requires-python` is not `>=3.10`")
    must(metadata.keywords, "`keywords` lack")
    must(metadata.author_email, "`authors` lack")
    must((metadata.description_content_type or "").startswith("text/markdown"), "`readme` is not Markdown")
    must(metadata.description, "`readme` is empty")
    relative = _RELATIVE.findall(metadata.description or "")
    must(not relative, f"links of the README lead nowhere on an index: {', '.join(relative)}")
    urls = metadata.project_urls or {}
    must(set(urls) >= _LABELS, f"of `urls` lack {', '.join(sorted(_LABELS - set(urls)))}")
    must(all(url.startswith("https://") for url in urls.values()), "an address is not secure")
    return found + [
        f"metadata: {problem}" for problem in _classifier_problems(set(metadata.classifiers or ()), package)
    ]


def _classifier_problems(classifiers: set[str], package: Package) -> list[str]:
    versions = set(PYTHONS).difference(needs_of(package, PYTHONS).without or ())
    wanted = {f"Programming Language :: Python :: {version}" for version in versions} | {"Typing :: Typed"}
    found = [f"the classifier {name!r} lacks" for name in sorted(wanted - classifiers)]
    kinds = ("Development Status", "Intended Audience", "Operating System", *(["Framework"] * package.is_integration))
    told = {name.partition(" :: ")[0] for name in classifiers}
    found += [f"no classifier tells its {kind.lower()}" for kind in kinds if kind not in told]
    # They contradict the expression: https://peps.python.org/pep-0639/#deprecate-license-classifiers
    if any(name.startswith("License ::") for name in classifiers):
        found.append("a classifier tells the licence, which the SPDX expression does")
    return found


# Both


def _compare(found: set[str], expected: set[str], of: str = "it") -> list[str]:
    lacking = [f"{name} lacks in {of}" for name in sorted(expected - found)]
    return lacking + [f"{name} is too much in {of}" for name in sorted(found - expected)]


def _odd(names: Iterable[str]) -> list[str]:
    """Name files that no package should hold, even if they lie in its folder."""
    found: list[str] = []
    for name in names:
        path = PurePosixPath(name)
        if any(part.startswith(".") for part in path.parts) or _LEFT_OUT & set(path.parts):
            found.append(f"{name} is nothing to give away")
        elif path.suffix not in _DATA and path.name != "py.typed":
            found.append(f"{name} is of no kind that packages hold")
    return found
