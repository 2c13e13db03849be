"""Azure Service Bus on this machine: queues and subscriptions, locks, dead letters, failures when told to.

Clients reach it without TLS by `connection_string`, as they reach Microsoft's own emulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ._azure.service_bus_broker import KEY, KEY_NAME, Broker, BusCall, Refusal, check_shared_access
from ._azure.service_bus_store import Namespace, Queue, Stored
from ._call_faults import Fault, When
from ._lifetime import Stopped
from ._server_clock import Clock
from .processes import HOST

__all__ = ["BusCall", "Queue", "ServiceBus", "Stored"]

_CONDITIONS = {
    "busy": Refusal("com.microsoft:server-busy", "The server is busy. Wait 10 seconds and try again."),
    "denied": Refusal("amqp:unauthorized-access", "Unauthorized access. 'Listen' claim(s) are required."),
    "internal": Refusal("amqp:internal-error", "The service was unable to process the request; please retry."),
    "quota": Refusal("amqp:resource-limit-exceeded", "The maximum entity size has been reached."),
    "timeout": Refusal("com.microsoft:timeout", "The operation did not complete within the allocated time."),
}


class ServiceBus(Stopped):
    """A namespace, with what tests tell it and ask of it.

    ```python
    with ServiceBus() as bus:
        orders = bus.new_queue("orders", lock_seconds=30)
        ServiceBusClient.from_connection_string(bus.connection_string)
        bus.fail("complete", "busy", times=2)
        assert orders.texts == []
    ```
    """

    def __init__(self) -> None:
        """Start to listen on a free port."""
        self.clock = Clock()
        self.tokens: list[str] = []
        self.refused = ""
        self._namespace = Namespace(self.clock)
        self._broker = Broker(self._namespace, self._authorize)

    def _authorize(self, kind: str, token: str) -> str:
        self.tokens.append(kind)
        if self.refused:
            return self.refused
        # Without TLS, as to an emulator, the SDK says "jwt" of either kind.
        return check_shared_access(token) if token.startswith("SharedAccessSignature ") else ""

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self._broker.port

    @property
    def connection_string(self) -> str:
        """What clients log in by."""
        return (
            f"Endpoint=sb://{HOST}:{self.port};SharedAccessKeyName={KEY_NAME};SharedAccessKey={KEY};"
            "UseDevelopmentEmulator=true;"
        )

    @property
    def calls(self) -> list[BusCall]:
        """What clients asked for, oldest first."""
        return list(self._broker.calls)

    def count(self, method: str) -> int:
        """How many messages, or links, a method was asked for."""
        return sum(call.count or 1 for call in self.calls if call.method == method)

    def new_queue(self, name: str, **options: Any) -> Queue:
        """Make a queue, or a subscription: `topic/Subscriptions/name`.

        Args:
            name: As clients name it.
            **options: `lock_seconds`, `max_delivery_count`, `max_message_bytes`,
                `max_batch_bytes`, `disabled`.
        """
        return self._namespace.new_queue(name, **options)

    def fail(
        self,
        method: str,
        kind: str = "busy",
        *,
        times: int | None = 1,
        when: When = "before",
        where: Callable[[BusCall], bool] | None = None,
    ) -> None:
        """Have calls refused.

        Args:
            method: A method of `BusCall`; `*` stands for anything in it.
            kind: `busy`, `denied`, `internal`, `quota`, `timeout`.
            times: How many calls; `None` for all.
            when: Only `before`: nothing is done.
            where: Which of them.
        """
        self._broker.faults.add(Fault(method, _CONDITIONS[kind], times=times, when=when, where=where))

    def heal(self) -> None:
        """End all faults."""
        self._broker.faults.clear()

    def cut(self) -> None:
        """Break all connections."""
        self._broker.cut()

    def advance(self, seconds: float) -> None:
        """Let time pass, and locks end."""
        self.clock.advance(seconds)
        self._broker.look_again()

    def reset(self) -> None:
        """Forget queues, calls, faults and time."""
        self.heal()
        self._namespace.clear()
        self._broker.calls.clear()
        self.tokens.clear()
        self.refused = ""
        self.clock.reset()

    def stop(self) -> None:
        """End."""
        self._broker.close()
        self.clock.close()


@pytest.fixture(scope="session")
def service_bus() -> Iterator[ServiceBus]:
    """A Service Bus namespace for the whole session."""
    with ServiceBus() as bus:
        yield bus


@pytest.fixture
def empty_service_bus(service_bus: ServiceBus) -> ServiceBus:
    """The same without queues, calls and faults."""
    service_bus.reset()
    return service_bus
