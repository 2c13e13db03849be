"""Parsers of prefect-docker."""

from __future__ import annotations

import re

from prefect_docker._references import parse_image, registry_host
from prefect_docker._worker.identifiers import parse_identifier, same_engine
from prefect_docker._worker.labels import container_name
from prefect_docker._worker.sizes import readable, size_in_bytes
from prefect_docker.errors import DockerInvalidRequest
from prefect_docker.types import assert_volume_str

from ..registry import refusing, target


@target("/srv/data:/data:ro", "my-volume:/data", "./a:/b", "C:\\data:/data:rw", "a:/b:upperdir=/x", ":/", "a:b:c:d")
def volumes(text: str) -> None:
    """A volume that is taken has a source, an absolute target, and comes back as it is."""
    with refusing(ValueError):
        assert assert_volume_str(text) == text
        assert not text.startswith((":", "-"))
        assert "/" in text.partition(":")[2] or "\\" in text.partition(":")[2]


@target("512m", "2g", "1.5GB", "10", "-1", "1e9", "9" * 100 + "t", "٣m", " 1 k ")
def sizes(text: str) -> None:
    """A size is a number of bytes, or it is refused."""
    with refusing(ValueError):
        assert readable(size_in_bytes(text))


@target(
    "ubuntu",
    "h.io:5000/a/b:t",
    "a@sha256:" + "0" * 64,
    "localhost/a",
    "0" * 64,
    "A",
    "a//b",
    "https://h/a",
    "[::1]:5/a",
)
def images(text: str) -> None:
    """The name by which an engine knows an image is that of the same image."""
    with refusing(DockerInvalidRequest):
        image = parse_image(text)
        again = parse_image(image.local_name)
        assert (again.registry, again.path, again.version) == (image.registry, image.path, image.version)
        assert not image.local_name.startswith("-")
    registry_host(text)


@target("unix:///var/run/docker.sock:0f3a", "http+docker://localhost:0f", "tcp://h:2375:ab", ":", "x://:a/b")
def identifiers(text: str) -> None:
    """What is read of an identifier makes it again, and names nothing but a container."""
    with refusing(ValueError):
        found = parse_identifier(text)
        assert str(found) == text
        assert re.fullmatch(r"[\w.-]+", found.container_id, re.ASCII)
        assert same_engine(found.base_url, found.base_url)


@target("my flow/run", "-x", "..", "é", "a" * 300)
def container_names(text: str) -> None:
    """A name is legal whatever it is made of, and making it again changes nothing."""
    name = container_name(text)
    if name is not None:
        assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name)
        assert container_name(name) == name
