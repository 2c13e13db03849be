"""Names of container images: whether Google Cloud can pull them, and where Artifact Registry has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REFERENCE = re.compile(
    r"(?P<name>[a-z0-9.:/_-]+?)(?::(?P<tag>[A-Za-z0-9_][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_ARTIFACT = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<image>.+)"
)


@dataclass(frozen=True)
class Image:
    """A reference to an image.

    Attributes:
        name: Registry and path.
        tag: Its tag; `latest` when it has none.
        digest: Its digest, if it has one.
    """

    name: str
    tag: str = "latest"
    digest: str = ""

    @property
    def registry(self) -> str:
        """Host of the registry; `docker.io` for Docker Hub."""
        first, slash, _ = self.name.partition("/")
        return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"

    @property
    def package(self) -> str:
        """Full name of the package in Artifact Registry; empty for images elsewhere."""
        match = _ARTIFACT.fullmatch(self.name)
        if match is None:
            return ""
        package = match["image"].replace("/", "%2F")
        place = f"projects/{match['project']}/locations/{match['location']}"
        return f"{place}/repositories/{match['repository']}/packages/{package}"


def read_image(text: str) -> Image | None:
    """Read a reference; `None` when it is none."""
    match = _REFERENCE.fullmatch(text)
    if match is None or match["name"].startswith(("/", ".")) or match["name"].endswith("/"):
        return None
    return Image(match["name"], match["tag"] or "latest", match["digest"] or "")


def is_pulled_by_google(registry: str) -> bool:
    """Say whether Cloud Run and Vertex AI pull from a registry: https://cloud.google.com/run/docs/deploying#images.

    Args:
        registry: Its host.
    """
    return registry == "docker.io" or registry.endswith((".pkg.dev", "gcr.io"))
