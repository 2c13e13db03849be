"""Requests about items of Cosmos DB, each safe to repeat where it is repeated."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .._repeating import repeated
from ..errors import (
    AzureConflict,
    AzureInvalidRequest,
    AzureNotFound,
    AzurePreconditionFailed,
    azure_errors,
    is_transient,
)
from .clients import failure_context
from .targets import container_name, database_name, item_name

if TYPE_CHECKING:
    from prefect_integration_kit.waiting import Verdict

    from ..credentials import AzureCosmosDbCredentials

T = TypeVar("T")

MAX_ITEM_BYTES = 2 * 1024 * 1024
"""https://learn.microsoft.com/azure/cosmos-db/concepts-limits#per-item-limits"""
MAX_PATCHES = 10
"""https://learn.microsoft.com/azure/cosmos-db/partial-document-update-faq"""

_PATCHES = ("add", "set", "replace", "remove", "incr", "move")
_NOT_DONE = frozenset({410, 429, 449, 503})
"""Answers that say that nothing was done."""
_SERVER_ERROR = 500


class Items:
    """The items of one container.

    Attributes:
        subject: The container, for messages.
    """

    def __init__(self, container: Any, database: Any, credentials: AzureCosmosDbCredentials) -> None:
        """Name the container; nothing is asked before the first request.

        Args:
            container: Its name, properties or proxy.
            database: The same of its database.
            credentials: Who we are, and which account.

        Raises:
            AzureInvalidRequest: If a name cannot be one.
        """
        self._container, self._database = container_name(container), database_name(database)
        self._credentials = credentials
        self.subject = f"container '{self._database}/{self._container}'"

    # Reads

    def query(self, query: str, parameters: Any, partition_key: Any, options: Mapping[str, Any]) -> list[Any]:
        """Give all results; a query that breaks off is started again."""
        statement = _Statement.of(query, parameters, partition_key, options)
        proxy = self._open()

        def run() -> list[Any]:
            with self._errors(f"Query of {self.subject}"):
                return list(statement.start(proxy))

        return repeated(run)

    def pages(self, query: str, parameters: Any, partition_key: Any, options: Mapping[str, Any]) -> Iterator[list[Any]]:
        """Give the results page by page; only the present one is in memory."""
        statement = _Statement.of(query, parameters, partition_key, options)
        proxy = self._open()
        subject = f"Query of {self.subject}"

        def begin() -> tuple[Any, list[Any] | None]:
            with self._errors(subject):
                pages = statement.start(proxy).by_page()
                return pages, _next_page(pages)

        def proceed() -> list[Any] | None:
            with self._errors(subject):
                return _next_page(pages)

        pages, page = repeated(begin)
        while page is not None:
            yield page
            # Where the SDK merges partitions, it forgets on a failure what it has merged of the page.
            page = repeated(proceed) if _resumes(pages) else proceed()

    def read(self, item: Any, partition_key: Any, options: Mapping[str, Any]) -> Any:
        """Give an item."""
        name = item_name(item)
        proxy = self._open()

        def read() -> Any:
            with self._errors(self._item(name)):
                return proxy.read_item(name, partition_key, **options)

        return repeated(read)

    # Writes

    def create(self, body: Any, options: Mapping[str, Any]) -> Any:
        """Put a new item; after a lost answer, the item that is there is recognised as ours by its content."""
        content = _checked_body(body, is_new=options.get("enable_automatic_id_generation") is not False)
        proxy = self._open()
        return self._write(proxy, content, lambda watch: proxy.create_item(content, **watch, **options), options)

    def upsert(self, body: Any, options: Mapping[str, Any]) -> Any:
        """Put an item, new or in the place of the one with its id."""
        content = _checked_body(body, is_new=True)
        proxy = self._open()
        return self._write(proxy, content, lambda watch: proxy.upsert_item(content, **watch, **options), options)

    def replace(self, item: Any, body: Any, options: Mapping[str, Any]) -> Any:
        """Put an item in the place of one that is there."""
        name = item_name(item)
        if isinstance(body, Mapping) and "id" not in body:
            body = {**cast("Mapping[str, Any]", body), "id": name}
        content = _checked_body(body, is_new=False)
        if content["id"] != name:
            raise AzureInvalidRequest(
                f"`body`: its id is '{content['id']}' and not '{name}'. The id of an item cannot be changed: create a "
                "new one and delete the old one.",
                subject=self._item(name),
            )
        proxy = self._open()
        return self._write(proxy, content, lambda watch: proxy.replace_item(name, content, **watch, **options), options)

    def delete(self, item: Any, partition_key: Any, options: Mapping[str, Any]) -> None:
        """Delete an item; that it is gone after a lost answer is a success."""
        name = item_name(item)
        proxy = self._open()
        unsure = _Unsure()

        def delete() -> None:
            with self._errors(self._item(name)), unsure.watching():
                proxy.delete_item(name, partition_key, **unsure.hook(proxy, options), **options)

        def attempt() -> None:
            try:
                delete()
            except AzureNotFound:
                if not unsure.is_so:
                    raise

        repeated(attempt)

    def patch(self, item: Any, partition_key: Any, operations: Any, options: Mapping[str, Any]) -> Any:
        """Change parts of an item; repeated only where it is sure that nothing was changed."""
        name = item_name(item)
        changes = _checked_patches(operations)
        proxy = self._open()

        def patch() -> Any:
            with self._errors(self._item(name)):
                return proxy.patch_item(name, partition_key, changes, **options)

        return repeated(patch, _was_not_done)

    def _write(
        self,
        proxy: Any,
        content: dict[str, Any],
        write: Callable[[dict[str, Any]], Any],
        options: Mapping[str, Any],
    ) -> Any:
        unsure = _Unsure()
        subject = self._item(content["id"])

        def attempt() -> Any:
            try:
                with self._errors(subject), unsure.watching():
                    return write(unsure.hook(proxy, options))
            except (AzureConflict, AzurePreconditionFailed):
                if not unsure.is_so:
                    raise
                with self._errors(subject):
                    written = _find(proxy, content)
                if written is None:
                    raise
                return written

        return repeated(attempt)

    # Names

    def _open(self) -> Any:
        return self._credentials.get_container_client(self._container, self._database)

    def _item(self, name: str) -> str:
        return f"Item '{name}' of {self.subject}"

    def _errors(self, subject: str) -> Any:
        return azure_errors(subject, **failure_context(self._credentials))


@dataclass
class _Unsure:
    """Whether an attempt has failed in a way that leaves open if it was done."""

    is_so: bool = False

    @contextmanager
    def watching(self) -> Generator[None, None, None]:
        """Look at the failures of an attempt."""
        try:
            yield
        except Exception as exc:
            if is_transient(exc) is not False and _was_not_done(exc) is False:
                self.is_so = True
            raise

    def hook(self, proxy: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments that have the SDK tell of answers after which it tries again by itself."""
        if "raw_response_hook" in options or not type(proxy).__module__.startswith("azure.cosmos"):
            return {}
        return {"raw_response_hook": self._look}

    def _look(self, response: Any) -> None:
        if response.http_response.status_code >= _SERVER_ERROR:
            self.is_so = True


def _was_not_done(exc: Exception) -> Verdict:
    """Whether a failed request certainly changed nothing, and may be sent again."""
    verdict = is_transient(exc)
    if verdict is False:
        return False
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    was_not_sent = isinstance(exc, ServiceRequestError) and not isinstance(exc, ServiceResponseError)
    return verdict if was_not_sent or getattr(exc, "status_code", None) in _NOT_DONE else False


def _find(proxy: Any, content: Mapping[str, Any]) -> Any:
    """The item that has exactly this content, if there is one."""
    found = proxy.query_items(
        "SELECT * FROM c WHERE c.id = @id",
        parameters=[{"name": "@id", "value": content["id"]}],
        enable_cross_partition_query=True,
    )
    wanted = {name: value for name, value in content.items() if name not in _SYSTEM}
    for each in found:
        if {name: value for name, value in each.items() if name not in _SYSTEM} == wanted:
            return each
    return None


_SYSTEM = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts"})


def _next_page(pages: Any) -> list[Any] | None:
    try:
        return list(next(pages))
    except StopIteration:
        return None


def _resumes(pages: Any) -> bool:
    """Whether the SDK's iterator, asked again after a failure, gives the page that failed."""
    context = getattr(pages, "_ex_context", None)
    return getattr(context, "_fetched_query_plan", True) is False


@dataclass(frozen=True)
class _Statement:
    query: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, query: Any, parameters: Any, partition_key: Any, options: Mapping[str, Any]) -> _Statement:
        if not isinstance(query, str) or not query.strip():
            raise AzureInvalidRequest("`query` is empty or not text; give a statement such as SELECT * FROM c.")
        more = dict(options)
        if parameters is not None:
            more["parameters"] = _checked_parameters(parameters)
        if partition_key is not None:
            more["partition_key"] = partition_key
        elif "feed_range" not in more:
            # Without one, the query is about all partitions, and Cosmos DB wants to be told that this is meant.
            more.setdefault("enable_cross_partition_query", True)
        return cls(query, more)

    def start(self, proxy: Any) -> Any:
        return proxy.query_items(self.query, **self.options)


def _checked_parameters(parameters: Any) -> list[dict[str, Any]]:
    if not isinstance(parameters, Sequence) or isinstance(parameters, str):
        raise AzureInvalidRequest(
            '`parameters` must be a list of dictionaries such as {"name": "@age", "value": 44}, and is a '
            f"{type(parameters).__name__}."
        )
    checked: list[dict[str, Any]] = []
    for number, parameter in enumerate(cast("Sequence[Any]", parameters)):
        if not isinstance(parameter, Mapping) or not {"name", "value"} <= set(cast("Mapping[str, Any]", parameter)):
            raise AzureInvalidRequest(f"`parameters[{number}]` must be a dictionary with the keys name and value.")
        given = dict(cast("Mapping[str, Any]", parameter))
        if not str(given["name"]).startswith("@"):
            raise AzureInvalidRequest(
                f"`parameters[{number}]`: the name {given['name']!r} must start with '@', as in the query."
            )
        _check_json(given["value"], f"`parameters[{number}]`")
        checked.append(given)
    return checked


def _checked_body(body: Any, *, is_new: bool) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise AzureInvalidRequest(f"`body` must be a dictionary and is a {type(body).__name__}.")
    content = dict(cast("Mapping[str, Any]", body))
    if is_new and content.get("id") is None:
        content["id"] = str(uuid.uuid4())
    if "id" not in content:
        raise AzureInvalidRequest("`body` has no 'id', which must be text.")
    if not isinstance(content["id"], str):
        raise AzureInvalidRequest(f"`body`: its id is a {type(content['id']).__name__} and must be text.")
    item_name(content)
    size = len(_check_json(content, "`body`").encode())
    if size > MAX_ITEM_BYTES:
        raise AzureInvalidRequest(
            f"`body` has {size} bytes in JSON, and an item may have up to {MAX_ITEM_BYTES}. Split it, or keep the "
            "large part in Blob Storage."
        )
    return content


def _checked_patches(operations: Any) -> list[dict[str, Any]]:
    if not isinstance(operations, Sequence) or isinstance(operations, str) or not operations:
        raise AzureInvalidRequest(
            '`patch_operations` must be a list such as [{"op": "set", "path": "/a", "value": 1}].'
        )
    changes = cast("Sequence[Any]", operations)
    if len(changes) > MAX_PATCHES:
        raise AzureInvalidRequest(f"`patch_operations` has {len(changes)} operations; Cosmos DB takes {MAX_PATCHES}.")
    for number, change in enumerate(changes):
        what = f"`patch_operations[{number}]`"
        if not isinstance(change, Mapping):
            raise AzureInvalidRequest(f"{what} must be a dictionary with op, path and value.")
        given = cast("Mapping[str, Any]", change)
        if given.get("op") not in _PATCHES:
            raise AzureInvalidRequest(f"{what}: op is {given.get('op')!r}; known are {', '.join(_PATCHES)}.")
        if not str(given.get("path", "")).startswith("/"):
            raise AzureInvalidRequest(f"{what}: path is {given.get('path')!r} and must start with a slash.")
        if given["op"] not in ("remove", "move") and "value" not in given:
            raise AzureInvalidRequest(f"{what} has no value.")
        _check_json(given.get("value"), what)
    return [dict(cast("Mapping[str, Any]", change)) for change in changes]


def _check_json(value: Any, what: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        place = _odd_place(value)
        raise AzureInvalidRequest(
            f"{what} cannot be written as JSON{f' at {place}' if place else ''}: {exc}. Convert it first: times to ISO "
            "text, decimals to numbers or text."
        ) from exc


def _odd_place(value: Any, path: str = "") -> str:
    """The path of the first member that JSON does not have."""
    members: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        members = list(cast("Mapping[Any, Any]", value).items())
    elif isinstance(value, list | tuple):
        members = list(enumerate(cast("Sequence[Any]", value)))
    for key, member in members:
        if not _is_json(member):
            return _odd_place(member, f"{path}/{key}")
    return path


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
