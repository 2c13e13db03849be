"""From a plan to an image: the one of an earlier deploy when nothing has changed, else a new one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from prefect_docker._build.attempts import repeated
from prefect_docker._build.bases import ids_of, refresh
from prefect_docker._build.buildx import build_with_buildx
from prefect_docker._build.context import describe_large
from prefect_docker._build.engine import build_on_engine, tag_image
from prefect_docker._build.names import ImageName
from prefect_docker._build.options import BUILDX
from prefect_docker._build.output import Output
from prefect_docker._build.plan import BuildPlan
from prefect_docker._build.records import BuildRecord, read_record, write_record
from prefect_docker._engine import engine_for_step, is_stand_in
from prefect_docker._images import find_local
from prefect_integration_kit.logs import Log
from prefect_docker._references import parse_image

if TYPE_CHECKING:
    from docker import DockerClient

_pushed: set[str] = set()


def was_pushed(reference: str) -> bool:
    """Say whether a build of this process sent an image to its registry."""
    return reference in _pushed


def build_image(plan: BuildPlan, *, use_known: bool, logger: Log) -> tuple[ImageName, str]:
    """Build an image, unless the engine has the one that would come of it.

    Args:
        plan: What to build.
        use_known: Whether an image of an earlier deploy will do.
        logger: Is told what happens.

    Returns:
        The image's names, with a tag made of the date when the plan has none, and its ID.

    Raises:
        ImageBuildFailed: If it cannot be built.
        DockerError: If the engine cannot be asked.
    """
    try:
        return _build_image(plan, use_known=use_known, logger=logger)
    except BaseException:
        plan.undo()
        raise


def _build_image(plan: BuildPlan, *, use_known: bool, logger: Log) -> tuple[ImageName, str]:
    client = engine_for_step() if plan.is_local else None
    engine = None if client is None or is_stand_in(client) else client  # a test's has no images to look for
    if engine is not None:
        if plan.options.pull is None:
            platforms = plan.options.others.get("platforms") or [plan.options.others.get("platform")]
            refresh(engine, plan.bases, platforms[0], logger)
        if use_known and (known := _known(engine, plan)) is not None:
            name, image_id = known
            logger.info(
                "Image %s is up to date: nothing that goes into it has changed. ignore_cache builds it all the same.",
                name.reference,
            )
            return name, image_id
    if plan.context is not None and (warning := describe_large(plan.context)):
        logger.warning(warning)
    name = plan.name if plan.name.tag else replace(plan.name, tag=_tag_of_now())
    image_id = repeated(lambda: _build_once(client, plan, name, logger), logger)
    if engine is not None:
        _remember(engine, plan, name, image_id)
    logger.info("Built image %s (%s)", name.reference, image_id)
    return name, image_id


def _build_once(client: DockerClient | None, plan: BuildPlan, name: ImageName, logger: Log) -> str:
    output = Output(plan.secrets)
    if plan.backend == BUILDX:
        image_id = build_with_buildx(plan, name.references, output)
        if plan.options.others.get("push"):
            _pushed.update(name.references)
        if client is None:
            return image_id
        # A builder in a container reports the ID of another manifest: https://github.com/docker/buildx/issues/420
        found = find_local(client, parse_image(name.reference))
        return image_id if found is None else str(found.id)
    engine = client or engine_for_step()
    image_id = build_on_engine(engine, plan, name.reference, output)
    tag_image(engine, image_id, name.references if is_stand_in(engine) else name.references[1:])
    return image_id


def _known(client: DockerClient, plan: BuildPlan) -> tuple[ImageName, str] | None:
    """Find the image that the same build made before, if the engine still has it and its base images."""
    if not plan.may_be_known or plan.key is None or (record := read_record(plan.key)) is None:
        return None
    if find_local(client, parse_image(record.image_id)) is None or record.bases != ids_of(client, plan.bases):
        return None
    name = plan.name
    if name.tag is None:
        tag = record.tags.get(name.repository)
        if tag is None or not is_at(client, name.at(tag), record.image_id):
            name = replace(name, tag=_tag_of_now())
            write_record(plan.key, replace(record, tags={**record.tags, name.repository: str(name.tag)}))
        else:
            name = replace(name, tag=tag)
    tag_image(client, record.image_id, name.references)
    return name, record.image_id


def is_at(client: DockerClient, reference: str, image_id: str) -> bool:
    """Say whether an image has a name on the engine.

    Args:
        client: A client of the engine.
        reference: The name.
        image_id: The image.
    """
    found = find_local(client, parse_image(reference))
    return found is not None and found.id == image_id


def _remember(client: DockerClient, plan: BuildPlan, name: ImageName, image_id: str) -> None:
    if plan.key is None or plan.adds_from_afar:
        return
    before = read_record(plan.key)
    tags = before.tags if before is not None and before.image_id == image_id else {}
    made_up = {} if plan.name.tag else {name.repository: str(name.tag)}
    write_record(plan.key, BuildRecord(image_id, ids_of(client, plan.bases), {**tags, **made_up}))


def _tag_of_now() -> str:
    from prefect.utilities.slugify import slugify

    return slugify(datetime.now(timezone.utc).isoformat())
