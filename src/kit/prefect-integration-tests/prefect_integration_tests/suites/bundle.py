"""What holds for a store of bundles: they come back unharmed or are refused, and steps run as Prefect calls them."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import pickle
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from prefect_integration_kit.bundles import DIGEST, PYTHON

from .bundle_steps import KEY, BundleStepsSuite, RawBundles, words

_SIZES = pytest.mark.parametrize("size", [0, 1000, 9 * 1024 * 1024], ids=["empty", "small", "in parts"])

_HELP_OF_ALL = """
import contextlib, runpy, sys
sys.argv = ["step", "--help"]
for package in ("{package}.bundles", "{package}.experimental.bundles"):
    for step in ("upload", "execute"):
        with contextlib.suppress(SystemExit):
            runpy.run_module(f"{{package}}.{{step}}", run_name="__main__", alter_sys=True)
"""


class BundleSuite(BundleStepsSuite):
    """Checks the upload and the execute step of a store, as functions and as command lines.

    Attributes:
        missing_errors: Classes that the error of a missing bundle has, the one that it is of first.
        missing_bucket_error: What a missing bucket must raise; `None` for a server that makes buckets unasked.
        no_buckets: What is no name of a bucket, such as an address or a path.
    """

    missing_errors: ClassVar[tuple[type[Exception], ...]]
    missing_bucket_error: ClassVar[type[Exception] | None]
    no_buckets: ClassVar[tuple[str, ...]] = ("", "bucket/folder")

    @pytest.fixture
    @abstractmethod
    def saved_block(self, prefect_harness: None, monkeypatch: pytest.MonkeyPatch) -> str:
        """Name of a saved block that reaches the store, which what is found in the surroundings no longer does."""

    @abstractmethod
    def download(self, bucket: str, key: str, folder: Path, block: str | None) -> Path:
        """Download a bundle, as the execute step does.

        Args:
            bucket: Name of the bucket.
            key: Key of the bundle.
            folder: Where to.
            block: Name of a saved block of credentials, or `None`.

        Returns:
            The file.
        """

    def uploaded(self, bucket: str, key: str) -> Mapping[str, str]:
        """Say what the upload step returns.

        Args:
            bucket: Name of the bucket.
            key: Key of the object.
        """
        return {self.noun: bucket, "key": key}

    def missing(self, bucket: str, key: str) -> str:
        """Say what the message of a missing bundle begins with.

        Args:
            bucket: Name of the bucket.
            key: Key of the bundle.
        """
        return self.url_of(bucket, key)

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """A file to upload, which is called as the key is."""
        path = tmp_path / KEY
        path.write_text('{"function": "f", "context": "c", "flow_run": {}}')
        return path

    def _calls(self, raw: RawBundles, file: Path, bucket: str | None = None, key: str = KEY) -> list[Callable[[], Any]]:
        bucket = raw.bucket if bucket is None else bucket
        return [lambda: self.upload(file, bucket, key), lambda: self.execute(bucket, key)]

    @_SIZES
    def test_what_is_uploaded_is_what_is_downloaded(self, raw: RawBundles, tmp_path: Path, size: int) -> None:
        """Content, digest and the version of Python are stored; a second upload does no harm."""
        content = os.urandom(size)
        (tmp_path / "up").write_bytes(content)
        for _ in range(2):
            result = self.upload(tmp_path / "up", raw.bucket, "files/up.zip")
            assert result == self.uploaded(raw.bucket, "files/up.zip")
        assert raw.keys() == ["files/up.zip"]
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert raw.metadata("files/up.zip") == {DIGEST: hashlib.sha256(content).hexdigest(), PYTHON: python}
        assert raw.get("files/up.zip") == content

        path = self.download(raw.bucket, "files/up.zip", tmp_path / "down", self.block)
        assert path == tmp_path / "down" / "files" / "up.zip"
        assert path.read_bytes() == content

    @pytest.mark.parametrize("given", ["/deep//./file", "deep/file"])
    def test_a_key_is_written_in_one_way(self, raw: RawBundles, file: Path, given: str, tmp_path: Path) -> None:
        """Empty and `.` parts are left out, in the store and on disk."""
        assert self.upload(file, raw.bucket, given)["key"] == "deep/file"
        assert raw.keys() == ["deep/file"]
        path = self.download(raw.bucket, given, tmp_path / "down", self.block)
        assert path == tmp_path / "down" / "deep" / "file"
        assert path.read_bytes() == file.read_bytes()

    def test_a_bundle_without_a_key_is_named_after_its_file(self, raw: RawBundles, file: Path) -> None:
        """An empty key is none."""
        assert self.upload(file, raw.bucket, "")["key"] == KEY

    def test_a_path_may_be_text(self, raw: RawBundles, file: Path) -> None:
        """A path is a `Path` or a string."""
        assert self.upload(str(file), raw.bucket, KEY)["key"] == KEY

    @pytest.mark.parametrize("key", ["../outside", "a/../../outside", "a\\..\\outside", "/", "a\nb"])
    def test_a_key_cannot_leave_the_store_or_the_folder(
        self, raw: RawBundles, file: Path, tmp_path: Path, key: str
    ) -> None:
        """Rule 4: nothing is written outside of where it belongs."""
        for call in (
            *self._calls(raw, file, key=key),
            lambda: self.download(raw.bucket, key, tmp_path / "down", self.block),
        ):
            with pytest.raises(ValueError, match="Bundle key"):
                call()
        assert not raw.keys()
        assert not (tmp_path / "outside").exists()

    async def test_credentials_come_from_a_saved_block_in_async_code_too(
        self, raw: RawBundles, saved_block: str, file: Path, tmp_path: Path
    ) -> None:
        """On a running event loop both steps load the block and do their work."""
        result = await _waited_for(lambda: self.upload_step(file, raw.bucket, KEY, saved_block))
        assert result == self.uploaded(raw.bucket, KEY)
        assert self.download(raw.bucket, KEY, tmp_path / "down", saved_block).read_bytes() == file.read_bytes()
        with pytest.raises(self.missing_errors[0], match="absent"):
            await _waited_for(lambda: self.execute_step(raw.bucket, "absent", saved_block))

    # What goes wrong

    def test_a_block_that_does_not_exist_is_named(self, raw: RawBundles, file: Path, prefect_harness: None) -> None:
        """Neither step goes on without the credentials that were asked for."""
        for call in (
            lambda: self.upload(file, raw.bucket, KEY, "no-such-block"),
            lambda: self.execute(raw.bucket, KEY, "no-such-block"),
        ):
            with pytest.raises(ValueError, match="no-such-block"):
                call()
        assert not raw.keys()

    def test_a_file_that_does_not_exist_is_named(self, raw: RawBundles) -> None:
        """The error is a `ValueError`, as the published steps', and a `FileNotFoundError`."""
        for error in (ValueError, FileNotFoundError):
            with pytest.raises(error, match=r"absent\.json' does not exist"):
                self.upload(Path("absent.json"), raw.bucket, KEY)

    def test_a_bucket_that_is_no_name_is_refused(self, raw: RawBundles, file: Path) -> None:
        """An address or a path in the place of a name is told before anything is sent."""
        for bucket in self.no_buckets:
            for call in self._calls(raw, file, bucket):
                with pytest.raises(ValueError, match=f"{self.noun.title()} name"):
                    call()

    def test_what_is_missing_is_named(self, raw: RawBundles, file: Path) -> None:
        """A missing bundle has an error of its own that survives pickling; so has a missing bucket."""
        with pytest.raises(self.missing_errors[0]) as caught:
            self.execute(raw.bucket, KEY)
        for error in self.missing_errors:
            assert isinstance(caught.value, error)
        assert str(caught.value).startswith(self.missing(raw.bucket, KEY))
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))
        assert KEY in again.subject
        assert self.missing(raw.bucket, KEY).endswith(again.subject)
        if self.missing_bucket_error is None:
            return
        for call in self._calls(raw, file, f"no-such-{self.noun}"):
            with pytest.raises(self.missing_bucket_error, match=f"no-such-{self.noun}"):
                call()

    @pytest.fixture
    def trap(self, tmp_path: Path) -> Path:
        """A file that appears when the bundle of `trapped` is unpickled."""
        return tmp_path / "unpickled"

    @pytest.fixture
    def trapped(self, raw: RawBundles, tmp_path: Path, trap: Path) -> bytes:
        """An uploaded bundle that betrays it when someone unpickles it; its content."""
        from prefect.bundles import _serialize_bundle_object  # pyright: ignore[reportPrivateUsage]

        class Trap:
            def __reduce__(self) -> Any:
                return Path.touch, (trap,)

        packed = _serialize_bundle_object(Trap())
        content = json.dumps({"function": packed, "context": packed, "flow_run": {}, "dependencies": ""}).encode()
        (tmp_path / "trapped").write_bytes(content)
        self.upload(tmp_path / "trapped", raw.bucket, KEY)
        return content

    @pytest.mark.parametrize("change", [b" ", b"}"], ids=["longer", "other"])
    def test_a_bundle_that_was_changed_is_refused_before_it_is_unpickled(
        self, raw: RawBundles, trapped: bytes, trap: Path, tmp_path: Path, change: bytes
    ) -> None:
        """Content is compared with its digest; what does not fit is neither run nor left on disk."""
        from prefect.bundles import extract_flow_from_bundle

        raw.put(KEY, trapped + change, raw.metadata(KEY))
        url = self.url_of(raw.bucket, KEY)
        with pytest.raises(self.refused_error, match=f"{url} is not what was uploaded") as caught:
            self.execute(raw.bucket, KEY)
        assert isinstance(caught.value, RuntimeError)
        assert vars(caught.value)["subject"] == url
        with pytest.raises(RuntimeError, match="is not what was uploaded"):
            self.download(raw.bucket, KEY, tmp_path / "down", self.block)
        assert not list((tmp_path / "down").iterdir())
        assert not trap.exists()

        extract_flow_from_bundle(json.loads(trapped))
        assert trap.exists()  # so the trap works

    def test_a_bundle_that_an_earlier_version_uploaded_is_taken_as_it_is(
        self, raw: RawBundles, trapped: bytes, tmp_path: Path
    ) -> None:
        """Without a digest there is nothing to compare with."""
        raw.put(KEY, trapped)
        assert self.download(raw.bucket, KEY, tmp_path / "down", self.block).read_bytes() == trapped

    def test_what_is_no_bundle_is_refused(self, raw: RawBundles) -> None:
        """A key that names something else is told as such."""
        raw.put(KEY, b"PK")
        with pytest.raises(self.refused_error, match=f"{self.url_of(raw.bucket, KEY)} is not a bundle"):
            self.execute(raw.bucket, KEY)

    # The command lines

    def test_a_bundle_is_uploaded_from_the_command_line_in_silence(
        self, raw: RawBundles, file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Prefect takes what the step prints for an error."""
        assert self.run_main("upload", monkeypatch, *words(self.options(raw.bucket)), str(file)) == 0
        assert raw.get(KEY) == file.read_bytes()
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("step", "more", "says"),
        [
            ("upload", [], "LOCAL_FILEPATH"),
            ("upload", ["f", "--acl", "public"], "--acl"),
            ("execute", ["file"], "file"),
            ("execute", ["--delete-after-run", "perhaps"], "perhaps"),
        ],
        ids=["no file", "unknown option", "a file too many", "neither true nor false"],
    )
    def test_a_wrong_command_line_ends_with_2_and_the_usage(
        self,
        step: Literal["upload", "execute"],
        more: list[str],
        says: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What is wrong stands in the last line, below the usage."""
        self._check_refused(step, [*words(self.options("b")), *more], says, monkeypatch, capsys)

    def test_an_option_is_written_in_full(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A new option could change what an abbreviation means."""
        line = ["--ke" if word == "--key" else word for word in words(self.options("b"))]
        self._check_refused("execute", line, "--key", monkeypatch, capsys)

    @pytest.mark.parametrize("step", ["upload", "execute"])
    def test_an_option_that_is_missing_is_named(
        self, step: Literal["upload", "execute"], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each option that a step cannot do without."""
        options = self.options("b")
        for missing in options:
            line = words({name: value for name, value in options.items() if name != missing})
            self._check_refused(step, [*line, "f"] if step == "upload" else line, missing, monkeypatch, capsys)

    def _check_refused(
        self,
        step: Literal["upload", "execute"],
        arguments: list[str],
        says: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert self.run_main(step, monkeypatch, *arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"usage: python -m {self.package}.bundles.{step}")
        assert says in error.splitlines()[-1]

    def test_a_failure_is_one_line_without_a_traceback(self, raw: RawBundles, monkeypatch: pytest.MonkeyPatch) -> None:
        """It names the class of the error and the thing."""
        options = words(self.options(raw.bucket))
        code = str(self.run_main("upload", monkeypatch, *options, "absent.json"))
        assert code.startswith("BundleFileNotFound: Bundle file 'absent.json' does not exist")
        code = str(self.run_main("execute", monkeypatch, *options))
        assert code.startswith(f"{self.missing_errors[0].__name__}: {self.missing(raw.bucket, KEY)}: ")
        assert "\n" not in code

    def test_the_steps_run_when_warnings_are_errors(self, tmp_path: Path) -> None:
        """At their old places, too, which Prefect still calls."""
        script = _HELP_OF_ALL.format(package=self.package)
        command = [sys.executable, "-W", "error", "-c", script]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count(self.block_option) == 8  # in usage and options


async def _waited_for(step: Callable[[], Any]) -> Any:
    result = step()
    return await result if inspect.isawaitable(result) else result
