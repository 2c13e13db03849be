"""What holds for a guide: its code runs as the reader sees it, and prints what the page says."""

from __future__ import annotations

import inspect
import re
import traceback
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from prefect_integration_tests.guide_pages import Block, Page, find_guide, matches, read_guide
from prefect_integration_tests.guide_runs import PageRun

from .base import Suite

_RUNS = pytest.StashKey[dict[Path, PageRun]]()


class GuideSuite(Suite):
    """Checks the guide of one package, page by page.

    The blocks of a page run in order and share one namespace and one working directory, as if the reader had typed them
    into one file. Each is a test of its own; one that is run alone runs those above it first.

    Attributes:
        distribution: Name of the package on the index, such as `"prefect-shell"`. Its guide is
            `docs/integrations/<distribution>` in a folder above the tests, or `docs` beside them.
        more_pages: Pages that belong to the guide and stand elsewhere, relative to its folder.
    """

    distribution: ClassVar[str]
    more_pages: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    @abstractmethod
    def surroundings(self) -> Callable[[], object] | None:
        """What the reader has before a block runs: servers, environment variables, saved blocks, files.

        It must leave alone what a block above may have made. Files go into `page_folder`. What a block may spoil for
        those below it is restored by a function that the fixture returns: it is called before each block.
        """

    @pytest.fixture
    def provocations(self) -> Mapping[str, Callable[[], object]]:
        """For each message that the guide shows: the heading above it, and a function that raises the error."""
        return {}

    @classmethod
    def pages(cls) -> list[Page]:
        """Read the pages of the guide; none when the package came without its docs."""
        folder = find_guide(Path(inspect.getfile(cls)).resolve().parent, cls.distribution)
        return [] if folder is None else read_guide(folder, cls.more_pages)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each block and of each message.

        Args:
            metafunc: The test function, and what to parametrise it by.
        """
        pages = self.pages()
        if "guide_block" in metafunc.fixturenames:
            self._parametrize(metafunc, "guide_block", [(page, page.runnable) for page in pages])
        if "guide_message" in metafunc.fixturenames:
            self._parametrize(metafunc, "guide_message", [(page, page.messages) for page in pages])

    def _parametrize(self, metafunc: pytest.Metafunc, name: str, found: list[tuple[Page, list[Block]]]) -> None:
        cases: list[Any] = []
        used: dict[str, int] = {}
        for page, blocks in found:
            # One process for a page, where pytest-xdist heeds groups: it need not run the blocks above again.
            is_parallel = any(line.startswith("xdist_group") for line in metafunc.config.getini("markers"))
            marks = [pytest.mark.xdist_group(f"{self.distribution}-{page.name}")] if is_parallel else []
            for block in blocks:
                label = f"{page.name}#{re.sub(r'[^a-z0-9]+', '-', block.heading.lower()).strip('-')}".rstrip("#")
                used[label] = used.get(label, 0) + 1
                label += f"-{used[label]}" if used[label] > 1 else ""
                cases.append(pytest.param((page, block), id=label, marks=marks))
        if not cases:
            reason = "The guide has none." if self.pages() else f"{self.distribution} is here without its guide."
            cases.append(pytest.param(None, id="none", marks=pytest.mark.skip(reason)))
        metafunc.parametrize(name, cases)

    @pytest.fixture
    def page_run(
        self,
        guide_block: tuple[Page, Block],
        request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> PageRun:
        """What has been run of the page of this block."""
        suite = cast("pytest.Item", request.node).getparent(pytest.Class)
        assert suite is not None, "a suite is a class"
        runs = suite.stash.setdefault(_RUNS, {})
        page = guide_block[0]
        if page.path not in runs:
            runs[page.path] = PageRun(page, tmp_path_factory.mktemp(page.name.replace("/", "-")))
        return runs[page.path]

    @pytest.fixture
    def page_folder(self, page_run: PageRun, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The working directory that all blocks of a page share, empty at first."""
        monkeypatch.chdir(page_run.folder)
        return page_run.folder

    @pytest.fixture
    def guide(self) -> list[Page]:
        """The pages; tests that need them are skipped when the package came without its docs."""
        if not (pages := self.pages()):
            pytest.skip(f"{self.distribution} is here without its guide.")
        return pages

    def test_python_compiles(self, guide: list[Page]) -> None:
        """Every Python block is Python."""
        for page in guide:
            for block in page.blocks:
                if block.is_python:
                    block.compile()

    def test_every_python_block_says_whether_it_runs(self, guide: list[Page]) -> None:
        """A block is run, or the page says why it is not."""
        words = ("runnable", "not runnable")
        bare = [
            block.where
            for page in guide
            for block in page.blocks
            if block.is_python and (block.mark is None or block.mark.word not in words)
        ]
        hint = "Put `{/* runnable */}` or `{/* not runnable: reason */}` on the line above the fence"
        assert not bare, f"{hint}: {', '.join(bare)}"

    def test_marks_are_in_their_places(self, guide: list[Page]) -> None:
        """Every mark stands above a block that it fits."""
        problems = [problem for page in guide for problem in page.problems]
        assert not problems, "\n".join(problems)

    def test_block_runs(
        self,
        guide_block: tuple[Page, Block],
        prefect_harness: None,
        page_folder: Path,
        page_run: PageRun,
        surroundings: Callable[[], object] | None,
    ) -> None:
        """A block that is marked `runnable` runs, and prints what the page says."""
        __tracebackhide__ = True
        page_run.reach(guide_block[1], surroundings)

    def test_message_is_what_is_printed(
        self, guide_message: tuple[Page, Block], provocations: Mapping[str, Callable[[], object]]
    ) -> None:
        """A message on the page is what the error says, with or without its class and module."""
        block = guide_message[1]
        provoke = provocations.get(block.heading)
        assert provoke is not None, f"{block.where}: `provocations` has nothing for {block.heading!r}."
        with pytest.raises(Exception) as caught:  # noqa: PT011 - its class is part of the message
            provoke()
        full = " ".join("".join(traceback.format_exception_only(caught.type, caught.value)).split())
        forms = (full, full.removeprefix(f"{caught.type.__module__}."), " ".join(str(caught.value).split()))
        promised = " ".join(block.code.split())
        assert any(matches(promised, form) for form in forms), (
            f"{block.where} promises\n{promised}\nbut it says\n{full}"
        )
