"""Small workspaces whose interfaces tests read."""

from __future__ import annotations

import subprocess
from pathlib import Path

from scripts import workspace
from scripts.interface import reading
from scripts.interface.reading import Library, Reading

PYPROJECT = """\
[project]
name = "prefect-{name}"
version = "{version}"
description = "Talk to {name}."
dependencies = ["prefect>=3"{needs}]
{more}
"""


class Workspace:
    """A repository with a package `prefect-bolt`, and others where a test adds them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "src/integrations/prefect-bolt"
        self.write("pyproject.toml", '[tool.uv.workspace]\nmembers = ["src/integrations/*", "src/kit/*"]\n')
        self.project()
        self.module("__init__", '"""Talk to bolt."""\n')

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def project(self, version: str = "1.2.3", more: str = "", name: str = "bolt", needs: str = "") -> None:
        text = PYPROJECT.format(name=name, version=version, more=more, needs=needs)
        self.write(f"src/integrations/prefect-{name}/pyproject.toml", text)

    def module(self, name: str, source: str, package: str = "bolt") -> Path:
        path = f"src/integrations/prefect-{package}/prefect_{package}/{name.replace('.', '/')}.py"
        return self.write(path, source)

    def kit(self, module: str, source: str) -> None:
        text = '[project]\nname = "prefect-integration-kit"\nversion = "0.1.0"\ndescription = "Shared."\n'
        self.write("src/kit/prefect-integration-kit/pyproject.toml", text)
        self.write("src/kit/prefect-integration-kit/prefect_integration_kit/__init__.py", "")
        self.write(f"src/kit/prefect-integration-kit/prefect_integration_kit/{module}.py", source)

    def read(self, name: str = "bolt") -> Reading:
        members = workspace.packages(self.root)
        return reading.read([workspace.find(name, members)], Library(members))[0]

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        answer = subprocess.run(
            ["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True, timeout=60
        )
        return answer.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A change")
        return self.git("rev-parse", "HEAD")
