"""Names and tags that the steps are given."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.settings import PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE, temporary_settings

from prefect_docker._build.names import image_name
from prefect_docker.errors import DockerInvalidRequest


@pytest.mark.parametrize(
    ("name", "tag", "reference"),
    [
        ("orders", None, "orders"),
        ("shop/orders", "v1.2", "shop/orders:v1.2"),
        ("registry.example.com:5000/shop/orders", "V_1", "registry.example.com:5000/shop/orders:V_1"),
        ("localhost:5000/orders", 7, "localhost:5000/orders:7"),
        ("shop/orders:v1", None, "shop/orders:v1"),
        ("shop/orders:v1", "v1", "shop/orders:v1"),
        ("europe-docker.pkg.dev/a-b/c__d/e.f", "x", "europe-docker.pkg.dev/a-b/c__d/e.f:x"),
    ],
)
def test_a_good_name_is_kept(name: str, tag: Any, reference: str) -> None:
    assert image_name(name, tag).reference == reference


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((None,), "image_name is empty"),
        (("  ",), "image_name is empty"),
        ((3,), "image_name is 3, which is no text"),
        (("Shop/Orders",), "Write 'shop/orders'"),
        (("https://registry.example.com/shop",), "Write 'registry.example.com/shop'"),
        (("/gcp-weather-image",), "Put the registry or namespace before the slash, or write 'gcp-weather-image'"),
        (("my orders",), "Write 'my-orders'"),
        (("shop/orders@sha256:" + "0" * 64,), "is the digest or ID"),
        (("a" * 64,), "is the digest or ID"),
        (("x" * 256,), "has 256 characters, and may have 255"),
        (("shop/orders:v1", "v2"), "Give the tag once"),
        (("shop", "v 1"), "tag 'v 1' is no tag"),
        (("shop", "-v1"), "begins with neither"),
        (("shop", "v" * 129), "up to 128"),
        (("shop", 1.1), "tag is the number or truth value 1.1. Put it in quotes"),
        (("shop", "v1", "v2"), "additional_tags is 'v2'. Give a list"),
        (("shop", "v1", ["ok", "v0.1.0,"]), r"additional_tags\[1\] 'v0.1.0,' is no tag"),
    ],
    ids=lambda value: None if isinstance(value, tuple) else value[:24],
)
def test_a_bad_name_is_refused_with_its_field_and_a_remedy(inputs: tuple[Any, ...], message: str) -> None:
    with pytest.raises(DockerInvalidRequest, match=message):
        image_name(*inputs)


def test_a_name_without_a_namespace_gets_the_default_one() -> None:
    with temporary_settings({PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE: "registry.example.com/shop"}):
        assert image_name("orders").repository == "registry.example.com/shop/orders"
        assert image_name("team/orders").repository == "team/orders"
        assert image_name("localhost:5000/orders").repository == "localhost:5000/orders"


def test_a_bad_default_namespace_is_named() -> None:
    with (
        temporary_settings({PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE: "https://registry.example.com"}),
        pytest.raises(DockerInvalidRequest, match="PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE"),
    ):
        image_name("orders")


def test_each_tag_is_there_once() -> None:
    assert image_name("shop", "a", ["b", "a"]).references == ["shop:a", "shop:b"]
