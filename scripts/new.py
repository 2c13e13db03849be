"""Make a new integration from the template.

    python scripts/new.py acme-cloud

copies `src/kit/template` to `src/integrations/prefect-acme-cloud`, gives everything in it the new name, puts the guide
under `docs/`, and enters the package where the workspace lists its members. The result passes lint, types, tests and
the docs check as it stands.
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_integration_docs.navigation import dump

ROOT = Path(__file__).resolve().parent.parent

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_LENGTH = 24  # beyond, lines of the template grow too long
_RESERVED = frozenset({"acme", "integration", "integrations", "cloud", "client"})
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".hypothesis", "*.egg-info", ".coverage*")
_WORD = re.compile(r"ACME|Acme(?=[A-Z])|Acme|acme")


class NewError(Exception):
    """The package cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Names:
    """The forms that a name takes.

    Attributes:
        kebab: In distributions and addresses: `acme-cloud`.
    """

    kebab: str

    @property
    def distribution(self) -> str:
        """The name on the index: `prefect-acme-cloud`."""
        return f"prefect-{self.kebab}"

    @property
    def snake(self) -> str:
        """In modules and variables: `acme_cloud`."""
        return self.kebab.replace("-", "_")

    @property
    def pascal(self) -> str:
        """In classes: `AcmeCloud`."""
        return "".join(part.capitalize() for part in self.kebab.split("-"))

    @property
    def title(self) -> str:
        """In prose: `Acme Cloud`."""
        return " ".join(part.capitalize() for part in self.kebab.split("-"))

    def rename(self, text: str) -> str:
        """Put the new name in place of the template's, in the form that each place needs."""
        return _WORD.sub(lambda match: self._form(match, text), text)

    def _form(self, match: re.Match[str], text: str) -> str:
        word, before, after = match[0], text[: match.start()], text[match.end() :]
        if word == "ACME":
            return self.snake.upper()
        if word == "Acme":
            return self.pascal if after[:1].isupper() else self.title
        is_identifier = before.endswith("_") or after.startswith("_")
        # Names of blocks have hyphens; the settings' prefix is made of words of Python.
        is_part = before.endswith(("-", ".", "/", '.save("', '.load("'))
        in_address = is_part or after.startswith(("-", ".example", "://", ".png"))
        return self.kebab if in_address and not is_identifier else self.snake


def checked(name: str, root: Path = ROOT) -> Names:
    """Check a name and return its forms.

    Args:
        name: What follows `prefect-`; the prefix itself may be given too.
        root: The repository.

    Raises:
        NewError: If the name cannot be used or is taken.
    """
    short = name.strip().removeprefix("prefect-")
    if not _NAME.fullmatch(short):
        raise NewError(
            f"{name!r} is no name for an integration. Use lower-case letters and digits, words joined by "
            "hyphens, such as `acme-cloud`."
        )
    if len(short) > _MAX_LENGTH:
        raise NewError(f"{name!r} is too long: {len(short)} characters; {_MAX_LENGTH} are allowed.")
    names = Names(short)
    if short in _RESERVED or keyword.iskeyword(names.snake) or names.snake in sys.builtin_module_names:
        raise NewError(f"{name!r} is reserved. Choose another name, such as `{short}-service`.")
    for path in (_package(root, names), _guide(root, names).parent):
        if path.exists():
            raise NewError(f"{path.relative_to(root).as_posix()} is there already. Choose another name, or remove it.")
    return names


def _package(root: Path, names: Names) -> Path:
    return root / "src" / "integrations" / names.distribution


def _guide(root: Path, names: Names) -> Path:
    return root / "docs" / "integrations" / names.distribution / "index.mdx"


def create(name: str, root: Path = ROOT) -> Path:
    """Make the package.

    Args:
        name: What follows `prefect-`.
        root: The repository.

    Returns:
        The folder of the package.

    Raises:
        NewError: If the name cannot be used or is taken. Nothing has been changed then.
    """
    names = checked(name, root)
    package, guide = _package(root, names), _guide(root, names)
    try:
        copy_template(root / "src" / "kit" / "template", package, names)
        guide.parent.mkdir(parents=True)
        (package / "docs" / "index.mdx").rename(guide)
        (package / "docs").rmdir()
        texts = {
            root / "pyproject.toml": with_source,
            root / "docs" / "docs.json": with_guide,
        }
        changed = {path: edit(path.read_text(encoding="utf-8"), names) for path, edit in texts.items()}
    except BaseException:
        shutil.rmtree(package, ignore_errors=True)
        shutil.rmtree(guide.parent, ignore_errors=True)
        raise
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
    return package


def copy_template(template: Path, package: Path, names: Names) -> None:
    """Copy the template under a new name, contents and file names alike.

    Args:
        template: The template's folder.
        package: The folder to make.
        names: The new name.
    """
    shutil.copytree(template, package, ignore=_LEFT_OUT)
    # Deepest first, so that a folder is renamed after what lies in it.
    for path in sorted(package.rglob("*"), key=lambda each: len(each.parts), reverse=True):
        if path.is_file():
            path.write_text(names.rename(path.read_text(encoding="utf-8")), encoding="utf-8")
        path.rename(path.with_name(names.rename(path.name)))


def with_source(text: str, names: Names) -> str:
    """Enter the package under `[tool.uv.sources]` of the root's `pyproject.toml`, in alphabetical order.

    Args:
        text: Content of the file.
        names: The new name.

    Raises:
        NewError: If the file has no such table.
    """
    head, mark, tail = text.partition("[tool.uv.sources]\n")
    if not mark:
        raise NewError("pyproject.toml has no [tool.uv.sources]. Run this in the repository.")
    body, blank, rest = tail.partition("\n\n")
    line = f"{names.distribution} = {{ workspace = true }}"
    lines = sorted({*body.splitlines(), line})
    return head + mark + "\n".join(lines) + blank + rest


def with_guide(text: str, names: Names) -> str:
    """Enter the guide into the navigation of `docs.json`, where the packages stand in alphabetical order.

    Args:
        text: Content of the file.
        names: The new name.

    Raises:
        NewError: If the navigation has no group of integrations.
    """
    site: dict[str, Any] = json.loads(text)
    tabs = {tab.get("tab"): tab for tab in site["navigation"]["tabs"]}
    groups: list[dict[str, Any]] = tabs.get("Integrations", {}).get("groups", [])
    group = next((group for group in groups if group.get("group") == "Integrations"), None)
    if group is None:
        raise NewError("docs/docs.json has no group `Integrations` in a tab `Integrations`.")
    entry: dict[str, Any] = {
        "group": names.title,
        "pages": [
            f"integrations/{names.distribution}/index",
            {"group": "SDK Reference", "anchor": f"{names.distribution}-sdk-reference", "pages": []},
        ],
    }
    pages: list[Any] = group["pages"]
    title = names.title.casefold()
    above = [n for n, page in enumerate(pages) if isinstance(page, str) or page["group"].casefold() < title]
    pages.insert(max(above, default=-1) + 1, entry)
    return dump(site)


def polish(package: Path, root: Path = ROOT) -> None:
    """Mend what a name of another length changes: line breaks, order of imports, the README's table, generated pages.

    Args:
        package: The folder of the package.
        root: The repository.
    """
    for command in (
        ["ruff", "format", "--quiet", str(package)],
        ["ruff", "check", "--quiet", "--fix", str(package)],
        ["ruff", "format", "--quiet", str(package)],  # the order of imports may have changed their length
        ["scripts.readme"],
        ["scripts.interface", package.name],
        ["prefect_integration_docs", "generate"],
    ):
        subprocess.run([sys.executable, "-m", *command], cwd=root, check=True)


def main(arguments: list[str] | None = None) -> int:
    """Make the package that the command line names."""
    parser = argparse.ArgumentParser(description="Make a new integration from the template.")
    parser.add_argument("name", help="what follows `prefect-`, such as `acme-cloud`")
    options = parser.parse_args(arguments)
    try:
        package = create(options.name)
    except NewError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    polish(package)
    short = package.name.removeprefix("prefect-")
    print(f"Made {package.relative_to(ROOT).as_posix()}. Next: `just test {short}`, then replace part by part.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
