"""Render the sections of a docstring: bold labels with lists, examples, notes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from prefect_integration_docs import prose
from prefect_integration_docs.model import Deprecation, Item, Section
from prefect_integration_docs.prose import Linker

_LABELS = {
    "args": "Args",
    "other args": "Other Args",
    "returns": "Returns",
    "yields": "Yields",
    "receives": "Receives",
    "raises": "Raises",
    "warns": "Warns",
    "attributes": "Attributes",
}
_ADMONITIONS = {
    "note": "Note",
    "notes": "Note",
    "warning": "Warning",
    "caution": "Warning",
    "danger": "Warning",
    "important": "Warning",
    "tip": "Tip",
    "hint": "Tip",
    "info": "Info",
}
_NO_NAMES: frozenset[str] = frozenset()


def label(text: str) -> str:
    """Write the label of a section."""
    return f"**{text}:**"


def render(
    doc: list[Section],
    *,
    below: int,
    link: Linker,
    error_link: Linker | None = None,
    fields: Collection[str] = _NO_NAMES,
) -> list[str]:
    """Render a docstring as blocks, in its own order.

    Args:
        doc: Its sections.
        below: Level of the heading that it belongs to.
        link: Finds the address of a name in code.
        error_link: Finds the address of an error; `link` when not given.
        fields: Names to leave out of Attributes, since they are shown as fields.
    """
    blocks: list[str] = []
    for section in doc:
        name_link = error_link or link if section["kind"] in ("raises", "warns") else link
        blocks += _section(section, below, link, name_link, fields)
    return blocks


def _section(section: Section, below: int, link: Linker, name_link: Linker, fields: Collection[str]) -> Iterator[str]:
    kind = section["kind"]
    if kind in _LABELS:
        items = [item for item in section["items"] if not (kind == "attributes" and item["name"] in fields)]
        if items:
            yield label(_LABELS[kind])
            yield "\n".join(_item(item, below, link, name_link) for item in items)
    elif kind == "examples":
        if section["text"].strip():
            yield label("Examples")
            yield prose.render(section["text"], below=below, link=link)
    elif kind == "admonition":
        yield from _admonition(section, below, link)
    elif section["text"].strip():
        yield prose.render(section["text"], below=below, link=link)


def _item(item: Item, below: int, link: Linker, name_link: Linker) -> str:
    text = prose.render(item["text"], below=below, link=link)
    if not item["name"]:
        return listed(text)
    name = prose.linked(item["name"], name_link)
    if item["annotation"]:
        name += f" ({prose.code(item['annotation'])})"
    return listed(f"{name}: {text}" if text else name)


def listed(text: str) -> str:
    """Make a list item of a text, whose further lines stay within the item."""
    first, *rest = text.split("\n")
    return "\n".join([f"- {first}", *(f"  {line}" if line.strip() else "" for line in rest)])


def _admonition(section: Section, below: int, link: Linker) -> Iterator[str]:
    text = prose.render(section["text"], below=below, link=link)
    component = _ADMONITIONS.get(section["title"].lower())
    if component is not None:
        yield f"<{component}>\n{text}\n</{component}>"
    elif section["title"].lower() != "deprecated":
        yield label(prose.inline(section["title"], prose.no_links))
        yield text


def deprecation(said: Deprecation | None, doc: list[Section], *, below: int, link: Linker) -> list[str]:
    """Render what a decorator or a docstring says of the end of something.

    Args:
        said: What the decorator says, if there is one.
        doc: The docstring, for a section `Deprecated:` or a first sentence that begins so.
        below: Level of the heading that it belongs to.
        link: Finds the address of a name in code.

    Returns:
        One `<Warning>`, or nothing.
    """
    written = next((s["text"] for s in doc if s["kind"] == "admonition" and s["title"].lower() == "deprecated"), "")
    if said is None and not written:
        return []
    parts: list[str] = []
    if said is not None:
        since = f" since {said['since']}" if said["since"] else ""
        removal = f", to be removed after {said['removal']}" if said["removal"] else ""
        parts.append(f"Deprecated{since}{removal}.")
        if said["text"]:
            parts.append(prose.inline(said["text"], link))
    elif not written.lower().startswith("deprecated"):
        parts.append("Deprecated.")
    if written:
        parts.append(prose.render(written, below=below, link=link))
    return [f"<Warning>\n{' '.join(parts)}\n</Warning>"]


def is_deprecated(doc: list[Section]) -> bool:
    """Whether a docstring says that its subject is deprecated."""
    return any(section["kind"] == "admonition" and section["title"].lower() == "deprecated" for section in doc)
