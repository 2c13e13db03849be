"""What a class says of itself besides its methods: fields, bases, block type, worker type and job variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prefect_integration_docs import kinds, prose, sections
from prefect_integration_docs.library import Library
from prefect_integration_docs.masking import masked
from prefect_integration_docs.model import Field, Signature
from prefect_integration_docs.names import is_public
from prefect_integration_docs.plan import PlannedClass
from prefect_integration_docs.prose import Linker

ClassLink = Callable[[str], str]
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class ShownField:
    """A field, with what its class adds.

    Attributes:
        field: What it is.
        text: Its description, and what the docstring says besides.
        environment: The variables that it is read from.
        origin: The class that it is inherited from.
    """

    field: Field
    text: str
    environment: tuple[str, ...] = ()
    origin: str | None = None


@dataclass(frozen=True)
class Block:
    """A block type.

    Attributes:
        name: Name of the class.
        type_name: What the UI calls it.
        slug: What Prefect stores it under.
        module: Where to import it from.
    """

    name: str
    type_name: str
    slug: str
    module: str


@dataclass(frozen=True)
class View:
    """What is shown of a class between its docstring and its methods.

    Attributes:
        bases: Dotted path and text of each base.
        fields: Its fields.
        members: Name and value of each member of an enumeration.
        constructor: How it is called, where fields do not tell.
        block: What it is as a block type.
        worker: Type, class of job variables and names of these.
    """

    bases: list[tuple[str, str]]
    fields: list[ShownField]
    members: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    constructor: Signature | None = None
    block: Block | None = None
    worker: tuple[str, str, list[Field]] | None = None

    @property
    def names(self) -> frozenset[str]:
        """Names of the fields."""
        return frozenset(shown.field["name"] for shown in self.fields)


def view(library: Library, planned: PlannedClass, module: str) -> View:
    """Find out what is shown of a class.

    Args:
        library: The modules that pages speak of.
        planned: The class.
        module: The module where it is defined.
    """
    owner, lineage = planned.owner, planned.lineage
    kind = kinds.kind_of(owner, lineage)
    kind_fields = kind.has_fields or any(
        (found := library.class_of(path)) is not None and kinds.is_dataclass(found[1]) for path in lineage
    )
    fields: list[ShownField] = []
    if kind_fields:
        prefix = kinds.environment_prefix(library, lineage) if kind.is_settings else None
        fields = list(_fields(library, planned, prefix))
    members: list[tuple[str, str]] = []
    if kind.is_enum:
        members = [(name, value) for name, value in owner["values"].items() if not name.startswith("_")]
    constructor = None
    if not kind_fields and not kind.is_enum and planned.constructor_of is not None:
        constructor = planned.constructor_of["constructor"]
    if constructor is not None:  # as it is called
        constructor = Signature(parameters=constructor["parameters"][1:], returns=None, is_async=False)
    return View(
        bases=_bases(library, owner["bases"], owner["base_texts"]),
        fields=fields,
        members=members,
        constructor=constructor,
        block=_block(library, planned, module) if kind.is_block else None,
        worker=_worker(library, lineage) if kind.is_worker else None,
    )


def _bases(library: Library, bases: list[str], texts: list[str]) -> list[tuple[str, str]]:
    """List the bases that a reader can name: those of private modules are a matter of how the code is cut."""
    shown: list[tuple[str, str]] = []
    for path, text in zip(bases, texts, strict=False):
        found = library.class_of(path)
        resolved = f"{found[0]['name']}.{found[1]['name']}" if found is not None else path
        if path != "object" and is_public(resolved):
            shown.append((resolved, text))
    return shown


def _fields(library: Library, planned: PlannedClass, prefix: str | None) -> Iterator[ShownField]:
    said = {
        item["name"]: item["text"]
        for section in planned.owner["doc"]
        if section["kind"] in ("attributes", "args")
        for item in section["items"]
    }
    for name, (each, origin) in planned.fields.items():
        text, more = each["description"], said.get(name, "")
        if not text:
            text = more
        elif more and " ".join(more.split()) != " ".join(text.split()):
            text = f"{text}\n\n{more}"
        environment = tuple(_environment(library, planned, each, prefix)) if prefix is not None else ()
        yield ShownField(each, text, environment, origin)


def _environment(library: Library, planned: PlannedClass, each: Field, prefix: str) -> Iterator[str]:
    """Name the environment variables of a setting; a group of settings has none of its own."""
    home = planned.lineage[0].rpartition(".")[0]
    model = library.model(home)
    for word in _WORD.findall(each["annotation"]):
        path = f"{home}.{word}" if model is None else model["imports"].get(word, f"{home}.{word}")
        found = library.class_of(path)
        if found is not None:
            lineage = library.lineage(f"{found[0]['name']}.{found[1]['name']}")
            if kinds.kind_of(found[1], lineage).is_settings:
                return
    names = [alias for alias in each["aliases"] if alias != each["name"]]
    yield from ([name.upper() for name in names] if names else [f"{prefix}{each['name']}".upper()])


def _block(library: Library, planned: PlannedClass, module: str) -> Block:
    """Describe a block type, with the shortest path to import it from."""
    lineage = planned.lineage
    name = planned.owner["name"]
    type_name = kinds.text_value(library, lineage, "_block_type_name") or name
    own_slug = kinds.text_value(library, lineage, "_block_type_slug")
    slug = re.sub(r"[^a-z0-9]+", "-", (own_slug or type_name).lower()).strip("-")
    top = module.partition(".")[0]
    found = library.resolve(f"{top}.{name}")
    is_at_top = found is not None and found.path == lineage[0]
    return Block(name, type_name, slug, top if is_at_top else module)


def _worker(library: Library, lineage: list[str]) -> tuple[str, str, list[Field]] | None:
    kind = kinds.text_value(library, lineage, "type")
    if kind is None:
        return None
    for name in ("job_configuration_variables", "job_configuration"):
        path = kinds.raw_value(library, lineage, name)
        found = library.class_of(path) if path is not None and path != "None" else None
        if found is None:
            continue
        variables: dict[str, Field] = {}
        owner = f"{found[0]['name']}.{found[1]['name']}"
        for base in reversed(library.lineage(owner)):
            if (above := library.class_of(base)) is not None:
                variables.update({each["name"]: each for each in above[1]["fields"]})
        return kind, owner, list(variables.values())
    return kind, "", []


# --- rendering -------------------------------------------------------------------------------------------------------


def render(shown: View, link: Linker, class_link: ClassLink) -> Iterator[str]:
    """Render it.

    Args:
        shown: What `view` found.
        link: Finds the address of a name in code.
        class_link: Writes a class with a link to it.
    """
    if shown.block is not None:
        yield from _render_block(shown.block)
    if shown.worker is not None:
        yield from _render_worker(*shown.worker, class_link)
    if shown.fields:
        yield sections.label("Fields")
        yield "\n".join(_render_field(each, link, class_link) for each in shown.fields)
    if shown.members:
        yield sections.label("Members")
        yield "\n".join(f"- {prose.code(name)}: {prose.code(value)}" for name, value in shown.members)


def _render_block(block: Block) -> Iterator[str]:
    register = f"prefect block register -m {block.module.partition('.')[0]}"
    yield f"Block type {prose.code(block.type_name)}, slug {prose.code(block.slug)}. Register the type, load a block:"
    yield f"```bash\n{register}\n```"
    load = f'from {block.module} import {block.name}\n\nblock = {block.name}.load("BLOCK_NAME")'
    yield f"```python\n{load}\n```"


def _render_worker(kind: str, owner: str, variables: list[Field], class_link: ClassLink) -> Iterator[str]:
    yield (
        f"Worker type {prose.code(kind)}. Start one with "
        f"{prose.code(f'prefect worker start --pool POOL_NAME --type {kind}')}."
    )
    if variables:
        yield sections.label("Job variables")
        yield "\n".join(f"- {prose.code(each['name'])}: {_type_and_default(each)}." for each in variables)
        yield f"{class_link(owner)} says what each of them means."


def _type_and_default(each: Field) -> str:
    annotation = " ".join(each["annotation"].split())
    if each["default"] is None:
        return f"{prose.code(annotation)}, *required*"
    return f"{prose.code(annotation)}, default {prose.code(masked(' '.join(each['default'].split())))}"


def _render_field(shown: ShownField, link: Linker, class_link: ClassLink) -> str:
    each = shown.field
    text = f"{prose.code(each['name'])}: {_type_and_default(each)}."
    said = prose.render(shown.text, below=4, link=link)
    if said:
        text += f" {said}"
    facts: list[str] = []
    aliases = [alias for alias in each["aliases"] if alias != each["name"]]
    if shown.environment:
        facts.append(_named("Environment variable", shown.environment))
    elif aliases:
        facts.append(_named("Alias", aliases))
    if each["constraints"]:
        facts.append(_named("Constraint", each["constraints"]))
    if each["deprecated"]:
        facts.append(f"*Deprecated*: {prose.inline(each['deprecated'], link)}")
    if shown.origin is not None and is_public(shown.origin):
        facts.append(f"Inherited from {class_link(shown.origin)}.")
    if facts:
        text += "".join(f" {fact}" for fact in facts)
    return sections.listed(text)


def _named(what: str, names: list[str] | tuple[str, ...]) -> str:
    plural = "" if len(names) == 1 else "es" if what == "Alias" else "s"
    return f"{what}{plural}: {', '.join(prose.code(name) for name in names)}."
