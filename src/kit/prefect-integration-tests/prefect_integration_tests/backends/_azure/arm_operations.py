"""Asynchronous operations, as Azure Resource Manager has them: a status to look at, a result to fetch.

https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .arm_errors import ArmError, Json
from .arm_service import SUBSCRIPTION_PATH, Answer, ArmRequest, Provider, answers

if TYPE_CHECKING:
    from .arm_server import ArmServer

_STATUS = SUBSCRIPTION_PATH + "/providers/{namespace}/locations/{location}/operations/{operationId}"
_RESULT = SUBSCRIPTION_PATH + "/providers/{namespace}/locations/{location}/operationresults/{operationId}"


@dataclass
class AsyncOperation:
    """Something that takes its time."""

    subscription: str
    namespace: str
    location: str
    started: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    ended: str = ""
    error: Json | None = None
    result: Callable[[], Answer] | None = None
    """What its `Location` gives when it has ended; by default 204."""

    @property
    def is_done(self) -> bool:
        """Has it ended?"""
        return self.status in ("Succeeded", "Failed", "Canceled")

    @property
    def view(self) -> Json:
        """What `Azure-AsyncOperation` gives."""
        location = f"/providers/{self.namespace}/locations/{self.location}/operations/{self.id}"
        view: Json = {
            "id": f"/subscriptions/{self.subscription}{location}",
            "name": self.id,
            "status": self.status,
            "startTime": self.started,
        }
        if self.ended:
            view["endTime"] = self.ended
        if self.error is not None:
            view["error"] = self.error
        return view


class AsyncOperations(Provider):
    """All operations of all providers."""

    namespace = "Microsoft.Resources"

    def __init__(self, server: ArmServer) -> None:
        """Start with none."""
        super().__init__(server)
        self._all: dict[str, AsyncOperation] = {}

    def model(self, name: str) -> type[Any]:
        """There is none."""
        raise LookupError(name)

    def reset(self) -> None:
        """Forget all."""
        self._all.clear()

    def new(self, subscription: str, namespace: str) -> AsyncOperation:
        """Begin one.

        Args:
            subscription: Id of the subscription.
            namespace: The provider's, such as `Microsoft.App`.
        """
        server = self.server
        operation = AsyncOperation(subscription, namespace, server.settings.location, server.clock.text())
        self._all[operation.id] = operation
        return operation

    def end(self, operation: AsyncOperation, error: Json | None = None) -> None:
        """End one.

        Args:
            operation: The operation.
            error: Why it failed; `None` when it did not.
        """
        if not operation.is_done:
            operation.status = "Failed" if error else "Succeeded"
            operation.error = error
            operation.ended = self.server.clock.text()

    def headers(self, operation: AsyncOperation, api_version: str, *, status: bool, location: bool) -> dict[str, str]:
        """Give the headers by which a caller follows an operation.

        Args:
            operation: The operation.
            api_version: That the caller uses.
            status: Whether to send `Azure-AsyncOperation`.
            location: Whether to send `Location`.
        """
        base = f"{self.server.endpoint}/subscriptions/{operation.subscription}/providers/{operation.namespace}"
        base = f"{base}/locations/{operation.location}"
        version = f"?api-version={quote(api_version)}"
        headers = self.retry_after()
        if status:
            headers["Azure-AsyncOperation"] = f"{base}/operations/{operation.id}{version}"
        if location:
            headers["Location"] = f"{base}/operationresults/{operation.id}{version}"
        return headers

    def retry_after(self) -> dict[str, str]:
        """Give the header that asks for patience."""
        seconds = self.server.settings.retry_after_seconds
        if seconds >= 1:
            return {"Retry-After": str(round(seconds))}
        return {"x-ms-retry-after-ms": str(max(1, round(seconds * 1000)))}

    @answers("AsyncOperations_Get", "GET", _STATUS)
    def get(self, request: ArmRequest) -> Answer:
        """Say how an operation stands."""
        operation = self._find(request)
        return Answer(operation.view, 200, {} if operation.is_done else self.retry_after())

    @answers("AsyncOperations_Result", "GET", _RESULT)
    def result(self, request: ArmRequest) -> Answer:
        """Give the result of an operation: 202 until it has ended."""
        operation = self._find(request)
        if not operation.is_done:
            headers = self.headers(operation, request.api_version, status=False, location=True)
            return Answer(None, 202, headers)
        if operation.error is not None:
            raise ArmError(400, operation.error["code"], operation.error["message"])
        return Answer(None, 204) if operation.result is None else operation.result()

    def _find(self, request: ArmRequest) -> AsyncOperation:
        operation = self._all.get(request.params["operationId"].lower())
        if operation is None:
            said = f"The operation with id '{request.params['operationId']}' was not found."
            raise ArmError(404, "OperationNotFound", said)
        return operation
