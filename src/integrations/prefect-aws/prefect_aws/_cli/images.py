"""Does an image exist? ECR is asked by its API, other registries by their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prefect_integration_kit.findings import Finding, failed, ok, warning
from prefect_integration_kit.image_registries import Image, look_up, parse_image

from ..errors import AwsError, aws_errors

if TYPE_CHECKING:
    import httpx

    from .account import Account

CHECK = "image"
_ECR = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr[a-z-]*\.(?P<region>[a-z0-9-]+)\.")
_IF_PRIVATE = "Tasks need repositoryCredentials in their task definition."


def check_image(
    account: Account, name: str, *, ask_registries: bool, http: httpx.Client | None = None
) -> Iterator[Finding]:
    """Look an image up.

    Args:
        account: Who asks ECR.
        name: The image.
        ask_registries: Whether registries other than ECR are asked, too.
        http: A client to ask them with.
    """
    image = parse_image(name)
    if ecr := _ECR.match(image.registry):
        yield _in_ecr(account, name, image, ecr["account"], ecr["region"])
    elif not ask_registries:
        yield ok(CHECK, f"{name} is not in ECR; whether it exists was not checked (--check-image-registry does).")
    else:
        yield look_up(CHECK, name, if_private=_IF_PRIVATE, http=http)
    if image.reference == "latest":
        yield warning(CHECK, f"{name} has no tag of its own: what runs changes with each push. Name a version.")


def _in_ecr(account: Account, name: str, image: Image, owner: str, region: str) -> Finding:
    key = "imageDigest" if image.reference.startswith("sha256:") else "imageTag"
    try:
        with aws_errors(f"Image {name}"):
            found = account.client("ecr", region=region).describe_images(
                registryId=owner, repositoryName=image.repository, imageIds=[{key: image.reference}]
            )["imageDetails"]
    except AwsError as exc:
        if exc.code == "RepositoryNotFoundException":
            return failed(
                CHECK, f"{name}: account {owner} has no repository {image.repository!r} in {region}. Correct image."
            )
        if exc.code != "ImageNotFoundException":
            raise
        found = []
    if not found:
        return failed(CHECK, f"{name}: the repository has no image {image.reference!r}. Push it or correct image.")
    return ok(CHECK, f"{name} is in ECR.")
