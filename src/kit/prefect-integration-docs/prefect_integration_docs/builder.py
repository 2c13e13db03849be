"""Render the pages of some distributions, and only those whose sources changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prefect_integration_docs.cache import Cache, Record
from prefect_integration_docs.discovery import Distribution, Source
from prefect_integration_docs.freshness import Hashes, content_hash
from prefect_integration_docs.library import Library
from prefect_integration_docs.model import ModuleModel
from prefect_integration_docs.names import is_public
from prefect_integration_docs.pages import Pages, Site
from prefect_integration_docs.plan import Planner
from prefect_integration_docs.problems import Problem


@dataclass(frozen=True)
class Page:
    """A page and where it goes.

    Attributes:
        source: The module.
        path: The file.
        text: What the file should hold; None to leave the file as it is, since the module cannot be read.
        is_current: Whether the file holds that already.
    """

    source: Source
    path: Path
    text: str | None
    is_current: bool


@dataclass(frozen=True)
class Places:
    """Where the pages of a distribution go and where its sources are seen.

    Attributes:
        folder: The folder of its pages.
        url: Address of that folder on the site.
        source: Address of the folder that its sources are in; empty when sources are not linked.
    """

    folder: Path
    url: str
    source: str


class Builder:
    """Renders pages.

    Args:
        distributions: What to document, each with its places.
        elsewhere: Packages with a reference on another site, with its address.
        search: Folders in which further packages are looked for.
        published: Addresses of pages that must stay even when there is nothing to show.
        cache: What an earlier run found out.
        hashes: Those of files.
    """

    def __init__(
        self,
        distributions: dict[Distribution, Places],
        *,
        elsewhere: dict[str, str],
        search: Iterable[Path],
        published: frozenset[str],
        cache: Cache,
        hashes: Hashes,
    ) -> None:
        self._hashes = hashes
        self.problems: list[Problem] = []
        self.rendered: list[str] = []
        self._places = distributions
        self._published = published
        self._cache = cache
        self.library = Library(distributions, elsewhere, search, self._read, hashes)
        self._planner = Planner(self.library, self._stays)
        self._pages = Pages(self.library, self._planner, Site(self._url, self._source_link))

    # --- where things are ----------------------------------------------------------------------------------------

    def _url(self, module: str) -> str | None:
        distribution, source = self.library.distribution(module), self.library.source(module)
        if distribution is None or source is None or not is_public(module):
            return None
        return f"{self._places[distribution].url}/{source.page}"

    def _source_link(self, module: str, line: int) -> str:
        distribution, source = self.library.distribution(module), self.library.source(module)
        if distribution is None or source is None or not self._places[distribution].source:
            return ""
        relative = source.path.relative_to(distribution.folder).as_posix()
        return f"{self._places[distribution].source}/{relative}#L{line}"

    # --- reading -------------------------------------------------------------------------------------------------

    def _read(self, module: str, path: Path, text: str, is_package: bool) -> ModuleModel:
        digest = content_hash(text.encode("utf-8"))
        model = self._cache.model(module, digest)
        if model is None:
            # Griffe takes longer to import than most files take to read.
            from prefect_integration_docs.extract import read_module

            model = read_module(module, path, text, is_package=is_package)
            self._cache.keep_model(module, digest, model)
        return model

    # --- pages ---------------------------------------------------------------------------------------------------

    def pages(self, distribution: Distribution) -> Iterator[Page]:
        """Render the pages of a distribution, in the order of its modules; those of empty modules are left out."""
        if distribution.lacks_init:
            message = "the package has no __init__.py; add it, or it cannot be installed and typed as a package"
            self.problems.append(Problem(distribution.package / "__init__.py", 1, message))
        taken: dict[str, Source] = {}
        for source in distribution.public():
            if self.library.source(source.module) is not source:
                continue  # another file of the same module; the library says so
            other = taken.setdefault(source.page.lower(), source)
            if other is not source:
                message = f"its page {source.page} is also that of {other.path.name}; rename one of the two"
                self.problems.append(Problem(source.path, 1, message))
                continue
            page = self._page(distribution, source)
            if page is not None:
                yield page

    def _page(self, distribution: Distribution, source: Source) -> Page | None:
        places = self._places[distribution]
        path = places.folder / f"{source.page}.mdx"
        key = f"{distribution.name}/{source.module}"
        record = self._cache.pages.get(key)
        if record is not None and self._is_current(record, path):
            self._add_notes(source, record["notes"])
            return Page(source, path, None, is_current=True) if record["hash"] else None
        with self.library.traced() as trace:
            model = self.library.model(source.module)
            if model is None:
                return None
            text = None if model["broken"] else self._text(source, places)
        self.rendered.append(key)
        said = [(note["line"], note["message"], note["fatal"]) for note in model["notes"]]
        self._add_notes(source, said)
        if model["broken"]:
            self._cache.pages.pop(key, None)
            return Page(source, path, None, is_current=True) if path.is_file() else None
        self._cache.pages[key] = Record(
            deps={name: (digest, self._path_of(name)) for name, digest in trace.items()},
            hash=content_hash(text.encode("utf-8")) if text is not None else "",
            notes=said,
        )
        return None if text is None else Page(source, path, text, is_current=_holds(path, text))

    def _text(self, source: Source, places: Places) -> str | None:
        plan = self._planner.plan(source.module)
        if plan is None or (plan.is_empty and not self._stays(f"{places.url}/{source.page}")):
            return None
        return self._pages.render(source)

    def _stays(self, url: str) -> bool:
        return url.strip("/") in self._published

    def _path_of(self, module: str) -> str:
        source = self.library.source(module)
        return "" if source is None else str(source.path)

    def _is_current(self, record: Record, path: Path) -> bool:
        """Whether nothing changed that a page was made of, and the page is what was made."""
        if any(self.library.digest(name) != tuple(made_of) for name, made_of in record["deps"].items()):
            return False
        if not record["hash"]:
            return not path.exists()
        return self._hashes.of(str(path)) == record["hash"]

    def _add_notes(self, source: Source, notes: list[tuple[int, str, bool]]) -> None:
        self.problems += [Problem(source.path, line, message, fatal=fatal) for line, message, fatal in notes]

    def used(self) -> Iterator[tuple[str, str]]:
        """Yield module and hash of every source that a page depends on."""
        for record in self._cache.pages.values():
            for name, (digest, _) in record["deps"].items():
                if digest:
                    yield name, digest

    def files(self) -> Iterator[str]:
        """Yield the files outside of the documented packages that pages depend on."""
        for record in self._cache.pages.values():
            for name, (_, file) in record["deps"].items():
                if file and self.library.distribution(name) is None:
                    yield file


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8")
    except OSError:
        return False
