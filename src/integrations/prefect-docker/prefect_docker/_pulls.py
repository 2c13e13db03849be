"""Pull images, say why a pull failed, and check that what came is what was asked for.

Everything here blocks, so a coroutine calls it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.dispatch import run_coro_as_sync
from prefect_integration_kit.logs import Log
from prefect_integration_kit.redact import redact
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.sdk_errors import combined
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, retry

from ._auth import RegistryAuth, find_auth
from ._references import DOCKER_HUB, ImageReference
from .errors import (
    DockerError,
    DockerImageNotFound,
    DockerUnavailable,
    ImageDigestMismatch,
    ImagePullDenied,
    ImagePullFailed,
    ImagePullNotFound,
    docker_errors,
    reason_of,
    translate,
)

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

    from ._auth import Credentials


_DENIED = ("unauthorized", "denied", "no basic auth credentials", "authentication required", "forbidden")
_ABSENT = ("manifest unknown", "not found", "no matching manifest", "name unknown", "does not exist")
_UNLIKE = ("digest verification", "manifest verification failed", "did not match", "digest mismatch")
_LIMITED = ("toomanyrequests", "too many requests", "pull rate limit")
_PASSING = (
    "timeout",
    "timed out",
    "connection reset",
    "connection refused",
    "unexpected eof",
    "broken pipe",
    "temporary failure",
    "deadline exceeded",
    "bad gateway",
    "service unavailable",
    "internal server error",
    "502",
    "503",
    "504",
)
_BACKOFF = Backoff(initial_seconds=1.0, deadline_seconds=120.0, max_attempts=3)
_clock: Clock = SYSTEM_CLOCK


def pull_image(
    client: DockerClient,
    reference: ImageReference,
    *,
    credentials: Credentials = None,
    platform: str | None = None,
    logger: Log,
    attempts: int | None = None,
    auth_config: dict[str, Any] | None = None,
) -> Image:
    """Pull one image, check that it is the one that was sent, and return it.

    Args:
        client: A client of the engine.
        reference: The image.
        credentials: Blocks to log in with.
        platform: Such as `linux/arm64`; the engine's own when not given.
        logger: Is told about the pull.
        attempts: How often to try when the failure may pass; three times when not given.
        auth_config: Credentials as the SDK takes them, in place of any other.

    Raises:
        ImagePullFailed: If the image could not be pulled.
    """
    if pulls_itself(client):
        return _pull_by_stand_in(client, reference, credentials, platform)
    pull = _Pull(client, reference, _auth(reference, credentials, auth_config), platform, logger)
    digest = pull.run(attempts)
    image = pulled_image(client, reference, digest)
    logger.info("Pulled image %r (%s)", reference.text, reference.digest or digest or image.id)
    return image


def pulls_itself(client: Any) -> bool:
    """Whether a client is, or has, a test's stand-in, which is asked by the SDK's `images.pull`."""
    return is_replaced(getattr(client, "images", None), "pull", "docker.models.images")


def _pull_by_stand_in(client: Any, reference: ImageReference, credentials: Credentials, platform: str | None) -> Any:
    log_in(client, credentials)
    with docker_errors(f"Image {reference.text!r}"):
        return client.images.pull(
            reference.repository, reference.version, **({"platform": platform} if platform else {})
        )


def log_in(client: Any, credentials: Credentials) -> None:
    """Log a stand-in in, which does not take credentials with each request.

    Args:
        client: The stand-in.
        credentials: Blocks to log in with.
    """
    blocks = credentials if isinstance(credentials, Sequence) else [] if credentials is None else [credentials]
    for block in blocks:
        run_coro_as_sync(block.login(client=client))


def pulled_image(client: DockerClient, reference: ImageReference, digest: str) -> Image:
    """Get the image that a pull has brought, and no other that has its name.

    Args:
        client: A client of the engine.
        reference: The image.
        digest: What the engine said that it pulled; empty when it said nothing.

    Raises:
        ImageDigestMismatch: If the engine does not have that image.
    """
    subject = f"Image {reference.text!r}"
    with docker_errors(subject):
        image = client.images.get(reference.local_name)
    expected = reference.digest or digest
    held = [name.partition("@")[2] for name in cast("list[str]", image.attrs.get("RepoDigests") or [])]
    if not expected or expected in held:
        return image
    try:
        with docker_errors(subject):  # another pull or build has moved the name since
            return client.images.get(f"{reference.repository}@{expected}")
    except DockerImageNotFound as exc:
        raise ImageDigestMismatch(
            f"{subject}: the registry sent {expected}, and the engine has {', '.join(held) or 'another image'} under "
            "this name. Pull it again.",
            subject=subject,
        ) from exc


def pull_all_tags(
    client: DockerClient,
    reference: ImageReference,
    *,
    credentials: Credentials = None,
    platform: str | None = None,
    logger: Log,
    auth_config: dict[str, Any] | None = None,
) -> list[Image]:
    """Pull each tag of a repository.

    Args:
        client: A client of the engine.
        reference: The repository.
        credentials: Blocks to log in with.
        platform: Such as `linux/arm64`; the engine's own when not given.
        logger: Is told about the pull.
        auth_config: Credentials as the SDK takes them, in place of any other.

    Returns:
        All images of the repository that the engine has then.

    Raises:
        ImagePullFailed: If an image could not be pulled.
    """
    _Pull(client, reference, _auth(reference, credentials, auth_config), platform, logger, all_tags=True).run()
    with docker_errors(f"Images of {reference.repository!r}"):
        return client.images.list(reference.repository)


def _auth(
    reference: ImageReference,
    credentials: Credentials,
    auth_config: dict[str, Any] | None,
) -> RegistryAuth:
    if auth_config is not None:
        return RegistryAuth(auth_config, "the given auth_config")
    return find_auth(reference, credentials)


class _Pull:
    """One pull, tried again while it fails for reasons that may pass."""

    def __init__(
        self,
        client: DockerClient,
        reference: ImageReference,
        auth: RegistryAuth,
        platform: str | None,
        logger: Log,
        *,
        all_tags: bool = False,
    ) -> None:
        self._client = client
        self._reference = reference
        self._auth = auth
        self._platform = platform
        self._logger = logger
        self._all_tags = all_tags
        self._subject = f"Image {reference.text!r}"

    def run(self, attempts: int | None = None) -> str:
        """Pull, and return the digest that the engine reports; empty when it reports none."""
        self._logger.info("Pulling image %r from %s", self._reference.text, self._reference.registry)
        backoff = _BACKOFF if attempts is None else Backoff(max_attempts=attempts)
        return retry(self._once, is_transient=_is_passing, backoff=backoff, on_retry=self._tell_of_retry, clock=_clock)

    def _tell_of_retry(self, error: Exception, delay_seconds: float) -> None:
        self._logger.warning("%s It is tried again in %.1f seconds.", error, delay_seconds)

    def _once(self) -> str:
        try:
            api: Any = self._client.api
            events = api.pull(
                self._reference.repository,
                tag=None if self._all_tags else self._reference.version,
                stream=True,
                decode=True,
                auth_config=self._auth.config,
                platform=self._platform,
                all_tags=self._all_tags,
            )
            return self._follow(events)
        except DockerError:
            raise
        except Exception as exc:
            error = self._translate(exc)
            if error is None:
                raise
            raise error from exc

    def _follow(self, events: Iterable[dict[str, Any]]) -> str:
        """Read what the engine tells of the pull: a failure after the first bytes comes in here, under status 200."""
        digest = ""
        for event in events:
            detail: dict[str, Any] = event.get("errorDetail") or {}
            message = event.get("error") or detail.get("message")
            if message:
                from docker.errors import APIError

                cls, text, reason = self._describe(str(message))
                raise combined(cls, APIError)(text, subject=self._subject, reason=reason)
            status = str(event.get("status") or "")
            if status.startswith("Digest: "):
                digest = status.removeprefix("Digest: ").strip()
            elif status and not event.get("progressDetail"):
                self._logger.debug("%s: %s %s", self._reference.text, event.get("id", ""), status)
        return digest

    def _translate(self, exc: Exception) -> DockerError | None:
        error = translate(exc, self._subject, secrets=self._auth.secrets())
        if error is None or isinstance(error, DockerUnavailable):
            return error  # the engine itself, not a registry
        cls, text, _ = self._describe(reason_of(exc))
        return translate(exc, self._subject, as_class=cls, message=text)

    def _describe(self, reason: str) -> tuple[type[DockerError], str, str]:
        """Class, message and the engine's reason of a failure."""
        reason = redact(reason, self._auth.secrets()).strip().rstrip(".")
        cls = _class_of(reason)
        where = f"pulling it from registry {self._reference.registry!r} with {self._auth.source} failed"
        return cls, f"{self._subject}: {where}: {reason}. {self._remedy(cls, reason)}".rstrip(), reason

    def _remedy(self, cls: type[DockerError], reason: str) -> str:
        registry = self._reference.registry
        parts: list[str] = []
        if not self._reference.names_registry and cls in (ImagePullDenied, ImagePullNotFound):
            parts.append(
                "The name says no registry, so Docker Hub was asked: put the registry's host before it if the image is "
                "elsewhere, or build it on this engine if it is in none."
            )
        if cls is ImagePullDenied or any(word in reason.lower() for word in _LIMITED):
            parts.append(
                f"Give a DockerRegistryCredentials block whose registry_url is {registry!r}, or 'docker login' there."
                if self._auth.is_anonymous
                else "Check that these credentials are valid and may read the repository."
            )
        elif cls is ImagePullNotFound:
            parts.append("Check repository and tag, upper and lower case included.")
        elif "no space left" in reason.lower():
            parts.append("Free space on the engine's disk: 'docker system df' shows what takes it.")
        elif "http response to https client" in reason.lower():
            parts.append("The registry speaks no TLS: name it in insecure-registries of the engine's daemon.json.")
        elif registry != DOCKER_HUB and ("no such host" in reason.lower() or "lookup" in reason.lower()):
            parts.append("Check the registry's host in the image's name.")
        return " ".join(parts)


def _class_of(reason: str) -> type[DockerError]:
    lowered = reason.lower()
    table: tuple[tuple[Sequence[str], type[DockerError]], ...] = (
        (_UNLIKE, ImageDigestMismatch),
        (_DENIED, ImagePullDenied),
        (_LIMITED, ImagePullFailed),
        (_ABSENT, ImagePullNotFound),
    )
    return next((cls for words, cls in table if any(word in lowered for word in words)), ImagePullFailed)


def _is_passing(error: Exception) -> bool:
    """Say whether the same pull may succeed a moment later: the registry or the way to it had a failure."""
    if type(error).__name__ != ImagePullFailed.__name__ or not isinstance(error, ImagePullFailed):
        return False
    return any(word in error.reason.lower() for word in _PASSING)
