"""AMQP 1.0 as Service Bus speaks it: tokens by `$cbs`, locks by `$management`, messages by links.

The protocol is described at
https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-amqp-protocol-guide and, for requests, at
https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-amqp-request-response.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from proton import (
    UNDESCRIBED,
    Array,
    Condition,
    Data,
    Delivery,
    Endpoint,
    Message,
    Terminus,
    int32,
    symbol,
    timestamp,
    ulong,
)
from proton.handlers import MessagingHandler
from proton.reactor import ApplicationEvent, Container, EventInjector

from .._call_faults import Fault, Faults
from ..processes import HOST, free_port
from .service_bus_store import Namespace, Queue

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingParameterType=false, reportUnknownParameterType=false

KEY_NAME = "RootManageSharedAccessKey"
KEY = base64.b64encode(b"service bus on this machine").decode()
_CBS, _MANAGEMENT = "$cbs", "/$management"
_VENDOR = "com.microsoft:"
_DEAD_LETTER = "com.microsoft:dead-letter"


@dataclass(frozen=True)
class BusCall:
    """Something that a client asked for.

    Attributes:
        method: `put-token`, `attach-receiver`, `attach-sender`, `send`, `receive` (messages given out), `complete`,
            `abandon`, `dead-letter`, `release`, `renew-lock`, `peek-message`, `update-disposition`.
        entity: Queue, topic or subscription.
        count: How many messages it is about.
    """

    method: str
    entity: str
    count: int = 1


@dataclass(frozen=True)
class Refusal:
    """How a call is refused.

    Attributes:
        condition: AMQP's or Service Bus' name of the error, such as `com.microsoft:server-busy`.
        description: Its words.
    """

    condition: str
    description: str


class Broker(MessagingHandler):
    """One namespace, served in a thread of its own."""

    def __init__(self, namespace: Namespace, authorize: Callable[[str, str], str]) -> None:
        """Start to listen on a free port.

        Args:
            namespace: Its queues.
            authorize: Says, of type and text of a token, why it is refused; empty when it is good.
        """
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.namespace = namespace
        self.port = free_port()
        self.faults: Faults[BusCall] = Faults()
        self.calls: list[BusCall] = []
        self._authorize = authorize
        self._links: dict[Any, Queue] = {}
        self._given: dict[bytes, Queue] = {}
        self._connections: list[Any] = []
        self._events = EventInjector()
        self._started = threading.Event()
        self._container = Container(self)
        self._thread = threading.Thread(target=self._container.run, name="service-bus", daemon=True)
        self._thread.start()
        if not self._started.wait(30):
            raise RuntimeError("The Service Bus broker did not start within 30 seconds.")

    # From other threads

    def close(self) -> None:
        """End."""
        self._events.trigger(ApplicationEvent("stop"))
        self._thread.join(timeout=10)

    def cut(self) -> None:
        """Break all connections, without a word."""
        done = threading.Event()
        self._events.trigger(ApplicationEvent("cut", subject=done))
        done.wait(10)

    def look_again(self) -> None:
        """Give out messages that have become free, such as by the clock."""
        self._events.trigger(ApplicationEvent("look_again"))

    # The reactor's thread

    def on_start(self, event: Any) -> None:
        """Listen."""
        self._acceptor = event.container.listen(f"amqp://{HOST}:{self.port}")
        event.container.selectable(self._events)
        self._started.set()

    def on_stop(self, event: Any) -> None:
        """Close everything."""
        self._acceptor.close()
        self._drop_connections()
        self._events.close()
        self._container.stop()

    def on_cut(self, event: Any) -> None:
        """Break all connections."""
        self._drop_connections()
        event.subject.set()

    def on_look_again(self, event: Any) -> None:
        """See whether somebody waits for what is there."""
        del event
        self._pump()

    def _drop_connections(self) -> None:
        for connection in self._connections:
            transport = connection.transport
            if transport is not None:
                transport.close_tail()
                transport.close_head()
        self._connections.clear()
        self._links.clear()

    def on_connection_opening(self, event: Any) -> None:
        """Answer as the real service names itself."""
        self._connections.append(event.connection)
        event.connection.container = "service-bus"

    def on_link_remote_open(self, event: Any) -> None:
        """Attach, or say why not."""
        link = event.link
        receives = link.is_sender  # seen from here, what the client receives is sent
        remote = link.remote_source if receives else link.remote_target
        address = _path(remote.address)
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if address == _CBS or address.endswith(_MANAGEMENT):
            link.open()
            if not receives:
                link.flow(100)
            return
        queues = [queue] if (queue := self.namespace.find(address)) else []
        if not receives:
            queues = self.namespace.receiving(address)
        call = BusCall("attach-receiver" if receives else "attach-sender", address, 0)
        refusal = self._refusal_of(call)
        if refusal is None and not queues:
            refusal = Refusal(
                "amqp:not-found",
                f"The messaging entity 'sb://{HOST}/{address}' could not be found. To know more visit "
                "https://aka.ms/sbResourceMgrExceptions.",
            )
        if refusal is None and queues[0].disabled:
            refusal = Refusal(f"{_VENDOR}entity-disabled", f"Messaging entity '{address}' is currently disabled.")
        if refusal is not None:
            self._refuse_link(link, refusal)
            return
        link.max_message_size = min(queue.max_message_bytes for queue in queues)
        batch_bytes = min(queue.max_batch_bytes for queue in queues)
        link.properties = {symbol("com.microsoft:max-message-batch-size"): ulong(batch_bytes)}
        link.open()
        if receives:
            self._links[link] = queues[0]
            self._pump()
        else:
            link.flow(100)

    @staticmethod
    def _refuse_link(link: Any, refusal: Refusal) -> None:
        link.source.type = link.target.type = Terminus.UNSPECIFIED
        link.open()
        link.condition = Condition(refusal.condition, refusal.description)
        link.close()

    def on_link_closing(self, event: Any) -> None:
        """Let others have what the client has neither taken nor given back: its locks go on."""
        self._links.pop(event.link, None)
        if event.link.state & Endpoint.LOCAL_ACTIVE:
            event.link.close()

    def on_link_flow(self, event: Any) -> None:
        """The client has room for more."""
        if event.link.is_sender:
            self._pump()
            if event.link.drain_mode:
                event.link.drained()
        elif event.link.credit < 50:
            event.link.flow(100 - event.link.credit)

    def _pump(self) -> None:
        """Give out messages, as far as clients have asked for them."""
        for link, queue in list(self._links.items()):
            while link.credit > 0 and not link.state & Endpoint.LOCAL_CLOSED:
                refusal = self._refusal_of(BusCall("receive", queue.name), record=False)
                if refusal is not None:
                    link.condition = Condition(refusal.condition, refusal.description)
                    link.close()
                    self._links.pop(link, None)
                    break
                stored = queue.lock_next()
                if stored is None:
                    break
                assert stored.token is not None
                message = self._copy(stored)
                settled_at_once = link.remote_snd_settle_mode == link.SND_SETTLED
                delivery = message.send(link, tag=stored.token.bytes_le.decode())
                if settled_at_once:
                    queue.take(stored.token)
                    delivery.settle()
                else:
                    self._given[stored.token.bytes_le] = queue
                self.calls.append(BusCall("receive", queue.name))

    @staticmethod
    def _copy(stored: Any) -> Message:
        message = Message()
        message.decode(stored.message.encode())
        message.delivery_count = stored.deliveries
        message.annotations = {
            **(message.annotations or {}),
            symbol("x-opt-sequence-number"): ulong(stored.sequence),
            symbol("x-opt-enqueued-time"): timestamp(int(stored.enqueued_at * 1000)),
            symbol("x-opt-locked-until"): timestamp(int(stored.locked_until * 1000)),
        }
        return message

    # What clients send

    def on_delivery(self, event: Any) -> None:
        """Take a request or messages; or see what became of a message that was given out."""
        delivery, link = event.delivery, event.link
        if link.is_sender:
            self._settled(link, delivery)
        elif delivery.readable and not delivery.partial:
            content = bytes(link.recv(delivery.pending) or b"")
            link.advance()
            address = _path(link.remote_target.address)
            if address != _CBS and not address.endswith(_MANAGEMENT):
                self._send(delivery, address, unpacked(content))
                return
            self._accept(delivery)
            request = Message()
            request.decode(content)
            answer = partial(self._answer, link, request)
            if address == _CBS:
                self._put_token(request, answer)
            else:
                self._manage(request, address.removesuffix(_MANAGEMENT), answer)

    @staticmethod
    def _accept(delivery: Any) -> None:
        delivery.update(Delivery.ACCEPTED)
        delivery.settle()

    def _send(self, delivery: Any, address: str, messages: list[Any]) -> None:
        refusal = self._refusal_of(BusCall("send", address, len(messages)))
        if refusal is not None:
            delivery.local.condition = _condition(refusal)
            delivery.update(Delivery.REJECTED)
            delivery.settle()
            return
        for queue in self.namespace.receiving(address):
            queue.put(messages)
        self._accept(delivery)
        self._pump()

    def _settled(self, link: Any, delivery: Any) -> None:
        if not delivery.updated:
            return
        tag = delivery.tag.encode()
        queue = self._given.pop(tag, None)
        if queue is None:
            delivery.settle()
            return
        self._settle(link, delivery, queue, uuid.UUID(bytes_le=tag))
        self._pump()

    def _settle(self, link: Any, delivery: Any, queue: Queue, token: uuid.UUID) -> None:
        state = delivery.remote_state
        acts: dict[Any, tuple[str, Callable[[], bool]]] = {
            Delivery.ACCEPTED: ("complete", lambda: queue.take(token)),
            Delivery.RELEASED: ("release", lambda: queue.give_back(token, counts=False)),
            Delivery.MODIFIED: ("abandon", lambda: queue.give_back(token)),
            Delivery.REJECTED: ("dead-letter", lambda: queue.put_aside(token, *_reasons(delivery))),
        }
        method, act = acts.get(state, ("abandon", lambda: queue.give_back(token)))
        refusal = self._refusal_of(BusCall(method, queue.name))
        if refusal is None and not act():
            refusal = Refusal(
                f"{_VENDOR}message-lock-lost",
                "The lock supplied is invalid. Either the lock expired, or the message has already been removed.",
            )
        if refusal is None:
            delivery.update(state if isinstance(state, int) else Delivery.ACCEPTED)
        else:
            delivery.local.condition = _condition(refusal)
            delivery.update(Delivery.REJECTED)
        delivery.settle()

    # Requests

    def _answer(
        self, request_link: Any, request: Any, status: int, description: str, body: Any = None, condition: str = ""
    ) -> None:
        link = self._reply_link(request_link)
        if link is None:
            return
        properties: dict[str, Any] = {"statusCode": int32(status), "statusDescription": description}
        properties |= {"status-code": int32(status), "status-description": description}
        if condition:
            properties["errorCondition"] = symbol(condition)
        Message(correlation_id=request.id, properties=properties, body=body).send(link)

    @staticmethod
    def _reply_link(request_link: Any) -> Any:
        """The link that the client receives answers by: of the same session and node."""
        address = request_link.remote_target.address
        link = request_link.connection.link_head(Endpoint.LOCAL_ACTIVE | Endpoint.REMOTE_ACTIVE)
        while link is not None:
            if link.is_sender and link.remote_source.address == address and link.session == request_link.session:
                return link
            link = link.next(Endpoint.LOCAL_ACTIVE | Endpoint.REMOTE_ACTIVE)
        return None

    def _put_token(self, request: Any, answer: Callable[..., None]) -> None:
        properties = request.properties or {}
        audience = str(properties.get("name") or "")
        refusal = self._refusal_of(BusCall("put-token", audience))
        why = refusal.description if refusal else self._authorize(str(properties.get("type") or ""), str(request.body))
        if why:
            answer(401, why, condition=refusal.condition if refusal else "amqp:unauthorized-access")
        else:
            answer(202, "Accepted")

    def _manage(self, request: Any, entity: str, answer: Callable[..., None]) -> None:
        operation = str((request.properties or {}).get("operation") or "").removeprefix(_VENDOR)
        queue = self.namespace.find(entity)
        body = request.body if isinstance(request.body, dict) else {}
        refusal = self._refusal_of(BusCall(operation, entity))
        if refusal is not None:
            answer(503, refusal.description, condition=refusal.condition)
        elif queue is None:
            answer(404, f"The messaging entity {entity!r} could not be found.", condition="amqp:not-found")
        elif operation == "renew-lock":
            self._renew(answer, queue, body)
        elif operation == "update-disposition":
            self._dispose(answer, queue, body)
        elif operation == "peek-message":
            self._peek(answer, queue, body)
        else:
            answer(501, f"{operation!r} is not known here.", condition="amqp:not-implemented")

    def _renew(self, answer: Callable[..., None], queue: Queue, body: Any) -> None:
        ends: list[Any] = []
        for token in _tokens(body):
            until = queue.renew(token)
            if until is None:
                answer(410, "The lock has been lost.", condition=f"{_VENDOR}message-lock-lost")
                return
            ends.append(timestamp(int(until * 1000)))
        answer(200, "OK", {"expirations": Array(cast("Any", UNDESCRIBED), Data.TIMESTAMP, *ends)})

    def _dispose(self, answer: Callable[..., None], queue: Queue, body: Any) -> None:
        status = str(body.get("disposition-status"))
        acts: dict[str, Callable[[uuid.UUID], bool]] = {
            "completed": queue.take,
            "abandoned": queue.give_back,
            "suspended": queue.put_aside,
        }
        act = acts.get(status)
        if act is None:
            answer(400, f"{status!r} is not known here.", condition="amqp:not-allowed")
            return
        outcomes = [act(token) for token in _tokens(body)]
        if all(outcomes):
            answer(200, "OK")
        else:
            answer(410, "The lock has been lost.", condition=f"{_VENDOR}message-lock-lost")

    def _peek(self, answer: Callable[..., None], queue: Queue, body: Any) -> None:
        first, count = int(body.get("from-sequence-number") or 0), int(body.get("message-count") or 1)
        found = [stored for stored in queue.messages if stored.sequence >= first][:count]
        if not found:
            answer(204, "No messages", condition=f"{_VENDOR}message-not-found")
            return
        answer(200, "OK", {"messages": [{"message": self._copy(stored).encode()} for stored in found]})

    def _refusal_of(self, call: BusCall, *, record: bool = True) -> Refusal | None:
        if record:
            self.calls.append(call)
        fault: Fault[BusCall] | None = self.faults.next(call)
        return fault.error if fault is not None else None


def _condition(refusal: Refusal) -> Any:
    # The SDK reads three parts, and does not look how many there are.
    return Condition(refusal.condition, refusal.description, {symbol("com.microsoft:tracking-id"): "0"})


def _tokens(body: Any) -> list[uuid.UUID]:
    tokens: Any = body.get("lock-tokens") or ()
    return [token if isinstance(token, uuid.UUID) else uuid.UUID(bytes=bytes(token)) for token in tokens]


def _reasons(delivery: Any) -> tuple[str, str]:
    condition = delivery.remote.condition
    info = dict(condition.info or {}) if condition is not None else {}
    named = {str(key): str(value) for key, value in info.items()}
    return named.get("DeadLetterReason", ""), named.get("DeadLetterErrorDescription", "")


def _path(address: str | None) -> str:
    """The entity that an address names, which may be a URL."""
    address = address or ""
    return urllib.parse.unquote(urllib.parse.urlsplit(address).path or address).strip("/")


def unpacked(content: bytes) -> list[Any]:
    """The messages of a transfer: one, or those of a batch, each encoded in a section of data of its own."""
    found: list[Any] = []
    for part in _sections_of_data(content) or [content]:
        message = Message()
        message.decode(part)
        found.append(message)
    return found


def _sections_of_data(content: bytes) -> list[bytes]:
    """What the sections of data hold, if each holds an encoded message; else nothing.

    How sections are written: http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#section-encodings.
    """
    parts: list[bytes] = []
    at = 0
    while at + 4 <= len(content) and content[at : at + 2] == b"\x00\x53":
        code, kind = content[at + 2], content[at + 3]
        if kind == 0x45:  # an empty list
            at += 4
            continue
        width = 4 if kind >= 0xB0 and kind & 0x10 else 1  # of the size: b0, d0 and d1; a0, c0 and c1
        size = int.from_bytes(content[at + 4 : at + 4 + width], "big")
        start = at + 4 + width
        at = start + size
        if code == 0x75:
            parts.append(content[start:at])
    return parts if all(part.startswith(b"\x00\x53") for part in parts) else []


def check_shared_access(token: str) -> str:
    """Say why a shared access signature is refused; empty when the key has made it, and it has not expired."""
    fields = dict(urllib.parse.parse_qsl(token.removeprefix("SharedAccessSignature ").strip()))
    audience = urllib.parse.quote_plus(fields.get("sr", ""))
    if fields.get("skn") != KEY_NAME:
        return "InvalidSignature: The key name is not known."
    signed = f"{audience}\n{fields.get('se', '')}".encode()
    expected = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(expected, fields.get("sig", "")):
        return "InvalidSignature: The token has an invalid signature."
    if not fields.get("se", "").isdigit() or int(fields["se"]) < time.time():
        return "ExpiredToken: The token is expired."
    return ""
