"""`CHANGELOG.md` of a package: a section for each version, newest first, with headings for the kinds of change.

The sections of versions that were written by hand have headings of their own; they are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from itertools import zip_longest

from packaging.version import InvalidVersion, Version

from scripts.releases.errors import ReleaseError
from scripts.releases.fragments import TYPES, Fragment, by_type

NAME = "CHANGELOG.md"

_HEADING = re.compile(r"^## (?P<version>[0-9]\S*)(?: \((?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})\))?[ \t]*$", re.MULTILINE)
_SUBHEADING = re.compile(r"^### (?P<title>.*\S)[ \t]*$", re.MULTILINE)


def _find(text: str, version: Version) -> tuple[int, int, int] | None:
    """Find a section: where its heading begins, where its body begins, and where it ends."""
    headings = list(_HEADING.finditer(text))
    for heading, following in zip_longest(headings, headings[1:]):
        try:
            found = Version(heading["version"]) == version
        except InvalidVersion:
            continue
        if found:
            return heading.start(), heading.end(), following.start() if following else len(text)
    return None


def section(text: str, version: Version) -> str | None:
    """What a changelog says of a version, without the heading.

    Returns:
        The text, or None if there is no such section.
    """
    found = _find(text, version)
    return None if found is None else text[found[1] : found[2]].strip()


def with_release(text: str, version: Version, on: date, fragments: Iterable[Fragment]) -> str:
    """Put a release into a changelog.

    A section that the version has already, because it was written beforehand, gets the date, and the fragments below
    what it says. Otherwise a new section comes first.

    Args:
        text: The changelog.
        version: The version.
        on: The day of the release.
        fragments: What changed.

    Raises:
        ReleaseError: If the changelog does not begin with a heading.
    """
    if not text.startswith("# "):
        raise ReleaseError(f"{NAME} must begin with a line `# Changelog`")
    heading = f"## {version} ({on.isoformat()})"
    found = _find(text, version)
    if found is None:
        first = next(iter(_HEADING.finditer(text)), None)
        start = end = first.start() if first else len(text)
        body = ""
    else:
        start, end = found[0], found[2]
        body = text[found[1] : end].strip()
    before, after = text[:start].rstrip(), text[end:].strip()
    whole = [before, heading, _with_fragments(body, fragments), after]
    return "\n\n".join(part for part in whole if part) + "\n"


def _with_fragments(body: str, fragments: Iterable[Fragment]) -> str:
    for kind, group in by_type(fragments).items():
        entries = "\n".join(fragment.entry() for fragment in group)
        headings = list(_SUBHEADING.finditer(body))
        at = next((number for number, found in enumerate(headings) if found["title"] == TYPES[kind]), None)
        if at is None:
            body = f"{body}\n\n### {TYPES[kind]}\n\n{entries}".strip()
            continue
        end = headings[at + 1].start() if at + 1 < len(headings) else len(body)
        head, tail = body[:end].rstrip(), body[end:]
        body = f"{head}\n{entries}\n\n{tail}".strip()
    return body
