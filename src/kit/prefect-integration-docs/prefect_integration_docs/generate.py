"""Write the generated part of a site: reference pages, example pages, navigation and `llms.txt`."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from prefect_integration_docs import llms, navigation
from prefect_integration_docs.builder import Builder, Page, Places
from prefect_integration_docs.cache import Cache, ExamplesRecord, generator_key
from prefect_integration_docs.configuration import Configuration, ConfigurationError
from prefect_integration_docs.discovery import DiscoveryError, Distribution, distribution, find_package
from prefect_integration_docs.freshness import Hashes
from prefect_integration_docs.navigation import Entry, NavigationError
from prefect_integration_docs.problems import Problem

INTEGRATIONS = "integrations"
EXAMPLES = "v3/examples"


@dataclass
class Outcome:
    """What a run found or did.

    Attributes:
        stale: Files that hold something else than they should.
        missing: Files that should be there.
        orphaned: Files that nothing makes any more.
        problems: What is wrong with the sources.
        rendered: Modules whose pages were rendered anew.
    """

    stale: list[Path] = field(default_factory=list[Path])
    missing: list[Path] = field(default_factory=list[Path])
    orphaned: list[Path] = field(default_factory=list[Path])
    problems: list[Problem] = field(default_factory=list[Problem])
    rendered: list[str] = field(default_factory=list[str])

    @property
    def is_current(self) -> bool:
        """Whether every file is what it should be."""
        return not (self.stale or self.missing or self.orphaned)


class Generator:
    """Makes the generated part of a repository's site.

    Args:
        config: Where sources are and where pages go.
        cache: Folder of the cache; None uses none.
        names: Distributions to make pages of, with or without `prefect-`; all when empty. Examples, and what lists
            all pages, are made with all only.
        write: Whether to write; otherwise the outcome says what would be.
        hashes: Hashes of files that are known already.

    Raises:
        DiscoveryError: If a name is not that of a distribution.
        ConfigurationError: If the list of published pages cannot be read, or a package named there is missing.
    """

    def __init__(
        self,
        config: Configuration,
        *,
        cache: Path | None,
        names: tuple[str, ...] = (),
        write: bool = True,
        hashes: Hashes | None = None,
    ) -> None:
        self._hashes = hashes or Hashes()
        self._config = config
        self._write = write
        self._docs = config.root / config.docs
        self._outcome = Outcome()
        self._distributions = self._discover()
        self._chosen = self._choose(names)
        self._is_whole = not names
        self._cache = Cache(cache, generator_key(repr(config), self._published_text()))
        self._builder = Builder(
            {each: self._places(each) for each in self._distributions},
            elsewhere=config.elsewhere,
            search=self._search(),
            published=frozenset(self._published_text().split()),
            cache=self._cache,
            hashes=self._hashes,
        )
        self._texts: dict[Path, str] = {}
        self._gone: list[str] = []

    # --- what there is -------------------------------------------------------------------------------------------

    def _discover(self) -> list[Distribution]:
        found: dict[str, Distribution] = {}
        for pattern in self._config.packages:
            for folder in sorted(self._config.root.glob(pattern)):
                if not (folder / "pyproject.toml").is_file():
                    continue
                try:
                    each = distribution(folder)
                except DiscoveryError as exc:
                    self._outcome.problems.append(Problem(folder / "pyproject.toml", 1, str(exc)))
                    continue
                first = found.setdefault(each.name, each)
                if first is not each:
                    message = f"its pages are also those of {first.folder}: two folders are named {each.name}"
                    self._outcome.problems.append(Problem(folder / "pyproject.toml", 1, message))
        return list(found.values())

    def _choose(self, names: tuple[str, ...]) -> list[Distribution]:
        if not names:
            return self._distributions
        known = {each.name: each for each in self._distributions}
        chosen = [known.get(name) or known.get(f"prefect-{name}") for name in names]
        if None in chosen:
            missing = names[chosen.index(None)]
            raise DiscoveryError(f"no distribution is named {missing!r}; there are: {', '.join(known)}")
        return [each for each in chosen if each is not None]

    def _add(self, exc: NavigationError) -> None:
        self._outcome.problems.append(Problem(self._docs / "docs.json", exc.line, str(exc)))

    def _search(self) -> list[Path]:
        """List the folders in which further packages are looked for.

        Raises:
            ConfigurationError: If a package with a reference elsewhere is not there: pages would lack what it gives.
        """
        config = self._config
        folders = [folder for pattern in config.search for folder in sorted(config.root.glob(pattern))]
        for name in config.elsewhere:
            if find_package(name, folders) is None:
                raise ConfigurationError(
                    f"{config.root / 'pyproject.toml'}: tool.prefect-integration-docs.elsewhere names {name}, which is"
                    " not installed here. Install it: its source tells what classes inherit from it."
                )
        return folders

    def _published_text(self) -> str:
        if not self._config.published:
            return ""
        file = self._config.root / self._config.published
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as exc:
            message = f"{file}: {exc.strerror}. It is the list that tool.prefect-integration-docs.published names."
            raise ConfigurationError(message) from exc
        return "\n".join(line for line in text.splitlines() if not line.startswith("#"))

    def _places(self, each: Distribution) -> Places:
        base = f"{INTEGRATIONS}/{each.name}/api-ref"
        config = self._config
        folder = each.folder.relative_to(config.root).as_posix()
        source = f"{config.repository}/blob/{config.branch}/{folder}" if config.repository else ""
        return Places(self._docs / base, f"/{base}", source)

    # --- a run ---------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Write what is not as it should be, or find it out."""
        outcome = self._outcome
        try:
            site = navigation.read(self._docs / "docs.json")
        except NavigationError as exc:
            site = None
            self._add(exc)
        for each in self._chosen:
            self._reference(each, site)
        if self._is_whole and self._config.examples:
            self._list_examples(self._examples(), site)
        if site is not None:
            self._put(self._docs / "docs.json", navigation.dump(site))
            if self._is_whole and self._config.title:
                self._put(self._docs / "llms.txt", self._llms(site))
        outcome.problems += [*self._builder.problems, *self._builder.library.problems]
        outcome.problems.sort(key=lambda problem: (str(problem.path), problem.line))
        outcome.rendered = self._builder.rendered
        if self._write or outcome.is_current:
            self._cache.keep_pages(self._builder.used())
        return outcome

    def _reference(self, each: Distribution, site: Entry | None) -> None:
        places = self._places(each)
        pages = list(self._builder.pages(each))
        for page in pages:
            self._put_page(page)
        if site is None:
            return
        base = places.url.strip("/")
        try:
            entries = navigation.reference(base, each.package.name, [page.source for page in pages])
            navigation.set_reference(site, each.name, entries)
        except NavigationError as exc:
            self._add(exc)
        navigation.drop_redirects(site, {f"{places.url}/{page.source.page}" for page in pages})
        expected = {page.path for page in pages}
        for path in sorted(places.folder.glob("*.mdx")):
            if path not in expected:
                self._drop(path)
                # Whoever saved the address of a page that is gone still arrives at the package.
                navigation.set_redirect(site, f"{places.url}/{path.stem}", f"/{INTEGRATIONS}/{each.name}/index")

    def _put_page(self, page: Page) -> None:
        if page.text is not None:
            self._put(page.path, page.text)

    def _examples(self) -> list[str]:
        """Make the pages of examples and name those that there are, or recall both when nothing changed."""
        known, digest = self._cache.examples, self._examples_digest()
        if known is not None and known["digest"] == digest:
            for path, line, message, fatal in known["problems"]:
                self._outcome.problems.append(Problem(Path(path), line, message, fatal=fatal))
            return known["slugs"]
        slugs, problems = self._make_examples()
        self._outcome.problems += problems
        if self._write:
            self._cache.examples = ExamplesRecord(
                digest=self._examples_digest(),
                slugs=slugs,
                problems=[(str(each.path), each.line, each.message, each.fatal) for each in problems],
            )
        return slugs

    def _examples_digest(self) -> str:
        sources = str(self._config.root / self._config.examples)
        return self._hashes.total([(sources, (".py",)), (str(self._docs / EXAMPLES), (".mdx",))], ())

    def _make_examples(self) -> tuple[list[str], list[Problem]]:
        # They need a YAML parser and more, which takes longer to import than most runs take.
        from prefect_integration_docs.example_pages import published, render_example, render_index
        from prefect_integration_docs.examples import read_examples

        config = self._config
        found, problems = read_examples(config.root / config.examples)
        shown = published(found)
        folder = self._docs / EXAMPLES
        expected = {folder / "index.mdx"}
        self._put(folder / "index.mdx", render_index(found))
        for example in shown:
            path = folder / f"{example.slug}.mdx"
            expected.add(path)
            self._put(path, render_example(example, config.repository, config.branch, config.examples))
        broken = {problem.path.stem.replace("_", "-") for problem in problems if problem.fatal}
        for path in sorted(folder.glob("*.mdx")):
            if path not in expected and path.stem not in broken:
                self._drop(path)
                self._gone.append(path.stem)
        return [example.slug for example in shown], problems

    def _list_examples(self, slugs: list[str], site: Entry | None) -> None:
        if site is None:
            return
        try:
            navigation.set_examples(site, [f"{EXAMPLES}/{slug}" for slug in slugs])
        except NavigationError as exc:
            self._add(exc)
        for slug in self._gone:
            navigation.set_redirect(site, f"/{EXAMPLES}/{slug}", f"/{EXAMPLES}/index")
        navigation.drop_redirects(site, {f"/{EXAMPLES}/{slug}" for slug in slugs})

    def _llms(self, site: Entry) -> str:
        def page(address: str) -> str | None:
            path = self._docs / f"{address}.mdx"
            if path in self._texts:
                return self._texts[path]
            try:
                return path.read_text(encoding="utf-8")
            except OSError:
                return None

        config = self._config
        return llms.render(site, config.title, config.description, config.site, page)

    # --- files ---------------------------------------------------------------------------------------------------

    def _put(self, path: Path, text: str) -> None:
        self._texts[path] = text
        try:
            before = path.read_text(encoding="utf-8")
        except OSError:
            self._outcome.missing.append(path)
        else:
            if before == text:
                return
            self._outcome.stale.append(path)
        if self._write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            self._hashes.forget(str(path))

    def _drop(self, path: Path) -> None:
        self._outcome.orphaned.append(path)
        if self._write:
            path.unlink()
            self._hashes.forget(str(path))

    # --- for the next run ----------------------------------------------------------------------------------------

    def inputs(self) -> tuple[list[tuple[str, tuple[str, ...]]], list[str], list[str]]:
        """List all that pages are made of, and the pages: folders with suffixes, files, and folders to list."""
        config = self._config
        folders: list[tuple[str, tuple[str, ...]]] = [(str(each.package), (".py",)) for each in self._distributions]
        folders.append((str(self._docs), (".mdx", "docs.json", "llms.txt")))
        folders.append((str(Path(__file__).parent), (".py",)))
        if config.examples:
            folders.append((str(config.root / config.examples), (".py",)))
        files = [str(config.root / "pyproject.toml"), *self._builder.files(), *_version_files()]
        if config.published:
            files.append(str(config.root / config.published))
        listings = sorted({str(config.root / pattern.rpartition("/")[0]) for pattern in config.packages})
        return folders, sorted(set(files)), listings


def _version_files() -> list[str]:
    """Name a file that tells which griffe is installed, without importing it."""
    spec = find_spec("griffe")
    if spec is None or spec.origin is None:
        return []
    return [str(path / "METADATA") for path in Path(spec.origin).parent.parent.glob("griffelib-*.dist-info")]
