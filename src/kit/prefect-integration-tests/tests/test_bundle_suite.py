"""The suite of bundles: steps on a store of folders pass, and each broken pair of them is found by its test."""

from __future__ import annotations

import inspect
import itertools
import json
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest

from prefect_integration_tests.suites import BundleSuite
from prefect_integration_tests.suites.bundle_steps import KEY

STEPS = """
import json, os, re, shutil
from pathlib import Path

from prefect_integration_kit.bundle_commands import plain_errors, step_parser
from prefect_integration_kit.bundles import download_bundle, execute_stored_bundle, refused_as, upload_bundle
from prefect_integration_kit.sdk_errors import TranslatedError

class CrateError(TranslatedError): pass
class NoCrate(CrateError): pass
class NothingThere(CrateError, FileNotFoundError): pass
class Refused(CrateError, RuntimeError): pass

class Store:
    def __init__(self, crate, block):
        if not re.fullmatch("[a-z-]+", crate):
            raise ValueError(f"Crate name {crate!r} is none.")
        root = Path(os.environ["CRATES"])
        if block and not (root / "blocks" / block).exists():
            raise ValueError(f"There is no block {block!r}.")
        self.crate, self.folder = crate, root / crate
    def url(self, key):
        return f"crate://{self.crate}/{key}"
    def _check(self):
        if not self.folder.exists():
            raise NoCrate(f"There is no crate {self.crate}.")
    def put(self, source, key, metadata):
        self._check()
        target = self.folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        Path(f"{target}.meta").write_text(json.dumps(dict(metadata)))
    def get(self, key, target):
        self._check()
        if not (self.folder / key).exists():
            raise NothingThere(f"{self.url(key)}: there is nothing.", subject=self.url(key))
        shutil.copy(self.folder / key, target)
        return json.loads(Path(f"{self.folder / key}.meta").read_text())

def upload(path, crate, key, block=None):
    store = Store(crate, block)
    key = upload_bundle(store, path, key)
    return {"crate": crate, "key": key}

def execute(crate, key, block=None):
    store = Store(crate, block)
    with refused_as(Refused, store.url(key)):
        execute_stored_bundle(store, key)

def download(crate, key, folder, block=None):
    return download_bundle(Store(crate, block), key, folder)

def parser(step, **changed):
    options = {"credentials_option": "--crate-block", "credentials_help": "name of a block"}
    made = step_parser(f"PACKAGE.bundles.{step}", "A step.", bucket="crate", **options)
    vars(made).update(changed)
    return made

def upload_main():
    arguments = parser("upload")
    arguments.add_argument("path", metavar="LOCAL_FILEPATH")
    given = arguments.parse_args()
    with plain_errors(CrateError):
        upload(given.path, given.crate, given.key, given.crate_block)

def execute_main():
    given = parser("execute").parse_args()
    with plain_errors(CrateError):
        execute(given.crate, given.key, given.crate_block)
"""

_numbers = itertools.count()


def make_package(root: Path, old: str = "", new: str = "") -> str:
    """Write a package with both steps, changed in one place; return its name."""
    name = f"prefect_crate_{next(_numbers)}"
    assert old in STEPS
    (root / name / "bundles").mkdir(parents=True)
    (root / name / "experimental" / "bundles").mkdir(parents=True)
    source = STEPS.replace(old, new) if old else STEPS
    (root / name / "steps.py").write_text(source.replace("PACKAGE", name))
    for folder in ("", "bundles", "experimental", "experimental/bundles"):
        (root / name / folder / "__init__.py").touch()
    for folder in ("bundles", "experimental/bundles"):
        for step in ("upload", "execute"):
            main = f'from {name}.steps import {step}_main as main\n\nif __name__ == "__main__":\n    main()\n'
            (root / name / folder / f"{step}.py").write_text(main)
    return name


class Crate:
    """A crate behind the steps' back."""

    bucket = "shop"

    def __init__(self, root: Path) -> None:
        self.folder = root / self.bucket
        self.folder.mkdir(parents=True)

    def put(self, key, content, metadata=None):
        (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / key).write_bytes(content)
        (self.folder / f"{key}.meta").write_text(json.dumps(metadata or {}))

    def get(self, key):
        return (self.folder / key).read_bytes()

    def keys(self):
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".meta"]
        return [path.relative_to(self.folder).as_posix() for path in files]

    def metadata(self, key):
        return json.loads((self.folder / f"{key}.meta").read_text())


class CrateSuite(BundleSuite):
    scheme = "crate"
    noun = "crate"
    block_option = "--crate-block"
    no_buckets = ("", "crate://shop")
    module: ClassVar[Any]

    @pytest.fixture
    def raw(self, crate):
        return crate

    @pytest.fixture
    def saved_block(self, prefect_harness, monkeypatch, tmp_path):
        return save_block(tmp_path)

    def upload_step(self, path, bucket, key, block):
        return self.module.upload(path, bucket, key, block)

    def execute_step(self, bucket, key, block, **options):
        return self.module.execute(bucket, key, block, **options)

    def download(self, bucket, key, folder, block):
        return self.module.download(bucket, key, folder, block)


def save_block(root: Path) -> str:
    (root / "crates" / "blocks").mkdir(parents=True, exist_ok=True)
    (root / "crates" / "blocks" / "b").touch()
    return "b"


def suite_on(package: str) -> type[CrateSuite]:
    """Make the suite's class for a package."""
    steps = import_module(f"{package}.steps")
    names = {
        "package": package,
        "module": steps,
        "refused_error": steps.Refused,
        "missing_errors": (steps.NothingThere, FileNotFoundError),
        "missing_bucket_error": steps.NoCrate,
    }
    return type("Suite", (CrateSuite,), names)


@pytest.fixture
def crate(tmp_path, monkeypatch):
    monkeypatch.setenv("CRATES", str(tmp_path / "crates"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    return Crate(tmp_path / "crates")


@pytest.fixture
def given(crate, tmp_path, capsys):
    """What tests of the suite ask for, besides the usual fixtures; the file and what is trapped are made by hand."""
    (tmp_path / KEY).write_text('{"function": "f", "context": "c", "flow_run": {}}')
    return {
        "raw": crate,
        "file": tmp_path / KEY,
        "saved_block": save_block(tmp_path),
        "trap": tmp_path / "unpickled",
        "capsys": capsys,
        "capfd": capsys,
        "size": 1000,
    }


PARAMETERS: dict[str, dict[str, Any]] = {
    "test_a_key_is_written_in_one_way": {"given": "/deep//./file"},
    "test_a_key_cannot_leave_the_store_or_the_folder": {"key": "a/../../outside"},
    "test_a_bundle_that_was_changed_is_refused_before_it_is_unpickled": {"change": b" "},
    "test_a_wrong_command_line_ends_with_2_and_the_usage": {"step": "execute", "more": ["file"], "says": "file"},
    "test_an_option_that_is_missing_is_named": {"step": "upload"},
}
"""What tests of the suite are parametrized by."""

METADATA = 'json.loads(Path(f"{self.folder / key}.meta").read_text())'
UPLOADED = "key = upload_bundle(store, path, key)"
REFUSES = "    with refused_as(Refused, store.url(key)):\n        execute"
AS_IT_IS = "    if True:\n        execute"
ON_NO_LOOP = """def upload(path, crate, key, block=None):
    import asyncio
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return upload_now(path, crate, key, block)
    raise RuntimeError("asyncio.run() cannot be called from a running event loop")

def upload_now("""

BROKEN: dict[str, list[tuple[str, str]]] = {
    "test_what_is_uploaded_is_what_is_downloaded": [
        ("json.dumps(dict(metadata))", '"{}"'),
        ('return {"crate": crate, "key": key}', "return {}"),
    ],
    "test_a_key_is_written_in_one_way": [(UPLOADED, "upload_bundle(store, path, key)")],
    "test_a_bundle_without_a_key_is_named_after_its_file": [(UPLOADED, UPLOADED.replace("key)", "key or 'x')"))],
    "test_a_path_may_be_text": [(UPLOADED, f"path.exists()\n    {UPLOADED}")],
    "test_a_key_cannot_leave_the_store_or_the_folder": [
        (UPLOADED, UPLOADED.replace("key)", "key.replace('..', 'up'))"))
    ],
    "test_credentials_come_from_a_saved_block_in_async_code_too": [("def upload(", ON_NO_LOOP)],
    "test_a_block_that_does_not_exist_is_named": [("if block and not", "if False and not")],
    "test_a_file_that_does_not_exist_is_named": [(UPLOADED, f"Path(path).stat()\n    {UPLOADED}")],
    "test_a_bucket_that_is_no_name_is_refused": [('re.fullmatch("[a-z-]+", crate)', "crate is not None")],
    "test_what_is_missing_is_named": [
        (", subject=self.url(key)", ""),
        ('raise NoCrate(f"There is no crate {self.crate}.")', "self.folder.mkdir()"),
    ],
    "test_a_bundle_that_was_changed_is_refused_before_it_is_unpickled": [(METADATA, "{}"), (REFUSES, AS_IT_IS)],
    "test_a_bundle_that_an_earlier_version_uploaded_is_taken_as_it_is": [
        (METADATA, f'{METADATA} or {{"prefectsha256": ""}}')
    ],
    "test_what_is_no_bundle_is_refused": [(REFUSES, AS_IT_IS)],
    "test_a_bundle_is_uploaded_from_the_command_line_in_silence": [
        ("        upload(given", "        print('Uploading')\n        upload(given")
    ],
    "test_a_wrong_command_line_ends_with_2_and_the_usage": [
        ('given = parser("execute").parse_args()', 'given = parser("execute").parse_known_args()[0]')
    ],
    "test_an_option_is_written_in_full": [
        ('parser("execute").parse_args()', 'parser("execute", allow_abbrev=True).parse_args()')
    ],
    "test_an_option_that_is_missing_is_named": [("PACKAGE.bundles.{step}", "{step}")],
    "test_a_failure_is_one_line_without_a_traceback": [
        ("    with plain_errors(CrateError):\n        execute", "    if True:\n        execute")
    ],
    "test_the_steps_run_when_warnings_are_errors": [
        ("import json, os", "import warnings; warnings.warn('Old.')\nimport json, os")
    ],
}
"""By the test that must find it out: what is changed in the steps."""


async def run(run_suite_test, package, name, given):
    suite = suite_on(package)()
    fixtures = {**given, **PARAMETERS.get(name, {})}
    if "trapped" in inspect.signature(getattr(suite, name)).parameters:
        make: Any = inspect.unwrap(CrateSuite.trapped)
        fixtures["trapped"] = make(suite, fixtures["raw"], fixtures["file"].parent, fixtures["trap"])
    await run_suite_test(suite, name, **fixtures)


def test_every_test_of_the_suite_is_tried(tests_of) -> None:
    assert tests_of(BundleSuite) == set(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
async def test_steps_on_a_store_of_folders_pass(name, given, tmp_path, run_suite_test) -> None:
    await run(run_suite_test, make_package(tmp_path), name, given)


CHANGES = [pytest.param(name, *change, id=name) for name, changes in BROKEN.items() for change in changes]


@pytest.mark.filterwarnings("ignore:Old")
@pytest.mark.parametrize(("name", "old", "new"), CHANGES)
async def test_broken_steps_are_found_out(name, old, new, given, tmp_path, run_suite_test) -> None:
    package = make_package(tmp_path, old, new)
    with pytest.raises((Exception, pytest.fail.Exception)) as caught:
        await run(run_suite_test, package, name, given)
    assert not isinstance(caught.value, (ImportError, NameError, SyntaxError)), caught.value
