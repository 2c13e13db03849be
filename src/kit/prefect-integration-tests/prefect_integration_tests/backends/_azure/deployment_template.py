"""A template of Azure Resource Manager: its parameters are checked, its expressions evaluated, its resources ordered.

https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax
"""

from __future__ import annotations

import operator
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, cast

from .arm_errors import ArmError, Json, object_of
from .arm_service import resource_id
from .template_expressions import Function, TemplateError, evaluate, is_expression
from .template_functions import PLAIN

_TYPES: dict[str, tuple[type[Any], ...]] = {
    "string": (str,),
    "securestring": (str,),
    "int": (int,),
    "bool": (bool,),
    "object": (dict,),
    "secureobject": (dict,),
    "array": (list,),
}
_SCHEMA = re.compile(r"deploymentTemplate\.json#?$", re.IGNORECASE)
_PARTS = frozenset(
    {
        "$schema",
        "apiprofile",
        "contentversion",
        "definitions",
        "functions",
        "imports",
        "languageversion",
        "metadata",
        "outputs",
        "parameters",
        "resources",
        "variables",
    }
)


@dataclass(frozen=True)
class Place:
    """Where a deployment goes."""

    subscription: str
    group: str
    location: str
    deployment: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class PlannedResource:
    """A resource of a template, evaluated but for what refers to other resources."""

    kind: str
    name: str
    api_version: str
    id: str
    depends_on: tuple[str, ...]
    """Names or ids."""

    body: Json
    symbol: str
    """Its name in the template, where that has symbolic names."""

    is_evaluated: bool = False
    """Whether all of the body is: what came of an expression is none."""


class Template:
    """A template with the values of its parameters."""

    def __init__(self, template: Json, parameters: Mapping[str, Json], place: Place) -> None:
        """Check it.

        Args:
            template: As it came.
            parameters: As they came, each with `value`.
            place: Where the deployment goes.

        Raises:
            ArmError: 400.
        """
        self._template = {key: value for key, value in template.items() if value is not None}
        self._place = place
        self._secure: set[str] = set()
        self._check_parts()
        self._functions: dict[str, Function] = {**PLAIN, **self._surroundings()}
        self._parameters = self._read_parameters(parameters)
        self._functions["parameters"] = self._getter(self._parameters, "template parameter")
        raw: Json = object_of(self._template, "variables")
        self._variables: Json = {}
        self._functions["variables"] = self._lazy_variables(raw)
        self.resources = self._read_resources()

    @property
    def shown_parameters(self) -> Json:
        """The parameters as the deployment's record keeps them: secure ones without a value."""
        shown: Json = {}
        for name, spec in object_of(self._template, "parameters").items():
            kind = str(spec["type"])
            label = {"securestring": "SecureString", "secureobject": "SecureObject"}.get(kind.lower())
            shown[name] = {"type": label} if label else {"type": kind.title(), "value": self._parameters[name]}
        return shown

    def body_of(self, resource: PlannedResource, reference: Callable[[str, bool], Any]) -> Json:
        """Evaluate what of a resource refers to others.

        Args:
            resource: A resource of this template.
            reference: Gives the properties of a resource by its name or id, and with `True` all of it.
        """
        if resource.is_evaluated:
            return resource.body
        functions = {**self._functions, **_references(reference)}
        return cast("Json", self._evaluated(resource.body, functions))

    def outputs(self, reference: Callable[[str, bool], Any]) -> Json:
        """Evaluate the outputs."""
        functions = {**self._functions, **_references(reference)}
        outputs: Json = {}
        for name, spec in object_of(self._template, "outputs").items():
            if not self._evaluated(spec.get("condition", True), functions):
                continue
            kind = str(spec["type"])
            if kind.lower().startswith("secure"):
                outputs[name] = {"type": kind}
            else:
                outputs[name] = {"type": kind.title(), "value": self._evaluated(spec.get("value"), functions)}
        return outputs

    def _check_parts(self) -> None:
        schema = str(self._template.get("$schema", ""))
        if not _SCHEMA.search(schema):
            raise _invalid(f"The '$schema' property value '{schema}' is not that of a deployment template.")
        if "contentVersion" not in self._template:
            raise _invalid("Required property 'contentVersion' not found in JSON. Path ''.")
        if "resources" not in self._template:
            raise _invalid("Required property 'resources' not found in JSON. Path ''.")
        for name in self._template:
            if name.lower() not in _PARTS:
                raise _invalid(f"Could not find member '{name}' on object of type 'Template'. Path '{name}'.")

    def _surroundings(self) -> dict[str, Function]:
        place = self._place
        subscription_id = f"/subscriptions/{place.subscription}"
        group: Json = {
            "id": f"{subscription_id}/resourceGroups/{place.group}",
            "name": place.group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": place.location,
            "tags": dict(place.tags),
            "properties": {"provisioningState": "Succeeded"},
        }
        subscription: Json = {"id": subscription_id, "subscriptionId": place.subscription, "displayName": "Test"}

        def id_of(*parts: str) -> str:
            start = next(index for index, part in enumerate(parts) if "/" in part)
            before, kind, names = parts[:start], parts[start], parts[start + 1 :]
            namespace, *types = kind.split("/")
            if len(types) != len(names):
                raise TemplateError(f"the type '{kind}' requires '{len(types)}' resource name argument(s).")
            tail = "/".join(f"{each}/{name}" for each, name in zip(types, names, strict=True))
            owner = before[0] if len(before) == 2 else place.subscription
            inside = before[-1] if before else place.group
            return f"/subscriptions/{owner}/resourceGroups/{inside}/providers/{namespace}/{tail}"

        return {
            "resourcegroup": lambda: group,
            "subscription": lambda: subscription,
            "tenant": lambda: {"tenantId": place.subscription},
            "deployment": lambda: {"name": place.deployment, "properties": {"template": self._template}},
            "environment": lambda: {"name": "AzureCloud", "resourceManager": "https://management.azure.com/"},
            "resourceid": id_of,
        }

    def _read_parameters(self, given: Mapping[str, Json]) -> Json:
        specs: Json = object_of(self._template, "parameters")
        unknown = [name for name in given if name.lower() not in [each.lower() for each in specs]]
        if unknown:
            names, known = ", ".join(unknown), ", ".join(specs)
            raise _invalid(
                f"The following parameters were supplied, but do not correspond to any parameters defined in the "
                f"template: '{names}'. The parameters defined in the template are: '{known}'."
            )
        by_lower = {name.lower(): value for name, value in given.items()}
        once = {
            "newguid": lambda: str(uuid.uuid4()),
            "utcnow": lambda pattern="": datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ"),
        }
        values: Json = {}
        self._functions["parameters"] = self._getter(values, "template parameter")
        for name, spec in specs.items():
            if "type" not in spec:
                raise _invalid(f"The template parameter '{name}' is not valid: it has no type.")
            own = by_lower.get(name.lower())
            if own is not None and "value" in own:
                value = own["value"]
            elif own is not None and "reference" in own:
                raise _invalid(f"The local server has no Key Vault for parameter '{name}'.")
            elif "defaultValue" in spec:
                value = self._evaluated(spec["defaultValue"], {**self._functions, **once})
            elif spec.get("nullable"):
                value = None
            else:
                raise _invalid(
                    f"The value for the template parameter '{name}' is not provided. "
                    "Please see https://aka.ms/arm-create-parameter-file for usage details."
                )
            _check_parameter(name, spec, value)
            values[name] = value
        return values

    def _getter(self, values: Json, kind: str) -> Function:
        def get(name: str) -> Any:
            for key, value in values.items():
                if key.lower() == name.lower():
                    return value
            raise TemplateError(f"The {kind} '{name}' is not found.")

        return get

    def _lazy_variables(self, raw: Json) -> Function:
        def get(name: str) -> Any:
            key = next((each for each in raw if each.lower() == name.lower()), None)
            if key is None:
                raise TemplateError(f"The template variable '{name}' is not found.")
            if key not in self._variables:
                self._variables[key] = self._evaluated(raw[key], self._functions)
            return self._variables[key]

        return get

    def _read_resources(self) -> list[PlannedResource]:
        raw: Any = self._template["resources"]
        named = cast("Json", raw).items() if isinstance(raw, dict) else [("", each) for each in raw]
        planned: list[PlannedResource] = []
        for symbol, spec in named:
            for functions in self._copies(spec):
                resource = self._plan(symbol, spec, functions)
                if resource is not None:
                    planned.append(resource)
        ids = [resource.id.lower() for resource in planned]
        for name in ids:
            if ids.count(name) > 1:
                raise _invalid(f"Resource {name} occurs more than once in the template.")
        return _ordered(planned)

    def _copies(self, spec: Json) -> list[dict[str, Function]]:
        copy = spec.get("copy")
        if copy is None:
            return [self._functions]
        count = self._evaluated(copy["count"], self._functions)

        def at(index: int) -> dict[str, Function]:
            def copy_index(name: Any = 0, offset: int = 0) -> int:
                return index + (name if isinstance(name, int) else offset)

            return {**self._functions, "copyindex": copy_index}

        return [at(index) for index in range(count)]

    def _plan(self, symbol: str, spec: Json, functions: dict[str, Function]) -> PlannedResource | None:
        for part in ("type", "apiVersion", "name"):
            if not spec.get(part):
                raise _invalid(f"The template resource '{spec.get('name', symbol)}' has no '{part}'.")
        if not self._evaluated(spec.get("condition", True), functions):
            return None
        kind = str(self._evaluated(spec["type"], functions))
        name = str(self._evaluated(spec["name"], functions))
        if kind.count("/") != name.count("/") + 1:
            raise _invalid(
                f"The template resource '{name}' for type '{kind}' has incorrect segment lengths. A nested resource "
                "type must have identical number of segments as its resource name."
            )
        depends = tuple(str(each) for each in self._evaluated(spec.get("dependsOn", []), functions))
        rest = {key: value for key, value in spec.items() if key not in _OWN_PARTS}
        is_evaluated = not _refers(rest)
        if is_evaluated:
            rest = self._evaluated(rest, functions)
        elif "copyindex" in functions:
            raise _invalid(f"The local server cannot copy resource '{name}' whose properties refer to others.")
        version = str(self._evaluated(spec["apiVersion"], functions))
        place = self._place
        return PlannedResource(
            kind,
            name,
            version,
            resource_id(place.subscription, place.group, kind, name),
            depends,
            rest,
            symbol,
            is_evaluated,
        )

    def _evaluated(self, value: Any, functions: Mapping[str, Function]) -> Any:
        try:
            return evaluate(value, functions)
        except TemplateError as exc:
            raise _invalid(f"Unable to process template language expressions: '{exc}'") from exc


_OWN_PARTS = {"type", "apiVersion", "name", "dependsOn", "condition", "copy", "comments", "metadata", "existing"}


def _refers(value: Any) -> bool:
    """Does an expression in it look at another resource?"""
    if isinstance(value, dict):
        return any(_refers(each) for each in cast("Json", value).values())
    if isinstance(value, list):
        return any(_refers(each) for each in cast("list[Any]", value))
    return isinstance(value, str) and is_expression(value) and bool(re.search(r"\breference\s*\(", value, re.I))


def _references(reference: Callable[[str, bool], Any]) -> dict[str, Function]:
    def refer(name: str, api_version: str = "", full: str = "") -> Any:
        return reference(name, full.lower() == "full")

    return {"reference": refer}


def _ordered(planned: list[PlannedResource]) -> list[PlannedResource]:
    """Put each resource behind those that it depends on."""
    left, ordered = list(planned), list[PlannedResource]()
    while left:
        ready = [
            each for each in left if not any(other is not each and _is_named(other, each.depends_on) for other in left)
        ]
        if not ready:
            raise _invalid(f"Circular dependency detected on resource: '{left[0].id}'.")
        ordered += ready
        left = [each for each in left if each not in ready]
    for resource in planned:
        for name in resource.depends_on:
            if not any(_is_named(other, (name,)) for other in planned):
                link = "Please see https://aka.ms/arm-syntax for usage details."
                raise _invalid(f"The resource '{name}' is not defined in the template. {link}")
    return ordered


def _is_named(resource: PlannedResource, names: tuple[str, ...]) -> bool:
    own = {resource.id.lower(), resource.name.lower(), f"{resource.kind}/{resource.name}".lower()}
    if resource.symbol:
        own.add(resource.symbol.lower())
    return any(name.lower() in own for name in names)


def _check_parameter(name: str, spec: Json, value: Any) -> None:
    kind = str(spec["type"])
    types = _TYPES.get(kind.lower())
    if types is None:
        raise _invalid(f"The template parameter '{name}' has the unknown type '{kind}'.")
    if value is None and spec.get("nullable"):
        return
    if not isinstance(value, types) or (isinstance(value, bool) and kind.lower() == "int"):
        raise _invalid(
            f"The provided value for the template parameter '{name}' is not valid. Expected a value of type "
            f"'{kind}', but received a value of type '{type(value).__name__}'."
        )
    allowed = spec.get("allowedValues")
    if allowed is not None and value not in allowed:
        raise _invalid(
            f"The provided value for the template parameter '{name}' is not valid. The value '{value}' is not part of "
            f"the allowed value(s): '{','.join(str(each) for each in allowed)}'."
        )
    size: Any = len(cast("str", value)) if isinstance(value, (str, list)) else value
    for key, is_wrong in (
        ("minLength", operator.lt),
        ("maxLength", operator.gt),
        ("minValue", operator.lt),
        ("maxValue", operator.gt),
    ):
        if key in spec and is_wrong(size, spec[key]):
            said = f"The provided value for the template parameter '{name}' is not valid: '{key}' is '{spec[key]}'."
            raise _invalid(said)


def _invalid(problem: str) -> ArmError:
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{problem}'.")
