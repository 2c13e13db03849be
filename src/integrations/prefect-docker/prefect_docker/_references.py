"""Names of images: what they are made of, and which registry they mean.

The grammar is https://pkg.go.dev/github.com/distribution/reference#pkg-overview.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import DockerInvalidRequest

DOCKER_HUB = "docker.io"
"""How the registry of Docker Hub is called here, whatever spelling was used."""

_HUB_SPELLINGS = frozenset(
    {
        DOCKER_HUB,
        "index.docker.io",
        "registry-1.docker.io",
        "registry.docker.io",
        "registry.hub.docker.com",
        "hub.docker.com",
        "www.docker.com",
    }
)
_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")
_HOST = re.compile(
    r"(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(:[0-9]+)?"
)
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")


@dataclass(frozen=True)
class ImageReference:
    """The name of an image, taken apart.

    Attributes:
        text: The name as it was given.
        registry: Host of the registry, with its port; `docker.io` for Docker Hub in any spelling.
        repository: The name without tag and digest, as it was given.
        path: The repository within its registry: `library/ubuntu` for `ubuntu`.
        tag: The tag, `None` when none was given.
        digest: Such as `sha256:…`, `None` when none was given.
        names_registry: Whether the name itself says which registry it means.
        is_id: Whether it is the ID of an image, which no registry knows.
    """

    text: str
    registry: str
    repository: str
    path: str
    tag: str | None = None
    digest: str | None = None
    names_registry: bool = False
    is_id: bool = False

    @property
    def version(self) -> str:
        """What to ask a registry for: the digest, the tag, or `latest`."""
        return self.digest or self.tag or "latest"

    @property
    def local_name(self) -> str:
        """How an engine knows the image once it has it."""
        if self.is_id:
            return self.text
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.version}"


def registry_host(url: str) -> str:
    """The host that an address of a registry means, in small letters, and one spelling of Docker Hub.

    Args:
        url: Such as `registry.example.com:5000/team` or `https://index.docker.io/v1/`.
    """
    host = url.strip().rpartition("://")[2].partition("/")[0].lower()
    return DOCKER_HUB if not host or host in _HUB_SPELLINGS else host


def parse_image(image: str) -> ImageReference:
    """Take the name of an image apart.

    Args:
        image: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, or the ID of an image.

    Raises:
        DockerInvalidRequest: If it is not the name of an image. It is a `ValueError`; the message says what is wrong.
    """
    if _ID.fullmatch(image):
        return ImageReference(image, "", image, image, is_id=True)
    if "://" in image:
        raise _invalid(image, f"it has a scheme; leave {image.partition('://')[0]}:// out")
    name, at, digest = image.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _invalid(image, f"{digest!r} is not a digest, which looks like sha256: and 64 hexadecimal digits")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = f"{head}{slash}{last}"
    if colon and not _TAG.fullmatch(tag):
        raise _invalid(
            image,
            f"the tag {tag!r} may have letters, digits, '_', '.' and '-', at most 128; the first is no '.' or '-'",
        )
    first, slash, rest = repository.partition("/")
    names_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    path = rest if names_registry else repository
    if names_registry and not _HOST.fullmatch(first):
        raise _invalid(image, f"{first!r} is not the host of a registry")
    for part in path.split("/"):
        if not _PART.fullmatch(part):
            raise _invalid(image, _fault(part))
    registry = registry_host(first) if names_registry else DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return ImageReference(image, registry, repository, path, tag or None, digest or None, names_registry)


def _fault(part: str) -> str:
    if not part:
        return "a part of it is empty"
    if part != part.lower():
        return f"{part!r} has capital letters; write {part.lower()!r}"
    return f"{part!r} may have letters and digits, and '.', '_', '__' or '-' between them"


def _invalid(image: str, reason: str) -> DockerInvalidRequest:
    return DockerInvalidRequest(f"Image name {image!r}: {reason}.", subject=f"Image name {image!r}", reason=reason)
