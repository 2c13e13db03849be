"""Keep what was read from source files, and what pages were made of, between two runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, cast

from prefect_integration_docs.freshness import content_hash
from prefect_integration_docs.model import ModuleModel

_HERE = Path(__file__).parent


def generator_key(*more: str) -> str:
    """Identify the version of the generator, by its own source, and what else pages depend on.

    Args:
        more: Such as the configuration.
    """
    key = hashlib.blake2b(digest_size=16)
    for path in sorted(_HERE.glob("*.py")):
        key.update(path.read_bytes())
    for text in more:
        key.update(b"\0" + text.encode())
    return key.hexdigest()


class Record(TypedDict):
    """What a page was made of.

    Attributes:
        deps: Modules that it depends on: the hash of the content and the file, both empty for one that is missing.
        hash: Hash of the page; empty when the module gets none.
        notes: What is wrong with the module: line, message, and whether it is fatal.
    """

    deps: dict[str, tuple[str, str]]
    hash: str
    notes: list[tuple[int, str, bool]]


class ExamplesRecord(TypedDict):
    """What the pages of examples were made of.

    Attributes:
        digest: Hash of the examples and their pages.
        slugs: Those that have a page, in their order.
        problems: What is wrong with them: file, line, message, and whether it is fatal.
    """

    digest: str
    slugs: list[str]
    problems: list[tuple[str, int, str, bool]]


class Cache:
    """Models of modules by the hash of their source, and records of pages.

    A file of the cache that is missing, damaged or of another version counts as absent. Two runs at a time may share
    a cache: files are put in their place whole.

    Args:
        folder: Where to keep it; None keeps nothing.
        key: Identifies what made the records; records of another key are not used.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder = folder
        self._key = key
        self.pages: dict[str, Record] = {}
        self.examples: ExamplesRecord | None = None
        self._recall()

    def _recall(self) -> None:
        if self._folder is None:
            return
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads((self._folder / "pages.json").read_bytes())
            if kept["key"] == self._key:
                self.pages, self.examples = kept["pages"], kept["examples"]

    def _model_path(self, folder: Path, module: str, digest: str) -> Path:
        return folder / "models" / f"{content_hash(f'{self._key}/{module}/{digest}'.encode())}.json"

    def model(self, module: str, digest: str) -> ModuleModel | None:
        """Recall what was read from a module, by the hash of its source."""
        if self._folder is None:
            return None
        try:
            return cast("ModuleModel", json.loads(self._model_path(self._folder, module, digest).read_bytes()))
        except (OSError, ValueError):
            return None

    def keep_model(self, module: str, digest: str, model: ModuleModel) -> None:
        """Write down what was read from a module."""
        if self._folder is not None:
            self._write(self._model_path(self._folder, module, digest), json.dumps(model))

    def keep_pages(self, used: Iterable[tuple[str, str]]) -> None:
        """Write down the records of pages, and drop the models that none of them needs.

        Args:
            used: Module and hash of every source that a record depends on.
        """
        if self._folder is None:
            return
        self._write(
            self._folder / "pages.json", json.dumps({"key": self._key, "pages": self.pages, "examples": self.examples})
        )
        needed = {self._model_path(self._folder, module, digest).name for module, digest in used}
        with contextlib.suppress(OSError):
            for path in (self._folder / "models").iterdir():
                if path.name not in needed:
                    path.unlink(missing_ok=True)

    def _write(self, path: Path, text: str) -> None:
        with contextlib.suppress(OSError):  # a cache that cannot be written is none
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
