"""A build, read and checked as a whole before anything is sent to an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prefect_docker._build.buildx_options import buildx_options, is_local, secret_values, without_circumstances
from prefect_docker._build.context import Context, read_context
from prefect_docker._build.dockerfile import (
    AUTO,
    Dockerfile,
    bases,
    find_dockerfile,
    generate_dockerfile,
    has_remote_sources,
    keep_dockerfile,
)
from prefect_docker._build.names import ImageName
from prefect_docker._build.options import BUILDX, BuildOptions, docker_py_options
from prefect_docker._build.records import digest_of
from prefect_docker._engine import is_played
from prefect_docker.errors import DockerInvalidRequest


def _nothing() -> None:
    """Undo nothing."""


@dataclass(frozen=True)
class BuildPlan:
    """All that goes into an image, and the names that it gets."""

    name: ImageName
    backend: str
    options: BuildOptions
    dockerfile_input: str
    dockerfile: Dockerfile | None
    """`None` when the engine fetches the context, or the caller brings it packed."""
    context: Context | None
    key: str | None
    """A digest of what goes into the image, its names apart; `None` when the files are not there to be read."""
    adds_from_afar: bool = False
    """Whether the Dockerfile fetches something from an address, whose content the digest does not know."""
    bases: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    undo: Callable[[], None] = _nothing
    """Takes away what was written for the build, should it fail."""

    @property
    def is_local(self) -> bool:
        """Whether the image is in the local engine afterwards."""
        return self.backend != BUILDX or is_local(self.options)

    @property
    def may_be_known(self) -> bool:
        """Whether an image of an earlier deploy may stand for what this build makes."""
        fresh = self.options.nocache or self.options.pull
        others = self.options.others
        is_all_known = self.key is not None and not self.adds_from_afar and not others.get("build_contexts")
        return is_all_known and self.is_local and not fresh


def plan_build(
    name: ImageName,
    dockerfile: Any,
    backend: str,
    build_kwargs: Mapping[str, Any],
    output_path: Any = None,
) -> BuildPlan:
    """Read and check what a build step was told.

    Args:
        name: Names of the image.
        dockerfile: The input `dockerfile`.
        backend: `docker-py` or `buildx`.
        build_kwargs: Options of the back end.
        output_path: Where to keep a generated Dockerfile; `None` for nowhere.

    Raises:
        DockerInvalidRequest: If something is wrong; the message names the input.
    """
    if not isinstance(dockerfile, str) or not dockerfile:
        raise DockerInvalidRequest(f"dockerfile is {dockerfile!r}. Give the path of one, or 'auto'.")
    if backend == BUILDX:
        options = buildx_options(build_kwargs)
        secrets = tuple(secret_values(options))
    else:
        options = docker_py_options(build_kwargs)
        secrets = tuple(options.secret_build_args.values())
    unread = BuildPlan(name, backend, options, dockerfile, None, None, None, secrets=secrets)
    root = options.context
    if not isinstance(root, Path):
        if dockerfile == AUTO:
            raise DockerInvalidRequest("dockerfile 'auto' needs a folder as build context, and path is an address.")
        return unread
    if dockerfile != AUTO:
        if is_played():
            return unread  # a test's client is asked as docker-py would be, and nothing is built
        return _read(unread, find_dockerfile(dockerfile, root), root)
    found = generate_dockerfile(root)
    undo = _nothing if output_path is None else keep_dockerfile(found.text, output_path)
    try:
        return replace(_read(unread, found, root), undo=undo)
    except BaseException:
        undo()
        raise


def _read(plan: BuildPlan, dockerfile: Dockerfile, root: Path) -> BuildPlan:
    """Look at the files of a context, and make a digest of all that goes into the image."""
    path = dockerfile.path
    own_ignore = [path.with_name(f"{path.name}.dockerignore")] if plan.backend == BUILDX and path else []
    context = read_context(root, dockerfile.name, own_ignore)
    parts = {
        "backend": plan.backend,
        "dockerfile": dockerfile.text,
        "context": context.digest,
        "ignored": context.ignored,
        "options": vars(without_circumstances(plan.options)),
    }
    return replace(
        plan,
        dockerfile=dockerfile,
        context=context,
        key=digest_of(parts),
        adds_from_afar=has_remote_sources(dockerfile.text),
        bases=tuple(bases(dockerfile.text, plan.options.build_args)),
    )
