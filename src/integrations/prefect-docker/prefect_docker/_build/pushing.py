"""Pushes of images, by the engine or by the Docker CLI."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_docker._auth import RegistryAuth, find_auth
from prefect_docker._build.attempts import repeated
from prefect_docker._build.building import was_pushed
from prefect_docker._build.names import ImageName
from prefect_docker._build.options import BUILDX
from prefect_docker._build.output import Output, error_in
from prefect_docker._engine import engine_for_step, is_played, is_stand_in
from prefect_docker._pulls import log_in
from prefect_docker._references import DOCKER_HUB, ImageReference, parse_image, registry_host
from prefect_docker.errors import (
    DockerError,
    DockerImageNotFound,
    DockerInvalidRequest,
    DockerTimeout,
    DockerUnavailable,
    ImagePushDenied,
    ImagePushFailed,
    docker_errors,
    reason_of,
    translate,
)
from prefect_integration_kit.logs import Log

if TYPE_CHECKING:
    from prefect_docker.credentials import DockerRegistryCredentials

_DENIED = ("unauthorized", "denied", "no basic auth credentials", "authentication required", "forbidden")
_MISSING = ("does not exist locally", "no such image", "tag does not exist")
# A registry may take its time to put a large layer away, and nothing is said meanwhile.
_SILENCE_SECONDS = 600.0


def credentials_from(given: Any) -> DockerRegistryCredentials | None:
    """Make a block of the input `credentials`.

    Args:
        given: The fields of a `DockerRegistryCredentials` block, or a block itself. Without `registry_url` they are
            those of Docker Hub.

    Raises:
        DockerInvalidRequest: If a field is missing or wrong. No value is quoted.
    """
    from pydantic import ValidationError

    from prefect_docker.credentials import DockerRegistryCredentials

    if given is None or isinstance(given, DockerRegistryCredentials):
        return given
    if not isinstance(given, Mapping):
        raise DockerInvalidRequest(
            "credentials must hold username, password and registry_url, as"
            ' "{{ prefect.blocks.docker-registry-credentials.NAME }}" does.'
        )
    fields = cast("Mapping[str, Any]", given)
    try:
        return DockerRegistryCredentials.model_validate({"registry_url": "docker.io", **fields})
    except ValidationError as exc:
        wrong = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors())
        raise DockerInvalidRequest(f"credentials: {wrong}.") from None


def push_images(name: ImageName, backend: str, credentials: DockerRegistryCredentials | None, *, logger: Log) -> None:
    """Push an image by all its tags.

    Args:
        name: The image; without a tag, by all tags that it has on the engine.
        backend: `docker-py`, or `buildx` for the Docker CLI with its own logins.
        credentials: Who to log in as. They are used for their own registry only, and whatever the back end is, the
            engine pushes then: the CLI would keep them in a file.
        logger: Is told what happens.

    Raises:
        ImagePushFailed: If an image could not be pushed. The message names the registry, and its reason.
        DockerImageNotFound: If there is no such image.
    """
    if is_played() and is_stand_in(client := engine_for_step()):  # a test's, which takes none with each request
        log_in(client, credentials)
    for reference in name.references:
        if was_pushed(reference):
            logger.info("Image %s is in its registry already: buildx sent it there as it was built.", reference)
            continue
        push = _Push(parse_image(reference), is_all_tags=name.tag is None and reference == name.repository)
        if backend == BUILDX and credentials is None:
            repeated(push.by_cli, logger)
        else:
            push.choose_auth(credentials, logger)
            repeated(push.by_engine, logger)
        logger.info("Pushed image %s to %s", reference, push.reference.registry)


class _Push:
    """One image on its way to its registry."""

    def __init__(self, reference: ImageReference, *, is_all_tags: bool) -> None:
        self.reference = reference
        self._is_all_tags = is_all_tags
        self._auth = RegistryAuth({}, "the logins of the Docker CLI")
        self._subject = f"Image {reference.text!r}"

    def choose_auth(self, credentials: DockerRegistryCredentials | None, logger: Log) -> None:
        """Choose what to log in with; credentials for another registry are not sent to this one."""
        self._auth = find_auth(self.reference, credentials)
        if credentials is not None and registry_host(credentials.registry_url) != self.reference.registry:
            logger.warning(
                "The given credentials are for registry %s, and image %s goes to %s: %s is used there.",
                credentials.registry_url,
                self.reference.text,
                self.reference.registry,
                self._auth.source,
            )

    def by_engine(self) -> None:
        """Push through the engine's API."""
        client = engine_for_step(timeout_seconds=None if os.environ.get("DOCKER_CLIENT_TIMEOUT") else _SILENCE_SECONDS)
        tag = None if self._is_all_tags else self.reference.version
        try:
            auth = {} if is_stand_in(client) else {"auth_config": self._auth.config}
            events = cast("Any", client.api).push(
                repository=self.reference.repository, tag=tag, stream=True, decode=True, **auth
            )
            self._follow(cast("Iterable[dict[str, Any]]", events))
        except DockerError:
            raise
        except Exception as exc:
            if (error := self._translate(exc)) is None:
                raise
            raise error from exc

    def by_cli(self) -> None:
        """Push by `docker image push`, with its logins and credential helpers."""
        import python_on_whales
        from python_on_whales.client_config import ClientNotFoundError
        from python_on_whales.exceptions import DockerException

        from prefect_docker.errors import BuildxMissing

        output = Output()
        client = python_on_whales.DockerClient()
        try:
            for reference in self._local_references():
                lines: Any = client.image.push(reference, stream_logs=True)
                for _, line in lines or ():
                    output.write(line.decode("utf-8", "replace"))
        except ClientNotFoundError as exc:
            raise BuildxMissing(
                "build_backend 'buildx' needs the Docker CLI, and there is no program 'docker' on the PATH. Install it"
                " (https://docs.docker.com/engine/install/), or leave out build_backend."
            ) from exc
        except DockerException as exc:
            said = (exc.stderr or exc.stdout or str(exc)).strip()
            raise self._failure(said.splitlines()[-1] if said else str(exc)) from exc

    def _local_references(self) -> list[str]:
        if not self._is_all_tags:
            return [self.reference.local_name]
        with docker_errors(self._subject):
            images = engine_for_step().images.list(self.reference.repository)
        tags = [tag for image in images for tag in image.tags]
        found = sorted(tag for tag in tags if tag.rpartition(":")[0] == self.reference.repository)
        if not found:
            raise self._failure("does not exist locally")
        return found

    def _follow(self, events: Iterable[dict[str, Any]]) -> None:
        """Write what the engine tells of the push: a failure after the first bytes comes in here, under status 200."""
        output = Output(self._auth.secrets())
        for event in events:
            if message := error_in(event):
                raise self._failure(output.redact(message))
            status = event.get("status")
            if status and not event.get("progressDetail"):
                layer = event.get("id")
                output.line(f"{layer}: {status}" if layer else str(status))

    def _translate(self, exc: Exception) -> DockerError | None:
        secrets = self._auth.secrets()
        error = translate(exc, self._subject, secrets=secrets)
        if error is None or isinstance(error, DockerUnavailable | DockerTimeout):
            return error  # the engine itself, not a registry
        failure = self._failure(reason_of(exc))
        return translate(exc, self._subject, as_class=type(failure), message=str(failure), secrets=secrets)

    def _failure(self, reason: str) -> DockerError:
        reason = reason.strip().rstrip(".")
        lowered = reason.lower()
        if any(words in lowered for words in _MISSING):
            what = "there is no image of this name" if self._is_all_tags else "the engine does not have it"
            return DockerImageNotFound(
                f"{self._subject}: it cannot be pushed, as {what}. Build it first, with the same image_name and tag; an"
                " image for several platforms is pushed by its build, with 'push: true'.",
                subject=self._subject,
                reason=reason,
            )
        is_denied = any(words in lowered for words in _DENIED)
        registry = self.reference.registry
        message = f"{self._subject}: pushing it to registry {registry!r} with {self._auth.source} failed: {reason}."
        cls = ImagePushDenied if is_denied else ImagePushFailed
        return cls(
            f"{message} {self._remedy(lowered, is_denied=is_denied)}".rstrip(), subject=self._subject, reason=reason
        )

    def _remedy(self, reason: str, *, is_denied: bool) -> str:
        registry = self.reference.registry
        parts: list[str] = []
        if not self.reference.names_registry and is_denied:
            parts.append(
                "The name says no registry, so Docker Hub was tried: put the registry's host before it if you mean"
                " another, or set PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE."
            )
        if is_denied:
            parts.append(
                f"Give credentials whose registry_url is {registry!r}, or 'docker login' there."
                if self._auth.is_anonymous
                else "Check that these credentials are valid and may write to the repository."
            )
        elif "http response to https client" in reason:
            parts.append("The registry speaks no TLS: name it in insecure-registries of the engine's daemon.json.")
        elif registry != DOCKER_HUB and ("no such host" in reason or "lookup" in reason):
            parts.append("Check the registry's host in image_name.")
        return " ".join(parts)
