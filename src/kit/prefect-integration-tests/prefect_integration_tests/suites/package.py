"""What holds for every package: metadata, public names, light import, errors that travel."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from functools import cache, partial
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.docstrings import compile_example, documented_parameters, examples
from prefect_integration_tests.faces import is_coroutine_function
from prefect_integration_tests.imports import heavy_modules
from prefect_integration_tests.public import (
    Operation,
    Package,
    exported_names,
    import_quietly,
    modules_of,
    plain,
)
from prefect_integration_tests.sources import foreign_imports, private_imports, scan, shell_calls, source_tree

from .base import Suite

if TYPE_CHECKING:
    from prefect_integration_tests.docstrings import Example

MAX_PYPROJECT_LINES = 60
"""A package's `pyproject.toml` holds only what differs from its siblings."""

_LABELS = {"changelog", "documentation", "homepage", "issues", "source"}
"""What an index shows links to: https://packaging.python.org/en/latest/specifications/well-known-project-urls/."""

_SAYS_ASYNC_FORM = re.compile(r"^Async form of ", re.IGNORECASE)


class PackageSuite(Suite):
    """Checks one installed integration.

    Attributes:
        package: Name of the import package, such as `"prefect_shell"`.
        light_allowed: Top-level modules that `import <package>` may load besides the standard
            library, Prefect and the kit. Name only what is cheap.
        optional_modules: Dotted names of modules that cannot be imported without an extra.
        lazy_modules: Modules, those below them included, whose blocks Prefect need not know after `import <package>`,
            because they stand on something heavy. The package still offers these blocks as names of its own, so that
            `prefect block register --module <package>` finds them.
        may_import: Other integrations that this one may import at run time.
        one_face: Dotted paths of operations that have one face by their nature, or of modules and classes of them.
        undocumented: Dotted paths of names that need no documentation, such as generated ones.
    """

    package: ClassVar[str]
    light_allowed: ClassVar[frozenset[str]] = frozenset()
    optional_modules: ClassVar[frozenset[str]] = frozenset()
    lazy_modules: ClassVar[frozenset[str]] = frozenset()
    may_import: ClassVar[frozenset[str]] = frozenset()
    one_face: ClassVar[frozenset[str]] = frozenset()
    undocumented: ClassVar[frozenset[str]] = frozenset()

    def make_error(self, cls: type[Exception]) -> Exception:
        """Build an example of an error class of the package.

        Override it for a class that takes more than a message.

        Args:
            cls: The class.
        """
        return cls("bucket 'b': access denied")

    @pytest.fixture
    def published(self) -> Package:
        """All that the package publishes."""
        return _package(self.package, self.optional_modules)

    @pytest.fixture
    def distribution(self) -> Distribution:
        """The installed distribution."""
        name = self.package.replace("_", "-")
        try:
            return distribution(name)
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed.")

    @pytest.fixture
    def folder(self) -> Path:
        """The folder of the import package."""
        return Path(import_quietly(self.package).__path__[0])

    @pytest.fixture
    def project(self, folder: Path) -> Path:
        """The source tree; tests that need it are skipped where there is none."""
        if (tree := source_tree(folder, type(self))) is None:
            pytest.skip("The package is installed without its source tree.")
        return tree

    # Metadata

    def test_metadata_is_complete(self, distribution: Distribution) -> None:
        """The index can show what the package is, under which licence, for which Python, and where its pages are."""
        metadata = distribution.metadata
        fields = metadata.json
        # Metadata before version 2.4 has no field for the expression: https://peps.python.org/pep-0639/
        version = tuple(map(int, metadata["Metadata-Version"].split(".")))
        licence = "license_expression" if version >= (2, 4) else "license"
        assert fields.get(licence), "`license` must be an SPDX expression."
        assert fields.get("summary"), "`description` is missing."
        assert fields.get("requires_python"), "`requires-python` is missing."
        assert fields.get("description_content_type"), "`readme` is missing."
        assert fields.get("keywords"), "`keywords` are missing."
        urls = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL") or [])
        missing = _LABELS - {label.lower() for label in urls}
        assert not missing, f"`urls` lack {', '.join(sorted(missing))}."
        assert all(url.startswith("https://") for url in urls.values()), urls

    def test_classifiers_are_complete(self, distribution: Distribution) -> None:
        """The index can be searched for what the package is and where it runs."""
        metadata = distribution.metadata
        classifiers = set(metadata.get_all("Classifier") or [])
        wanted = {"Typing :: Typed"}
        if lowest := re.search(r">=\s*(3\.\d+)", metadata["Requires-Python"] or ""):
            wanted.add(f"Programming Language :: Python :: {lowest[1]}")
        assert wanted <= classifiers, f"The classifiers lack {sorted(wanted - classifiers)}."
        for kind in ("Development Status", "Intended Audience", "Operating System"):
            assert any(name.startswith(f"{kind} :: ") for name in classifiers), f"No classifier tells its {kind}."
        # They contradict the expression: https://peps.python.org/pep-0639/#deprecate-license-classifiers
        assert not any(name.startswith("License ::") for name in classifiers), "`license` alone tells the licence."

    def test_the_licence_comes_with_the_package(self, distribution: Distribution) -> None:
        """Whoever has the package has the text of its licence."""
        # Metadata before version 2.4 do not name the file: https://peps.python.org/pep-0639/
        names = distribution.metadata.get_all("License-File") or ["LICENSE"]
        assert all(distribution.read_text(f"licenses/{name}") for name in names), (
            "The distribution has no licence. Put a file LICENSE beside pyproject.toml."
        )

    def test_prefect_is_required_with_a_lower_bound(self, distribution: Distribution) -> None:
        """An old Prefect is refused at installation, not at import."""
        needs = [n for n in distribution.requires or [] if re.match(r"prefect\s*[\[><=~!]", n)]
        assert needs, "The package does not require prefect with a version."
        assert all(">=" in need or "~=" in need for need in needs), needs

    def test_the_version_is_the_same_everywhere(self, distribution: Distribution) -> None:
        """`__version__` is what is installed."""
        assert import_quietly(self.package).__version__ == distribution.version

    def test_prefect_finds_the_collection(self, distribution: Distribution) -> None:
        """The package is a Prefect collection."""
        found = [e for e in distribution.entry_points if e.group == "prefect.collections"]
        assert self.package in {entry.value.partition(":")[0] for entry in found}, (
            f'Add `{self.package} = "{self.package}"` to [project.entry-points."prefect.collections"].'
        )

    def test_entry_points_load(self, distribution: Distribution) -> None:
        """Every entry point names something that exists."""
        for entry in distribution.entry_points:
            entry.load()

    def test_the_package_is_typed(self, folder: Path) -> None:
        """Type checkers read the package's annotations."""
        assert (folder / "py.typed").is_file(), "Add an empty file `py.typed`."

    def test_pyproject_is_short(self, project: Path) -> None:
        """The package's own settings are only what differs from its siblings."""
        lines = [line for line in (project / "pyproject.toml").read_text(encoding="utf-8").splitlines() if line]
        assert len(lines) <= MAX_PYPROJECT_LINES, f"pyproject.toml has {len(lines)} lines."

    def test_the_changelog_tells_of_this_version(self, project: Path, distribution: Distribution) -> None:
        """A user can read what is new."""
        changelog = project / "CHANGELOG.md"
        assert changelog.is_file(), "CHANGELOG.md is missing."
        heading = rf"^#+ .*(?<![\d.]){re.escape(distribution.version)}(?![\d.])"
        assert re.search(heading, changelog.read_text(encoding="utf-8"), re.MULTILINE), (
            f"CHANGELOG.md has no heading for {distribution.version}."
        )

    # Public names

    def test_public_names_exist(self, published: Package) -> None:
        """Each module keeps the promise of its `__all__`, and the package makes one."""
        root = import_quietly(self.package)
        assert getattr(root, "__all__", None), f"{self.package} has no `__all__`."
        for module in published.modules:
            names = exported_names(module)
            missing = [name for name in names if not hasattr(module, name)]
            assert not missing, f"{module.__name__}.__all__ names what does not exist: {missing}"
            assert len(names) == len(set(names)), f"{module.__name__}.__all__ has duplicates."

    def test_modules_are_documented(self, published: Package) -> None:
        """Every public module says what it is about."""
        bare = [module.__name__ for module in published.modules if not module.__doc__]
        assert not bare, f"Without a docstring: {bare}"

    def test_classes_are_documented(self, published: Package) -> None:
        """Every public class, property and field says what it is."""
        problems: list[str] = []
        for item in published.classes():
            if not item.doc:
                problems.append(f"{item.path}: no docstring")
            problems += [f"{path}: no docstring" for path, p in item.properties() if not p.__doc__]
            for path, field in item.own_fields():
                if not (field.description or "").rstrip().endswith((".", "`.")):
                    problems.append(f"{path}: the description must be there and end in a period")
            problems += _undocumented_construction(item.cls, item.path, item.doc)
        self._report(problems)

    def test_operations_are_documented(self, published: Package) -> None:
        """Every public function and method has a docstring that describes its parameters."""
        problems: list[str] = []
        for operation in published.operations():
            doc = operation.doc
            if not doc:
                problems.append(f"{operation.path}: no docstring")
            elif not _SAYS_ASYNC_FORM.match(doc):
                known = documented_parameters(doc)
                lacking = [p.name for p in operation.parameters if p.name not in known]
                if lacking:
                    problems.append(f"{operation.path}: `Args` lacks {', '.join(lacking)}")
        self._report(problems)

    def test_operations_are_annotated(self, published: Package) -> None:
        """Every public function and method is typed: parameters and result."""
        problems: list[str] = []
        for operation in published.operations():
            bare = [p.name for p in operation.parameters if p.annotation is p.empty]
            if bare:
                problems.append(f"{operation.path}: no annotation for {', '.join(bare)}")
            if inspect.signature(operation.function).return_annotation is inspect.Signature.empty:
                problems.append(f"{operation.path}: no annotation for the result")
        self._report(problems)

    def _report(self, problems: list[str]) -> None:
        real = [p for p in problems if p.partition(":")[0] not in self.undocumented]
        assert not real, "\n".join(real)

    # Examples

    def test_examples_are_valid(self, published: Package, folder: Path) -> None:
        """Examples in docstrings and README compile."""
        import yaml

        for where, example in _all_examples(published, source_tree(folder, type(self))):
            if example.language in ("python", "py"):
                try:
                    compile_example(example, where)
                except SyntaxError as exc:
                    pytest.fail(f"An example of {where} is not Python: {exc}")
            elif example.language in ("yaml", "yml"):
                try:
                    list(yaml.safe_load_all(example.code))
                except yaml.YAMLError as exc:
                    pytest.fail(f"An example of {where} is not YAML: {exc}")

    def test_runnable_examples_run(
        self,
        published: Package,
        folder: Path,
        request: pytest.FixtureRequest,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Examples behind a fence that says `python runnable` run as they stand."""
        runnable = [(w, e) for w, e in _all_examples(published, source_tree(folder, type(self))) if e.runnable]
        if not runnable:
            return
        request.getfixturevalue("prefect_harness")
        monkeypatch.chdir(tmp_path)
        for where, example in runnable:
            code = compile(example.code, where, "exec", dont_inherit=True)
            exec(code, {"__name__": "__example__"})

    # The rules

    def test_import_is_light(self) -> None:
        """Rule 1: `import <package>` loads no SDK, since every flow run pays for it."""
        heavy = heavy_modules(self.package, self.light_allowed)
        assert not heavy, (
            f"`import {self.package}` loads {', '.join(heavy)}. Import them in the functions that "
            "need them, and types under TYPE_CHECKING."
        )

    def test_import_registers_every_block(self) -> None:
        """Rule 1: the collection's import alone makes all its blocks known to Prefect."""
        from prefect_integration_tests.registry import blocks_after_import

        every = [n for n in modules_of(self.package, private=True) if n not in self.optional_modules]
        at_once, in_the_end = blocks_after_import(self.package, *every)
        missing = in_the_end - at_once
        root = import_quietly(self.package)
        offered = set(dir(root))
        late = {
            name
            for name in missing
            if any(f"{name}.".startswith(f"{module}.") for module in self.lazy_modules)
            and name.rpartition(".")[2] in offered
        }
        assert not missing - late, f"`import {self.package}` does not register {sorted(missing - late)}."

    def test_operations_have_two_faces(self, published: Package) -> None:
        """Rule 2: each operation has a sync and an async form, with the same parameters."""
        problems: list[str] = []
        operations = published.operations()
        twins = {id(plain(op.aio)) for op in operations if callable(op.aio)}
        by_path = {op.path: op for op in operations}
        for op in operations:
            if any(f"{op.path}.".startswith(f"{path}.") for path in self.one_face):
                continue
            if is_coroutine_function(op.function):
                if not _has_sync_face(op, by_path, twins):
                    problems.append(f"{op.path}: has no sync face")
                continue
            prefix, _, name = op.path.rpartition(".")
            named = by_path.get(f"{prefix}.a{name}")
            twin = op.aio if callable(op.aio) else named and named.member
            if named and not callable(op.aio):
                problems.append(f"{op.path}: does not dispatch to {named.name}")
            if twin is not None and not _agree(op, plain(twin)):
                problems.append(f"{op.path}: its faces have different parameters")
        assert not problems, "\n".join(problems)

    def test_no_private_module_of_prefect_is_imported(self, folder: Path) -> None:
        """Only the kit touches `prefect._internal` and `prefect._experimental`."""
        found = scan(folder, private_imports)
        assert not found, "\n".join(found)

    def test_no_other_integration_is_imported(self, folder: Path) -> None:
        """An integration stands alone at run time."""
        find = partial(foreign_imports, package=self.package, allowed=self.may_import)
        found = scan(folder, find)
        assert not found, "\n".join(found)

    def test_no_command_line_goes_through_a_shell(self, folder: Path) -> None:
        """Rule 4: commands are argument lists."""
        found = scan(folder, shell_calls)
        assert not found, "\n".join(found)

    # Errors

    def test_errors_survive_pickling_and_copying(self) -> None:
        """Errors travel between processes with their message and attributes."""
        for cls in self._error_classes():
            error = self.make_error(cls)
            for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                assert type(again) is cls
                assert (str(again), again.args) == (str(error), error.args)
                assert vars(again) == vars(error)

    def test_errors_have_one_base(self) -> None:
        """A caller can catch whatever the package raises by one name."""
        name = f"{self.package}.errors"
        classes = [cls for cls in self._error_classes() if cls.__module__ == name]
        roots = [cls for cls in classes if not any(base in classes for base in cls.__mro__[1:])]
        assert len(roots) <= 1, f"{name} has several roots: {[cls.__name__ for cls in roots]}"

    def _error_classes(self) -> list[type[Exception]]:
        found: dict[type[Exception], None] = {}
        for name in modules_of(self.package, private=True):
            if name in self.optional_modules:
                continue
            for member in vars(import_quietly(name)).values():
                if (
                    inspect.isclass(member)
                    and issubclass(member, Exception)
                    and member.__module__.partition(".")[0] == self.package
                ):
                    found[member] = None
        return list(found)


@cache
def _package(name: str, optional_modules: frozenset[str]) -> Package:
    return Package(name, optional_modules)


def _undocumented_construction(cls: type, path: str, doc: str) -> list[str]:
    """Find parameters of a plain class's constructor that nothing describes."""
    init: Any = vars(cls).get("__init__")
    if not inspect.isfunction(init) or hasattr(cls, "__pydantic_fields__"):
        return []
    if hasattr(cls, "__dataclass_fields__") or getattr(cls, "_is_protocol", False):
        return []
    known = documented_parameters(doc) | documented_parameters(inspect.cleandoc(init.__doc__ or ""))
    lacking = [name for name in list(inspect.signature(init).parameters)[1:] if name not in known]
    return [f"{path}: `Args` lacks {', '.join(lacking)}"] if lacking else []


def _all_examples(published: Package, tree: Path | None) -> list[tuple[str, Example]]:
    """List the examples of all docstrings and of the README, each with where it stands."""
    texts = [(module.__name__, inspect.cleandoc(module.__doc__ or "")) for module in published.modules]
    texts += [(item.path, item.doc) for item in published.classes()]
    texts += [(operation.path, operation.doc) for operation in published.operations()]
    if tree is not None and (readme := tree / "README.md").is_file():
        texts.append(("README.md", readme.read_text(encoding="utf-8")))
    return [(where, example) for where, text in texts for example in examples(text)]


def _has_sync_face(op: Operation, by_path: dict[str, Operation], twins: set[int]) -> bool:
    """Say whether a coroutine function is the async face of something, or is one by Prefect's word."""
    prefix, _, name = op.path.rpartition(".")
    if id(op.function) in twins or (name.startswith("a") and f"{prefix}.{name[1:]}" in by_path):
        return True
    if callable(op.aio):  # a task with both faces
        return True
    bases: tuple[type, ...] = op.owner.__mro__[1:] if inspect.isclass(op.owner) else ()
    return any(
        base.__module__.partition(".")[0] == "prefect" and inspect.iscoroutinefunction(vars(base).get(name))
        for base in bases
    )


def _agree(op: Operation, twin: Any) -> bool:
    """Say whether two faces take the same parameters with the same defaults."""
    theirs = list(inspect.signature(twin).parameters.values())
    theirs = theirs[len(theirs) - len(op.parameters) :] if inspect.isclass(op.owner) else theirs
    ours = op.parameters
    return [(p.name, p.kind, repr(p.default)) for p in ours] == [(p.name, p.kind, repr(p.default)) for p in theirs]
