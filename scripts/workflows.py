"""Find errors in GitHub's files: workflows, actions, Dependabot's settings, forms for issues.

    python -m scripts.workflows            on this machine alone
    python -m scripts.workflows --online   and ask GitHub about the actions that are used; needs `GH_TOKEN`

They must fit GitHub's schemas, their scripts must pass shellcheck, and zizmor must find nothing unsafe in them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from scripts.workspace import ROOT

_SCHEMAS = {
    "vendor.github-workflows": "workflows/*.yml",
    "vendor.github-actions": "actions/*/action.yml",
    "vendor.dependabot": "dependabot.yml",
    "vendor.github-issue-forms": "ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.github-issue-config": "ISSUE_TEMPLATE/config.yml",
}


def scripts_of(file: Path) -> Iterator[tuple[str, str]]:
    """Find the scripts of a workflow or an action: what each step is called, or its number, and what it runs."""
    content = cast("dict[str, Any]", yaml.safe_load(file.read_text(encoding="utf-8")))
    parts: dict[str, dict[str, Any]] = content.get("jobs") or {"": content.get("runs", {})}
    for name, part in parts.items():
        steps: list[dict[str, Any]] = part.get("steps", [])
        for number, step in enumerate(steps, 1):
            if "run" in step:
                yield " ".join(filter(None, (name, "step", str(number)))), step["run"]


def problems(folder: Path, *, online: bool = False) -> Iterator[str]:
    """Find what is wrong, and say where.

    Args:
        folder: What is `.github` in a repository.
        online: Whether zizmor may ask GitHub.
    """
    tools = Path(sys.executable).parent
    for schema, pattern in _SCHEMAS.items():
        if files := sorted(map(str, folder.glob(pattern))):
            yield from _said(str(tools / "check-jsonschema"), "--builtin-schema", schema, *files)
    checked = [*sorted(folder.glob("workflows/*.yml")), *sorted(folder.glob("actions/*/action.yml"))]
    for file in checked:
        for where, script in scripts_of(file):
            shellcheck = [str(tools / "shellcheck"), "--shell", "bash", "--format", "gcc", "-"]
            for line in _said(*shellcheck, script=script):
                yield f"{file.relative_to(folder.parent)}, {where}: {line}"
    settings = folder / "zizmor.yml"
    options = [
        *(["--config", str(settings)] if settings.exists() else ["--no-config"]),
        *([] if online else ["--offline"]),
        *("--persona", "auditor", "--no-progress", "--quiet"),
    ]
    yield from _said(str(tools / "zizmor"), *options, *map(str, checked), str(folder / "dependabot.yml"))


def _said(*command: str, script: str | None = None) -> Iterator[str]:
    """What a program has to say, when it ends with an error."""
    answer = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if answer.returncode:
        yield (answer.stdout + answer.stderr).strip() or f"{Path(command[0]).name} ended with {answer.returncode}"


def main(arguments: list[str] | None = None, folder: Path = ROOT / ".github") -> int:
    """Print the problems."""
    parser = argparse.ArgumentParser(prog="workflows.py", description="Find errors in GitHub's files.")
    parser.add_argument("--online", action="store_true", help="ask GitHub about the actions that are used")
    options = parser.parse_args(arguments)
    found = list(problems(folder, online=options.online))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
