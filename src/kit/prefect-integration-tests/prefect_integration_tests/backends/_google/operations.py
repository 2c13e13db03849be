"""Long-running operations, of all services of the local REST server.

https://google.aip.dev/151
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import ApiError, Json, failed_precondition, not_found
from .service import ApiRequest, page

if TYPE_CHECKING:
    from .rest_server import RestServer


@dataclass
class Operation:
    """One operation."""

    name: str
    """`projects/p/locations/l/operations/…`."""

    api: str
    metadata: Json
    is_done: bool = False
    response: Json | None = None
    error: Json | None = None

    @property
    def data(self) -> Json:
        """As the API gives it."""
        data: Json = {"name": self.name}
        if self.metadata:
            data["metadata"] = self.metadata
        if self.is_done:
            data["done"] = True
            data.update({"error": self.error} if self.error is not None else {"response": self.response or {}})
        return data


class Operations:
    """All operations. Use it under the server's lock, as handlers are."""

    def __init__(self, server: RestServer) -> None:
        """Start with none."""
        self._server = server
        self._by_name: dict[str, Operation] = {}

    def new(self, api: str, parent: str, metadata: Json, *, name: str = "") -> Operation:
        """Begin one.

        Args:
            api: `run` and so on.
            parent: `projects/p/locations/l`, or `…/regions/r` of Dataproc.
            metadata: With its `@type`.
            name: Its full name, where the service has its own way to name them.
        """
        operation = Operation(name or f"{parent}/operations/{uuid.uuid4()}", api, metadata)
        self._by_name[operation.name] = operation
        return operation

    def finish(self, operation: Operation, response: Json | None = None, error: ApiError | None = None) -> None:
        """End one, well or badly; what is ended stays as it is."""
        if operation.is_done:
            return
        operation.is_done = True
        operation.response = response
        operation.error = error.rpc_status if error is not None else None
        self._server.changed.notify_all()

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def of(self, name: str) -> Operation:
        """Find one.

        Raises:
            ApiError: 404.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise not_found(f"Operation '{name}' was not found.") from None

    def is_of(self, name: str, api: str) -> bool:
        """Is it one of this API? One that nobody has is everybody's."""
        operation = self._by_name.get(name)
        return operation is None or operation.api == api

    # What handlers of `operations.get` and so on do

    def get(self, request: ApiRequest) -> Json:
        """Answer `operations.get`."""
        return self.of(request.name).data

    def list(self, request: ApiRequest, api: str) -> Json:
        """Answer `operations.list`."""
        prefix = f"{request.name}/operations/".replace("/operations/operations/", "/operations/")
        found = [each.data for each in self._by_name.values() if each.api == api and each.name.startswith(prefix)]
        return page(found, request.params, "operations")

    def wait(self, request: ApiRequest) -> Json:
        """Answer `operations.wait`: when it is done, or when the time-out (at most 10 seconds here) is over."""
        operation = self.of(request.name)
        text: Any = request.body.get("timeout", "10s")
        self._server.changed.wait_for(lambda: operation.is_done, min(float(text.removesuffix("s")), 10.0))
        return operation.data

    def delete(self, request: ApiRequest) -> Json:
        """Answer `operations.delete`: the record goes, not the work."""
        operation = self.of(request.name)
        if not operation.is_done:
            raise failed_precondition(f"Operation '{operation.name}' is not done.")
        del self._by_name[operation.name]
        return {}

    def reset(self) -> None:
        """Forget all."""
        self._by_name.clear()
