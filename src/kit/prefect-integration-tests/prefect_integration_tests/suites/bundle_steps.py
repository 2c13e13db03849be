"""What the suites of bundles ask of a package: its two steps, and the store behind them."""

from __future__ import annotations

import asyncio
import inspect
import sys
from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import pytest

from .base import Suite
from .store import RawStore

KEY = "0b7f6f7e-1d0c-4a51-9d0a-6a8f0c3f6d11"
"""A key as Prefect makes them."""


class RawBundles(RawStore, Protocol):
    """Looks at a bucket behind the steps' back, by whole keys."""

    @property
    def bucket(self) -> str:
        """Name of the bucket, or of what the service has in its place."""
        ...

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Store an object, in the place of what may be there."""
        ...

    def metadata(self, key: str) -> Mapping[str, str]:
        """Read what was stored beside an object."""
        ...


class BundleStepsSuite(Suite):
    """Base of the suites for bundles: names, fixtures and the two steps.

    Attributes:
        package: Name of the import package, such as `"prefect_gcp"`; its steps are `bundles.upload` and
            `bundles.execute`.
        scheme: What the URL of an object begins with, such as `"gs"`.
        noun: What the service calls a bucket. So are called the option of the steps and the entry of their result.
        block_option: Option of the steps that names a block of credentials.
        block: Name of the block that tests of this class use; `None` where the surroundings suffice.
        refused_error: What content that was not uploaded so must raise.
        deletes_after_run: Whether the execute step can delete a bundle.
    """

    package: ClassVar[str]
    scheme: ClassVar[str]
    noun: ClassVar[str] = "bucket"
    block_option: ClassVar[str]
    block: ClassVar[str | None] = None
    refused_error: ClassVar[type[Exception]]
    deletes_after_run: ClassVar[bool] = True

    @pytest.fixture
    @abstractmethod
    def raw(self) -> RawBundles:
        """An empty bucket."""

    @abstractmethod
    def upload_step(self, path: Path | str, bucket: str, key: str, block: str | None) -> Any:
        """Call the function of the upload step; what it returns, a coroutine included, is returned.

        Args:
            path: The file to upload.
            bucket: Name of the bucket.
            key: Key of the object.
            block: Name of a saved block of credentials, or `None`.
        """

    @abstractmethod
    def execute_step(self, bucket: str, key: str, block: str | None, **options: Any) -> Any:
        """Call the function of the execute step; a coroutine is returned.

        Args:
            bucket: Name of the bucket.
            key: Key of the bundle.
            block: Name of a saved block of credentials, or `None`.
            options: Further keyword arguments, such as `delete_after_run=True`.
        """

    def upload(self, path: Path | str, bucket: str, key: str, block: str | None = None) -> Any:
        """Upload a file from code that is not async, and return what the step does.

        Args:
            path: The file.
            bucket: Name of the bucket.
            key: Key of the object.
            block: Name of a block in the place of `self.block`.
        """
        return _finished(self.upload_step(path, bucket, key, self.block if block is None else block))

    def execute(self, bucket: str, key: str, block: str | None = None, **options: Any) -> None:
        """Run a bundle from code that is not async.

        Args:
            bucket: Name of the bucket.
            key: Key of the bundle.
            block: Name of a block in the place of `self.block`.
            options: Further keyword arguments of the step.
        """
        _finished(self.execute_step(bucket, key, self.block if block is None else block, **options))

    def url_of(self, bucket: str, key: str) -> str:
        """Name an object as messages do.

        Args:
            bucket: Name of the bucket.
            key: Key of the object.
        """
        return f"{self.scheme}://{bucket}/{key}"

    def options(self, bucket: str, key: str = KEY) -> dict[str, str]:
        """Say where a bundle is, by options of a step's command line.

        Args:
            bucket: Name of the bucket.
            key: Key of the bundle.
        """
        options = {f"--{self.noun}": bucket, "--key": key}
        return options if self.block is None else {**options, self.block_option: self.block}

    def run_main(
        self, step: Literal["upload", "execute"], monkeypatch: pytest.MonkeyPatch, *arguments: str
    ) -> int | str | None:
        """Call a step as its command line does, in this process.

        Args:
            step: Which one.
            monkeypatch: Of the test.
            arguments: Its arguments.

        Returns:
            What the process would end with: 0, a status, or a text that Python prints before it ends with 1.
        """
        monkeypatch.setattr(sys, "argv", ["step", *arguments])
        try:
            import_module(f"{self.package}.bundles.{step}").main()
        except SystemExit as exc:
            return exc.code
        return 0


def words(options: Mapping[str, str]) -> list[str]:
    """Write options as words of a command line.

    Args:
        options: Values by name.
    """
    return [word for pair in options.items() for word in pair]


def _finished(result: Any) -> Any:
    return asyncio.run(result) if inspect.iscoroutine(result) else result
