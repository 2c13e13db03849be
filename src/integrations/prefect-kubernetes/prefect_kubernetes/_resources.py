"""One request about one kind of object, as the tasks make it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, cast

from prefect_integration_kit.sdk_errors import combined

from ._clients import call
from .errors import KubernetesInvalid

if TYPE_CHECKING:
    from .credentials import KubernetesCredentials

ClientType = Literal["apps", "batch", "core", "custom_objects"]

DEFAULT_NAMESPACE = "default"


async def ask(
    credentials: KubernetesCredentials,
    client_type: ClientType,
    method: str,
    subject: str,
    /,
    *,
    is_repeatable: bool = True,
    **arguments: Any,
) -> Any:
    """Call one method of one of the SDK's clients.

    Args:
        credentials: Which cluster, and who we are there.
        client_type: Which client.
        method: Name of its method.
        subject: What the request is about, for errors.
        is_repeatable: Whether it may be sent again when it may have had its effect.
        arguments: Arguments of the method.

    Returns:
        What the method returns.
    """
    async with credentials.get_client(client_type) as client:
        operation = getattr(client, method)
        return await call(subject, lambda: operation(**arguments), is_repeatable=is_repeatable)


def named(kind: str, name: str | None, namespace: str | None) -> str:
    """Say which object is meant.

    Args:
        kind: Its kind, such as `Pod`.
        name: Its name.
        namespace: Where it is.
    """
    where = f"in namespace {namespace or DEFAULT_NAMESPACE!r}"
    return f"{kind} {name!r} {where}" if name else f"{kind} {where}"


def name_of(model: Any) -> str | None:
    """Get the name of an object, or the beginning of one that the server completes.

    Args:
        model: A model of the SDK or a dictionary.
    """
    if isinstance(model, Mapping):
        metadata: Any = cast("Mapping[str, Any]", model).get("metadata") or {}
        found = metadata.get("name") or metadata.get("generateName") or metadata.get("generate_name")
    else:
        metadata = getattr(model, "metadata", None)
        found = getattr(metadata, "name", None) or getattr(metadata, "generate_name", None)
    return found if isinstance(found, str) else None


def require_name(parameter: str, name: str | None) -> None:
    """Refuse a name that is missing, before the SDK builds a wrong path from it.

    Args:
        parameter: The parameter that holds it.
        name: The name.

    Raises:
        ValueError: If it is `None` or empty: a `KubernetesInvalid`, and the SDK's `ApiValueError`.
    """
    if not name:
        from kubernetes_asyncio.client.exceptions import ApiValueError

        message = f"{parameter} is {name!r}; it must be the name of an object."
        raise combined(KubernetesInvalid, ApiValueError)(message, subject=parameter)  # the SDK's own check says that


def as_dict(model: Any, kind: str = "") -> Any:
    """Turn a model of the SDK into what the API's JSON holds, with its names and without what is not set.

    Args:
        model: A model, or a dictionary or list that may hold models. A test may have something in its place that only
            has attributes of the same names, such as a mock; what it does not say is left out.
        kind: Which model that would be, such as `V1Job`.
    """
    if model is None or isinstance(model, str | int | float | bool):
        return model
    if isinstance(model, Mapping):
        return {key: as_dict(value) for key, value in cast("Mapping[str, Any]", model).items()}
    if isinstance(model, list | tuple):
        item_kind = kind.removeprefix("list[").removesuffix("]")
        return [as_dict(item, item_kind) for item in cast("list[Any]", model)]
    if isinstance(getattr(model, "openapi_types", None), Mapping):
        fields = _fields(model, model)
        return {key: value for key, value in fields if value is not None}
    if isinstance(model, date):
        return model.isoformat()
    played = _model_of(kind)
    if played is None:
        return model if kind in ("", "object") else None
    return {key: value for key, value in _fields(model, played) if value not in (None, {}, [])}


def _fields(model: Any, described_by: Any) -> Iterator[tuple[str, Any]]:
    names: Mapping[str, str] = described_by.attribute_map
    for name, kind in cast("Mapping[str, str]", described_by.openapi_types).items():
        yield names[name], as_dict(getattr(model, name, None), kind)


def _model_of(kind: str) -> Any:
    from kubernetes_asyncio.client import models

    found: Any = getattr(models, kind, None) if kind else None
    return found if isinstance(found, type) else None


def inside(parent: Any, *keys: str) -> dict[str, Any]:
    """Get a mapping inside an object of the API's JSON; empty where there is none.

    Args:
        parent: The object.
        keys: The way to it, such as `spec`, `template`.
    """
    for key in keys:
        parent = cast("Mapping[str, Any]", parent).get(key) if isinstance(parent, Mapping) else None
    return cast("dict[str, Any]", parent) if isinstance(parent, Mapping) else {}


def listed(parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Get a list of mappings in an object of the API's JSON; empty where there is none.

    Args:
        parent: The object.
        key: Its key.
    """
    found: Any = parent.get(key)
    return cast("list[dict[str, Any]]", found) if isinstance(found, list) else []
