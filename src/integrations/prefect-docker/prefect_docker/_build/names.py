"""Names and tags of images: checked before anything is built, so that a slip is told by the field it is in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from prefect_docker._references import ImageReference, parse_image
from prefect_docker.errors import DockerInvalidRequest

# https://pkg.go.dev/github.com/distribution/reference#pkg-overview
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_MAX_NAME = 255


@dataclass(frozen=True)
class ImageName:
    """A repository, and the tags that a step gives to an image in it."""

    repository: str
    tag: str | None
    additional_tags: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """Repository and tag, or the repository alone when there is no tag."""
        return self.at(self.tag) if self.tag else self.repository

    @property
    def references(self) -> list[str]:
        """The image by each of its tags, each once, the main one first."""
        return list(dict.fromkeys([self.reference, *(self.at(tag) for tag in self.additional_tags)]))

    def at(self, tag: str) -> str:
        """The image by another tag."""
        return f"{self.repository}:{tag}"

    def parsed(self) -> ImageReference:
        """The image, taken apart."""
        return parse_image(self.reference)


def image_name(name: Any, tag: Any = None, additional_tags: Any = None) -> ImageName:
    """Check what a step was given as the name of an image.

    A name without a namespace gets that of the setting `PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE`, if it is set.

    Args:
        name: The input `image_name`; it may end in a tag.
        tag: The input `tag`.
        additional_tags: The input `additional_tags`.

    Raises:
        DockerInvalidRequest: If one of them is none; the message names the field.
    """
    from prefect.settings import PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE
    from prefect.utilities.dockerutils import split_repository_path

    if not isinstance(name, str) or not name.strip():
        what = "empty" if name is None or isinstance(name, str) else f"{name!r}, which is no text"
        raise DockerInvalidRequest(f"image_name is {what}. Give one, such as 'registry.example.com/shop/orders'.")
    repository, own_tag = _taken_apart(name)
    main = None if tag is None else _tag("tag", tag)
    if own_tag is not None:
        if main not in (None, own_tag):
            raise DockerInvalidRequest(
                f"image_name {name!r} ends in the tag {own_tag!r}, and tag is {main!r}. Give the tag once."
            )
        main = own_tag
    namespace, last = split_repository_path(repository)
    if not namespace and (default := PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE.value()):
        repository = f"{default.rstrip('/')}/{last}"
        _taken_apart(repository, "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE and image_name make")
    return ImageName(repository, main, _tags(additional_tags))


def _taken_apart(name: str, field: str = "image_name") -> tuple[str, str | None]:
    """Split off the tag of a name that is one."""
    try:
        found = parse_image(name)
    except DockerInvalidRequest as exc:
        raise DockerInvalidRequest(f"{field} {name!r}: {exc.reason}.{_hint(name)}") from None
    if found.digest or found.is_id:
        raise DockerInvalidRequest(
            f"{field} {name!r} is the digest or ID of an image, which come of what is built. Give repository and tag."
        )
    if len(found.repository) > _MAX_NAME:
        raise DockerInvalidRequest(
            f"{field} {name!r}: it has {len(found.repository)} characters, and may have {_MAX_NAME}."
        )
    return found.repository, found.tag


def _hint(name: str) -> str:
    host, slash, path = name.rpartition("://")[2].partition("/")
    if not any(sign in host for sign in ".:") or not slash:
        host, slash, path = "", "", name
    better = f"{host}{slash}{re.sub(r'[^a-z0-9._:/-]+', '-', path.lower()).strip('-/')}"
    try:
        parse_image(better)
    except DockerInvalidRequest:
        return ""
    return (
        f" Write {better!r}."
        if host or not name.startswith("/")
        else (f" Put the registry or namespace before the slash, or write {better!r}.")
    )


def _tag(field: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, float | bool):
        raise DockerInvalidRequest(f"{field} is the number or truth value {value!r}. Put it in quotes in the YAML.")
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise DockerInvalidRequest(
            f"{field} {value!r} is no tag: a tag has up to 128 letters, digits, '_', '.' and '-', and begins with"
            " neither of the last two."
        )
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise DockerInvalidRequest(f"additional_tags is {value!r}. Give a list, such as [v1.2, stable].")
    items = cast("list[Any] | tuple[Any, ...]", value)
    return tuple(_tag(f"additional_tags[{index}]", item) for index, item in enumerate(items))
