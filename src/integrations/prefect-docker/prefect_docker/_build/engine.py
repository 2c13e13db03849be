"""Builds by the engine's own builder, through its API."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, cast

from prefect.utilities.dockerutils import IMAGE_LABELS

from prefect_docker._build.output import Output, error_in
from prefect_docker._engine import is_stand_in
from prefect_docker.errors import (
    DockerTimeout,
    DockerUnavailable,
    ImageBuildFailed,
    docker_errors,
    reason_of,
    translate,
)

if TYPE_CHECKING:
    from docker import DockerClient

    from prefect_docker._build.plan import BuildPlan

_NEEDS_BUILDKIT = ("requires buildkit", "unknown flag: mount", "the --mount option", "the --chmod option")


def build_on_engine(client: DockerClient, plan: BuildPlan, reference: str, output: Output) -> str:
    """Build an image, and tell of it as it goes.

    Args:
        client: A client of the engine.
        plan: What to build.
        reference: Name and tag of the image.
        output: Where the engine's messages go.

    Returns:
        The image's ID.

    Raises:
        ImageBuildFailed: If it cannot be built. The message has the engine's reason and the step that failed.
        DockerUnavailable: If the connection to the engine breaks.
    """
    build = _Build(plan, reference, output)
    try:
        with closing(build.archive()) as archive, output.hushed():
            image_id = build.follow(client.api.build(**build.request(archive)))
    except ImageBuildFailed:
        raise
    except Exception as exc:
        if (error := build.translate(exc)) is None:
            raise
        raise error from exc
    if image_id is None:  # a quiet build names it in no message of its own
        with docker_errors(f"Image {reference!r}"):
            image_id = client.images.get(reference).id
    return str(image_id)


class _Nothing:
    """Stands for an archive where there is none."""

    def close(self) -> None:
        """Close nothing."""


class _Build:
    """One build and the step that it has come to."""

    def __init__(self, plan: BuildPlan, reference: str, output: Output) -> None:
        self._plan = plan
        self._reference = reference
        self._output = output
        self._subject = f"Image {reference!r}"
        self._step = ""

    def archive(self) -> IO[bytes] | _Nothing:
        """Pack the context, unless it is the engine's or the caller's to fetch."""
        from docker.utils.build import create_archive  # pyright: ignore[reportUnknownVariableType]

        plan = self._plan
        if plan.context is None or plan.dockerfile is None:
            return _Nothing()
        more: list[tuple[str, str]] = []
        if not plan.dockerfile.is_in_context:  # it is sent along, and kept from COPY, as docker-py does it
            name = plan.dockerfile.name
            more.append((".dockerignore", "\n".join([*(plan.context.ignored or (".dockerignore",)), name])))
            more.append((name, plan.dockerfile.text))
        return cast("Any", create_archive)(
            root=str(plan.context.root),
            files=[file.path for file in plan.context.files],
            extra_files=more,
            gzip=bool(plan.options.others.get("gzip")),
        )

    def request(self, archive: IO[bytes] | _Nothing) -> dict[str, Any]:
        """Make the arguments of docker-py's `build`."""
        plan, options = self._plan, self._plan.options
        others = {name: value for name, value in options.others.items() if name != "gzip"}
        if plan.dockerfile is not None:
            others.update(fileobj=archive, custom_context=True, dockerfile=plan.dockerfile.name)
            if options.others.get("gzip"):
                others["encoding"] = "gzip"
        else:
            others["dockerfile"] = plan.dockerfile_input
            if options.context is not None:
                others["path"] = str(options.context)
        return {
            "rm": True,  # intermediate containers, which docker-py would leave behind
            "forcerm": True,
            **others,
            "tag": self._reference,
            "buildargs": dict(options.build_args),  # docker-py adds its proxies to it
            "labels": {**options.labels, **IMAGE_LABELS},
            "nocache": options.nocache,
            "pull": bool(options.pull),
            "decode": True,
        }

    def follow(self, events: Iterable[dict[str, Any]]) -> str | None:
        """Write what the engine says, and find the image's ID in it."""
        image_id: str | None = None
        for event in events:
            if message := error_in(event):
                raise ImageBuildFailed(self._message(message), subject=self._subject, reason=self._clean(message))
            aux: dict[str, Any] = event.get("aux") or {}
            if (text := event.get("stream")) is not None:
                if text.startswith("Step "):
                    self._step = text.strip()
                self._output.write(text)
            elif "ID" in aux:
                image_id = str(aux["ID"])
            elif event.get("status") and not event.get("progressDetail"):  # of a base image that is pulled
                self._output.line(": ".join(str(event[name]) for name in ("id", "status") if event.get(name)))
        return image_id

    def translate(self, exc: Exception) -> Exception | None:
        """Make this package's error of one that the request itself ended in."""
        secrets = list(self._plan.secrets)
        error = translate(exc, self._subject, secrets=secrets)
        if error is None or isinstance(error, DockerUnavailable | DockerTimeout):
            return error
        return translate(
            exc, self._subject, as_class=ImageBuildFailed, message=self._message(reason_of(exc)), secrets=secrets
        )

    def _clean(self, message: str) -> str:
        return self._output.redact(message).strip()

    def _message(self, reason: str) -> str:
        where = f" at {self._output.redact(self._step)!r}" if self._step else ""
        message = f"{self._subject}: building it failed{where}: {self._clean(reason).rstrip('.')}."
        lowered = reason.lower()
        if any(words in lowered for words in _NEEDS_BUILDKIT):
            return f"{message} Add 'build_backend: buildx' to the step."
        if "pull access denied" in lowered or "manifest unknown" in lowered:
            return f"{message} Check the image's name in FROM, 'docker login' to its registry, or build it here first."
        if "no space left" in lowered:
            return f"{message} Free space on the engine's disk: 'docker system df' shows what takes it."
        return message


def tag_image(client: DockerClient, image_id: str, references: Iterable[str]) -> None:
    """Give an image further names.

    Args:
        client: A client of the engine.
        image_id: The image.
        references: Names with tags.
    """
    for reference in references:
        repository, _, tag = reference.rpartition(":")
        with docker_errors(f"Image {reference!r}"):
            if is_stand_in(client):  # a test's, which may look at the calls
                cast("Any", client).images.get(image_id).tag(repository=repository, tag=tag)
            else:
                cast("Any", client).api.tag(image_id, repository, tag=tag)
