"""Deployment steps that build Docker images and push them.

They stand in the sections `build` and `push` of a `prefect.yaml`, for all deployments of a project or for one.

Example:
    Build an image, push it, and run the deployment in it:
    ```yaml
    build:
      - prefect_docker.deployments.steps.build_docker_image:
          id: build-image
          requires: prefect-docker
          image_name: repo-name/image-name
          tag: dev

    push:
      - prefect_docker.deployments.steps.push_docker_image:
          requires: prefect-docker
          image_name: "{{ build-image.image_name }}"
          tag: "{{ build-image.tag }}"
    ```
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from prefect.logging import get_logger
from prefect.utilities.dockerutils import docker_client as docker_client  # tests of deployments replace it here
from typing_extensions import ParamSpec, TypedDict

from prefect_docker._build.building import build_image
from prefect_docker._build.names import image_name as _image_name
from prefect_docker._build.options import BUILDX, backend_of
from prefect_docker._build.plan import plan_build
from prefect_docker._build.pushing import credentials_from, push_images
from prefect_docker._build.stepping import StepCall, is_there, local_id, prepared_by, remembered
from prefect_docker._build.values import truth

logger: logging.Logger = get_logger("prefect_docker.deployments.steps")
P = ParamSpec("P")
T = TypeVar("T")

STEP_OUTPUT_CACHE: dict[str, Any] = {}
"""What steps of this process returned, by a digest of the step and all that it depends on."""


class BuildDockerImageResult(TypedDict):
    """What `build_docker_image` gives to later steps.

    Attributes:
        image_name: Name of the image: registry, namespace and repository.
        tag: Its tag.
        image: Name and tag, as job variables take it.
        image_id: Its ID on the engine; the digest in the registry for one that buildx pushed.
        additional_tags: Its further tags, as they were given.
    """

    image_name: str
    tag: str
    image: str
    image_id: str
    additional_tags: list[str] | None


class PushDockerImageResult(TypedDict):
    """What `push_docker_image` gives to later steps.

    Attributes:
        image_name: Name of the image: registry, namespace and repository.
        tag: Its tag; `None` when none was given.
        image: Name and tag.
        additional_tags: Its further tags, as they were given.
    """

    image_name: str
    tag: str | None
    image: str
    additional_tags: list[str] | None


def cacheable(func: Callable[P, T]) -> Callable[P, T]:
    """Let a step do its work once for the same inputs, however many deployments share it.

    The output is kept for as long as the process lives, under the step, its inputs and the working directory; the steps
    of this module add what they read: the Dockerfile, the files of the context, the image. With `ignore_cache: true`
    among its inputs the step does its work in any case, and its output is kept anew. A step with inputs that cannot be
    compared, such as open files, is not remembered.

    Args:
        func: The step.

    Returns:
        The step with a memory.
    """

    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return remembered(func, args, kwargs, STEP_OUTPUT_CACHE, logger)

    return wrapper


def _prepare_build(
    image_name: str,
    dockerfile: str = "Dockerfile",
    tag: str | None = None,
    additional_tags: list[str] | None = None,
    ignore_cache: bool = False,
    persist_dockerfile: bool = False,
    dockerfile_output_path: str = "Dockerfile.generated",
    build_backend: str = "docker-py",
    **build_kwargs: Any,
) -> StepCall[BuildDockerImageResult]:
    name = _image_name(image_name, tag, additional_tags)
    is_ignored = truth("ignore_cache", ignore_cache)
    output_path = dockerfile_output_path if truth("persist_dockerfile", persist_dockerfile) else None
    plan = plan_build(name, dockerfile, backend_of(build_backend), build_kwargs, output_path)
    for secret in plan.options.secret_build_args:
        logger.warning(
            "The build argument %s looks like a secret. Whoever has the image can read build arguments in its history. "
            "Use %s in its place.",
            secret,
            "'secrets'" if plan.backend == BUILDX else "'build_backend: buildx' and 'secrets'",
        )

    def build() -> BuildDockerImageResult:
        built, image_id = build_image(plan, use_known=not is_ignored, logger=logger)
        return {
            "image_name": built.repository,
            "tag": str(built.tag),
            "image": built.reference,
            "image_id": image_id,
            "additional_tags": None if additional_tags is None else list(built.additional_tags),
        }

    def is_valid(output: BuildDockerImageResult) -> bool:
        return not plan.is_local or is_there(output["image"], output["image_id"])

    return StepCall(build, state=(plan.key, name.repository), is_valid=is_valid, ignores_memory=is_ignored)


@cacheable
@prepared_by(_prepare_build)
def build_docker_image(
    image_name: str,
    dockerfile: str = "Dockerfile",
    tag: str | None = None,
    additional_tags: list[str] | None = None,
    ignore_cache: bool = False,
    persist_dockerfile: bool = False,
    dockerfile_output_path: str = "Dockerfile.generated",
    build_backend: str = "docker-py",
    **build_kwargs: Any,
) -> BuildDockerImageResult:
    """Build a Docker image, before a deployment is created or updated.

    The image is not built again while nothing that goes into it changes: the Dockerfile, the files of the context
    without those that `.dockerignore` names, the options, the base images. That holds within one `prefect deploy` and
    from one to the next, as long as the engine still has the image.

    Three switches are easily mixed up. `ignore_cache` makes the step build although it knows the image; Docker may
    still take each layer from its own cache. `nocache` makes Docker build each layer anew. `pull` fetches base images
    anew; when it is not set, only those are fetched of which the registry has a newer one, and with `pull: false` none.

    Args:
        image_name: Name of the image: registry, namespace and repository, such as `registry.example.com/shop/orders`.
            One without a namespace gets that of the setting `PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE`.
        dockerfile: Path of the Dockerfile, relative to the build context; `auto` for one that is made for the purpose:
            it starts from Prefect's own image, installs `requirements.txt`, if there is one, and copies the context to
            `/opt/prefect/<name of the folder>`.
        tag: Tag of the image; date and time of the build in UTC when not given.
        additional_tags: Further tags of the image.
        ignore_cache: Whether to build although the image is known.
        persist_dockerfile: Whether to keep the Dockerfile that `auto` made.
        dockerfile_output_path: Where to keep it, relative to the working directory. What was there is written over.
        build_backend: `docker-py` for the engine's own builder; `buildx` for BuildKit by the Docker CLI and its plugin
            buildx, which knows secrets, SSH, cache mounts, caches in registries and several platforms.
        **build_kwargs: Further options. The build context is `path`, the working directory when not given. The others
            are those of
            [docker-py](https://docker-py.readthedocs.io/en/stable/images.html#docker.models.images.ImageCollection.build),
            such as `buildargs`, `labels`, `nocache`, `platform`, `pull` and `target`; and with `buildx` those of
            [python-on-whales](https://gabrieldemarmiesse.github.io/python-on-whales/sub-commands/buildx/#build), such
            as `secrets`, `ssh`, `cache_from`, `cache_to`, `platforms` and `push`. There, `secrets` may also be a
            mapping of IDs to values.

    Returns:
        Name, tag and ID of the image.

    Raises:
        DockerInvalidRequest: If an input is wrong; the message names it. It is a `ValueError`.
        ImageBuildFailed: If the image cannot be built. The message has the builder's reason and the step that failed.
        BuildxMissing: If `build_backend` is `buildx` and the Docker CLI or its plugin is not installed.
        DockerUnavailable: If no engine answers.

    Examples:
        Build an image:
        ```yaml
        build:
          - prefect_docker.deployments.steps.build_docker_image:
              requires: prefect-docker
              image_name: repo-name/image-name
              tag: dev
        ```

        Build an image with several tags:
        ```yaml
        build:
          - prefect_docker.deployments.steps.build_docker_image:
              requires: prefect-docker
              image_name: repo-name/image-name
              tag: dev
              additional_tags:
                - v0.1.0
                - dac9ccccedaa55a17916eef14f95cc7bdd3c8199
        ```

        Build an image without a Dockerfile of your own, and keep the one that was made:
        ```yaml
        build:
          - prefect_docker.deployments.steps.build_docker_image:
              requires: prefect-docker
              image_name: repo-name/image-name
              tag: dev
              dockerfile: auto
              persist_dockerfile: true
              dockerfile_output_path: Dockerfile.generated
        ```

        Build an image for another platform:
        ```yaml
        build:
          - prefect_docker.deployments.steps.build_docker_image:
              requires: prefect-docker
              image_name: repo-name/image-name
              tag: dev
              platform: linux/amd64
        ```

        Build an image with a secret that is not in it afterwards:
        ```yaml
        build:
          - prefect_docker.deployments.steps.build_docker_image:
              requires: prefect-docker
              image_name: repo-name/image-name
              tag: dev
              build_backend: buildx
              secrets:
                pip-token: "{{ prefect.blocks.secret.pip-token }}"
        ```
    """
    return _prepare_build(
        image_name,
        dockerfile,
        tag,
        additional_tags,
        ignore_cache,
        persist_dockerfile,
        dockerfile_output_path,
        build_backend,
        **build_kwargs,
    ).run()


def _prepare_push(
    image_name: str,
    tag: str | None = None,
    credentials: dict[str, Any] | None = None,
    additional_tags: list[str] | None = None,
    ignore_cache: bool = False,
    build_backend: str = "docker-py",
) -> StepCall[PushDockerImageResult]:
    name = _image_name(image_name, tag, additional_tags)
    backend = backend_of(build_backend)
    block = credentials_from(credentials)

    def push() -> PushDockerImageResult:
        push_images(name, backend, block, logger=logger)
        return {
            "image_name": name.repository,
            "tag": name.tag,
            "image": name.reference,
            "additional_tags": list(name.additional_tags),
        }

    # What a tag stands for may have been built anew in between; all tags of a repository are too many to compare.
    state = None if name.tag is None else [local_id(reference) for reference in name.references]
    return StepCall(push, state=state, ignores_memory=truth("ignore_cache", ignore_cache))


@cacheable
@prepared_by(_prepare_push)
def push_docker_image(
    image_name: str,
    tag: str | None = None,
    credentials: dict[str, Any] | None = None,
    additional_tags: list[str] | None = None,
    ignore_cache: bool = False,
    build_backend: str = "docker-py",
) -> PushDockerImageResult:
    """Push a Docker image to the registry that its name says.

    Within one `prefect deploy` the same image is pushed once.

    Args:
        image_name: Name of the image: registry, namespace and repository. One without a registry goes to Docker Hub.
        tag: Tag of the image; all tags that the image has on the engine when not given.
        credentials: Fields of a `DockerRegistryCredentials` block: `username`, `password`, `registry_url` (Docker Hub's
            when not given). They are sent to that registry alone, and kept nowhere. Without them, Docker's own logins
            and credential helpers are used.
        additional_tags: Further tags to push.
        ignore_cache: Whether to push although this process has done so.
        build_backend: `docker-py`; or `buildx` to push by the Docker CLI, with its own logins, what that has built.

    Returns:
        Name and tag of the image.

    Raises:
        DockerInvalidRequest: If an input is wrong; the message names it. It is a `ValueError`.
        DockerImageNotFound: If the engine has no such image.
        ImagePushDenied: If the registry does not let these credentials, or none, push the image.
        ImagePushFailed: If it cannot be pushed otherwise. The message has the registry's reason.
        DockerUnavailable: If no engine answers.

    Examples:
        Build an image and push it to a private registry:
        ```yaml
        build:
          - prefect_docker.deployments.steps.build_docker_image:
              id: build-image
              requires: prefect-docker
              image_name: registry.example.com/repo-name/image-name
              tag: dev
              dockerfile: auto

        push:
          - prefect_docker.deployments.steps.push_docker_image:
              requires: prefect-docker
              image_name: "{{ build-image.image_name }}"
              tag: "{{ build-image.tag }}"
              credentials: "{{ prefect.blocks.docker-registry-credentials.dev-registry }}"
        ```

        Push all of an image's tags:
        ```yaml
        push:
          - prefect_docker.deployments.steps.push_docker_image:
              requires: prefect-docker
              image_name: "{{ build-image.image_name }}"
              tag: "{{ build-image.tag }}"
              additional_tags: "{{ build-image.additional_tags }}"
              credentials: "{{ prefect.blocks.docker-registry-credentials.dev-registry }}"
        ```
    """
    return _prepare_push(image_name, tag, credentials, additional_tags, ignore_cache, build_backend).run()
