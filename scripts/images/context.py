"""The folder that an image is built in: the Dockerfile, and every wheel that goes into the image.

Wheels of this workspace are built from source. All others are resolved for one Python and platform with the settings of
the workspace, locked by hash, and downloaded, so that the build itself needs no package index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.images.names import PLATFORMS, Image, ImageError
from scripts.workspace import ROOT, Package, read_toml

FOLDER = ROOT / "images"
"""What the repository says about images."""

_FILES = ("Dockerfile", ".dockerignore", "worker_health.py")

_TOOLS = ("dumb-init", "pip", "uv")
"""What an image has beside Prefect and the integration: process 1, and installers for images that are made from it."""

_GLIBC = 36
"""The newest minor version of glibc 2 that a wheel may want: Debian 12 has it, and later releases have a newer one."""

_OLDEST_GLIBC = 5


def run(command: Sequence[str], *, what: str, stdin: str | None = None) -> str:
    """Run a program of the build and return what it printed.

    Args:
        command: The program and its arguments.
        what: What it does, for the message of an error.
        stdin: What it reads.

    Raises:
        ImageError: If it is missing or fails. The message ends with what it said.
    """
    try:
        done = subprocess.run(command, input=stdin or "", cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise ImageError(f"cannot {what}: there is no program {command[0]!r} on the PATH") from exc
    if done.returncode:
        raise ImageError(f"cannot {what}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _uv() -> str:
    # `uv run` says which one it is.
    return os.environ.get("UV", "uv")


def own_packages(package: Package, extras: Iterable[str], members: Sequence[Package]) -> list[Package]:
    """List the packages of this workspace that another needs at run time, itself first.

    Args:
        package: The one that is wanted.
        extras: Its extras that are wanted.
        members: The packages of the workspace.
    """
    by_name = {canonicalize_name(member.name): member for member in members}
    found: dict[str, Package] = {}
    waiting: list[tuple[Package, frozenset[str]]] = [(package, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        each, wanted = waiting.pop(0)
        if (each.name, wanted) in seen:
            continue
        seen.add((each.name, wanted))
        found[each.name] = each
        for requirement in _requirements(each, wanted):
            member = by_name.get(canonicalize_name(requirement.name))
            if member is not None:
                waiting.append((member, frozenset(requirement.extras)))
    return list(found.values())


def _requirements(package: Package, extras: Iterable[str]) -> Iterator[Requirement]:
    project = read_toml(package.path / "pyproject.toml")["project"]
    yield from map(Requirement, project.get("dependencies", []))
    for extra in extras:
        yield from map(Requirement, project.get("optional-dependencies", {}).get(extra, []))


def wanted(image: Image) -> list[str]:
    """List the requirements that an image starts from.

    Args:
        image: What it is to hold.
    """
    extras = f"[{','.join(image.extras)}]" if image.extras else ""
    # Infrastructure decorators have their runs executed by uv, which is in the extra `bundles`.
    return [f"{image.package.name}{extras}=={image.package.version}", f"prefect[bundles]=={image.prefect}", *_TOOLS]


def wheel_platforms(architecture: str) -> list[str]:
    """List the tags of wheels that run on the base, as pip's `--platform` takes them, the best first.

    Args:
        architecture: Such as `x86_64`.
    """
    tags = [f"manylinux_2_{minor}_{architecture}" for minor in range(_GLIBC, _OLDEST_GLIBC - 1, -1)]
    return [*tags, f"manylinux2014_{architecture}", f"manylinux2010_{architecture}", f"manylinux1_{architecture}"]


def prepare(image: Image, members: Sequence[Package], platforms: Sequence[str], folder: Path) -> Path:
    """Make the folder anew.

    Args:
        image: What the image is to hold.
        members: The packages of the workspace.
        platforms: For which platforms, such as `linux/amd64`.
        folder: Where. What is there is replaced if it is such a folder.

    Returns:
        The folder.

    Raises:
        ImageError: If something else is there, or a step fails.
    """
    if folder.exists():
        if any(folder.iterdir()) and not (folder / "own.txt").exists():
            raise ImageError(f"{folder} holds something else. Name an empty folder, or one that does not exist.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in _FILES:
        shutil.copy2(FOLDER / name, folder / name)
    own = own_packages(image.package, image.extras, members)
    (folder / "own.txt").write_text("".join(f"{each.name}=={each.version}\n" for each in own), encoding="utf-8")
    for each in own:
        build = [_uv(), "build", "--quiet", "--wheel", "--package", each.name, "--out-dir", str(folder / "own")]
        run(build, what=f"build the wheel of {each.name}")
    for platform in platforms:
        _collect(image, own, PLATFORMS[platform], folder)
    return folder


def _collect(image: Image, own: Sequence[Package], architecture: str, folder: Path) -> None:
    place = folder / architecture
    place.mkdir()
    target = f"Python {image.python} on {architecture}"
    locked = [_uv(), "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--generate-hashes"]
    locked += ["--python-version", image.python, "--python-platform", f"{architecture}-manylinux_2_{_GLIBC}"]
    locked += ["--only-binary", ":all:", "--find-links", str(folder / "own")]
    locked += [argument for each in own for argument in ("--no-emit-package", each.name)]
    requirements = [*wanted(image), *(f"{each.name}=={each.version}" for each in own)]
    text = run(locked, what=f"resolve {image.package.name} for {target}", stdin="\n".join(requirements))
    (place / "requirements.txt").write_text(text, encoding="utf-8")
    fetch = [_uv(), "tool", "run", "--from", "pip>=25", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    fetch += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", image.python]
    fetch += [argument for tag in wheel_platforms(architecture) for argument in ("--platform", tag)]
    fetch += ["--dest", str(place / "wheels"), "--requirement", str(place / "requirements.txt")]
    run(fetch, what=f"download the wheels for {target}")
