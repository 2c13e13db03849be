"""Decide what stands on a page, in which order, and so which anchor each name gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prefect_integration_docs import prose
from prefect_integration_docs.library import Found, Library
from prefect_integration_docs.model import Class, Constant, Field, Function, ModuleModel, Section
from prefect_integration_docs.names import Anchors, is_public

MODULE_LEVEL = 2  # below the level of the sections of the page, see DOCS-SPEC
MEMBER_LEVEL = 3
METHOD_LEVEL = 4
_LOWEST_ANCHORED = 4  # the site gives anchors to headings of the first four levels


@dataclass(frozen=True)
class Method:
    """A method on a page.

    Attributes:
        function: What it is.
        origin: The class that defines it, if that is another one.
        module: The module that defines it: its names mean what they mean there.
    """

    function: Function
    origin: str | None
    module: str


@dataclass
class PlannedClass:
    """A class on a page.

    Attributes:
        owner: What it is.
        lineage: It and what it inherits from, by dotted path.
        methods: Its methods and those that it inherits within the house, by name.
        fields: Its annotated attributes and those that it inherits, base classes first; each with its origin.
        elsewhere: Names inherited from classes that are documented at another place, by class.
        constructor_of: The class whose `__init__` makes it.
    """

    owner: Class
    lineage: list[str]
    methods: list[Method] = field(default_factory=list[Method])
    fields: dict[str, tuple[Field, str | None]] = field(default_factory=dict[str, "tuple[Field, str | None]"])
    elsewhere: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])
    constructor_of: Class | None = None


@dataclass
class Plan:
    """A page.

    Attributes:
        model: The module.
        functions: Its public functions, in the order of the source.
        classes: Its public classes, in the order of the source.
        constants: Its public constants.
        anchors: The anchor of each name on the page, methods as `Class.method`.
        origins: The private modules that define names which this one lists as its own.
    """

    model: ModuleModel
    functions: list[Function]
    classes: list[PlannedClass]
    constants: list[Constant]
    anchors: dict[str, str] = field(default_factory=dict[str, str])
    origins: dict[str, str] = field(default_factory=dict[str, str])

    def origin(self, name: str) -> str:
        """Give the module that defines a name of the page."""
        return self.origins.get(name, self.model["name"])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing public to show."""
        return not (self.functions or self.classes or self.constants)


class Planner:
    """Plans pages, each once.

    Args:
        library: The modules that pages speak of.
        stays: Says of an address whether its page is there even when there is nothing to show.
    """

    def __init__(self, library: Library, stays: Callable[[str], bool]) -> None:
        self._library = library
        self._stays = stays
        self._plans: dict[str, tuple[Plan, dict[str, str]]] = {}

    def plan(self, module: str) -> Plan | None:
        """Plan the page of a module, or return None when there is no such module."""
        if module in self._plans:
            plan, trace = self._plans[module]
            self._library.retrace(trace)
            return plan
        with self._library.traced() as trace:
            model = self._library.model(module)
            if model is None:
                return None
            functions = [each for each in model["functions"] if not each["name"].startswith("_")]
            classes = [self._class(model, each) for each in model["classes"] if not each["name"].startswith("_")]
            plan = Plan(model, functions, classes, list(model["constants"]))
            self._adopt(plan)
            plan.anchors.update(_anchors(plan))
        self._plans[module] = plan, trace
        return plan

    def _adopt(self, plan: Plan) -> None:
        """Put what private modules define and this one lists in `__all__` behind what it defines itself."""
        module = plan.model["name"]
        for name in plan.model["exports"]:
            found = self._library.resolve(f"{module}.{name}")
            if found is None or found.name != name or found.module == module or is_public(found.module):
                continue
            origin = self._library.model(found.module)
            if origin is None or self._library.home(found) != module:
                continue
            plan.origins[name] = found.module
            plan.functions += [each for each in origin["functions"] if each["name"] == name]
            plan.classes += [self._class(origin, each) for each in origin["classes"] if each["name"] == name]
            plan.constants += [each for each in origin["constants"] if each["name"] == name]

    def _is_listed_in_full(self, module: str, base_module: str) -> bool:
        """Whether members of a base are shown where they are inherited, rather than linked to."""
        mine, theirs = self._library.distribution(module), self._library.distribution(base_module)
        top = base_module.partition(".")[0]
        return top not in self._library.elsewhere and (theirs is None or theirs == mine)

    def _class(self, model: ModuleModel, owner: Class) -> PlannedClass:
        lineage = self._library.lineage(f"{model['name']}.{owner['name']}")
        planned = PlannedClass(owner, lineage)
        methods: dict[str, Method] = {}
        linked: set[str] = set()
        for path in lineage:
            found = self._library.class_of(path)
            if found is None:
                continue
            base_model, base = found
            origin = None if base is owner else path
            if planned.constructor_of is None and base["constructor"] is not None:
                planned.constructor_of = base
            in_full = self._is_listed_in_full(model["name"], base_model["name"])
            for function in base["methods"]:
                name = function["name"]
                if name in methods or name in linked:
                    continue
                if in_full:
                    methods[name] = Method(function, origin, base_model["name"])
                else:
                    linked.add(name)
                    planned.elsewhere.setdefault(path, []).append(name)
        for path in reversed(lineage):
            found = self._library.class_of(path)
            if found is None:
                continue
            origin = None if found[1] is owner else path
            for each in found[1]["fields"]:
                planned.fields[each["name"]] = each, origin
        planned.methods = [methods[name] for name in sorted(methods)]
        for names in planned.elsewhere.values():
            names.sort()
        return planned

    def address(self, found: Found, url: str) -> str | None:
        """Give the address of something on the page of its module, or None if the page does not show it.

        Args:
            found: What it is.
            url: Address of the page.
        """
        plan = self.plan(found.module)
        if plan is None:
            return None
        if not found.name:
            return None if plan.is_empty and not self._stays(url) else url
        anchor = plan.anchors.get(found.name)
        return None if anchor is None else f"{url}#{anchor}"


def _anchors(plan: Plan) -> dict[str, str]:
    """Give out the anchors of a page, heading by heading."""
    slugs = Anchors()
    anchors: dict[str, str] = {}
    model = plan.model
    slugs.take(model["name"])
    _take_headings(slugs, model["doc"], MODULE_LEVEL)
    if plan.functions:
        slugs.take("Functions")
    for function in plan.functions:
        anchors[function["name"]] = slugs.take(function["name"])
        _take_headings(slugs, function["doc"], MEMBER_LEVEL)
    if plan.classes:
        slugs.take("Classes")
    for planned in plan.classes:
        name = planned.owner["name"]
        anchors[name] = slugs.take(name)
        _take_headings(slugs, planned.owner["doc"], MEMBER_LEVEL)
        for method in planned.methods:
            anchors[f"{name}.{method.function['name']}"] = slugs.take(method.function["name"])
    return anchors


def _take_headings(slugs: Anchors, doc: list[Section], level: int) -> None:
    """Take the anchors of the headings in a docstring, so that those behind it are counted right."""
    for section in doc:
        for depth, text in prose.headings(section["text"], below=level):
            if depth <= _LOWEST_ANCHORED:
                slugs.take(text)
