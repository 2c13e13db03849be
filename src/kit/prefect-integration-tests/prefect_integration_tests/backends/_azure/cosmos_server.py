"""The HTTP side of a local Cosmos DB account: http and https on loopback ports, keys and tokens checked, faults."""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import uuid
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from .._call_faults import Fault, Faults
from .._http_server import Cut, Garbled, HttpHandler, HttpServer
from ..processes import HOST
from .cosmos_access import check_access
from .cosmos_calls import ACTIONS, CosmosCall, operation_of
from .cosmos_service import Answer, CosmosService
from .cosmos_store import CosmosRefused, CosmosStore, Json

_READS = frozenset({"GET", "HEAD"})


class CosmosServer:
    """One account.

    Attributes:
        store: What it keeps.
        calls: All requests, in order.
        on_call: Told of each call before it is answered; what one raises is the answer, if it is a `CosmosRefused`.
        keys: Names and Base64 of its keys; what `readonly` signs may only read.
        check_token: Gives who a token is of, `None` for one that is not good.
        denied: Actions that no principal may do, such as `…/items/create`.
    """

    def __init__(self, keys: dict[str, str], context: ssl.SSLContext | None) -> None:
        """Start the threads that listen, on free ports.

        Args:
            keys: Names and Base64 of its keys.
            context: The certificate of the port that speaks TLS; there is none without.
        """
        self.keys = keys
        self.store = CosmosStore()
        self.service = CosmosService(self.store)
        self.faults: Faults[CosmosCall] = Faults()
        self._lsn = itertools.count(1)
        self.reset()
        self._http = [HttpServer(self, _Handler).start("cosmos")]
        if context is not None:
            self._http.append(HttpServer(self, _Handler, context).start("cosmos-tls"))

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port/`."""
        return f"http://{HOST}:{self._http[0].server_address[1]}/"

    @property
    def tls_endpoint(self) -> str:
        """`https://127.0.0.1:port/`; Azure's SDK does not check the certificate of a loopback address."""
        return f"https://{HOST}:{self._http[1].server_address[1]}/"

    def reset(self) -> None:
        """Forget everything: what is kept, calls, faults, permissions."""
        self.faults.clear()
        self.store.reset()
        self.service.partitions = 1
        self.calls: list[CosmosCall] = []
        self.on_call: list[Callable[[CosmosCall], None]] = []
        self.check_token: Callable[[str], str | None] | None = None
        self.denied: set[str] = set()

    def cut_connections(self) -> None:
        """Close all open connections; new ones are welcome."""
        for http in self._http:
            http.cut_all()

    def close(self) -> None:
        """Stop to listen."""
        for http in self._http:
            http.end()

    def answer(self, call: CosmosCall, address: str) -> Answer:
        """Do what a call asks.

        Raises:
            CosmosRefused: The refusal.
            Cut: By a fault.
            Garbled: By a fault.
        """
        self.calls.append(call)
        fault = self.faults.next(call)
        if fault is not None:
            _strike(fault)
        for hook in list(self.on_call):
            hook(call)
        links = (call.link, call.link.rpartition("/")[2].lower())
        call.principal = check_access(
            call.headers, call.verb, call.resource_type, links, keys=self.keys, check_token=self.check_token
        )
        self._check_permission(call)
        if fault is not None and fault.when == "late":
            threading.Timer(fault.delay_seconds, self.service.answer, (call,)).start()
            raise Cut
        answer = Answer(200, _account(address)) if call.method == "Account_Get" else self.service.answer(call)
        answer.headers["x-ms-session-token"] = f"0:-1#{next(self._lsn)}"
        if fault is not None and fault.when == "lost":
            raise Cut
        if fault is not None and fault.when == "after":
            raise fault.error
        return answer

    def _check_permission(self, call: CosmosCall) -> None:
        action = ACTIONS.get(call.method)
        if call.principal == "readonly":
            if call.verb not in _READS and call.method not in ("Items_Query", "Items_Plan"):
                raise CosmosRefused(403, "The given request cannot be authorized with a read-only key.")
            return
        if call.principal in self.keys:
            return
        if action is None:
            raise CosmosRefused(
                403,
                f"Request for {call.method} is blocked because principal [{call.principal}] cannot be authorized by "
                "AAD token in data plane. Learn more: https://aka.ms/cosmos-native-rbac.",
                substatus=5300,
            )
        if action in self.denied:
            raise CosmosRefused(
                403,
                f"Request blocked by Auth local : Request is blocked because principal [{call.principal}] does not "
                f"have required RBAC permissions to perform action [{action}] on resource [{call.link or '/'}]. "
                "Learn more: https://aka.ms/cosmos-native-rbac.",
                substatus=5302,
            )


def _strike(fault: Fault[CosmosCall]) -> None:
    if fault.delay_seconds and fault.when != "late":
        threading.Event().wait(fault.delay_seconds)
    if fault.when == "before":
        raise fault.error
    if fault.when == "garbled":
        raise Garbled
    if fault.when == "cut":
        raise Cut


def _account(address: str) -> Json:
    here = [{"name": "Local", "databaseAccountEndpoint": address}]
    return {
        "_self": "",
        "id": "local",
        "_rid": "local",
        "media": "//media/",
        "addresses": "//addresses/",
        "_dbs": "//dbs/",
        "writableLocations": here,
        "readableLocations": here,
        "enableMultipleWriteLocations": False,
        "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
    }


class _Handler(HttpHandler):
    def serve(self) -> None:
        """Answer one request."""
        owner: CosmosServer = self.server.owner
        path = tuple(unquote(part) for part in urlsplit(self.path).path.split("/") if part)
        headers = {name.lower(): value for name, value in self.headers.items()}
        content = self.rfile.read(int(headers.get("content-length") or 0))
        call = CosmosCall("", self.command, path, headers)
        try:
            call.method = operation_of(self.command, path, headers)
            call.body = _body(content)
            scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
            answer = owner.answer(call, f"{scheme}://{HOST}:{self.server.server_port}/")
        except Cut:
            raise
        except Garbled as exc:
            call.status = exc.status
            raise
        except CosmosRefused as exc:
            call.status = exc.status
            self._refuse(exc)
            return
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            call.status = 500
            self._refuse(CosmosRefused(500, f"Local server: {type(exc).__name__}: {exc}"))
            return
        finally:
            headers.pop("authorization", None)
        call.status = answer.status
        sent = {"x-ms-request-charge": str(answer.charge), **answer.headers}
        self._write(answer.status, b"" if answer.body is None else json.dumps(answer.body).encode(), sent)

    def _refuse(self, exc: CosmosRefused) -> None:
        activity = str(uuid.uuid4())
        said = f"{exc.message}\r\nActivityId: {activity}, Microsoft.Azure.Documents.Common/2.14.0"
        body = {"code": exc.code, "message": said, **exc.more}
        headers = {"x-ms-request-charge": "0", "x-ms-activity-id": activity}
        if exc.substatus is not None:
            headers["x-ms-substatus"] = str(exc.substatus)
        if exc.retry_after_ms is not None:
            headers["x-ms-retry-after-ms"] = str(exc.retry_after_ms)
        self._write(exc.status, json.dumps(body).encode(), headers)

    def _write(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        about = {"Content-Type": "application/json", "x-ms-activity-id": str(uuid.uuid4())}
        self.send(status, content, {**about, **headers})


def _body(content: bytes) -> Json:
    if not content:
        return {}
    try:
        loaded: Any = json.loads(content)
    except ValueError:
        raise CosmosRefused(400, "The request payload is invalid. Ensure to provide a valid request payload.") from None
    if not isinstance(loaded, dict):
        raise CosmosRefused(400, "The local server takes JSON objects only.")
    return cast("Json", loaded)
