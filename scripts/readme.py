"""Write the README's table of integrations from their metadata.

python -m scripts.readme            rewrite the table
python -m scripts.readme --check    exit 1 when the table is stale
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts import workspace
from scripts.workspace import Package

README = workspace.ROOT / "README.md"
BEGIN = "<!-- integrations: `just readme` writes what stands between these marks -->"
END = "<!-- /integrations -->"


def table(members: list[Package]) -> str:
    """Render the integrations as a Markdown table, in the order given."""
    rows = ["| package | version | what it is for | guide |", "| --- | --- | --- | --- |"]
    for member in members:
        if not member.is_integration:
            continue
        folder = member.path.relative_to(workspace.ROOT).as_posix()
        guide = f"docs/integrations/{member.name}/index.mdx"
        rows.append(f"| [`{member.name}`]({folder}) | {member.version} | {member.description} | [guide]({guide}) |")
    return "\n".join(rows)


def with_table(text: str, rendered: str) -> str:
    """Put a table between the marks of a README.

    Raises:
        WorkspaceError: If the README does not hold each mark once, in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise workspace.WorkspaceError(f"README.md needs one line {BEGIN!r} and below it one {END!r}")
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{rendered}\n{END}{rest.split(END)[1]}"


def main(arguments: list[str] | None = None, readme: Path = README) -> int:
    """Rewrite or check the table."""
    parser = argparse.ArgumentParser(description="Write the README's table of integrations.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    options = parser.parse_args(arguments)
    before = readme.read_text(encoding="utf-8")
    after = with_table(before, table(workspace.packages()))
    if before == after:
        return 0
    if options.check:
        print("error: the table of integrations in README.md is stale; run `just readme`", file=sys.stderr)
        return 1
    readme.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
