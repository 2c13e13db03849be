"""What tests of flows put in the place of Azure's SDKs, and which of it is to be used.

Some modules of this package show classes of the SDKs by the names that they have always had, such as
`prefect_azure.credentials.CosmosClient`. Whoever sets such a name wants clients to be made by what he has put there.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

CREDENTIALS = "prefect_azure.credentials"
_SDKS = ("azure", "azureml", "msrest")


def sdk_class(module: str, name: str, place: str, attribute: str) -> Any:
    """Import a class of an SDK that a module shows.

    Args:
        module: The module that shows it.
        name: By which name.
        place: The SDK's module.
        attribute: The class's name there.

    Raises:
        AttributeError: If the SDK is not installed; `from module import name` makes an `ImportError` of it.
    """
    try:
        return getattr(import_module(place), attribute)
    except ImportError as exc:
        raise AttributeError(f"module {module!r} has no attribute {name!r}: {exc}") from exc


def is_of_sdk(thing: object) -> bool:
    """Say whether a class or a function is of one of Azure's SDKs."""
    function = getattr(thing, "__func__", thing)
    return str(getattr(function, "__module__", "")).partition(".")[0] in _SDKS


def is_made_by_sdk(thing: object) -> bool:
    """Say whether an object's class is of one of Azure's SDKs."""
    return is_of_sdk(type(thing))


def stand_in(name: str, module: str = CREDENTIALS) -> Any:
    """Find what somebody has put in the place of an SDK's class; `None` where nobody has.

    Args:
        name: The name that a module of ours shows it by.
        module: The module.
    """
    found: Any = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return None if found is None or is_of_sdk(found) else found  # `monkeypatch` leaves the SDK's own behind


def client_class(name: str, sdk: str, *, by_string: bool) -> Any:
    """Find what makes clients in the SDK's place; `None` where the SDK itself does.

    Args:
        name: Name of the client's class.
        sdk: Module of the SDK that has it.
        by_string: Whether clients are made by a connection string, so that the SDK's class with another
            `from_connection_string` counts.
    """
    if (found := stand_in(name)) is not None:
        return found
    own: Any = getattr(sys.modules.get(sdk), name, None)
    if own is not None and by_string and not is_of_sdk(getattr(own, "from_connection_string", own)):
        return own
    return None


def is_blank(method: object) -> bool:
    """Say whether a mock's method was told no answer, so that what it gives is another mock that nobody knows."""
    mock: Any = sys.modules.get("unittest.mock")
    if mock is None or not isinstance(method, mock.NonCallableMock):
        return False
    said: Any = method
    return getattr(said, "_mock_return_value", None) is mock.DEFAULT and said.side_effect is None


async def aentered(client: Any) -> Any:
    """Enter a client as `async with` does, and give what that gives; the client itself where a mock does not say."""
    enter: Any = getattr(client, "__aenter__", None)
    return client if enter is None or is_blank(enter) else await enter()
