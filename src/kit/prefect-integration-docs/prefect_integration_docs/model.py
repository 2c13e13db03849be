"""What a page shows of a module, in plain values that can be written to the cache as JSON."""

from __future__ import annotations

from typing import TypedDict


class Parameter(TypedDict):
    """One parameter; `kind` is that of `inspect.Parameter`, in words such as `positional-only`."""

    name: str
    kind: str
    annotation: str | None
    default: str | None


class Signature(TypedDict):
    """What stands in one fence."""

    parameters: list[Parameter]
    returns: str | None
    is_async: bool


class Item(TypedDict):
    """An entry of a section: a parameter, an error, what is returned (then without a name)."""

    name: str
    annotation: str | None
    text: str


class Section(TypedDict):
    """A part of a docstring.

    `kind` is `text`, `admonition` (`title` is its word), `examples`, or the kind of a list: `args`, `returns`, …
    """

    kind: str
    title: str
    text: str
    items: list[Item]


class Deprecation(TypedDict):
    """What a decorator says of the end of something."""

    since: str
    removal: str
    text: str


class Function(TypedDict):
    """A function, method or property.

    Attributes:
        badges: What it is besides a function: `task`, `flow`, `property`, `class method`, `static method`.
        signatures: One, or one for each overload.
    """

    name: str
    line: int
    badges: list[str]
    signatures: list[Signature]
    doc: list[Section]
    deprecated: Deprecation | None


class Field(TypedDict):
    """An annotated attribute of a class, which may be a field.

    Attributes:
        default: The default as it is written, or None when one must be given.
        aliases: Other names under which the value is read.
        constraints: Such as `ge=1`.
    """

    name: str
    line: int
    annotation: str
    default: str | None
    description: str
    aliases: list[str]
    constraints: list[str]
    deprecated: str


class Class(TypedDict):
    """A class.

    Attributes:
        bases: Dotted paths, as far as this module's imports tell; empty for one that is computed.
        base_texts: The bases as written.
        decorators: Dotted paths.
        constructor: The signature of its own `__init__`, if it has one.
        fields: Every annotated attribute with a public name.
        values: Text of the attributes by which blocks, workers, settings and enumerations say what they are.
    """

    name: str
    line: int
    bases: list[str]
    base_texts: list[str]
    decorators: list[str]
    doc: list[Section]
    deprecated: Deprecation | None
    constructor: Signature | None
    methods: list[Function]
    fields: list[Field]
    values: dict[str, str]


class Constant(TypedDict):
    """A public value of a module."""

    name: str
    line: int
    annotation: str | None
    value: str
    doc: list[Section]


class Note(TypedDict):
    """Something wrong in the file."""

    line: int
    message: str
    fatal: bool


class ModuleModel(TypedDict):
    """A source file, read.

    Attributes:
        imports: Local names and the dotted paths that they stand for.
        stars: Modules from which everything is imported.
        exports: Names that `__all__` lists.
        broken: Whether the file could not be read; its page is then left as it is.
    """

    name: str
    is_package: bool
    doc: list[Section]
    functions: list[Function]
    classes: list[Class]
    constants: list[Constant]
    imports: dict[str, str]
    stars: list[str]
    exports: list[str]
    notes: list[Note]
    broken: bool
