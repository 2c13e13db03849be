"""Does an image exist? ECR is asked by its API, other registries by their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from prefect_integration_kit.findings import Finding, failed, ok, warning

from ..errors import AwsError, aws_errors

if TYPE_CHECKING:
    import httpx

    from .account import Account

CHECK = "image"
_ECR = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr[a-z-]*\.(?P<region>[a-z0-9-]+)\.")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
_TIMEOUT_SECONDS = 20.0


class Image(NamedTuple):
    """An image's name, taken apart."""

    registry: str
    repository: str
    reference: str
    """A tag, or a digest such as `sha256:…`."""


def parse_image(name: str) -> Image:
    """Take an image's name apart, as Docker reads it.

    Args:
        name: Such as `prefecthq/prefect:3-latest`, or with a registry in front or a digest behind.
    """
    rest, _, digest = name.partition("@")
    first, slash, tail = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, tail
    else:
        registry, path = "registry-1.docker.io", rest if slash else f"library/{rest}"
    if registry in ("docker.io", "index.docker.io"):
        registry = "registry-1.docker.io"
    repository, _, tag = path.partition(":")
    return Image(registry, repository, digest or tag or "latest")


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
        yield _in_registry(name, image, http)
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


def _in_registry(name: str, image: Image, http: httpx.Client | None) -> Finding:
    import httpx

    scheme = "http" if image.registry.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{image.registry}/v2/{image.repository}/manifests/{image.reference}"
    with http or httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=True) as client:
        try:
            answer = client.head(url, headers={"Accept": _MANIFESTS})
            if answer.status_code == 401 and (token := _anonymous_token(client, answer.headers)):
                answer = client.head(url, headers={"Accept": _MANIFESTS, "Authorization": f"Bearer {token}"})
        except httpx.HTTPError as exc:
            return warning(CHECK, f"{name}: the registry {image.registry} could not be asked: {exc}")
    if answer.status_code == 404:
        return failed(CHECK, f"{name} does not exist in {image.registry}. Push it or correct image.")
    if answer.status_code in (401, 403):
        return warning(
            CHECK,
            f"{name} is private or does not exist: {image.registry} asks for credentials. Tasks need "
            "repositoryCredentials in their task definition.",
        )
    if answer.status_code >= 400:
        return warning(CHECK, f"{name}: the registry {image.registry} answered {answer.status_code}.")
    return ok(CHECK, f"{name} is in {image.registry}.")


def _anonymous_token(client: httpx.Client, headers: Mapping[str, str]) -> str | None:
    """Get a token for what everybody may pull, by https://distribution.github.io/distribution/spec/auth/token."""
    challenge = headers.get("www-authenticate", "")
    asked = dict(_PARAMETER.findall(challenge))
    if not challenge.lower().startswith("bearer ") or "realm" not in asked:
        return None
    answer = client.get(asked.pop("realm"), params={key: asked[key] for key in ("service", "scope") if key in asked})
    if answer.status_code != 200:
        return None
    body: dict[str, str] = answer.json()
    return body.get("token") or body.get("access_token")
