"""What holds for deployment steps: they run from YAML and stay in the working directory."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml

from .base import Suite
from .folder import TREE, UPWARD
from .store import contents, read_tree, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from prefect_integration_tests.leaks import LeakWatch

    from .store import RawStore

Step = dict[str, dict[str, Any]]
"""A step as `prefect.yaml` holds it: its dotted name, and its inputs."""


class StepSuite(Suite):
    """Checks a pair of deployment steps that push the working directory and pull it again.

    Attributes:
        ignore_file: Name of the ignore file that the push step honours; `None` if it honours none.
        upward_keys: Ends of keys that lead outside; name only those that the service can store.
        escape_error: What pulling such a key must raise.
        folder_output: Name of the output of both steps that holds the folder.
        directory_output: Name of the pull step's output that holds where the files are; `None` if
            it has none.
    """

    ignore_file: ClassVar[str | None] = ".prefectignore"
    upward_keys: ClassVar[tuple[str, ...]] = UPWARD
    escape_error: ClassVar[type[Exception] | tuple[type[Exception], ...]] = ValueError
    folder_output: ClassVar[str] = "folder"
    directory_output: ClassVar[str | None] = "directory"

    @pytest.fixture
    @abstractmethod
    def raw(self) -> RawStore:
        """The empty service that the steps use."""

    @abstractmethod
    def push_step(self, folder: str) -> Step:
        """The step that pushes to `folder`, as in `prefect.yaml`: its dotted name and its inputs."""

    @abstractmethod
    def pull_step(self, folder: str) -> Step:
        """The step that pulls `folder`, as in `prefect.yaml`."""

    @pytest.fixture(autouse=True)
    def server(self, prefect_harness: None) -> None:
        """The temporary Prefect server: steps send events, which must not reach the user's own."""

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A working directory with files to push."""
        project = write_tree(tmp_path / "project", TREE)
        monkeypatch.chdir(project)
        return project

    async def run(self, *steps: Step) -> dict[str, Any]:
        """Run steps as `prefect deploy` does, by way of YAML.

        Args:
            steps: The steps.

        Returns:
            The outputs, by name and by id.
        """
        from prefect.deployments.steps.core import run_steps

        written = yaml.safe_dump({"steps": list(steps)})
        return await run_steps(yaml.safe_load(written)["steps"], print_function=_say_nothing)

    async def test_what_is_pushed_is_pulled(
        self, raw: RawStore, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The files are where the next step looks: in the working directory."""
        await self.run(self.push_step("code/v1"))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        outputs = await self.run(self.pull_step("code/v1"))
        assert read_tree(tmp_path / "elsewhere") == TREE
        if self.directory_output:
            assert (tmp_path / "elsewhere").samefile(outputs[self.directory_output])

    async def test_files_are_stored_under_the_folder(self, raw: RawStore, project: Path) -> None:
        """Keys are the folder, a slash and the relative path."""
        await self.run(self.push_step("code/v1"))
        assert contents(raw) == {f"code/v1/{name}": content for name, content in TREE.items()}

    async def test_outputs_feed_the_next_step(
        self, raw: RawStore, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`{{ id.output }}` in the next step is the value of the first."""
        push = _with_id(self.push_step("code/v2"), "push-code")
        pull = self.pull_step(f"{{{{ push-code.{self.folder_output} }}}}")
        await self.run(push)
        (tmp_path / "next").mkdir()
        (project / "a.txt").unlink()
        outputs = await self.run(push, pull)
        assert outputs["push-code"][self.folder_output] == "code/v2"
        assert (project / "a.txt").read_bytes() == TREE["a.txt"]  # pushed before, pulled again

    async def test_outputs_are_typed(self, raw: RawStore) -> None:
        """The steps say in their annotations which outputs there are."""
        from typing import get_type_hints

        from prefect.utilities.importtools import import_object

        for step in (self.push_step("x"), self.pull_step("x")):
            function = import_object(next(iter(step)))
            result = get_type_hints(inspect.unwrap(function)).get("return")
            fields = getattr(result, "__annotations__", {})
            assert self.folder_output in fields, f"{function} returns {result}, not a TypedDict."

    async def test_ignored_files_are_not_pushed(self, raw: RawStore, project: Path) -> None:
        """The ignore file has the rules of `.gitignore`."""
        if self.ignore_file is None:
            pytest.skip("The step honours no ignore file.")
        (project / self.ignore_file).write_text("b/\n*.tmp\n")
        (project / "x.tmp").write_bytes(b"")
        await self.run(self.push_step("code"))
        kept = {key.removeprefix("code/") for key in contents(raw)}
        assert kept - {self.ignore_file} == {"a.txt", "empty"}

    async def test_no_key_leads_outside(self, raw: RawStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rule 4: keys that point upward stay inside, or rather are refused by name."""
        from prefect.deployments.steps.core import StepExecutionError

        if not self.upward_keys:
            pytest.skip("The service stores no key that points upward.")
        inner = tmp_path / "outer" / "inner"
        inner.mkdir(parents=True)
        monkeypatch.chdir(inner)
        for number, end in enumerate(self.upward_keys):
            raw.put(f"up{number}/{end}", b"evil")
            with pytest.raises(StepExecutionError) as caught:
                await self.run(self.pull_step(f"up{number}"))
            assert isinstance(caught.value.__cause__, self.escape_error)
            assert "evil.txt" in str(caught.value.__cause__)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    async def test_credentials_are_not_said(
        self, raw: RawStore, project: Path, canary: str, no_canary_leaks: LeakWatch
    ) -> None:
        """Rule 3: steps print their progress, not what they log in with or carry."""
        (project / "private").write_text(canary)
        no_canary_leaks.add("the outputs", repr(await self.run(self.push_step("code"))))
        no_canary_leaks.add("the outputs", repr(await self.run(self.pull_step("code"))))
        no_canary_leaks.check()


def _with_id(step: Step, name: str) -> Step:
    return {path: {**inputs, "id": name} for path, inputs in step.items()}


def _say_nothing(*_: Any, **__: Any) -> None:
    """Stand in for `print`."""
