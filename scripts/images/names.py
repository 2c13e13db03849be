"""Which packages have an image, and the tags that an image is published under."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from scripts.workspace import Package, WorkspaceError, find

EXTRAS: dict[str, tuple[str, ...]] = {
    "prefect-aws": (),
    "prefect-azure": ("container-apps",),
    "prefect-gcp": ("aiplatform",),
    "prefect-kubernetes": (),
}
"""The packages that have an image, and the extras without which not every worker of theirs would start."""

DEFAULT_PYTHON = "3.12"
"""The Python of the tag `latest`."""

NAMESPACE = "prefecthq"

PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platforms that images are built for, and the architecture that each has in the names of wheels and by `uname -m`."""

_PYTHON = re.compile(r"3\.\d{1,2}")
_TAG = re.compile(r"\w[\w.-]{0,127}", flags=re.ASCII)
"""https://docs.docker.com/reference/cli/docker/image/tag/"""


class ImageError(Exception):
    """An image cannot be built; the message says why and what to do."""


@dataclass(frozen=True)
class Image:
    """What one image is to hold.

    Attributes:
        package: The integration.
        prefect: Version of Prefect.
        python: Minor version of Python, such as `3.12`.
    """

    package: Package
    prefect: str
    python: str = DEFAULT_PYTHON

    @property
    def extras(self) -> tuple[str, ...]:
        """Extras of the package that its workers need."""
        return EXTRAS[self.package.name]

    def tags(self, *, is_latest: bool = False, namespace: str = NAMESPACE) -> list[str]:
        """List its tags, the one that names every version first.

        Args:
            is_latest: Whether it is the newest release too.
            namespace: What stands before the package's name: a user of Docker Hub, or a registry and a path.

        Raises:
            ImageError: If `is_latest` is said of a pre-release, or the versions make no tag.
        """
        version = f"{self.package.version}-python{self.python}"
        tags = [f"{version}-prefect{self.prefect}", version]
        if is_latest:
            if any(Version(each).is_prerelease for each in (self.package.version, self.prefect)):
                raise ImageError(
                    f"{self.package.name} {self.package.version} with Prefect {self.prefect} is a pre-release, so no "
                    "image of it is the latest. Leave out --latest."
                )
            tags.append(f"latest-python{self.python}")
            if self.python == DEFAULT_PYTHON:
                tags.append("latest")
        wrong = next((tag for tag in tags if not _TAG.fullmatch(tag)), None)
        if wrong is not None:
            raise ImageError(f"{wrong!r} is no tag of an image: such versions are not published.")
        return [f"{namespace}/{self.package.name}:{tag}" for tag in tags]


def image(name: str, members: list[Package], *, python: str, prefect: str) -> Image:
    """Describe an image.

    Args:
        name: Short or full name of an integration.
        members: The packages of the workspace.
        python: Minor version of Python.
        prefect: Version of Prefect.

    Raises:
        ImageError: If the package has no image, or one of the versions is none.
    """
    try:
        package = find(name, members)
    except WorkspaceError as exc:
        raise ImageError(str(exc)) from exc
    if package.name not in EXTRAS:
        raise ImageError(f"{package.name} has no image; there are: {', '.join(EXTRAS)}")
    if not _PYTHON.fullmatch(python):
        raise ImageError(f"--python is {python!r}; it must be a minor version, such as {DEFAULT_PYTHON}")
    try:
        Version(prefect)
    except InvalidVersion as exc:
        raise ImageError(f"--prefect is {prefect!r}; it must be one version, such as 3.9.1") from exc
    return Image(package, prefect, python)


def own_platform() -> str:
    """Name the platform of this machine's containers.

    Raises:
        ImageError: If no images are built for it.
    """
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    for name, architecture in PLATFORMS.items():
        if architecture == machine:
            return name
    raise ImageError(f"No images are built for {machine}. Say --platform with one of: {', '.join(PLATFORMS)}.")
