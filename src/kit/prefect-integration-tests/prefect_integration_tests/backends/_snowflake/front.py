"""Snowflake's HTTP interface as its connector speaks it, before fakesnow."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import threading
import uuid
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .._http_server import HttpHandler, HttpServer
from ..processes import HOST
from .chunks import Chunks
from .logins import Accounts
from .queries import DETACHED, Queries, SnowflakeQuery, failure
from .stages import Stages

Json = dict[str, Any]

_UPSTREAM_SECONDS = 300
_TOKEN = re.compile(r'Snowflake Token="([^"]*)"')
_NO_SESSION = ("390111", "Session no longer exists.  New login required to access the service.")
_EXPIRED = ("390112", "Session expired.")
_NO_SINGLE_SIGN_ON = (
    "390190",
    "There was an error related to the SAML Identity Provider account parameter.",
)


def _refused(refusal: tuple[str, str]) -> Json:
    return {"data": {}, "code": refusal[0], "message": refusal[1], "success": False}


class SnowflakeFront:
    """Answers the connector: logins and queries itself or by fakesnow, whose port it is given."""

    def __init__(self, upstream_port: int) -> None:
        """Start to listen on a free loopback port.

        Args:
            upstream_port: Port of fakesnow.
        """
        self._upstream_port = upstream_port
        self._stages = Stages()
        self._turns = threading.Lock()
        self.queries = Queries(self._run)
        self.reset()
        self._http = HttpServer(self, _Handler)
        self._http.start("snowflake-front")

    def reset(self) -> None:
        """Forget users, logins, queries and faults."""
        self.queries.reset()
        self.accounts = Accounts()
        self.logins: list[Json] = []
        self.authenticator_requests: list[Json] = []
        self.token_requests: list[dict[str, str]] = []
        self.closed_sessions = 0
        self.faults: list[list[Any]] = []
        self.gone: dict[str, tuple[str, str]] = {}
        self.sessions: set[str] = set()
        self.renewed: dict[str, str] = {}
        self.rows_per_chunk: int | None = None
        self.chunks = Chunks()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._http.server_port

    def close(self) -> None:
        """Stop to listen."""
        self.queries.reset()
        self._http.end()

    # What the handler calls

    def fault(self, path: str) -> int | None:
        """Take the next fault for a path."""
        for fault in self.faults:
            if fault[2] > 0 and re.search(fault[0], path):
                fault[2] -= 1
                return int(fault[1])
        return None

    def upstream(self, method: str, target: str, headers: dict[str, str], content: bytes) -> tuple[int, bytes]:
        """Ask fakesnow."""
        connection = http.client.HTTPConnection(HOST, self._upstream_port, timeout=_UPSTREAM_SECONDS)
        try:
            connection.request(method, target, content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _run(self, query: SnowflakeQuery, sql: str) -> Json:
        answer = self._stages.answer(query, sql, self._forward)
        return self._forward(query, sql) if answer is None else answer

    def _forward(self, query: SnowflakeQuery, sql: str) -> Json:
        body = {**query.body, "sqlText": sql, "asyncExec": False}
        headers = {
            "Authorization": f'Snowflake Token="{query.session}"',
            "Content-Type": "application/json",
            "Host": f"{HOST}:{self.port}",  # files are sent to where fakesnow says that it is
        }
        with self._turns:  # two statements at a time in one session of fakesnow take each other's results
            status, content = self.upstream(
                "POST", f"/queries/v1/query-request?requestId={uuid.uuid4()}", headers, json.dumps(body).encode()
            )
        answer: Json = json.loads(content)
        if status == 200 and self.rows_per_chunk is not None:
            self.chunks.cut(answer, self.rows_per_chunk, f"http://{HOST}:{self.port}")
        return answer if status == 200 else failure("000603", "XX000", str(answer.get("message")))

    def login(self, target: str, body: Json, content: bytes) -> Json:
        """Let a user in, or not."""
        asked = dict(parse_qsl(urlsplit(target).query))
        data: Json = body.get("data", {})
        self.logins.append({**data, "query": asked})
        refusal = self.accounts.refusal(data, asked.get("roleName"))
        if refusal is not None:
            return {
                "data": {"authnMethod": "USERNAME_PASSWORD"},
                "code": refusal[0],
                "message": refusal[1],
                "success": False,
            }
        _, answered = self.upstream("POST", target, {"Content-Type": "application/json"}, content)
        answer: Json = json.loads(answered)
        token: str = answer["data"]["token"]
        self.sessions.add(token)
        answer["data"].update(
            {
                "masterToken": f"master-{token}",
                "validityInSeconds": 3600,
                "masterValidityInSeconds": 14400,
                "sessionId": len(self.sessions),
                "displayUserName": data.get("LOGIN_NAME", ""),
            }
        )
        answer["data"]["sessionInfo"].update(
            {"warehouseName": asked.get("warehouse"), "roleName": asked.get("roleName")}
        )
        return answer

    def renew(self, token: str) -> Json:
        """Give a session a new token."""
        old = token.removeprefix("master-")
        if old not in self.sessions:
            return {"success": False, "code": "390114", "message": "Authentication token has expired.", "data": None}
        fresh = f"renewed-{uuid.uuid4().hex}"
        self.renewed[fresh] = self.renewed.get(old, old)
        self.sessions.add(fresh)
        data = {"sessionToken": fresh, "masterToken": f"master-{fresh}", "validityInSecondsST": 3600}
        return {"success": True, "data": data}

    def session_refusal(self, token: str) -> tuple[str, str] | None:
        """Say why a token is no good any more."""
        return self.gone.get(token)

    def expire(self, *, for_good: bool) -> None:
        """End all sessions."""
        refusal = _NO_SESSION if for_good else _EXPIRED
        self.gone.update(dict.fromkeys(self.sessions, refusal))

    def query(self, token: str, request_id: str, body: Json) -> Json:
        """Run a statement, or start it."""
        query = SnowflakeQuery(
            sql=str(body.get("sqlText", "")),
            parameters=dict(body.get("parameters") or {}),
            request_id=request_id,
            session=self.renewed.get(token, token),
            is_async=bool(body.get("asyncExec")),
            body=body,
        )
        query = self.queries.start(query)
        if query.is_async:
            data = {
                "queryId": query.query_id,
                "getResultUrl": f"/queries/{query.query_id}/result",
                "queryAbortsAfterSecs": 300,
                "progressDesc": None,
            }
            return {"data": data, "code": DETACHED, "message": "Query execution in progress", "success": True}
        query.done.wait()
        return query.answer


class _Handler(HttpHandler):
    @property
    def front(self) -> SnowflakeFront:
        return self.server.owner

    def serve(self) -> None:
        """Answer one request."""
        content = self.read_content()
        if self.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        path = urlsplit(self.path).path
        fault = self.front.fault(path)
        if fault is not None:
            self.send(fault, b"{}", {"Content-Type": "application/json"})
        elif path.startswith("/fs_bucket/"):
            status, answer = self.front.upstream(self.command, self.path, dict(self.headers.items()), content)
            self.send(status, answer, {})
        elif path.startswith("/chunks/"):
            self.send(200, self.front.chunks.fetch(path), {})
        elif path == "/oauth/token-request":
            self._give_token(content)
        else:
            answer = self._answer(path, content)
            self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, may_compress=True)

    def _answer(self, path: str, content: bytes) -> Json:
        front = self.front
        body: Json = json.loads(content) if content[:1] == b"{" else {}
        if path == "/session/v1/login-request":
            return front.login(self.path, body, content)
        if path == "/session/authenticator-request":
            front.authenticator_requests.append(body.get("data", {}))
            return _refused(_NO_SINGLE_SIGN_ON)
        found = _TOKEN.search(self.headers.get("Authorization") or "")
        token = found[1] if found else ""
        if path == "/session/token-request":
            return front.renew(token)
        refusal = front.session_refusal(token)
        if refusal is not None and not path.startswith(("/telemetry", "/session")):
            return _refused(refusal)
        return self._session_answer(path, token, body)

    def _session_answer(self, path: str, token: str, body: Json) -> Json:
        front, queries = self.front, self.front.queries
        asked = dict(parse_qsl(urlsplit(self.path).query))
        if path == "/queries/v1/query-request":
            return front.query(token, asked.get("requestId", ""), body)
        if path == "/queries/v1/abort-request":
            for query in list(queries.all):
                if query.request_id == body.get("requestId"):
                    queries.stop(query, "request")
            return {"success": True, "data": None}
        parts = path.strip("/").split("/")
        if parts[0] == "queries" and len(parts) == 3:
            query = queries.find(parts[1])
            if query is None:
                return failure("000709", "02000", f"Statement {parts[1]} not found")
            if parts[2] == "abort-request":
                return {"success": queries.stop(query, "id"), "data": None}
            query.done.wait()
            return query.answer
        if parts[:2] == ["monitoring", "queries"]:
            query = queries.find(parts[2])
            return {"success": True, "data": {"queries": [] if query is None else [query.status()]}, "message": None}
        if path == "/session" and asked.get("delete"):
            front.closed_sessions += 1
        return {"success": True, "data": None, "code": None, "message": None}

    def _give_token(self, content: bytes) -> None:
        import base64

        form = dict(parse_qsl(content.decode()))
        header = (self.headers.get("Authorization") or "").removeprefix("Basic ")
        client, _, secret = base64.b64decode(header).decode().partition(":") if header else ("", "", "")
        client, secret = form.get("client_id", client), form.get("client_secret", secret)
        self.front.token_requests.append({**form, "client": client})
        if self.front.accounts.oauth_clients.get(client) != secret or not secret:
            self.send(401, b'{"error": "invalid_client"}', {"Content-Type": "application/json"})
            return
        token = f"oauth-{uuid.uuid4().hex}"
        self.front.accounts.oauth_tokens.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 600}
        self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
