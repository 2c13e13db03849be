"""Render the page of a module, in the format that the site's reference has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prefect_integration_docs import classes, prose, sections, signatures
from prefect_integration_docs.discovery import Source
from prefect_integration_docs.library import Found, Library
from prefect_integration_docs.model import Constant, Function, Section, Signature
from prefect_integration_docs.plan import MEMBER_LEVEL, METHOD_LEVEL, MODULE_LEVEL, Method, Plan, PlannedClass, Planner
from prefect_integration_docs.prose import Linker

_NAME = re.compile(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?P<call>\(\))?$")
_ICON = '<Icon icon="github" style="width: 14px; height: 14px;" />'
_POINTER = re.compile(r"^Async(?:hronous)? (?:form|face|version|variant) of\b.*$", re.IGNORECASE | re.DOTALL)
_NOTHING = "This module has no public members."


@dataclass(frozen=True)
class Site:
    """Where pages and sources are found.

    Attributes:
        url: Gives the address of a module's page, or None when it has none.
        source: Gives the address of a line of a module's file; empty when sources are not linked.
    """

    url: Callable[[str], str | None]
    source: Callable[[str, int], str]


class Pages:
    """Renders pages.

    Args:
        library: The modules that pages speak of.
        planner: Knows what stands on which page.
        site: Where pages and sources are found.
    """

    def __init__(self, library: Library, planner: Planner, site: Site) -> None:
        self.library = library
        self.planner = planner
        self.site = site

    def render(self, source: Source) -> str | None:
        """Render the page of a module; None if there is no such module.

        Args:
            source: The module.
        """
        plan = self.planner.plan(source.module)
        if plan is None:
            return None
        return "\n\n".join(_Page(self, plan).blocks(source)) + "\n"

    def address(self, found: Found) -> str | None:
        """Give the address of a documented thing, on this site only."""
        found = Found(self.library.home(found), found.name)
        url = self.site.url(found.module)
        return None if url is None else self.planner.address(found, url)

    def address_of_class(self, path: str) -> str | None:
        """Give the address of a class, on this site or on that of its package."""
        found = self.library.resolve(path)
        if found is None or not found.name:
            return None
        return self.address(found) or self.library.address_elsewhere(found)


class _Page:
    """One page in the making."""

    def __init__(self, pages: Pages, plan: Plan) -> None:
        self._pages = pages
        self._plan = plan
        self._module = plan.model["name"]
        self._in_class: dict[str, set[str]] = {
            planned.owner["name"]: {method.function["name"] for method in planned.methods} for planned in plan.classes
        }

    def blocks(self, source: Source) -> Iterator[str]:
        title = _yaml(source.title)
        yield f"---\ntitle: {title}\nsidebarTitle: {title}\n---"
        yield f"# {prose.code(self._module)}"
        doc = sections.render(self._plan.model["doc"], below=MODULE_LEVEL, link=self._linker())
        yield from doc
        if self._plan.is_empty:
            if not doc:
                yield _NOTHING
            if passed_on := list(self._passed_on()):
                yield f"It passes on {', '.join(passed_on)}."
            return
        if self._plan.functions:
            yield "## Functions"
            by_name = {function["name"]: function for function in self._plan.functions}
            for function in self._plan.functions:
                yield from self._function(function, MEMBER_LEVEL, self._plan.origin(function["name"]), by_name)
        if self._plan.classes:
            yield "## Classes"
            for planned in self._plan.classes:
                yield from self._class(planned)
        if self._plan.constants:
            yield "## Constants"
            yield "\n".join(self._constant(constant) for constant in self._plan.constants)

    def _passed_on(self) -> Iterator[str]:
        """Link the names that an empty module passes on: its page is where they once were."""
        model = self._plan.model
        for name in model["exports"]:
            found = self._resolve(f"{model['name']}.{name}")
            address = self._pages.address(found) if found is not None else None
            if address is not None:
                yield f"[{prose.code(name)}]({address})"

    # --- links ---------------------------------------------------------------------------------------------------

    def _linker(
        self, *, owner: str = "", subject: str = "", parameters: frozenset[str] = frozenset(), module: str = ""
    ) -> Linker:
        """Make the function that finds the address of a name in code.

        Args:
            owner: The class whose members may be named alone.
            subject: What the text is about; it is not linked to itself.
            parameters: Names that mean a parameter here.
            module: The module where the text stands, if not this one.
        """
        module = module or self._module

        def link(text: str) -> str | None:
            match = _NAME.match(text)
            if match is None:
                return None
            name = text.removesuffix("()")
            if name in parameters or name == subject:
                return None
            found = self._find(name, owner, module)
            if found is None or (subject and found.name == f"{owner}.{subject}".strip(".")):
                return None
            return self._pages.address(found)

        return link

    def _find(self, name: str, owner: str, module: str) -> Found | None:
        """Find the one documented thing that a name means: a member, a name of the module, or a whole path."""
        anchors = self._plan.anchors
        if owner and name in self._in_class.get(owner, ()):
            return Found(self._module, f"{owner}.{name}")
        if name in anchors:
            return Found(self._module, name)
        if "." not in name:
            owners = [each for each, members in self._in_class.items() if name in members]
            if owners:
                return Found(self._module, f"{owners[0]}.{name}") if len(owners) == 1 else None
        model = self._pages.library.model(module)
        if model is not None and name.partition(".")[0] in model["imports"]:
            first, _, rest = name.partition(".")
            return self._resolve(".".join(filter(None, (model["imports"][first], rest))))
        if "." in name:
            return self._resolve(name)
        return None

    def _error_linker(self, link: Linker) -> Linker:
        """Make the function that finds the address of an error that a docstring says is raised.

        Errors are seldom imported where they are named: they are looked for where packages keep them, too.
        """
        top = self._module.partition(".")[0]

        def find(text: str) -> str | None:
            address = link(text)
            if address is None and text.isidentifier():
                for home in (top, f"{top}.errors", f"{top}.exceptions"):
                    found = self._resolve(f"{home}.{text}")
                    if found is not None and found.name:
                        return self._pages.address(found)
            return address

        return find

    def _resolve(self, path: str) -> Found | None:
        found = self._pages.library.resolve(path)
        if found is None or self._pages.site.url(self._pages.library.home(found)) is None:
            return None
        return found

    # --- members -------------------------------------------------------------------------------------------------

    def _heading(self, level: int, name: str, module: str, line: int) -> str:
        heading = f"{'#' * level} {prose.code(name)}"
        address = self._pages.site.source(module, line)
        if not address:
            return heading
        label = f'aria-label="Source of {name}"'
        return f'{heading} <sup><a href="{address}" target="_blank" {label}>{_ICON}</a></sup>'

    def _function(
        self,
        function: Function,
        level: int,
        module: str,
        by_name: dict[str, Function],
        owner: PlannedClass | None = None,
        origin: str | None = None,
    ) -> Iterator[str]:
        name = function["name"]
        class_name = owner.owner["name"] if owner is not None else ""
        yield self._heading(level, name, module, function["line"])
        parameters = frozenset(p["name"] for signature in function["signatures"] for p in signature["parameters"])
        link = self._linker(owner=class_name, subject=name, parameters=parameters, module=module)
        badges = [*function["badges"]]
        if function["deprecated"] is not None or sections.is_deprecated(function["doc"]):
            badges.append("deprecated")
        if badges:
            yield ", ".join(f"*{badge}*" for badge in badges)
        yield from (_fence(name, signature) for signature in function["signatures"])
        sync, face = _sync_name(function, by_name), _async_face(function, by_name)
        if face is not None:
            yield from (_fence(face["name"], signature) for signature in face["signatures"])
        yield from sections.deprecation(function["deprecated"], function["doc"], below=level, link=link)
        if origin is not None:
            yield f"Inherited from {self._class_link(origin)}."
        if sync is not None:
            yield f"Async form of {prose.linked(sync, link)}."
            if _only_points(function["doc"]):
                return
        doc = function["doc"]
        if not doc and owner is not None:
            doc = self._inherited_doc(owner, name)
            if not doc and (base := self._documented_elsewhere(owner, name)) is not None:
                yield f"See {base}."
        yield from sections.render(doc, below=level, link=link, error_link=self._error_linker(link))

    def _inherited_doc(self, owner: PlannedClass, name: str) -> list[Section]:
        """Find the docstring of the method that one without a docstring overrides."""
        for path in owner.lineage[1:]:
            found = self._pages.library.class_of(path)
            if found is None or found[0]["name"].partition(".")[0] in self._pages.library.elsewhere:
                continue
            for function in found[1]["methods"]:
                if function["name"] == name and function["doc"]:
                    return function["doc"]
        return []

    def _documented_elsewhere(self, owner: PlannedClass, name: str) -> str | None:
        """Link to the method of another site that one without a docstring overrides."""
        for path in owner.lineage[1:]:
            found = self._pages.library.class_of(path)
            if found is None or not any(function["name"] == name for function in found[1]["methods"]):
                continue
            model, base = found
            address = self._pages.library.address_elsewhere(Found(model["name"], f"{base['name']}.{name}"))
            if address is not None:
                return f"[{prose.code(base['name'] + '.' + name)}]({address})"
        return None

    def _class(self, planned: PlannedClass) -> Iterator[str]:
        owner = planned.owner
        name = owner["name"]
        origin = self._plan.origin(name)
        link = self._linker(owner=name, subject=name, module=origin)
        yield self._heading(MEMBER_LEVEL, name, origin, owner["line"])
        if owner["deprecated"] is not None or sections.is_deprecated(owner["doc"]):
            yield "*deprecated*"
        yield from sections.deprecation(owner["deprecated"], owner["doc"], below=MEMBER_LEVEL, link=link)
        view = classes.view(self._pages.library, planned, self._module)
        yield from sections.render(owner["doc"], below=MEMBER_LEVEL, link=link, fields=view.names)
        bases = [self._class_link(path, text) for path, text in view.bases]
        if bases:
            yield f"Bases: {', '.join(bases)}"
        yield from classes.render(view, link, self._class_link)
        if view.constructor is not None:
            yield sections.label("Constructor")
            yield _fence(name, view.constructor)
        for path, names in planned.elsewhere.items():
            members = ", ".join(self._member_link(path, each) for each in names)
            yield f"Inherited from {self._class_link(path)}: {members}"
        if planned.methods:
            yield sections.label("Methods")
            by_name = {method.function["name"]: method.function for method in planned.methods}
            for method in planned.methods:
                yield from self._method(planned, method, by_name)

    def _method(self, planned: PlannedClass, method: Method, by_name: dict[str, Function]) -> Iterator[str]:
        origin = method.origin
        # A private class has no page: to the reader, its members belong to the class that is shown.
        if origin is not None and any(part.startswith("_") for part in origin.split(".")):
            origin = None
        yield from self._function(method.function, METHOD_LEVEL, method.module, by_name, owner=planned, origin=origin)

    def _class_link(self, path: str, text: str = "") -> str:
        shown = text or path.rpartition(".")[2]
        address = self._pages.address_of_class(path)
        return f"[{prose.code(shown)}]({address})" if address else prose.code(shown)

    def _member_link(self, path: str, name: str) -> str:
        found = self._pages.library.resolve(path)
        if found is None:
            return prose.code(name)
        member = Found(found.module, f"{found.name}.{name}")
        address = self._pages.address(member) or self._pages.library.address_elsewhere(member)
        return f"[{prose.code(name)}]({address})" if address else prose.code(name)

    def _constant(self, constant: Constant) -> str:
        annotation = f" ({prose.code(constant['annotation'])})" if constant["annotation"] else ""
        value = " ".join(constant["value"].split())
        text = f"{prose.code(constant['name'])}{annotation} = {prose.code(value)}"
        link = self._linker(module=self._plan.origin(constant["name"]))
        doc = "\n\n".join(sections.render(constant["doc"], below=MEMBER_LEVEL, link=link))
        return sections.listed(f"{text}: {doc}" if doc else text)


def _fence(name: str, signature: Signature) -> str:
    return f"```python\n{signatures.render(name, signature)}\n```"


def _async_face(function: Function, by_name: dict[str, Function]) -> Function | None:
    """Find the async form of a function: its name with an `a` in front."""
    face = by_name.get(f"a{function['name']}")
    if face is None or _is_async(function) or not _is_async(face):
        return None
    return face


def _sync_name(function: Function, by_name: dict[str, Function]) -> str | None:
    name = function["name"]
    sync = by_name.get(name[1:]) if name.startswith("a") else None
    return sync["name"] if sync is not None and _async_face(sync, by_name) is function else None


def _is_async(function: Function) -> bool:
    return any(signature["is_async"] for signature in function["signatures"])


def _only_points(doc: list[Section]) -> bool:
    """Whether a docstring says no more than that this is the async form."""
    return not doc or (len(doc) == 1 and doc[0]["kind"] == "text" and bool(_POINTER.match(doc[0]["text"].strip())))


def _yaml(text: str) -> str:
    """Write a text as a YAML value, in quotes where YAML would read something else: `null`, `on`, `1`."""
    plain = re.fullmatch(r"[A-Za-z_][\w-]*", text) is not None
    reserved = text.lower() in {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
    return text if plain and not reserved else f'"{text}"'
