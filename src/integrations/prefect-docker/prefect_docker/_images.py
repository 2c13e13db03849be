"""Have an image where a container is to start: pull policies, and what the engine has already.

Everything here blocks, so a coroutine calls it in a thread.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from prefect_integration_kit.sdk_errors import combined

from ._pulls import pull_image
from ._references import ImageReference, parse_image
from .errors import (
    DockerImageNotFound,
    DockerInvalidRequest,
    DockerUnavailable,
    ImagePullFailed,
    docker_errors,
)

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

    from prefect_integration_kit.logs import Log

    from ._auth import Credentials

_POLICIES = ("IfNotPresent", "Always", "IfPossible", "Never")


class _Lock:
    """A lock that can be forgotten when nobody waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_locks: WeakValueDictionary[tuple[int, str, str | None], _Lock] = WeakValueDictionary()
_guard = threading.Lock()


def ensure_image(
    client: DockerClient,
    image: str,
    *,
    policy: str | None = None,
    credentials: Credentials = None,
    platform: str | None = None,
    logger: Log,
) -> Image:
    """Make sure that the engine has an image, and return it.

    Args:
        client: A client of the engine.
        image: Name or ID of the image.
        policy: `IfNotPresent` pulls what is not there, `Always` always, `Never` never; `IfPossible` always, and uses
            the local image when that fails. Without a policy an image with the tag `latest` or none is pulled always,
            unless it was made here and no registry has ever had it, and any other when it is not there.
        credentials: Blocks to log in with; only one for the image's own registry is used, and only to pull.
        platform: Such as `linux/arm64`; the engine's own when not given.
        logger: Is told about pulls.

    Raises:
        ImagePullFailed: If the image could not be pulled. The message has the engine's reason, the registry that was
            asked and the credentials that were used.
        DockerImageNotFound: If the engine does not have the image and must not, or cannot, pull it.
        DockerInvalidRequest: If the name or the policy is not valid.
    """
    policy = cast("str | None", getattr(policy, "value", policy))
    if policy is not None and policy not in _POLICIES:
        raise DockerInvalidRequest(f"image_pull_policy is {policy!r}; it may be {', '.join(map(repr, _POLICIES))}.")
    reference = parse_image(image)
    if policy == "Always" and not reference.is_id:
        return pull_image(client, reference, credentials=credentials, platform=platform, logger=logger)
    local = find_local(client, reference, platform)
    if policy == "Never" or reference.is_id:
        return local or _raise_absent(reference, policy)
    if policy is None and local is not None and reference.version == "latest" and not _has_origin(local, reference):
        logger.info("Image %r was made on this engine and comes from no registry; it is used as it is.", image)
        return local
    always = policy == "IfPossible" or (policy is None and reference.version == "latest")
    if not always:
        return local or _pull_once(client, reference, credentials, platform, logger)
    if policy != "IfPossible" or local is None:
        return pull_image(client, reference, credentials=credentials, platform=platform, logger=logger)
    try:
        return pull_image(client, reference, credentials=credentials, platform=platform, logger=logger, attempts=1)
    except (ImagePullFailed, DockerUnavailable) as exc:
        logger.warning("The image that is there already is used, as image_pull_policy is 'IfPossible'. %s", exc)
        return local


def _has_origin(image: Image, reference: ImageReference) -> bool:
    """Say whether a registry has had the image under this name: engines note the digest that it has there."""
    held: Any = image.attrs.get("RepoDigests") or []
    if not isinstance(held, list):  # a mock's
        return True
    names = cast("list[str]", held)
    origins = (parse_image(name) for name in names if not name.startswith("<none>"))
    return any((found.registry, found.path) == (reference.registry, reference.path) for found in origins)


def _pull_once(
    client: DockerClient,
    reference: ImageReference,
    credentials: Credentials,
    platform: str | None,
    logger: Log,
) -> Image:
    """Pull what is not there, once for all who need it at a time."""
    key = (id(client), reference.text, platform)
    with _guard:
        holder = _locks.get(key) or _Lock()
        _locks[key] = holder
    with holder.lock:
        local = find_local(client, reference, platform)
        return local or pull_image(client, reference, credentials=credentials, platform=platform, logger=logger)


def find_local(client: DockerClient, reference: ImageReference, platform: str | None = None) -> Image | None:
    """Look for an image on the engine alone.

    Args:
        client: A client of the engine.
        reference: The image.
        platform: What it must be for; anything when not given.

    Returns:
        The image, `None` when the engine does not have it, or has it for another platform.
    """
    try:
        with docker_errors(f"Image {reference.text!r}"):
            found = client.images.get(reference.local_name)
    except DockerImageNotFound:
        return None
    return found if platform is None or _is_for(found.attrs, platform) else None


_SAME = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm", "armel": "arm"}


def _is_for(attrs: dict[str, Any], platform: str) -> bool:
    wanted = [_SAME.get(part, part) for part in platform.lower().split("/")]
    has = [str(attrs.get(name) or "").lower() for name in ("Os", "Architecture", "Variant")]
    if len(wanted) == 1:  # Docker takes a lone part as the one or the other
        return wanted[0] in has[:2]
    return all(mine == theirs or not theirs for mine, theirs in zip(wanted, has, strict=False))


def _raise_absent(reference: ImageReference, policy: str | None) -> Image:
    from docker.errors import ImageNotFound

    subject = f"Image {reference.text!r}"
    if reference.is_id:
        why, remedy = "the engine has no image of this ID, and no registry knows IDs", "Name it by repository and tag."
    else:
        why = f"the engine does not have it, and image_pull_policy is {policy!r}"
        remedy = "Build or pull it on this engine, or choose another policy."
    # As the SDK's own error for a missing image, which callers may catch.
    raise combined(DockerImageNotFound, ImageNotFound)(f"{subject}: {why}. {remedy}", subject=subject, reason=why)
