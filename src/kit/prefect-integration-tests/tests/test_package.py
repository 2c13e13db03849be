"""The package suite: a small package that does all right passes, and each flaw is found by its test."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from prefect_integration_tests.docstrings import documented_parameters, examples
from prefect_integration_tests.sources import foreign_imports, private_imports, shell_calls
from prefect_integration_tests.suites import PackageSuite

FILES = {
    "PKG/__init__.py": '''\
"""Talk to things.

```python runnable
from pathlib import Path

Path("made-by-the-example").write_text("x")
```
"""

from .errors import ThingError, ThingNotFound
from .things import Thing, afetch, fetch

__version__ = "1.2.0"

__all__ = ["Thing", "ThingError", "ThingNotFound", "afetch", "fetch"]
''',
    "PKG/errors.py": '''\
"""What can go wrong."""


class ThingError(Exception):
    """Something went wrong."""


class ThingNotFound(ThingError, FileNotFoundError):
    """There is no such thing."""
''',
    "PKG/things.py": '''\
"""Things."""

import subprocess

from prefect.blocks.core import Block
from pydantic import Field

from prefect_integration_kit.dispatch import async_dispatch


class Thing(Block):
    """A thing.

    Example:
        ```python
        from PKG import Thing

        thing = Thing.load("BLOCK_NAME")
        ```
    """

    _block_type_slug = "PKG"

    size_bytes: int = Field(default=0, description="How large it is.")

    @property
    def weight(self) -> int:
        """How heavy it is."""
        return self.size_bytes

    async def aread(self, path: str, *, limit: int = 3) -> bytes:
        """Async form of `read`."""
        return b""

    @async_dispatch(aread)
    def read(self, path: str, *, limit: int = 3) -> bytes:
        """Read a thing.

        Args:
            path: Where it is.
            limit: How much to read.
        """
        return b""


async def afetch(name: str) -> str:
    """Async form of `fetch`."""
    return name


@async_dispatch(afetch)
def fetch(name: str) -> str:
    """Fetch a thing.

    Args:
        name: Which.
    """
    subprocess.run(["true", "--", name], check=True)
    return name
''',
    "PKG/py.typed": "",
    "pyproject.toml": "[project]\n",
    "README.md": "# Things\n\n```yaml\npull:\n  - x: '{{ y }}'\n```\n",
    "CHANGELOG.md": "# Changelog\n\n## 1.2.0\n\n- News.\n",
    "PKG-1.2.0.dist-info/METADATA": """\
Metadata-Version: 2.4
Name: DIST
Version: 1.2.0
Summary: Talk to things.
License-Expression: MIT
License-File: LICENSE
Requires-Python: >=3.10
Keywords: things
Classifier: Development Status :: 4 - Beta
Classifier: Intended Audience :: Developers
Classifier: Operating System :: OS Independent
Classifier: Programming Language :: Python :: 3.10
Classifier: Typing :: Typed
Requires-Dist: prefect>=3.8.4
Project-URL: Homepage, https://example.com
Project-URL: Documentation, https://example.com/docs
Project-URL: Changelog, https://example.com/news
Project-URL: Source, https://example.com/source
Project-URL: Issues, https://example.com/issues
Description-Content-Type: text/markdown

# Things
""",
    "PKG-1.2.0.dist-info/licenses/LICENSE": "Do as you please.\n",
    "PKG-1.2.0.dist-info/entry_points.txt": "[prefect.collections]\nPKG = PKG\n",
}

INIT, ERRORS, THINGS = "PKG/__init__.py", "PKG/errors.py", "PKG/things.py"
METADATA, ENTRY_POINTS = "PKG-1.2.0.dist-info/METADATA", "PKG-1.2.0.dist-info/entry_points.txt"

FLAWS: list[tuple[str, str, str, str]] = [
    ("test_metadata_is_complete", METADATA, "License-Expression: MIT\n", ""),
    ("test_metadata_is_complete", METADATA, "Summary: Talk to things.\n", ""),
    ("test_metadata_is_complete", METADATA, "Keywords: things\n", ""),
    ("test_metadata_is_complete", METADATA, "Project-URL: Changelog, https://example.com/news\n", ""),
    ("test_metadata_is_complete", METADATA, "Project-URL: Issues, https://example.com/issues\n", ""),
    ("test_metadata_is_complete", METADATA, "https://example.com/source", "http://example.com/source"),
    ("test_classifiers_are_complete", METADATA, "Classifier: Typing :: Typed\n", ""),
    ("test_classifiers_are_complete", METADATA, "Python :: 3.10", "Python :: 3.11"),
    ("test_classifiers_are_complete", METADATA, "Operating System :: OS Independent", "Topic :: Database"),
    (
        "test_classifiers_are_complete",
        METADATA,
        "Typing :: Typed",
        "Typing :: Typed\nClassifier: License :: Free For Home Use",
    ),
    ("test_the_licence_comes_with_the_package", "PKG-1.2.0.dist-info/licenses/LICENSE", "", "absent"),
    ("test_the_licence_comes_with_the_package", METADATA, "License-File: LICENSE", "License-File: COPYING"),
    ("test_prefect_is_required_with_a_lower_bound", METADATA, "prefect>=3.8.4", "prefect"),
    ("test_prefect_is_required_with_a_lower_bound", METADATA, "prefect>=3.8.4", "prefect<4"),
    ("test_the_version_is_the_same_everywhere", INIT, "1.2.0", "1.2.1"),
    ("test_prefect_finds_the_collection", ENTRY_POINTS, "PKG = PKG\n", ""),
    ("test_entry_points_load", ENTRY_POINTS, "PKG = PKG", "PKG = PKG.absent"),
    ("test_the_package_is_typed", "PKG/py.typed", "", "absent"),
    ("test_pyproject_is_short", "pyproject.toml", "[project]\n", "[project]\n" + "#\n" * 70),
    ("test_the_changelog_tells_of_this_version", "CHANGELOG.md", "1.2.0", "11.2.0"),
    ("test_the_changelog_tells_of_this_version", "CHANGELOG.md", "", "absent"),
    ("test_public_names_exist", INIT, '"Thing",', '"Nothing",'),
    ("test_public_names_exist", INIT, "__all__ =", "_names ="),
    ("test_modules_are_documented", THINGS, '"""Things."""', ""),
    ("test_classes_are_documented", THINGS, "How large it is.", "How large it is"),
    ("test_classes_are_documented", THINGS, '        """How heavy it is."""\n', ""),
    ("test_classes_are_documented", ERRORS, '    """Something went wrong."""\n', "    x = 1\n"),
    (
        "test_classes_are_documented",
        ERRORS,
        '    """Something went wrong."""\n',
        '    """Wrong."""\n    def __init__(self, message: str, code: int = 0) -> None: ...\n',
    ),
    ("test_operations_are_documented", THINGS, "            limit: How much to read.\n", ""),
    ("test_operations_are_documented", THINGS, '    """Async form of `fetch`."""\n', ""),
    ("test_operations_are_annotated", THINGS, "path: str, *", "path, *"),
    ("test_operations_are_annotated", THINGS, "def fetch(name: str) -> str:", "def fetch(name: str):"),
    ("test_examples_are_valid", THINGS, "thing = Thing.load", "thing := Thing.load"),
    ("test_examples_are_valid", "README.md", "'{{ y }}'", "[{{ y }}"),
    ("test_runnable_examples_run", INIT, 'Path("made', 'Path("absent/made'),
    ("test_import_is_light", THINGS, "import subprocess", "import subprocess\nimport sqlalchemy"),
    ("test_import_is_light", THINGS, "import subprocess", "import subprocess\nimport prefect.server.schemas"),
    ("test_import_registers_every_block", INIT, "", "lazy"),
    ("test_operations_have_two_faces", THINGS, "    @async_dispatch(aread)\n", ""),
    (
        "test_operations_have_two_faces",
        THINGS,
        "def aread(self, path: str, *, limit: int = 3)",
        "def aread(self, path: str)",
    ),
    (
        "test_operations_have_two_faces",
        THINGS,
        "def aread(self, path: str, *, limit: int = 3)",
        "def aread(self, path: str, *, limit: int = 4)",
    ),
    ("test_operations_have_two_faces", THINGS, "@async_dispatch(afetch)\ndef fetch", "async def fetch"),
    (
        "test_no_private_module_of_prefect_is_imported",
        THINGS,
        "import subprocess",
        "import subprocess\nfrom prefect._internal import compatibility",
    ),
    (
        "test_no_other_integration_is_imported",
        THINGS,
        "def weight(self) -> int:",
        "def weight(self) -> int:\n        import prefect_acme",
    ),
    ("test_no_command_line_goes_through_a_shell", THINGS, "check=True", "check=True, shell=True"),
    (
        "test_errors_survive_pickling_and_copying",
        ERRORS,
        '    """Something went wrong."""\n',
        '    """Wrong."""\n    def __init__(self, text):\n        super().__init__("Wrong: " + text)\n',
    ),
    (
        "test_errors_survive_pickling_and_copying",
        ERRORS,
        '    """Something went wrong."""\n',
        (
            '    """Wrong."""\n    def __init__(self, a, b=1):\n        super().__init__(a, b)\n'
            "    def __reduce__(self):\n        return (ThingError, (self.args[0],))\n"
        ),
    ),
    ("test_errors_have_one_base", ERRORS, "(ThingError, FileNotFoundError)", "(FileNotFoundError)"),
]

OTHER_ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "test_entry_points_load": (ImportError,),
    "test_runnable_examples_run": (OSError,),
    "test_errors_survive_pickling_and_copying": (TypeError,),
}
"""What a test of the suite may raise besides its own assertions."""

_numbers = itertools.count()


@pytest.fixture
def write_package(tmp_path, monkeypatch):
    """Write the package, with one flaw, under a name of its own, and make it importable."""

    def write(file: str = "", old: str = "", new: str = "") -> type[PackageSuite]:
        name = f"prefect_thing{next(_numbers)}"
        files = dict(FILES)
        if new == "absent" and not old:
            del files[file]
        elif new == "lazy":
            files[file] = files[file].replace("from .things import Thing, afetch, fetch\n", "")
            files[file] += "\n\ndef __getattr__(name):\n    from . import things\n\n    return getattr(things, name)\n"
        elif file:
            assert old in files[file]
            files[file] = files[file].replace(old, new)
        root = tmp_path / name
        for path, text in files.items():
            target = root / path.replace("PKG", name).replace("DIST", name.replace("_", "-"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.replace("PKG", name).replace("DIST", name.replace("_", "-")))
        monkeypatch.syspath_prepend(root)
        monkeypatch.setenv("PYTHONPATH", str(root))

        class Suite(PackageSuite):
            package = name

        return Suite

    return write


async def run(suite: type[PackageSuite], name: str, run_suite_test) -> None:
    instance = suite()
    from importlib.metadata import distribution

    from prefect_integration_tests.public import Package, import_quietly

    folder = Path(import_quietly(suite.package).__path__[0])
    await run_suite_test(
        instance,
        name,
        published=Package(suite.package),
        distribution=distribution(suite.package.replace("_", "-")),
        folder=folder,
        project=folder.parent,
    )


async def test_a_good_package_passes(write_package, run_suite_test, tests_of, tmp_path, prefect_harness) -> None:
    suite = write_package()
    for name in sorted(tests_of(PackageSuite)):
        await run(suite, name, run_suite_test)
    assert (tmp_path / "made-by-the-example").is_file()


@pytest.mark.parametrize(("test", "file", "old", "new"), FLAWS, ids=[flaw[0] for flaw in FLAWS])
async def test_a_flaw_is_found_out(write_package, run_suite_test, prefect_harness, test, file, old, new) -> None:
    suite = write_package(file, old, new)
    with pytest.raises((AssertionError, pytest.fail.Exception, *OTHER_ERRORS.get(test, ()))):
        await run(suite, test, run_suite_test)


def test_every_test_of_the_suite_has_a_flaw_that_fails_it(tests_of) -> None:
    assert tests_of(PackageSuite) == {flaw[0] for flaw in FLAWS}


async def test_lazy_names_of_prefect_itself_are_no_fault(write_package, run_suite_test) -> None:
    """`prefect.filesystems` brings fsspec: that is Prefect's weight, not the package's."""
    suite = write_package(THINGS, "import subprocess\n", "import subprocess\nimport prefect.filesystems\n")
    await run(suite, "test_import_is_light", run_suite_test)


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.system('x')",
        "from os import system as s\ns('x')",
        "import subprocess as sp\nsp.run('x', shell=True)",
        "import subprocess\nsubprocess.Popen('x', shell=flag)",
        "from asyncio import create_subprocess_shell as c\nawait_ = c('x')",
        "import subprocess\nsubprocess.getoutput('x')",
    ],
)
def test_a_shell_is_found_under_any_name(code) -> None:
    assert shell_calls(code)


@pytest.mark.parametrize("code", ["run(['x'], shell=True)", "import subprocess as s\ns.run(['x'], shell=False)"])
def test_what_is_no_shell_is_no_fault(code) -> None:
    assert shell_calls(code) == []


def test_private_and_foreign_imports_are_found() -> None:
    assert private_imports("import prefect._internal.x") == [(1, "prefect._internal.x")]
    assert private_imports("from prefect._experimental.bundles import x")
    assert private_imports("import prefect.settings") == []
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import prefect_b\nimport prefect_c, prefect_a.x\n"
    assert foreign_imports(code, "prefect_a", frozenset()) == [(4, "prefect_c")]
    assert foreign_imports(code, "prefect_a", frozenset({"prefect_c"})) == []


def test_parameters_are_read_from_a_docstring() -> None:
    doc = (
        "Do it.\n\nArgs:\n    a: One.\n        b: no, a continuation.\n    **kwargs: Others.\n    c (int): Three.\n"
        "\nReturns:\n    d: no.\n"
    )
    assert documented_parameters(doc) == {"a", "kwargs", "c"}


def test_examples_are_read_from_text() -> None:
    text = "x\n\n  ```python runnable\n  a = 1\n    # more\n  ```\n\n```\nplain\n```\n"
    first, second = examples(text)
    assert (first.language, first.runnable, first.code) == ("python", True, "a = 1\n  # more\n")
    assert (second.language, second.runnable) == ("", False)
