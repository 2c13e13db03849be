"""What every release has published goes on working: each name can be imported, each parameter is taken."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests import published
from prefect_integration_tests.public import import_quietly
from prefect_integration_tests.sources import source_tree

from .base import Suite

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOTHING = object()


class InterfaceSuite(Suite):
    """Checks an integration against the names and parameters of its releases.

    They are listed in a file beside the tests, which `prefect_integration_tests.published` describes. A release adds to
    it, and nothing is taken away: what has moved stays importable from its old place.

    Attributes:
        package: Name of the import package, such as `"prefect_shell"`.
        published: The file, relative to the source tree.
        optional_modules: Dotted names of modules that cannot be imported without an extra.
        listed_modules: Modules that make what they offer when asked for it, at a price; what `dir` lists is believed.
        withdrawn: Dotted paths of names, or of parameters such as `prefect_acme.jobs.run(retries)`, that are gone for a
            reason which the changelog tells.
    """

    package: ClassVar[str]
    published: ClassVar[str] = "tests/published.txt"
    optional_modules: ClassVar[frozenset[str]] = frozenset()
    listed_modules: ClassVar[frozenset[str]] = frozenset()
    withdrawn: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def names(self) -> published.Names:
        """What releases have published."""
        tree = source_tree(Path(import_quietly(self.package).__path__[0]), type(self))
        if tree is None:
            pytest.skip("The package is installed without its source tree.")
        file = tree / self.published
        assert file.is_file(), f"{file} is missing; it lists what {self.package} has published."
        return published.parse(file.read_text(encoding="utf-8"))

    def test_published_names_can_be_imported(self, names: published.Names) -> None:
        """Code that imports what a release has published goes on running."""
        gone = {path for path, member, _ in self._members(names) if member is _NOTHING}
        assert not gone - self.withdrawn, f"Gone since a release: {', '.join(sorted(gone - self.withdrawn))}."

    def test_published_parameters_are_taken(self, names: published.Names) -> None:
        """A call that a release has understood is understood."""
        refused = {
            f"{path}({name})"
            for path, member, parameters in self._members(names)
            if member is not _NOTHING
            for name in published.refused(member, parameters)
        }
        assert not refused - self.withdrawn, f"No longer taken: {', '.join(sorted(refused - self.withdrawn))}."

    def _members(self, names: published.Names) -> Iterator[tuple[str, Any, list[str]]]:
        """Yield the path of each name, what it leads to, and the parameters that it takes."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old places may say that they are old
            for name, inside in names.items():
                if name in self.optional_modules:
                    continue
                try:
                    module = import_quietly(name)
                except ImportError:
                    yield name, _NOTHING, []
                    continue
                listed = set(dir(module)) if name in self.listed_modules else set[str]()
                for each, parameters in inside.items():
                    if each in listed and parameters is None:
                        continue
                    try:
                        member = published.resolve(module, each)
                    except (AttributeError, ImportError):
                        member = _NOTHING
                    yield f"{name}.{each}", member, parameters or []
