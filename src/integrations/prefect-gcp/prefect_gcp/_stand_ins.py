"""What tests put in the place of Google's clients: mocks, and classes that have what a test needs.

A stand-in is asked by the methods that the SDK documents, and without options that it does not take: those of ours only
say how a request is made.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from prefect_integration_kit.replaced import is_replaced

STORAGE = "google.cloud.storage.client"
BIGQUERY = "google.cloud.bigquery.client"
BIGQUERY_CONNECTION = "google.cloud.bigquery.dbapi.connection"
SECRET_MANAGER = "google.cloud.secretmanager_v1.services.secret_manager_service.client"  # noqa: S105 - a module
JOB_SERVICE = "google.cloud.aiplatform_v1.services.job_service.client"
JOB_SERVICE_ASYNC = "google.cloud.aiplatform_v1.services.job_service.async_client"
KEYS = "google.oauth2.service_account"

_OURS = "prefect_gcp.credentials"


def is_stand_in(thing: object, home: str) -> bool:
    """Say whether something is neither the SDK's class nor an instance of it, whatever a mock with a `spec` says.

    Args:
        thing: A client, a connection, or a class of them.
        home: The module that the SDK's class is defined in.
    """
    kind: type = thing if isinstance(thing, type) else type(thing)
    return all(cls.__module__ != home for cls in kind.__mro__)


def class_in_use(home: str, name: str, *places: str, alias: str = "") -> Any:
    """Find the SDK's class, or what somebody has put in its place where users look for it.

    Args:
        home: The module that the SDK's class is defined in.
        name: Its name.
        places: Modules that have it, the one to import first. The others are looked at if they are imported already.
        alias: Its name in `prefect_gcp.credentials`.

    Raises:
        ImportError: If the SDK is not installed.
    """
    first = import_module(places[0])
    for module, attribute in ((_OURS, alias or name), *((place, name) for place in places)):
        found = vars(sys.modules[module]).get(attribute) if sys.modules.get(module) is not None else None
        if found is not None and getattr(found, "__module__", None) != home:
            return found
    return getattr(first, name)


def key_class() -> Any | None:
    """What somebody has put in the place of the class that makes credentials of a key; `None` for the SDK's own."""
    ours, sdk = sys.modules.get(_OURS), sys.modules.get(KEYS)
    for cls in (vars(ours).get("Credentials") if ours else None, getattr(sdk, "Credentials", None)):
        if any(is_replaced(cls, f"from_service_account_{source}", KEYS) for source in ("info", "file")):
            return cls
    return None


def fitting(call: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the options that a callable takes.

    Args:
        call: A function, method or class.
        options: Keywords.
    """
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):  # it does not say what it takes
        return dict(options)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return dict(options)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {parameter.name for parameter in parameters if parameter.kind in named}
    return {name: value for name, value in options.items() if name in taken}


def ask(client: Any, home: str, method: str, /, *arguments: Any, **options: Any) -> Any:
    """Call a method of a client, or of what stands in for it.

    Args:
        client: The client.
        home: The module that the SDK's class of it is defined in.
        method: Name of the method.
        arguments: What is asked for.
        options: More of that, and how it is asked.
    """
    call = getattr(client, method)
    return call(*arguments, **(fitting(call, options) if is_stand_in(client, home) else options))


def ask_by_request(client: Any, home: str, method: str, request: Mapping[str, Any], **options: Any) -> Any:
    """Call a method that takes a message; one of a stand-in may take the message's fields instead.

    Args:
        client: The client.
        home: The module that the SDK's class of it is defined in.
        method: Name of the method.
        request: The message.
        options: How it is asked.
    """
    call = getattr(client, method)
    if not is_stand_in(client, home):
        return call(request=request, **options)
    taken = fitting(call, {"request": request, **options})
    return call(**(taken if "request" in taken else fitting(call, {**request, **options})))
