"""Build options of either back end, under the names that both share."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from prefect_docker._build.context import is_remote
from prefect_docker._build.values import is_secret, listed, nearest, text, texts, truth
from prefect_docker.errors import DockerInvalidRequest

DOCKER_PY = "docker-py"
BUILDX = "buildx"

_CONTEXT_NAMES = ("path", "context", "context_path")
_FLAGS = ("nocache", "rm", "forcerm", "quiet", "pull", "squash", "gzip", "use_config_proxy")
_MAPPINGS = ("buildargs", "labels")
# What the steps set themselves, or read anyway.
_OURS = {"decode", "tag", "stream_logs"}
_ONLY_BUILDX = {
    "secrets",
    "ssh",
    "cache_to",
    "platforms",
    "push",
    "builder",
    "provenance",
    "sbom",
    "output",
    "build_contexts",
}
_TWINS = {
    "build_args": "buildargs",
    "no_cache": "nocache",
    "cache": "nocache",
    "network": "network_mode",
    "add_hosts": "extra_hosts",
}


@dataclass(frozen=True)
class BuildOptions:
    """What a build step was told beyond the names."""

    context: Path | str | None
    """A folder, an address that the engine fetches, or nothing when `fileobj` brings it."""
    build_args: dict[str, str] = field(repr=False)
    labels: dict[str, str]
    pull: bool | None
    """Whether base images are pulled again; `None` when the step does not say."""
    nocache: bool
    others: dict[str, Any] = field(repr=False)
    """Options of the back end, under its own names."""

    @property
    def secret_build_args(self) -> dict[str, str]:
        """The build arguments that look like secrets."""
        return {name: value for name, value in self.build_args.items() if is_secret(name, value)}


def backend_of(value: Any) -> str:
    """Check the input `build_backend`.

    Args:
        value: Its value.

    Raises:
        DockerInvalidRequest: If there is no such back end.
    """
    if value not in (DOCKER_PY, BUILDX):
        raise DockerInvalidRequest(f"build_backend is {value!r}. Write 'docker-py' or 'buildx'.")
    return value


def docker_py_options(given: Mapping[str, Any]) -> BuildOptions:
    """Check options for the engine's own builder.

    Args:
        given: The options, by the names of docker-py.

    Raises:
        DockerInvalidRequest: If one is not known or of the wrong kind; the message names it.
    """
    known = _docker_py_names()
    rest = {name: value for name, value in given.items() if name not in _OURS}
    context = take_context(rest, needed=rest.get("fileobj") is None)
    for name in rest:
        if name in known:
            continue
        if name in _ONLY_BUILDX:
            raise DockerInvalidRequest(f"{name} needs BuildKit. Add 'build_backend: buildx' to the step.")
        hint = f" docker-py calls it {_TWINS[name]!r}." if name in _TWINS else nearest(name, known)
        raise DockerInvalidRequest(f"build_docker_image knows no option {name!r}.{hint} See {_DOCKER_PY_REFERENCE}.")
    rest.update({name: truth(name, rest[name]) for name in _FLAGS if name in rest and rest[name] is not None})
    if isinstance(platform := rest.get("platform"), list) or "," in str(platform or ""):
        raise DockerInvalidRequest(
            f"platform {platform!r} names several platforms, which needs BuildKit. Add 'build_backend: buildx' and"
            " 'push: true' to the step, or name one."
        )
    if rest.get("cache_from") is not None:
        rest["cache_from"] = [text("cache_from", image) for image in listed(rest["cache_from"])]
    build_args, labels = (texts(name, rest.pop(name, None)) for name in _MAPPINGS)
    pull, nocache = rest.pop("pull", None), rest.pop("nocache", None)
    return BuildOptions(context, build_args, labels, pull, bool(nocache), rest)


_DOCKER_PY_REFERENCE = (
    "https://docker-py.readthedocs.io/en/stable/images.html#docker.models.images.ImageCollection.build"
)


def take_context(options: dict[str, Any], *, needed: bool = True) -> Path | str | None:
    """Take the build context out of options.

    Args:
        options: The options, which lose it.
        needed: Whether there must be one; it is the working directory then, when nothing else is said.

    Raises:
        DockerInvalidRequest: If it is given twice, or is no folder.
    """
    given = {name: options.pop(name) for name in _CONTEXT_NAMES if name in options}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) > 1:
        raise DockerInvalidRequest(f"{' and '.join(given)} both name the build context. Give one of them.")
    if not given:
        return Path.cwd() if needed else None
    name, value = next(iter(given.items()))
    if isinstance(value, str) and is_remote(value):
        return value
    path = Path(text(name, str(value) if isinstance(value, Path) else value)).expanduser()
    if not path.is_dir():
        raise DockerInvalidRequest(
            f"{name} {str(value)!r} is no folder ({Path.cwd() / path}). It is the build context, what COPY copies from."
        )
    return Path.cwd() / path


@lru_cache(maxsize=1)
def _docker_py_names() -> frozenset[str]:
    from docker.api.build import BuildApiMixin

    parameters = inspect.signature(cast("Any", BuildApiMixin).build).parameters
    return frozenset(parameters) - {"self", "tag", "decode", "dockerfile", *_CONTEXT_NAMES}
