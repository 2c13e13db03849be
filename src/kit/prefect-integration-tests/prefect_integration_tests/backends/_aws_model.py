"""botocore's service models, as the AWS stub uses them, and what a request and an answer are.

A service model is the schema that the vendor publishes and every botocore client is built from, so what fits it is what
the service takes and says. Models are typed `Any`, since botocore carries no types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PROTOCOLS = ("json", "query", "rest-json", "rest-xml")


@dataclass
class HttpRequest:
    """A request as it came in; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded; the last of repeated names."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass
class HttpAnswer:
    """An answer to send."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


def load_model(service: str) -> Any:
    """Load botocore's model of a service.

    Raises:
        ValueError: If none of the service's protocols is spoken here.
    """
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    loader: Any = Loader()
    model: Any = ServiceModel(loader.load_service_model(service, "service-2"), service_name=service)
    if model.resolved_protocol not in PROTOCOLS:
        raise ValueError(f"{service} speaks {model.resolved_protocol}; the stub speaks {', '.join(PROTOCOLS)}.")
    return model


def validation_errors(value: Any, shape: Any) -> str:
    """Say what is wrong with parameters or an output, by the model; empty when nothing is.

    Enumerated values are checked too, which botocore leaves to the service.
    """
    from botocore.validate import ParamValidator

    if shape is None:
        return f"no parameters are known, got {sorted(value)}" if value else ""
    validator: Any = ParamValidator()
    report: Any = validator.validate(value, shape)
    text: str = report.generate_report() if report.has_errors() else ""
    return "\n".join(filter(None, (text, *_enum_errors(value, shape, shape.name))))


def is_mapping(value: Any) -> bool:
    """Say whether `value` is a mapping, without telling the type checker that its items are unknown."""
    return isinstance(value, Mapping)


def is_list(value: Any) -> bool:
    """Say whether `value` is a list or tuple, as `is_mapping` does."""
    return isinstance(value, (list, tuple))


def _enum_errors(value: Any, shape: Any, name: str) -> list[str]:
    if shape.type_name == "structure" and is_mapping(value):
        members = shape.members
        pairs: list[tuple[Any, Any, str]] = [
            (value[key], members[key], f"{name}.{key}") for key in value if key in members
        ]
    elif shape.type_name == "list" and is_list(value):
        pairs = [(item, shape.member, f"{name}[{index}]") for index, item in enumerate(value)]
    elif shape.type_name == "map" and is_mapping(value):
        pairs = [(value[key], shape.value, f"{name}[{key!r}]") for key in value]
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        return [f"{name} is {value!r}; the model knows {', '.join(shape.enum)}"]
    else:
        return []
    return [error for item, member, path in pairs for error in _enum_errors(item, member, path)]
