"""Objects of a played Kubernetes API server, their versions, and the changes that watches tell."""

from __future__ import annotations

import base64
import bisect
import contextlib
import copy
import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .json import Json, at, items
from .resources import Catalogue, Resource
from .selectors import Match, field_value
from .status import already_exists, bad_request, not_found, page_expired

Key = tuple[str, str]
"""Namespace (empty for what has none) and name."""

_FIRST_VERSION = 1000
_KEPT_PAGES = 64


def to_json(value: Any) -> bytes:
    """Write JSON without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()


class Stored:
    """One version of one object; it never changes."""

    __slots__ = ("_data", "_item_json", "is_custom", "labels", "name", "namespace", "version")

    def __init__(self, data: Json | None, *, is_custom: bool = False) -> None:
        """Hold an object.

        Args:
            data: The object, whole; nobody may change it from now on.
            is_custom: Does a list show kind and API version of each object, as for custom ones?
        """
        self._data = data
        self._item_json: bytes | None = None
        self.is_custom = is_custom
        metadata: Json = data["metadata"] if data is not None else {}
        self.labels: dict[str, str] = at(metadata, "labels")
        self.name: str = metadata.get("name", "")
        self.namespace: str = metadata.get("namespace", "")
        self.version = int(metadata.get("resourceVersion", 0))

    @property
    def data(self) -> Json:
        """The object; do not change it."""
        assert self._data is not None
        return self._data

    @property
    def item_json(self) -> bytes:
        """The object as an item of a list."""
        if self._item_json is None:
            left_out = () if self.is_custom else ("kind", "apiVersion")
            self._item_json = to_json({key: value for key, value in self.data.items() if key not in left_out})
        return self._item_json

    @property
    def json(self) -> bytes:
        """The object by itself."""
        if self.is_custom:
            return self.item_json
        head = to_json({"kind": self.data["kind"], "apiVersion": self.data["apiVersion"]})
        return head[:-1] + b"," + self.item_json[1:]

    @property
    def key(self) -> Key:
        """Where it is kept."""
        return self.namespace, self.name

    def field(self, path: str) -> str:
        """Look a field up, as selectors compare it."""
        if path == "metadata.name":
            return self.name
        return self.namespace if path == "metadata.namespace" else field_value(self.data, path)


class Change(NamedTuple):
    """One change of one object."""

    resource: Resource
    version: int
    kind: str
    """ADDED, MODIFIED or DELETED."""

    new: Stored
    old: Stored | None


@dataclass(frozen=True)
class Selection:
    """Which objects of a resource a request is about."""

    resource: Resource
    namespace: str = ""
    labels: Sequence[Match] = ()
    fields: Sequence[tuple[str, bool, str]] = ()

    def has(self, stored: Stored | None) -> bool:
        """Is an object meant?"""
        if stored is None or (self.namespace and stored.namespace != self.namespace):
            return False
        if not all(match(stored.labels) for match in self.labels):
            return False
        return all((stored.field(path) == value) is is_equal for path, is_equal, value in self.fields)


class Page(NamedTuple):
    """One page of a list."""

    items: list[Stored]
    version: int
    token: str
    remaining: int


class Store:
    """All objects. Every method may be called from any thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Start empty."""
        self.lock = threading.RLock()
        self.catalogue = catalogue
        self.version = _FIRST_VERSION
        self.oldest_version = _FIRST_VERSION
        """Watches and pages that start before it are told 410."""

        self.controllers: list[Callable[[Change], None]] = []
        """Told of each change, one change after the other."""

        self.watchers: set[Callable[[], None]] = set()
        """Woken after each change."""

        self._objects: dict[Resource, dict[Key, Stored]] = {}
        self._sorted: dict[Resource, list[Key]] = {}
        self._changes: dict[Resource, list[Change]] = {}
        self._dependents: dict[str, set[tuple[Resource, Key]]] = {}
        self._pages: dict[int, tuple[int, list[Stored]]] = {}
        self._page_ids = itertools.count(1)
        self._untold: deque[Change] = deque()
        self._is_telling = False

    def reset(self) -> None:
        """Forget all objects. Versions go on, so that nothing old is taken for new."""
        with self.lock:
            for kept in (self._objects, self._sorted, self._changes, self._dependents, self._pages, self._untold):
                kept.clear()
            self.compact()

    def compact(self) -> None:
        """Forget old versions: watches from before, and pages of lists begun before, are told 410."""
        with self.lock:
            self.version += 1
            self.oldest_version = self.version
            self._pages.clear()

    def find(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        """Look an object up."""
        with self.lock:
            return self._objects.get(resource, {}).get((namespace, name))

    def read(self, resource: Resource, namespace: str, name: str) -> Stored:
        """Look an object up.

        Raises:
            Refusal: 404.
        """
        stored = self.find(resource, namespace, name)
        if stored is None:
            raise not_found(resource, name)
        return stored

    def create(self, resource: Resource, data: Json) -> Stored:
        """Keep a new object.

        Raises:
            Refusal: 409, if its name is taken.
        """
        with self.step():
            metadata = data["metadata"]
            key = metadata.get("namespace", ""), metadata["name"]
            if key in self._objects.get(resource, {}):
                raise already_exists(resource, metadata["name"])
            return self._put(resource, data, None)

    def add(self, resource: Resource, made: Sequence[Stored]) -> None:
        """Keep many objects that were there before anybody looked, without telling watches or controllers."""
        with self.lock:
            self._objects.setdefault(resource, {}).update({stored.key: stored for stored in made})
            self._sorted.pop(resource, None)
            self.compact()

    def update(self, stored: Stored, change: Callable[[Json], None]) -> Stored:
        """Change the current version of an object; a change that changes nothing makes no version.

        Args:
            stored: Any version of it.
            change: Told the object, to change it in place.

        Raises:
            Refusal: 404, if it is gone.
        """
        with self.step():
            resource = self.resource_of(stored)
            old = self.read(resource, *stored.key)
            data = copy.deepcopy(old.data)
            change(data)
            return old if data == old.data else self._put(resource, data, old)

    def remove(self, stored: Stored) -> Stored | None:
        """Forget an object: a watch tells its last version under a new number."""
        with self.step():
            resource = self.resource_of(stored)
            old = self._objects.get(resource, {}).pop(stored.key, None)
            if old is None:
                return None
            self._sorted.pop(resource, None)
            self._index(resource, old, None)
            self.version += 1
            data = {**old.data, "metadata": {**old.data["metadata"], "resourceVersion": str(self.version)}}
            last = Stored(data, is_custom=old.is_custom)
            self._tell(Change(resource, self.version, "DELETED", last, old))
            return last

    def resource_of(self, stored: Stored) -> Resource:
        """Find the resource that an object is of."""
        api_version, kind = stored.data["apiVersion"], stored.data["kind"]
        found = self.catalogue.resources.values()
        return next(each for each in found if (each.api_version, each.kind) == (api_version, kind))

    def dependents(self, uid: str) -> list[Stored]:
        """Give the objects that name an owner."""
        with self.lock:
            found = [self.find(resource, *key) for resource, key in sorted(self._dependents.get(uid, ()), key=_by_key)]
            return [stored for stored in found if stored is not None]

    def select(self, selection: Selection) -> list[Stored]:
        """Give what is selected, ordered by namespace and name."""
        with self.lock:
            objects = self._objects.get(selection.resource, {})
            keys = self._sorted.get(selection.resource)
            if keys is None:
                keys = self._sorted[selection.resource] = sorted(objects)
            first, last = 0, len(keys)
            if selection.namespace:
                first = bisect.bisect_left(keys, (selection.namespace, ""))
                last = bisect.bisect_left(keys, (selection.namespace + "\0", ""))
            return [objects[key] for key in keys[first:last] if selection.has(objects[key])]

    def page(self, selection: Selection, limit: int, token: str) -> Page:
        """Give one page of what is selected, as it was when its first page was asked for.

        Raises:
            Refusal: 410, if the first page is too long ago.
        """
        with self.lock:
            if token:
                number, start = _read_token(token)
                if number not in self._pages:
                    raise page_expired()
                version, found = self._pages[number]
            else:
                number, start = next(self._page_ids), 0
                version, found = self.version, self.select(selection)
            end = start + limit if limit else len(found)
            if end >= len(found):
                return Page(found[start:], version, "", 0)
            self._pages.setdefault(number, (version, found))
            for old in list(self._pages)[:-_KEPT_PAGES]:
                del self._pages[old]
            return Page(found[start:end], version, _write_token(number, end), len(found) - end)

    def changes_since(self, resource: Resource, version: int) -> list[Change]:
        """Give the changes of a resource after a version."""
        with self.lock:
            changes = self._changes.get(resource, [])
            return changes[bisect.bisect_right(changes, version, key=lambda change: change.version) :]

    def _put(self, resource: Resource, data: Json, old: Stored | None) -> Stored:
        self.version += 1
        data["metadata"]["resourceVersion"] = str(self.version)
        new = Stored(data, is_custom=resource.model is None)
        self._objects.setdefault(resource, {})[new.key] = new
        if old is None:
            self._sorted.pop(resource, None)
        self._index(resource, old, new)
        self._tell(Change(resource, self.version, "ADDED" if old is None else "MODIFIED", new, old))
        return new

    def _index(self, resource: Resource, old: Stored | None, new: Stored | None) -> None:
        for stored, act in ((old, set[Any].discard), (new, set[Any].add)):
            for owner in items(stored.data["metadata"], "ownerReferences") if stored else []:
                act(self._dependents.setdefault(owner["uid"], set()), (resource, stored.key if stored else None))

    def _tell(self, change: Change) -> None:
        self._changes.setdefault(change.resource, []).append(change)
        self._untold.append(change)

    @contextlib.contextmanager
    def step(self) -> Generator[None]:
        """Make several changes one step: controllers and watches are told when the outermost step is done."""
        with self.lock:
            yield
            if self._is_telling:
                return
            self._is_telling = True
            try:
                while self._untold:
                    change = self._untold.popleft()
                    for controller in self.controllers:
                        controller(change)
            finally:
                self._is_telling = False
            for wake in list(self.watchers):
                wake()


def _by_key(each: tuple[Resource, Key]) -> tuple[str, Key]:
    return each[0].qualified, each[1]


def _write_token(number: int, start: int) -> str:
    return base64.urlsafe_b64encode(to_json({"v": "meta.k8s.io/v1", "page": number, "start": start})).decode()


def _read_token(token: str) -> tuple[int, int]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token))
        return int(read["page"]), int(read["start"])
    except (ValueError, KeyError, TypeError) as exc:
        raise bad_request("continue key is not valid") from exc
