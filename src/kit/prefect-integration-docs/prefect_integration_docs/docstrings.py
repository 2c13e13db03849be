"""Read docstrings in Google style into sections, and say where they do not parse."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_docs.model import Item, Note, Section

if TYPE_CHECKING:
    import griffe

_LISTS = {
    "parameters": "args",
    "other parameters": "other args",
    "returns": "returns",
    "yields": "yields",
    "receives": "receives",
    "raises": "raises",
    "warns": "warns",
    "attributes": "attributes",
}
_NAMED = frozenset({"args", "other args", "attributes"})
# Section words that griffe takes for admonitions, and one that it knows in another form only.
_SAME_AS = {"example": "examples"}
_FENCE = re.compile(r"^\s*(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)$")
_BULLET = re.compile(r"^[-+*]\s+`?(?P<name>[^`]*)`?$")
_MESSAGE = re.compile(r"^.*?:(?P<line>\d+): (?P<message>.*)$", re.DOTALL)
_OPTIONS: dict[str, Any] = {
    "returns_named_value": False,
    "returns_multiple_items": False,
    "receives_named_value": False,
    "receives_multiple_items": False,
    "warn_missing_types": False,
}
_BULLETED = re.compile(r"^Parameter '[-+*] ")
_DEPRECATION = re.compile(
    r"^(?:\.\. deprecated::(?P<directive>.*(?:\n[ ]+\S.*)*)|(?:(?<=\n\n)|\A)Deprecated\b.+(?:\n.+)*)", re.MULTILINE
)
_UNREAD = re.compile(r"^Failed to get '(?P<pair>[^']*)' pair from ['\"](?P<text>.*)['\"]$", re.DOTALL)
_UNREAD_KINDS = {"exception": "raises", "warning": "warns", "name": "args"}
# What griffe says of a section that it cannot read; all else that it says is advice.
_FATAL = ("Failed to get", "Possible section", "Empty", "Could not parse")


class _Listener(logging.Handler):
    """Keep what griffe says while it reads a docstring."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Turn a record into a note."""
        match = _MESSAGE.match(record.getMessage())
        if match is not None and not _BULLETED.search(match["message"]):
            message = match["message"].replace("\n", " ")
            self.notes.append(Note(line=int(match["line"]), message=message, fatal=message.startswith(_FATAL)))


class _Signature:
    """What the owner of a docstring says of types by itself."""

    def __init__(self, owner: object) -> None:
        self.returns = str(getattr(owner, "returns", None) or "")
        parameters: Any = getattr(owner, "parameters", ())
        self._typed = {each.name for each in parameters if each.annotation is not None}

    def says_type_of(self, name: str, kind: str) -> bool:
        """Whether the type in a docstring would say again what is known, or is a guess of griffe's."""
        return kind == "attributes" or name.lstrip("*") in self._typed


_listener = _Listener()
_logger = logging.getLogger("griffe")
_logger.addHandler(_listener)
_logger.propagate = False


def read(docstring: griffe.Docstring | None, notes: list[Note]) -> list[Section]:
    """Read a docstring.

    Args:
        docstring: As griffe found it, with the object that it belongs to.
        notes: Where to put what is wrong with it.

    Returns:
        Its sections, in order.
    """
    if docstring is None or not docstring.value.strip():
        return []
    if (unclosed := _unclosed_fence(docstring.value)) is not None:
        line = (docstring.lineno or 1) + unclosed
        notes.append(Note(line=line, message="this fence is never closed; end it with ```", fatal=True))
    _listener.notes.clear()
    try:
        parsed = docstring.parse("google", **_OPTIONS)
    except Exception as exc:  # noqa: BLE001 - griffe fails on some malformed sections; the rest of the page must not
        message = f"this docstring does not parse ({type(exc).__name__}: {exc}); look for an empty section"
        notes.append(Note(line=docstring.lineno or 1, message=message, fatal=True))
        return [Section(kind="text", title="", text=docstring.value, items=[])]
    notes.extend(_listener.notes)
    signature = _Signature(docstring.parent)
    sections = [part for section in parsed for part in _without_deprecation(_section(section, signature))]
    for note in _listener.notes:
        _keep_unread(sections, note["message"])
    return sections


def _without_deprecation(section: Section) -> Iterator[Section]:
    """Cut a text where it says that its subject is deprecated: by Sphinx's directive, or by its first word."""
    if section["kind"] != "text" or "eprecated" not in section["text"]:
        yield section
        return
    position = 0
    for match in _DEPRECATION.finditer(section["text"]):
        yield from _text(section["text"][position : match.start()])
        said = match["directive"] if match["directive"] is not None else match[0]
        yield Section(kind="admonition", title="Deprecated", text=" ".join(said.split()), items=[])
        position = match.end()
    yield from _text(section["text"][position:])


def _text(text: str) -> Iterator[Section]:
    if stripped := text.strip("\n"):
        yield Section(kind="text", title="", text=stripped, items=[])


def _keep_unread(sections: list[Section], message: str) -> None:
    """Put the text of an entry that griffe could not read, and so left out, where the reader finds it."""
    match = _UNREAD.match(message)
    if match is None:
        return
    kind = _UNREAD_KINDS.get(match["pair"].split(":")[0], "args")
    item = Item(name="", annotation=None, text=match["text"])
    for section in sections:
        if section["kind"] == kind:
            section["items"].append(item)
            return
    sections.append(Section(kind=kind, title="", text="", items=[item]))


def _unclosed_fence(text: str) -> int | None:
    """Find the line, counted from 0, of a fence that nothing closes."""
    mark, opened = "", 0
    for number, line in enumerate(text.splitlines()):
        match = _FENCE.match(line)
        if match is None:
            continue
        if not mark:
            mark, opened = match["mark"], number
        elif match["mark"].startswith(mark) and not match["info"].strip():
            mark = ""
    return opened if mark else None


def _section(section: griffe.DocstringSection, signature: _Signature) -> Section:
    kind = str(cast("Any", section.kind).value)
    value: Any = section.value
    made = Section(kind="text", title=section.title or "", text="", items=[])
    if kind in _LISTS:
        made["kind"] = _LISTS[kind]
        made["items"] = [_item(element, made["kind"], signature) for element in value]
    elif kind == "admonition":
        word = cast("str", value.kind)
        made["kind"] = _SAME_AS.get(word, "admonition")
        made["text"] = cast("str", value.contents)
    elif kind == "examples":
        made["kind"] = "examples"
        made["text"] = "\n\n".join(cast("str", text) for _, text in value)
    elif kind == "deprecated":
        made["kind"] = "admonition"
        made["title"] = "Deprecated"
        made["text"] = ": ".join(part for part in (str(value.annotation or ""), value.description) if part)
    elif kind == "text":
        made["text"] = cast("str", value)
    else:  # lists of functions, classes, modules, … in a docstring
        made["kind"] = "admonition"
        made["title"] = section.title or kind.capitalize()
        made["text"] = "\n".join(f"- `{element.name}`: {element.description}" for element in value)
    return made


def _item(element: Any, kind: str, signature: _Signature) -> Item:
    """Read an entry. Griffe takes what stands before a colon for a type, though in prose it need not be one."""
    annotation = None if element.annotation is None else str(element.annotation)
    text = cast("str", element.description or "")
    if kind in _NAMED:
        # Written as a list, an entry has a mark that griffe takes for a part of the name.
        name = _BULLET.sub(r"\g<name>", cast("str", element.name))
        return Item(name=name, annotation=None if signature.says_type_of(name, kind) else annotation, text=text)
    if kind in ("raises", "warns"):
        return Item(name=annotation or "", annotation=None, text=text)
    if annotation is not None and annotation != signature.returns:
        text = f"{annotation}: {text}" if text else annotation
    return Item(name="", annotation=None, text=text)
