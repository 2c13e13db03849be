"""What the docker command is called with."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.images.context import run
from scripts.images.names import Image, ImageError, own_platform


@dataclass(frozen=True)
class Options:
    """How an image is built, and where it goes.

    Attributes:
        tags: Its names.
        platforms: For which platforms.
        base: The image that it is made of; `None` for the official one of Python.
        system_packages: Debian's packages that it has too.
        is_pushed: Whether it goes to the registry that its names say.
    """

    tags: Sequence[str]
    platforms: Sequence[str]
    base: str | None = None
    system_packages: str = "git"
    is_pushed: bool = False


def labels() -> dict[str, str]:
    """Say which commit this is and when it was made; changes that are in no commit are said too."""
    revision = run(["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"], what="name the commit")
    created = run(["git", "log", "-1", "--format=%cI"], what="date the commit")
    return {"REVISION": revision.strip(), "CREATED": created.strip()}


def build_arguments(image: Image, options: Options, commit: dict[str, str]) -> dict[str, str]:
    """List the arguments of the Dockerfile.

    Args:
        image: What it holds.
        options: How it is built.
        commit: What `labels` says.
    """
    return {
        "BASE": options.base or f"python:{image.python}-slim",
        "PACKAGE": image.package.name,
        "VERSION": image.package.version,
        "PREFECT_VERSION": image.prefect,
        "PYTHON_VERSION": image.python,
        "SYSTEM_PACKAGES": options.system_packages,
        **commit,
    }


def commands(folder: Path, options: Options, arguments: dict[str, str]) -> list[list[str]]:
    """List what to run, in order.

    Args:
        folder: What `context.prepare` made.
        options: How the image is built.
        arguments: Those of the Dockerfile.

    Raises:
        ImageError: If more than one platform is wanted without a registry: an engine keeps an image of one.
    """
    described = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    described += [part for tag in options.tags for part in ("--tag", tag)]
    if len(options.platforms) > 1:
        if not options.is_pushed:
            raise ImageError("An image for several platforms goes straight to its registry. Add --push.")
        platforms = ",".join(options.platforms)
        return [["docker", "buildx", "build", "--platform", platforms, *described, "--push", str(folder)]]
    foreign = [] if list(options.platforms) == [own_platform()] else ["--platform", options.platforms[0]]
    build = ["docker", "build", *foreign, *described, str(folder)]
    return [build, *(["docker", "push", tag] for tag in options.tags if options.is_pushed)]


def execute(command: Sequence[str]) -> None:
    """Run docker, whose output is shown as it comes.

    Args:
        command: One of `commands`.

    Raises:
        ImageError: If it is missing or fails.
    """
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError as exc:
        raise ImageError("There is no program 'docker' on the PATH. Install it, with an engine.") from exc
    if code:
        raise ImageError(f"`{' '.join(command[:2])}` failed with exit code {code}; its output is above.")
