"""All modules that pages speak of: read when first asked for, and found by their import paths."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect_integration_docs.discovery import Distribution, Source, find_package, sources
from prefect_integration_docs.freshness import Hashes, content_hash
from prefect_integration_docs.model import Class, ModuleModel
from prefect_integration_docs.names import is_public, page_name
from prefect_integration_docs.problems import Problem

Reader = Callable[[str, Path, str, bool], ModuleModel]
_MAX_HOPS = 20


@dataclass(frozen=True)
class Found:
    """What a dotted path leads to: a name of a module, or the module itself when `name` is empty.

    Attributes:
        module: Dotted path of the module where the thing is defined.
        name: Path within the module, such as `S3Bucket` or `S3Bucket.read_path`.
    """

    module: str
    name: str

    @property
    def path(self) -> str:
        """The whole dotted path."""
        return f"{self.module}.{self.name}" if self.name else self.module


class Library:
    """The modules of documented packages, and of the packages that these build on.

    Args:
        distributions: Those that get pages.
        elsewhere: Packages with a reference on another site, with its address.
        search: Folders in which further packages are looked for; those found there have no reference.
        read: Reads a source file: name, path, text, whether it is a package.
        hashes: Those of files.
    """

    def __init__(
        self,
        distributions: Iterable[Distribution],
        elsewhere: dict[str, str],
        search: Iterable[Path],
        read: Reader,
        hashes: Hashes | None = None,
    ) -> None:
        self._files = hashes or Hashes()
        self.elsewhere = elsewhere
        self.problems: list[Problem] = []
        self._search = tuple(search)
        self._read = read
        self._sources: dict[str, Source] = {}
        self._owners: dict[str, Distribution] = {}
        self._own: set[str] = set()
        for distribution in distributions:
            self._own.add(distribution.package.name)
            for source in distribution.sources:
                self._add(source, distribution)
        self._tops: dict[str, bool] = dict.fromkeys(self._own, True)
        self._models: dict[str, ModuleModel | None] = {}
        self._hashes: dict[str, str] = {}
        self._traces: list[dict[str, str]] = []
        self._lineages: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._resolved: dict[str, tuple[Found | None, dict[str, str]]] = {}
        self._defined: dict[str, frozenset[str]] = {}
        self._classes: dict[str, dict[str, Class]] = {}
        self._circles: set[frozenset[str]] = set()

    def _add(self, source: Source, distribution: Distribution | None) -> None:
        known = self._sources.get(source.module)
        if known is not None:
            # `x.py` beside `x/`: Python imports the package.
            message = f"{source.module} is also {known.path.name} in {known.path.parent.name}/; rename one of the two"
            self.problems.append(Problem(source.path, 1, message))
            return
        self._sources[source.module] = source
        if distribution is not None:
            self._owners[source.module] = distribution

    # --- modules -------------------------------------------------------------------------------------------------

    def distribution(self, module: str) -> Distribution | None:
        """Give the documented distribution that a module belongs to."""
        return self._owners.get(module)

    def source(self, module: str) -> Source | None:
        """Give the file of a module, if it is one that pages may speak of."""
        top = module.partition(".")[0]
        if top not in self._tops:
            self._tops[top] = self._look_for(top)
        return self._sources.get(module) if self._tops[top] else None

    def _look_for(self, top: str) -> bool:
        if top in self.elsewhere:
            folder = find_package(top, self._search)
        else:
            candidates = (parent / top for parent in self._search)
            folder = next((path for path in candidates if path.is_dir()), None)
        if folder is None:
            return False
        for source in sources(folder):
            self._sources.setdefault(source.module, source)
        return True

    def model(self, module: str) -> ModuleModel | None:
        """Read a module, or give None when there is no such module or it is of a third party."""
        source = self.source(module)
        if module not in self._models:
            self._models[module] = None if source is None else self._load(source)
        self._note(module)
        return self._models[module]

    def _load(self, source: Source) -> ModuleModel | None:
        try:
            content = source.path.read_bytes()
            text = content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            self.problems.append(Problem(source.path, 1, f"cannot be read: {exc}"))
            return None
        self._hashes[source.module] = content_hash(content)
        return self._read(source.module, source.path, text, source.is_package)

    def digest(self, module: str) -> tuple[str, str]:
        """Give the hash of a module's content and its file, without reading it as Python; empty when it is missing."""
        source = self.source(module)
        if source is None:
            return "", ""
        path = str(source.path)
        return self._files.of(path), path

    # --- what a page depends on ----------------------------------------------------------------------------------

    def _note(self, module: str) -> None:
        for trace in self._traces:
            trace[module] = self._hashes.get(module, "")

    @contextmanager
    def traced(self) -> Generator[dict[str, str]]:
        """Collect the modules that are asked for, each with the hash of its content, or nothing when it is missing."""
        trace: dict[str, str] = {}
        self._traces.append(trace)
        try:
            yield trace
        finally:
            self._traces.pop()

    def retrace(self, trace: dict[str, str]) -> None:
        """Count what an earlier answer depended on among what the current page depends on."""
        for each in self._traces:
            each.update(trace)

    # --- names ---------------------------------------------------------------------------------------------------

    def resolve(self, path: str) -> Found | None:
        """Find what a dotted path leads to, through re-exports and star imports.

        Args:
            path: Such as `prefect_aws.S3Bucket` or `prefect_aws.s3.S3Bucket.read_path`.
        """
        if path not in self._resolved:
            with self.traced() as trace:
                found = self._resolve(path, _MAX_HOPS)
            self._resolved[path] = found, trace
        found, trace = self._resolved[path]
        self.retrace(trace)
        return found

    def _resolve(self, path: str, hops: int) -> Found | None:
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if self.source(module) is None:
                self._note(module)  # the answer changes when there is one
                continue
            model = self.model(module)
            if model is None:
                return None
            return self._in_module(model, parts[length:], hops)
        return None

    def _in_module(self, model: ModuleModel, rest: list[str], hops: int) -> Found | None:
        if not rest:
            return Found(model["name"], "")
        first = rest[0]
        if first in self._names(model):
            return Found(model["name"], ".".join(rest))
        if hops == 0:
            return None
        target = model["imports"].get(first)
        if target is not None and target != f"{model['name']}.{first}":
            return self._resolve(".".join([target, *rest[1:]]), hops - 1)
        for star in model["stars"]:
            found = self._resolve(".".join([star, *rest]), hops - 1)
            if found is not None and found.name:
                return found
        return None

    def _names(self, model: ModuleModel) -> frozenset[str]:
        """Name what a module defines."""
        known = self._defined.get(model["name"])
        if known is None:
            defined = (*model["classes"], *model["functions"], *model["constants"])
            known = self._defined[model["name"]] = frozenset(each["name"] for each in defined)
        return known

    def class_of(self, path: str) -> tuple[ModuleModel, Class] | None:
        """Find a class by its dotted path, with the module where it is defined."""
        found = self.resolve(path)
        if found is None or not found.name or "." in found.name:
            return None
        model = self.model(found.module)
        if model is None:
            return None
        if found.module not in self._classes:
            self._classes[found.module] = {each["name"]: each for each in model["classes"]}
        owner = self._classes[found.module].get(found.name)
        return None if owner is None else (model, owner)

    def home(self, found: Found) -> str:
        """Name the public module on whose page something stands.

        It is the module that defines it. What a private module defines stands where a public module of the same
        distribution lists it in `__all__`: the deepest one, since packages list again what their modules list.

        Args:
            found: What it is; a member of a class goes with the class.
        """
        distribution = self.distribution(found.module)
        if is_public(found.module) or distribution is None or not found.name:
            return found.module
        name = found.name.partition(".")[0]
        for source in sorted(distribution.sources, key=lambda each: (-each.module.count("."), each.module)):
            if not is_public(source.module):
                continue
            model = self.model(source.module)
            if model is not None and name in model["exports"]:
                listed = self.resolve(f"{source.module}.{name}")
                if listed is not None and (listed.module, listed.name) == (found.module, name):
                    return source.module
        return found.module

    # --- inheritance ---------------------------------------------------------------------------------------------

    def lineage(self, path: str) -> list[str]:
        """List a class and what it inherits from, in the order in which Python looks up its members.

        Args:
            path: Dotted path of the place where the class is defined.

        Returns:
            Dotted paths. Those of third parties stand where their subclasses name them, and end there.
        """
        if path not in self._lineages:
            with self.traced() as trace:
                order = self._linearize(path, ())
            self._lineages[path] = order, trace
        order, trace = self._lineages[path]
        self.retrace(trace)
        return order

    def _linearize(self, path: str, below: tuple[str, ...]) -> list[str]:
        if path in below:
            self._report_circle((*below[below.index(path) :], path))
            return []
        found = self.class_of(path)
        if found is None:
            return [path]
        bases: list[str] = []
        for base in filter(None, found[1]["bases"]):
            resolved = self.class_of(base)
            bases.append(f"{resolved[0]['name']}.{resolved[1]['name']}" if resolved is not None else base)
        orders = [self._linearize(base, (*below, path)) for base in bases]
        return [path, *_merge([*(order for order in orders if order), bases])]

    def _report_circle(self, circle: tuple[str, ...]) -> None:
        if frozenset(circle) in self._circles:
            return
        self._circles.add(frozenset(circle))
        found = self.class_of(circle[0])
        source = None if found is None else self.source(found[0]["name"])
        if found is not None and source is not None:
            chain = " -> ".join(circle)
            self.problems.append(Problem(source.path, found[1]["line"], f"this class inherits from itself: {chain}"))

    def address_elsewhere(self, found: Found) -> str | None:
        """Give the address of something in the reference on another site.

        That site names a page as this one does, and an anchor by the last component in lower case.
        """
        top = found.module.partition(".")[0]
        source = self.source(found.module)
        if top not in self.elsewhere or source is None:
            return None
        page = page_name(found.module, is_package=source.is_package, holds_modules=source.page.endswith("__init__"))
        anchor = found.name.rpartition(".")[2].lower()
        return f"{self.elsewhere[top]}/{page}" + (f"#{anchor}" if anchor else "")


def _merge(orders: list[list[str]]) -> list[str]:
    """Merge the orders of several bases as Python does (C3); where that is impossible, keep the first of each."""
    remaining = [list(order) for order in orders if order]
    merged: list[str] = []
    while remaining:
        for order in remaining:
            head = order[0]
            if not any(head in other[1:] for other in remaining):
                break
        else:
            head = remaining[0][0]
        merged.append(head)
        remaining = [rest for order in remaining if (rest := [each for each in order if each != head])]
    return merged
