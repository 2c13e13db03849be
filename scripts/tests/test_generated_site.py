"""What the generator writes renders, whatever docstrings hold, and its links find their anchors."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from prefect_integration_docs import configuration
from prefect_integration_docs.generate import Generator
from scripts import site

FRAGMENTS = (
    *("{name}", "{", "}", "{{ step.output }}", "{/* x */}", "<b>", "<Note>", "</Note>", "<", "a < b", "<!-- x -->"),
    *("<https://example.com/a_b>", "<me@example.com>", "https://example.com/{id}", "[text {x}](https://e.com/{y})"),
    *(
        "`",
        "``",
        "```",
        "```python",
        "`code {x}`",
        "``two ` ticks``",
        "`a\nb`",
        "~~~",
        "~~",
        "*",
        "**",
        "_",
        "__init__",
        "*args",
    ),
    *("import os", "export X", "$5 and $6", "$", "\\", "\\{", "&amp;", "&", "|", "| a | {b} |", "> quote {x}"),
    *("# Title {x}", "## Two", "Title\n=====", "Title\n---", "---", "===", "- item {x}", "  - nested <x>", "1. one"),
    *("    indented {code}", "\tx = {1: 2}", ">>> f({1: 2})", "Example::", "Args:", "Returns:", "Note:\n    {x}"),
    *(
        "`Thing`",
        "`run`",
        "`prefect_acme.part_1.Thing`",
        ":class:`~prefect_acme.part_2.Thing`",
        "some_name()",
        "ü {é} →",
    ),
    *("word", "more words", "a.b_c", "10_000", "", "", ""),
)


def docstring(chance: random.Random) -> str:
    lines = [chance.choice((" ", " ", "\n")).join(chance.choices(FRAGMENTS, k=chance.randint(1, 3))) for _ in range(12)]
    lines = ["\n".join(line.split(" ")) if "```" in line or "~~~" in line else line for line in lines]
    return "\n\n".join(lines[:4]) + "\n" + "\n".join(lines[4:])


def module(chance: random.Random) -> str:
    parts = [f"{docstring(chance)!r}"]
    for number in range(8):
        parts.append(f"def run{number or ''}(x: int = 1, *args, **kwargs) -> None:\n    {docstring(chance)!r}")
    # Two classes with members of the same names: their anchors are counted.
    for name in ("Thing", "Other"):
        methods = "\n".join(f"    def m{number}(self):\n        {docstring(chance)!r}" for number in range(3))
        parts.append(
            f"class {name}:\n    {docstring(chance)!r}\n    def run(self): 'See `Thing.m1` and `m2`.'\n{methods}"
        )
    return "\n\n\n".join(parts) + "\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    package = root / "src" / "prefect-acme" / "prefect_acme"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").write_text("", encoding="utf-8")
    package.parent.joinpath("pyproject.toml").write_text("", encoding="utf-8")
    for seed in range(24):
        text = module(random.Random(seed))
        package.joinpath(f"part_{seed}.py").write_text(text, encoding="utf-8")
    root.joinpath("pyproject.toml").write_text(
        '[tool.prefect-integration-docs]\npackages = ["src/*"]\nrepository = "https://example.com/r"\n',
        encoding="utf-8",
    )
    docs = root / "docs"
    docs.mkdir()
    group = {"group": "SDK Reference", "anchor": "prefect-acme-sdk-reference", "pages": []}
    settings = {
        "$schema": "https://mintlify.com/docs.json",
        "theme": "mint",
        "name": "Acme",
        "colors": {"primary": "#2D6DF6"},
        "navigation": {"tabs": [{"tab": "Integrations", "groups": [group]}]},
    }
    docs.joinpath("docs.json").write_text(json.dumps(settings), encoding="utf-8")
    return root


def test_hostile_docstrings_render_and_every_link_arrives(repository: Path) -> None:
    Generator(configuration.read(repository), cache=None).run()
    pages = list(repository.glob("docs/**/*.mdx"))
    assert len(pages) == 24
    assert "](/integrations/prefect-acme/api-ref/prefect_acme-part_1#thing)" in "".join(
        page.read_text(encoding="utf-8") for page in pages
    )

    node = site.find_node()
    site.install(node)
    done = subprocess.run(
        [node.program, site.PREVIEW / "cli.mjs", "check", "--docs", repository / "docs"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:]
    assert "24 pages, 0 problems" in done.stdout
