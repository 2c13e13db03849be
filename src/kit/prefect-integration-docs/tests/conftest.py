"""A small repository to document: one package, its navigation, one example."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_docs import configuration
from prefect_integration_docs.generate import Generator, Outcome

PYPROJECT = """\
[tool.prefect-integration-docs]
packages = ["src/integrations/*"]
search = ["src/kit/*"]
examples = "examples"
published = "published.txt"
repository = "https://example.com/repo"
branch = "main"
site = "https://docs.example.com"
title = "Things"
description = "All things."
"""


def navigation(*distributions: str) -> dict[str, Any]:
    groups = [
        {
            "group": name,
            "pages": [
                f"integrations/{name}/index",
                {"group": "SDK Reference", "anchor": f"{name}-sdk-reference", "pages": []},
            ],
        }
        for name in distributions
    ]
    return {
        "name": "Things",
        "navigation": {
            "tabs": [
                {"tab": "Integrations", "groups": [{"group": "Integrations", "pages": groups}]},
                {"tab": "Examples", "pages": ["v3/examples/index", {"group": "Examples", "pages": []}]},
            ]
        },
        "redirects": [],
    }


def module_path(name: str) -> str:
    """Make a path of a keyword: `__init__`, `a`, `a__b` for `a/b`, `a__init` for `a/__init__`."""
    parts = [name] if name == "__init__" else name.split("__")
    return "/".join("__init__" if part == "init" else part for part in parts) + ".py"


@dataclass
class Repository:
    """A repository in a temporary folder."""

    root: Path

    def write(self, path: str, text: str) -> Path:
        """Write a file, without the common indent of `text`."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def package(self, name: str, **modules: str) -> None:
        """Write a distribution; `a__b` stands for `a/b`, and `a__init` for `a/__init__`."""
        folder = f"src/integrations/{name}"
        self.write(f"{folder}/pyproject.toml", f'[project]\nname = "{name}"\n')
        for module, text in modules.items():
            self.write(f"{folder}/{name.replace('-', '_')}/{module_path(module)}", text)

    def generate(self, *names: str, write: bool = True, cache: bool = True) -> Outcome:
        """Write the pages, or find out what would be written."""
        config = configuration.read(self.root)
        folder = self.root / ".cache" / "prefect-integration-docs" if cache else None
        return Generator(config, cache=folder, names=names, write=write).run()

    def page(self, module: str, distribution: str = "prefect-acme") -> str:
        """Read a page."""
        return self.path(module, distribution).read_text(encoding="utf-8")

    def path(self, module: str, distribution: str = "prefect-acme") -> Path:
        """Tell where a page is."""
        return self.root / "docs" / "integrations" / distribution / "api-ref" / f"{module}.mdx"

    def site(self) -> dict[str, Any]:
        """Read `docs.json`."""
        return json.loads((self.root / "docs" / "docs.json").read_text(encoding="utf-8"))

    def problems(self, outcome: Outcome) -> list[str]:
        """Write problems as the command does."""
        return [problem.within(self.root) for problem in outcome.problems]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with the empty package `prefect-acme`."""
    made = Repository(tmp_path)
    made.write("pyproject.toml", PYPROJECT)
    made.write("published.txt", "")
    made.write("docs/docs.json", json.dumps(navigation("prefect-acme")))
    made.write("docs/integrations/prefect-acme/index.mdx", "---\ntitle: Acme\ndescription: All of Acme.\n---\n\nHi.\n")
    made.package("prefect-acme", __init__='"""Acme."""\n')
    made.write(
        "examples/hello.py",
        """\
        # ---
        # title: Hello
        # description: Say hello.
        # ---
        #
        # A greeting.

        print("hello")
        """,
    )
    return made
