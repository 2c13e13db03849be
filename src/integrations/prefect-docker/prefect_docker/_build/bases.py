"""Base images: which ones the engine holds, and whether their registries have newer ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from prefect_docker._auth import find_auth
from prefect_docker._images import ensure_image, find_local
from prefect_integration_kit.logs import Log
from prefect_docker._references import ImageReference, parse_image
from prefect_docker.errors import DockerError, DockerInvalidRequest, docker_errors

if TYPE_CHECKING:
    from docker import DockerClient


def ids_of(client: DockerClient, bases: Iterable[str]) -> dict[str, str | None]:
    """Look up base images on the engine.

    Args:
        client: A client of the engine.
        bases: Names of images.

    Returns:
        Their IDs by name, `None` for one that the engine does not have.
    """
    found: dict[str, str | None] = {}
    for name in bases:
        image = None if (reference := _parsed(name)) is None else find_local(client, reference)
        found[name] = None if image is None else str(image.id)
    return found


def refresh(client: DockerClient, bases: Iterable[str], platform: str | None, logger: Log) -> None:
    """Pull the base images of which their registries have newer ones.

    One that was made on this engine is left alone, and so is one whose registry cannot be asked.

    Args:
        client: A client of the engine.
        bases: Names of images.
        platform: Such as `linux/arm64`; the engine's own when not given.
        logger: Is told about pulls.
    """
    for name in bases:
        reference = _parsed(name)
        if reference is None or reference.is_id or reference.digest:
            continue
        local = find_local(client, reference)
        # What comes from no registry has no digest there, and what is missing the build itself pulls.
        held: list[str] = [] if local is None else local.attrs.get("RepoDigests") or []
        if held and _newest(client, reference) not in (None, *(digest.partition("@")[2] for digest in held)):
            ensure_image(client, name, policy="IfPossible", platform=platform, logger=logger)


def _newest(client: DockerClient, reference: ImageReference) -> str | None:
    """The digest that the registry has under a name; `None` when it does not say."""
    try:
        auth = find_auth(reference)
        with docker_errors(f"Image {reference.text!r}", secrets=auth.secrets()):
            api = cast("Any", client.api)
            answer: dict[str, Any] = api.inspect_distribution(reference.text, auth_config=auth.config or None)
    except DockerError:
        return None
    return answer.get("Descriptor", {}).get("digest")


def _parsed(name: str) -> ImageReference | None:
    try:
        return parse_image(name)
    except DockerInvalidRequest:
        return None  # the engine will say so better, with the line
