"""Names of images are taken apart as Docker does it."""

from __future__ import annotations

import pytest

from prefect_docker._references import parse_image, registry_host
from prefect_docker.errors import DockerInvalidRequest

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("image", "registry", "path", "tag", "digest"),
    [
        ("ubuntu", "docker.io", "library/ubuntu", None, None),
        ("ubuntu:22.04", "docker.io", "library/ubuntu", "22.04", None),
        ("prefecthq/prefect:3-latest", "docker.io", "prefecthq/prefect", "3-latest", None),
        ("docker.io/prefecthq/prefect", "docker.io", "prefecthq/prefect", None, None),
        ("index.docker.io/library/ubuntu", "docker.io", "library/ubuntu", None, None),
        ("localhost/shop", "localhost", "shop", None, None),
        ("localhost:5000/shop", "localhost:5000", "shop", None, None),
        ("registry.example.com:5000/a/b/c:v1", "registry.example.com:5000", "a/b/c", "v1", None),
        (f"ghcr.io/shop/app@{DIGEST}", "ghcr.io", "shop/app", None, DIGEST),
        (f"ghcr.io/shop/app:v1@{DIGEST}", "ghcr.io", "shop/app", "v1", DIGEST),
        ("[::1]:5000/shop", "[::1]:5000", "shop", None, None),
    ],
)
def test_a_name_is_taken_apart(image: str, registry: str, path: str, tag: str | None, digest: str | None) -> None:
    found = parse_image(image)
    assert (found.registry, found.path, found.tag, found.digest) == (registry, path, tag, digest)
    assert found.version == (digest or tag or "latest")


def test_an_image_id_is_no_name() -> None:
    assert parse_image(DIGEST).is_id
    assert parse_image("a1" * 32).is_id


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("https://ghcr.io/shop/app", "leave https:// out"),
        ("Shop/app", "'Shop' has capital letters; write 'shop'"),
        ("shop/App", "'App' has capital letters; write 'app'"),
        ("shop/app:", "the tag ''|tag"),
        ("shop/app:-v", "the tag '-v'"),
        ("shop/my app", "'my app' may have letters"),
        ("", "a part of it is empty"),
        ("shop//app", "a part of it is empty"),
        ("shop/app@sha256:12", "'sha256:12' is not a digest"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(image: str, reason: str) -> None:
    with pytest.raises(DockerInvalidRequest, match=reason) as caught:
        parse_image(image)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("https://hub.docker.com/", "docker.io"),
        ("registry.example.com", "registry.example.com"),
        ("HTTPS://Registry.Example.com:5000/team", "registry.example.com:5000"),
        ("us-docker.pkg.dev/project/repository", "us-docker.pkg.dev"),
    ],
)
def test_each_spelling_of_a_registry_means_one_host(url: str, host: str) -> None:
    assert registry_host(url) == host
