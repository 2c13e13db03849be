"""A task that pulls images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import async_task, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger

from ._engine import engine_for_task
from ._pulls import log_in, pull_all_tags, pull_image, pulls_itself
from ._references import parse_image
from .credentials import DockerRegistryCredentials
from .errors import DockerInvalidRequest, docker_errors
from .host import DockerHost

if TYPE_CHECKING:
    from docker.models.images import Image


def _pull_docker_image(
    repository: str,
    tag: str | None = None,
    platform: str | None = None,
    all_tags: bool = False,
    docker_host: DockerHost | None = None,
    docker_registry_credentials: DockerRegistryCredentials | None = None,
    **pull_kwargs: Any,
) -> Image | list[Image]:
    auth_config = pull_kwargs.pop("auth_config", None)
    for name in ("stream", "decode"):  # the SDK's own method overrides them, too
        pull_kwargs.pop(name, None)
    if pull_kwargs:
        names = ", ".join(sorted(pull_kwargs))
        raise DockerInvalidRequest(f"pull_docker_image: unknown argument {names}; images.pull takes auth_config.")
    reference = parse_image(_with_tag(repository, None if all_tags else tag))
    options: dict[str, Any] = {
        "credentials": docker_registry_credentials,
        "platform": platform,
        "logger": run_logger(__name__),
        "auth_config": auth_config,
    }
    client = engine_for_task(docker_host)
    if pulls_itself(client):
        given = {"auth_config": auth_config} if auth_config else {}
        log_in(client, docker_registry_credentials)
        with docker_errors(f"Image {reference.text!r}"):
            return client.images.pull(repository=repository, tag=tag, platform=platform, all_tags=all_tags, **given)
    return pull_all_tags(client, reference, **options) if all_tags else pull_image(client, reference, **options)


def _with_tag(repository: str, tag: str | None) -> str:
    """Join repository and tag; a tag that is given wins over one in the repository's name."""
    if not tag:
        return repository
    name = repository.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}{'@' if ':' in tag else ':'}{tag}"


@async_task(_pull_docker_image)
async def pull_docker_image(
    repository: str,
    tag: str | None = None,
    platform: str | None = None,
    all_tags: bool = False,
    docker_host: DockerHost | None = None,
    docker_registry_credentials: DockerRegistryCredentials | None = None,
    **pull_kwargs: Any,
) -> Image | list[Image]:
    """Pull an image, as `docker pull` does, and return it.

    Failures of the registry or the network that may pass are tried again, three times in all. Without a block the
    credentials are those that Docker's `config.json` has for the registry, credential helpers included.

    Args:
        repository: Repository, with its registry unless that is Docker Hub; tag or digest may follow it as well.
        tag: Tag or digest to pull; `latest` when neither this nor `repository` names one.
        platform: Platform as `os[/arch[/variant]]`; the engine's own when not given.
        all_tags: Whether to pull every tag; `tag` is then ignored.
        docker_host: The engine; what the environment says when not given.
        docker_registry_credentials: User and password for the image's registry. They go with this pull alone.
        pull_kwargs: Further arguments of
            [`images.pull`](https://docker-py.readthedocs.io/en/stable/images.html#docker.models.images.ImageCollection.pull).

    Returns:
        The image, as the Docker SDK models it; with `all_tags` a list of all images of the repository that the engine
        then has.

    Raises:
        ImagePullFailed: If it could not be pulled. The message has the engine's reason, the registry that was asked and
            the credentials that were used.
        DockerInvalidRequest: If the name is not that of an image. It is a `ValueError`.
        DockerUnavailable: If no engine answers.

    Example:
        Pull the image `prefecthq/prefect` with the tag `latest-python3.10`:

        ```python
        from prefect import flow
        from prefect_docker.images import pull_docker_image


        @flow
        def pull_docker_image_flow():
            return pull_docker_image(repository="prefecthq/prefect", tag="latest-python3.10").id


        pull_docker_image_flow()
        ```
    """
    return await run_sync_in_worker_thread(
        _pull_docker_image,
        repository,
        tag,
        platform,
        all_tags,
        docker_host,
        docker_registry_credentials,
        **pull_kwargs,
    )
