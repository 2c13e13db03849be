"""A task run as it travels to another process: what is packed here is unpacked by `task_run_environments`."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from prefect.context import (
    AssetContext,
    FlowRunContext,
    SettingsContext,
    TagsContext,
    TaskRunContext,
    serialize_context,
)
from prefect.futures import PrefectFuture
from prefect.settings.context import get_current_settings
from prefect.utilities.annotations import quote
from prefect.utilities.collections import StopVisiting, visit_collection
from prefect.utilities.engine import collect_task_run_inputs_sync

from .task_run_pickles import dumps, dumps_context

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import RunInput


INLINE_BYTES = 4_000
"""What is smaller travels with the task run, and not as a parcel."""

_is_for_worker: ContextVar[bool] = ContextVar("is_for_worker", default=False)


@contextmanager
def for_worker() -> Generator[None, None, None]:
    """Say that what is pickled in the block goes to a worker of the cluster, which is connected already."""
    token = _is_for_worker.set(True)
    try:
        yield
    finally:
        _is_for_worker.reset(token)


def is_for_worker() -> bool:
    """Whether what is pickled now goes to a worker of the cluster."""
    return _is_for_worker.get()


class Upstream:
    """Stands in an argument for the result of another piece of work of the same service."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


@dataclass(frozen=True)
class Order:
    """What is particular to one task run.

    Attributes:
        task_run_id: Its ID.
        parameters: Each pickled; a number is the index of a parcel among what the service hands over.
        wait_for: Pickled.
        dependencies: Inputs of the run that were found before it was submitted.
        tags: Of the caller's context.
        assets: The asset context, serialized.
        letterhead: Index of the parcel with the task and the rest of the context.
        first_upstream: Index of the first result of other work.
        return_type: `"state"` or `"result"`.
        ledger: Under which the service keeps what has ended; empty where it does not.
    """

    task_run_id: UUID
    parameters: dict[str, bytes | int]
    wait_for: bytes
    dependencies: dict[str, set[RunInput]] | None
    tags: list[str]
    assets: dict[str, Any]
    letterhead: int
    first_upstream: int
    return_type: str
    ledger: str


@dataclass(frozen=True)
class Letterhead:
    """What all runs of one task in one flow run have in common; each part is pickled."""

    task: bytes
    context: bytes
    settings: bytes


@dataclass
class Packed:
    """An order with what travels beside it."""

    order: Order
    parcels: list[bytes]
    upstream: list[Any]


@dataclass(frozen=True)
class Waits:
    """What stands in an argument is the result of work that the service does, and hands over.

    Attributes:
        handle: By which the service knows the work.
    """

    handle: Any


@dataclass
class _Batch:
    """Pickled objects by identity, while nobody can change them."""

    pickled: dict[int, tuple[Any, bytes]] = field(default_factory=dict[int, "tuple[Any, bytes]"])
    digests: dict[int, bytes | None] = field(default_factory=dict[int, "bytes | None"])
    """Of what is in `pickled`, by the identity of the bytes."""


_batch: ContextVar[_Batch | None] = ContextVar("batch", default=None)


@contextmanager
def one_batch() -> Generator[None, None, None]:
    """Pickle objects that many calls share once: within a `map`, nothing of the user's runs between the calls."""
    token = _batch.set(_Batch())
    try:
        yield
    finally:
        _batch.reset(token)


def _dumps(value: Any, *, keep: bool = False) -> bytes:
    batch = _batch.get()
    if batch is None or not keep:
        return dumps(value)
    known = batch.pickled.get(id(value))
    if known is None:
        known = batch.pickled[id(value)] = (value, dumps(value))
        batch.digests[id(known[1])] = None
    return known[1]


def digest_of(content: bytes) -> bytes:
    """Make a digest, once for what many calls of a batch share: of megabytes it takes longer than all else.

    Args:
        content: What is digested.
    """
    batch = _batch.get()
    known = None if batch is None else batch.digests.get(id(content))
    if known is None:
        known = blake2b(content, digest_size=16).digest()
        if batch is not None and id(content) in batch.digests:
            batch.digests[id(content)] = known
    return known


class Packer:
    """Packs the task runs of one flow run.

    Args:
        ledger: Under which the service keeps what has ended; empty where it does not.
        worker: What a process that runs tasks is called, such as `a Dask worker`.
        error: Raised for what cannot be sent.
        upstream_of: Looks at anything in an argument: `Waits` for work of the service, a value to send in its place,
            or `None` for what is neither.
    """

    def __init__(
        self,
        ledger: str,
        worker: str,
        error: type[Exception],
        upstream_of: Callable[[Any], Waits | Any | None],
    ) -> None:
        self.ledger = ledger
        self.api_url: str | None = None
        """Where workers reach a server that runs for this process alone; they would start one each."""
        self._worker = worker
        self._error = error
        self._upstream_of = upstream_of
        self._contexts: dict[tuple[int, ...], tuple[tuple[Any, ...], bytes]] = {}
        self._settings: tuple[Any, bytes] | None = None

    def pack(
        self,
        task: Task[..., Any],
        task_run_id: UUID,
        parameters: dict[str, Any],
        wait_for: Iterable[Any] | None,
        dependencies: dict[str, set[RunInput]] | None,
        return_type: str,
    ) -> Packed:
        """Pack a task run.

        Args:
            task: Its task.
            task_run_id: The run.
            parameters: Arguments by name.
            wait_for: What must be done before it starts.
            dependencies: Inputs of the run that are known.
            return_type: `"state"` or `"result"`.

        Raises:
            Exception: The error that was given, if something cannot be pickled.
        """
        upstream: list[Any] = []
        parcels = [self._letterhead(task)]
        packed_parameters: dict[str, bytes | int] = {}
        for name, value in parameters.items():
            content = self._argument(task, name, value, upstream)
            if len(content) > INLINE_BYTES:
                packed_parameters[name] = len(parcels)
                parcels.append(content)
            else:
                packed_parameters[name] = content
        waited = self._argument(task, "wait_for", None if wait_for is None else list(wait_for), upstream)
        tags = TagsContext.get()
        order = Order(
            task_run_id=task_run_id,
            parameters=packed_parameters,
            wait_for=waited,
            dependencies=dependencies,
            tags=sorted(tags.current_tags),
            assets=_assets(task, task_run_id, dependencies),
            letterhead=0,
            first_upstream=len(parcels),
            return_type=return_type,
            ledger=self.ledger,
        )
        return Packed(order, parcels, upstream)

    def _argument(self, task: Task[..., Any], name: str, value: Any, upstream: list[Any]) -> bytes:
        prepared = self._with_placeholders(value, upstream)
        try:
            # Only large values are worth keeping, and only those that stand as they are for all calls.
            return _dumps(prepared, keep=prepared is value and not _is_small(value))
        except Exception as exc:
            what = f"argument {name!r}" if name in task_parameters(task) else name
            raise self._error(
                f"Task {task.name!r}: {what} of type {type(value).__name__!r} cannot be sent to {self._worker}: {exc} "
                "Pass what it is made from, such as a path or an address, and open it in the task."
            ) from exc

    def _with_placeholders(self, value: Any, upstream: list[Any]) -> Any:
        """Replace the futures of the service in a value, however deep, and wait for those of other task runners."""

        def replace(item: Any, context: dict[str, Any]) -> Any:
            if isinstance(context.get("annotation"), quote):
                raise StopVisiting
            found = self._upstream_of(item)
            if isinstance(found, Waits):
                upstream.append(found.handle)
                return Upstream(len(upstream) - 1)
            if found is not None:
                return found
            if isinstance(item, PrefectFuture):
                future = cast("PrefectFuture[Any]", item)
                future.wait()
                return future.state
            return item

        if _is_small(value) or isinstance(value, str | bytes):
            return value
        return visit_collection(value, visit_fn=replace, return_data=True, max_depth=-1, context={})

    def _letterhead(self, task: Task[..., Any]) -> bytes:
        try:
            function = _dumps(task, keep=True)
        except Exception as exc:
            raise self._error(
                f"Task {task.name!r} cannot be sent to {self._worker}: {exc} Its function refers to something that "
                "cannot be pickled: open it in the task."
            ) from exc
        return pickle.dumps(Letterhead(function, self._context(), self._settings_bytes()))

    def _context(self) -> bytes:
        """The serialized context without what differs between tasks; made once for each pair of runs."""
        owners = (FlowRunContext.get(), TaskRunContext.get())
        key = tuple(id(owner) for owner in owners)
        known = self._contexts.get(key)
        if known is None:
            context = serialize_context()
            for each in ("settings_context", "tags_context", "asset_context"):
                context.pop(each, None)
            if len(self._contexts) >= 8:
                self._contexts.clear()
            known = self._contexts[key] = (owners, dumps_context(context))
        return known[1]

    def _settings_bytes(self) -> bytes:
        current = get_current_settings()
        if self._settings is None or self._settings[0] is not current:
            context = SettingsContext.get()
            serialized = context.serialize() if context else {}
            if serialized and self.api_url and not current.api.url:
                settings = dict(serialized.get("settings") or {})
                settings["api"] = {**(settings.get("api") or {}), "url": self.api_url}
                serialized["settings"] = settings
            self._settings = (current, dumps(serialized))
        return self._settings[1]


def all_inputs(
    parameters: dict[str, Any], wait_for: Iterable[Any] | None, known: dict[str, set[RunInput]] | None
) -> dict[str, set[RunInput]]:
    """Find the task runs and flow runs that arguments come from: on the worker, only values are left of them.

    Args:
        parameters: Arguments by name.
        wait_for: What must be done before the task run starts.
        known: Inputs that were found before.

    Returns:
        All of them, by the names of the arguments.
    """
    found: dict[str, set[Any]] = {
        name: collect_task_run_inputs_sync(value)
        for name, value in parameters.items()
        if not (_is_small(value) or isinstance(value, str | bytes))
    }
    if wait_for:
        found["wait_for"] = collect_task_run_inputs_sync(list(wait_for))
    before = known or {}
    return {**before, **{name: inputs | set(before.get(name) or ()) for name, inputs in found.items() if inputs}}


def own_server() -> str | None:
    """Address of the server that Prefect has started for this process, for workers on this machine."""
    from prefect.client.base import ServerType
    from prefect.client.orchestration import get_client

    context = FlowRunContext.get()
    api: Any = context.client if context is not None else None
    if api is None and os.environ.get("PREFECT_API_URL") is None:
        try:
            api = get_client(sync_client=True)
        except Exception:  # noqa: BLE001 - workers find the API by their settings then
            return None
    if api is None or api.server_type != ServerType.EPHEMERAL:
        return None
    return str(api.api_url)


def task_parameters(task: Task[..., Any]) -> set[str]:
    """Names of the parameters of a task.

    Args:
        task: The task.
    """
    from inspect import signature

    return set(signature(task.fn).parameters)


def _is_small(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _assets(task: Task[..., Any], task_run_id: UUID, dependencies: dict[str, set[RunInput]] | None) -> dict[str, Any]:
    made = AssetContext.from_task_and_inputs(task, task_run_id, dependencies, copy_to_child_ctx=True)
    return made.serialize()


def with_results(value: Any, results: list[Any]) -> Any:
    """Put the results of other work where their placeholders stand.

    Args:
        value: An argument, unpickled.
        results: Of the work, by the indexes in the placeholders.
    """

    def replace(item: Any) -> Any:
        return results[item.index] if isinstance(item, Upstream) else item

    if not results:
        return value
    return visit_collection(value, visit_fn=replace, return_data=True, max_depth=-1)
