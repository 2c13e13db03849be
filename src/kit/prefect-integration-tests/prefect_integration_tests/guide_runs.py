"""Run the blocks of a guide's page, as if its reader had typed them into one file."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import inspect
import io
import linecache
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_tests.guide_pages import YAML, Block, Page, matches

if TYPE_CHECKING:
    from prefect_integration_tests.suites.step import Step

_STEP_LISTS = ("build", "push", "pull")
"""The lists of steps of a `prefect.yaml`, in the order in which Prefect runs them."""

SHELL_TIMEOUT_SECONDS = 60


class PageRun:
    """Runs the blocks of one page in order, in one namespace.

    Args:
        page: The page.
        folder: An empty folder, in which the blocks run.
    """

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self._module = ModuleType("__main__")
        self._module.__file__ = str(page.path)
        vars(self._module)["__builtins__"] = builtins  # `exec` would add it, and pickling needs it
        self._outputs: dict[str, Any] = {}
        self._done: list[Block] = []
        self._failed: Block | None = None

    def reach(self, block: Block, prepare: Callable[[], object] | None = None) -> None:
        """Run a block, after those above it that have not run yet.

        Args:
            block: One of the page's runnable blocks.
            prepare: What to call before each of them.
        """
        __tracebackhide__ = True
        if self._failed is not None:
            pytest.skip(f"The block at {self._failed.where} failed.")
        for each in self.page.runnable:
            if each not in self._done:
                self._failed = each
                if prepare is not None:
                    prepare()
                self._run(each)
                self._failed = None
                self._done.append(each)
            if each == block:
                return

    def _run(self, block: Block) -> None:
        __tracebackhide__ = True
        if block.is_python:
            said = self._run_python(block)
        elif block.language in YAML:
            said = self._run_steps(block)
        else:
            said = self._run_shell(block)
        print(said, end="")  # pytest shows it when the test fails
        if block.output is not None and not matches(block.output, said):
            pytest.fail(f"{block.where}: the page promises\n\n{block.output}\nbut printed was\n\n{said}", pytrace=False)

    def _run_python(self, block: Block) -> str:
        __tracebackhide__ = True
        # No time of change: an entry that cannot be checked stays, so the page's Markdown never takes its place.
        source = self.page.source()
        name = str(block.path)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        said = io.StringIO()
        code = block.compile()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.setitem(sys.modules, "__main__", self._module)
            result = FunctionType(code, vars(self._module))()
            if inspect.iscoroutine(result):
                asyncio.run(result)
        return said.getvalue()

    def _run_steps(self, block: Block) -> str:
        """Run deployment steps as Prefect does; what is pulled comes into a folder of its own."""
        import yaml
        from prefect.deployments.steps.core import StepExecutionError

        content: Any = yaml.safe_load(block.code)
        lists: dict[str, list[Step]] = {"build": content} if isinstance(content, list) else content
        if not isinstance(lists, dict) or not any(name in lists for name in _STEP_LISTS):
            pytest.fail(
                f"{block.where}: these are no deployment steps, and no lists `build`, `push` or `pull` of them",
                pytrace=False,
            )
        said: list[str] = []
        for name in _STEP_LISTS:
            folder = self.folder.with_name(f"{self.folder.name}-pulled") if name == "pull" else self.folder
            folder.mkdir(exist_ok=True)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                try:
                    self._outputs = asyncio.run(_run_steps(lists.get(name) or [], self._outputs, said))
                except StepExecutionError as exc:
                    pytest.fail(f"{block.where}: {exc}: {exc.__cause__}", pytrace=False)
        return "".join(f"{line}\n" for line in said)

    def _run_shell(self, block: Block) -> str:
        """Run commands with the environment of the test, the harness' settings included."""
        from prefect.settings import get_current_settings

        if (bash := shutil.which("bash")) is None:
            pytest.skip("There is no bash on this machine.")
        settings = get_current_settings().to_environment_variables(exclude_unset=True, include_secrets=True)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        done = subprocess.run(
            [bash, "-euo", "pipefail", "-c", block.code],
            capture_output=True,
            check=False,
            encoding="utf-8",
            env={**os.environ, **settings, "PATH": path},
            stdin=subprocess.DEVNULL,
            timeout=SHELL_TIMEOUT_SECONDS,
        )
        print(done.stderr, end="", file=sys.stderr)
        if done.returncode:
            pytest.fail(f"{block.where}: exit code {done.returncode}\n{done.stdout}{done.stderr}", pytrace=False)
        return done.stdout


async def _run_steps(steps: list[Step], outputs: dict[str, Any], said: list[str]) -> dict[str, Any]:
    from prefect.deployments.steps.core import run_steps

    def note(*text: Any, **_: Any) -> None:
        said.append(" ".join(map(str, text)))

    return await run_steps(steps, outputs, print_function=note)
