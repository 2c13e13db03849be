"""Names that links rely on: files and addresses of pages, and anchors of headings."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_SPACE = re.compile(r"\s+")
_ENCODED = re.compile(r"%[0-9A-F]{2}")
_POSSESSIVE = re.compile(r"([a-zA-Z\d]+)-([ts])(?=-|$)")
_COUNTER = re.compile(r"(?:-\d+?)+?$")
_PUNCTUATION = re.compile(r"[?,;:!'\"()\[\]{}]")
_EMOJI = re.compile("[\u200d\u231a-\u23ff\u2600-\u27bf\u2b50\u2b55\ufe0e\ufe0f\U0001f000-\U0001faff]")


def page_name(module: str, *, is_package: bool, holds_modules: bool) -> str:
    """Name the page of a module: dots become hyphens, and a package gets `-__init__`.

    Args:
        module: Dotted path, such as `prefect_aws.workers`.
        is_package: Whether it is the `__init__` of a package.
        holds_modules: Whether that package holds any other module; without one it is named as a module is.
    """
    name = module.replace(".", "-")
    return f"{name}-__init__" if is_package and holds_modules else name


def is_public(module: str) -> bool:
    """Whether no component of a dotted path begins with an underscore."""
    return not any(part.startswith("_") for part in module.split("."))


def _encoded_slug(title: str) -> str:
    encoded = quote(_SPACE.sub("-", title.lower().strip()), safe="-_.!~*'()")
    kept = r"[^a-zA-Z\d%_]+" if _ENCODED.search(encoded) else r"[^a-z\d_]+"
    reduced = _POSSESSIVE.sub(r"\1\2", re.sub(kept, "-", encoded))
    return re.sub(r"-{2,}", "-", reduced).strip("-")


def _decoded(slug: str) -> str:
    try:
        plain = unquote(slug, errors="strict")
    except UnicodeDecodeError:  # a sequence that was cut
        return slug
    return _EMOJI.sub("", _PUNCTUATION.sub("", plain))


class Anchors:
    """The anchors of one page, each given out once: the second `load` becomes `load-2`.

    As Mintlify makes them: its plugins `remarkComponentIds` and `remarkExtractTableOfContents` (npm package
    `@mintlify/common`) percent-encode a title, reduce it with `@sindresorhus/slugify` 2.2, count repetitions, decode,
    and count once more. Emoji are recognised by the blocks that hold most of them.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._taken: dict[str, int] = {}

    def take(self, title: str) -> str:
        """Make the anchor of the page's next heading.

        Args:
            title: The heading as it reads, without markup.
        """
        slug = _encoded_slug(title)
        return self._unique(_decoded(self._counted(slug)) or slug)

    def _counted(self, slug: str) -> str:
        if not slug:
            return ""
        lower = slug.lower()
        without_number = self._seen.get(_COUNTER.sub("", lower), 0)
        self._seen[lower] = number = self._seen.get(lower, 0) + 1
        return f"{slug}-{number}" if number >= 2 or without_number > 2 else slug

    def _unique(self, slug: str) -> str:
        number = self._taken.get(slug, 0)
        self._taken[slug] = number + 1
        if number == 0:
            return slug
        suffix = number + 1
        while f"{slug}-{suffix}" in self._taken:
            suffix += 1
        self._taken[f"{slug}-{suffix}"] = 1
        return f"{slug}-{suffix}"
