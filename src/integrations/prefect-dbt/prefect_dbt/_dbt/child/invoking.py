"""One invocation: dbt's own runner with our callback, and what it gave."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from dbt.cli.main import cli, dbtRunner, dbtRunnerResult

from .arguments import resolve
from .encoding import Encoder, Filter
from .frames import END_OF_OUTPUT
from .keeping import KeptManifest
from .nodes import Nodes, from_event, from_result, plain
from .packages import Installation
from .records import DbtEvent, NodeDetails, NodeResult
from .results import pack
from .scrubbing import Scrubber

if TYPE_CHECKING:
    from .frames import Message
    from .serving import Serving


_FORKABLE = frozenset({"babel.numbers", "dbt.adapters.duckdb", "dbt.adapters.postgres", "sqlparse"})
"""Used by most projects; adapters of other databases start threads when they are imported."""


class _Nowhere(io.TextIOBase):
    """Where dbt's console writes: the parent shows the events."""

    def write(self, text: str) -> int:
        return len(text)


class Ended(NamedTuple):
    """The end of an invocation, on the queue behind its events."""

    number: int
    nodes: list[NodeResult] | None
    """Results by node; if dbt gave none, those that it told while it ran count."""

    outcome: dict[str, Any]


class Invoker:
    """Runs invocations one after another."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._kept = KeptManifest()
        self._nowhere = _Nowhere()

    def serve(self, request: dict[str, Any]) -> None:
        """Run one invocation and send its outcome."""
        serving, number = self._serving, request["number"]
        run = _Run(serving, request, self._kept)
        folder = Path.cwd()
        serving.writer.encode = run.encode
        _silence_console(self._nowhere)
        try:
            result = run.invoke(number)
        except KeyboardInterrupt as exc:  # between dbt's end and ours
            result = dbtRunnerResult(success=False, exception=exc)
        run.clean_up(result)
        with contextlib.suppress(OSError):
            os.chdir(folder)
        _release()
        _end_output(number)
        serving.writer.put_last(run.outcome(result))
        run.keep_manifest(result)


class _Run:
    """What belongs to one invocation."""

    def __init__(self, serving: Serving, request: dict[str, Any], kept: KeptManifest) -> None:
        self._serving = serving
        self._request = request
        self._kept = kept
        self._filter = Filter()
        self._scrub = Scrubber(os.environ)
        self._encoder = Encoder(self._scrub)
        self._context: dict[str, Any] = {}
        self._nodes: Nodes | None = None
        self._has_graph = False
        self._finished: dict[str, NodeResult] = {}
        self._begun: Counter[str] = Counter()
        self._sees_flags = False
        self._installation: Installation | None = None
        self.command = ""
        self.args: list[str] = []

    def invoke(self, number: int) -> Any:
        serving, request = self._serving, self._request
        try:
            kwargs: dict[str, Any] = pickle.loads(request["kwargs"])  # noqa: S301 - from our parent
            resolved = resolve(cli, request["args"], kwargs, request["inject"])
            self.command, self.args = resolved.command, resolved.args
            manifest = self._manifest({**resolved.given, **kwargs})
            serving.current = number
            serving.running = True
            if serving.is_cancelled(number):
                return dbtRunnerResult(success=False, exception=KeyboardInterrupt())
            callbacks: list[Any] = [self.callback]
            if self.command == "deps":
                self._installation = Installation()
                callbacks.append(self._installation.callback)
            runner: Any = dbtRunner(manifest=manifest, callbacks=callbacks)
            return runner.invoke(self.args, **kwargs)
        except BaseException as exc:  # noqa: BLE001 - told to the parent
            return dbtRunnerResult(success=False, exception=exc)
        finally:
            serving.running = False

    def _manifest(self, given: dict[str, Any]) -> Any:
        """The manifest to run on, if dbt need not parse the project."""
        if self._request["manifest"] is not None:
            with Path(self._request["manifest"]).open("rb") as file:
                return pickle.load(file)  # noqa: S301 - from our parent
        if not self._request["keep_manifest"]:
            self._kept.forget()
            return None
        return self._kept.take(given)

    def clean_up(self, result: Any) -> None:
        """Leave nothing half done behind a failure."""
        if self._installation is not None and not result.success:
            self._installation.undo(self._context.get("project"))

    def keep_manifest(self, result: Any) -> None:
        """Keep what dbt parsed for the next invocation, unless it may be half done."""
        if self._request["keep_manifest"] and self._request["manifest"] is None and result.exception is None:
            self._kept.keep(self._context.get("manifest"), self._context.get("runtime_config"))
        else:
            self._kept.forget()

    def callback(self, message: Any) -> None:
        """Take an event from dbt: look at it briefly and put it on the queue."""
        if not self._sees_flags:
            self._see_flags()
        info = message.info
        if self._filter.wants(info):
            self._serving.writer.put(message)

    def _see_flags(self) -> None:
        """At the first event, on the main thread: find dbt's context, which is filled while the command begins."""
        context = click.get_current_context(silent=True)
        if context is None:
            return
        self._sees_flags = True
        found: Any = context.obj  # pyright: ignore[reportUnknownMemberType]
        self._context = found if isinstance(found, dict) else {}
        if "flags" in self._context:
            self._filter.set_flags(self._context["flags"])
        _drop_console()

    def encode(self, item: Any) -> list[Message]:
        """What is sent for an item of the queue."""
        if isinstance(item, Ended):
            return self._end(item)
        if isinstance(item, tuple):
            return [item]
        try:
            return self._encode(item)
        except Exception as exc:  # noqa: BLE001 - an odd event must not end the writer
            text = f"An event could not be read: {type(exc).__name__}: {exc}"
            event = DbtEvent("PrefectUnreadable", "", "debug", text, time.time(), "", None, {}, False)
            return [("event", event)]

    def _encode(self, message: Any) -> list[Message]:
        event = self._encoder.encode(message, self._filter.shows(message.info))
        if event.node is not None and self._is_batch(event.name, event.node.unique_id):
            return [("event", event._replace(name=event.name.replace("Node", "Batch")))] if event.shown else []
        out: list[Message] = []
        if event.name in ("ConcurrencyLine", "NodeStart"):
            self._begin(event, out)
        if event.name == "NodeStart" and event.node and self._nodes and self._request["want_nodes"]:
            unsent = self._nodes.unsent(event.node.unique_id)
            out.extend(_ours("PrefectNode", event, details=details) for details in unsent)
        out.append(("event", event))
        if event.name == "NodeFinished" and event.node:
            result = from_event(message.data, self._nodes, self._scrub, self._request["include_compiled_code"])
            self._finished[result.unique_id] = result
            out.append(_ours("PrefectResult", event, result=result))
        return out

    def _end(self, ended: Ended) -> list[Message]:
        """The outcome, behind the results of nodes whose end dbt did not tell."""
        nodes = list(self._finished.values()) if ended.nodes is None else ended.nodes
        told = {result.unique_id: result.status for result in self._finished.values()}
        now = DbtEvent("", "", "debug", "", time.time(), "", None, {}, False)
        missing = [_ours("PrefectResult", now, result=node) for node in nodes if node.unique_id not in told]
        return [*missing, ("done", ended.number, {**ended.outcome, "nodes": nodes})]

    def _is_batch(self, name: str, unique_id: str) -> bool:
        """Whether an event is of one batch of a microbatch model: those start and finish within their model."""
        if name == "NodeStart":
            self._begun[unique_id] += 1
            return self._begun[unique_id] > 1
        if name == "NodeFinished":
            self._begun[unique_id] -= 1
            return self._begun[unique_id] > 0
        return False

    def _begin(self, event: DbtEvent, out: list[Message]) -> None:
        """When the first node is about to start: who they are."""
        if self._has_graph or self._context.get("manifest") is None:
            return
        self._has_graph = True
        config = self._context.get("runtime_config")
        adapter = str(getattr(getattr(config, "credentials", None), "type", ""))
        self._nodes = Nodes(self._context["manifest"], adapter, self._scrub)
        data = {
            "project_name": str(getattr(config, "project_name", "")),  # of a class of dbt's own
            "adapter_type": adapter,
            "target_name": str(getattr(config, "target_name", "")),
            "target_path": _target_path(config),
            "threads": plain(getattr(config, "threads", None)),
            "node_count": event.data.get("node_count"),
        }
        out.append(_ours("PrefectGraph", event, data=data))

    def outcome(self, result: Any) -> Ended:
        """What the parent is told at the end."""
        exception = result.exception
        number = self._request["number"]
        interrupted = self._serving.is_cancelled(number) and not result.success
        said = {
            "success": bool(result.success),
            "exception": None
            if exception is None
            else (type(exception).__module__, type(exception).__qualname__, self._scrub(_said(exception))),
            "command": self.command,
            "interrupted": interrupted,
            "target_path": _target_path(self._context.get("runtime_config")),
            "ran": tuple(self.args),
            "modules": _forkable(),
            "payload": pack(result.result, exception) if self._request["want_result"] else None,
        }
        return Ended(number, self._results(result.result), said)

    def _results(self, result: Any) -> list[NodeResult] | None:
        """Results by node, if dbt gave them."""
        found = getattr(result, "results", None)
        if found is None:
            return None
        out: list[NodeResult] = []
        for each in found:
            known = from_result(each, self._scrub, self._request["include_compiled_code"])
            if known is not None:
                out.append(known)
        return out


def _ours(
    name: str,
    cause: DbtEvent,
    *,
    data: dict[str, Any] | None = None,
    details: NodeDetails | None = None,
    result: NodeResult | None = None,
) -> Message:
    """An event that dbt does not have, at the time of one that it has."""
    event = DbtEvent(name, "", "debug", "", cause.timestamp, cause.thread, None, data or {}, False, details, result)
    return "event", event


def _said(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:  # noqa: BLE001 - an exception that cannot say itself
        return ""


def _forkable() -> tuple[str, ...]:
    """Modules in use that a process may import and fork then: they start no threads and open no files."""
    return tuple(name for name in tuple(sys.modules) if name in _FORKABLE or name.startswith("dbt.task."))


def _target_path(config: Any) -> str:
    path = getattr(config, "project_target_path", "") or ""
    return str(Path(path).resolve()) if path else ""


def _events_module() -> Any:
    """Where this version of dbt keeps its event manager's functions."""
    return sys.modules.get("dbt_common.events.functions") or sys.modules.get("dbt.events.functions")


def _silence_console(stream: Any) -> None:
    capture = getattr(_events_module(), "capture_stdout_logs", None)
    if capture is not None:
        capture(stream)


def _drop_console() -> None:
    """Take dbt's console logger away: it formats every event, even what it does not show."""
    for name in ("dbt_common.events.event_manager_client", "dbt.events.functions"):
        module = sys.modules.get(name)
        current: Any = getattr(module, "get_event_manager", None)
        manager: Any = getattr(module, "EVENT_MANAGER", None) if current is None else current()
        loggers = getattr(manager, "loggers", None)
        if loggers is not None:
            manager.loggers = [logger for logger in loggers if getattr(logger, "name", "") != "stdout_log"]
            return


def _end_output(number: int) -> None:
    """Mark where the output of an invocation ends, so that the parent has read all of it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    with contextlib.suppress(OSError):
        os.write(2, b"\n" + END_OF_OUTPUT + str(number).encode() + b"\n")


def _release() -> None:
    """Let go of an embedded database's file, which another process may want to open now."""
    module = sys.modules.get("dbt.adapters.duckdb.connections")
    if module is not None:
        with contextlib.suppress(Exception):
            manager = module.DuckDBConnectionManager
            environment = manager._ENV  # noqa: SLF001 - dbt only forgets it, and a traceback may hold it open
            manager.close_all_connections()
            if environment is not None:
                environment.close()
