"""Which packages have something that no release has: by their news, and by git."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scripts.releases import fragments
from scripts.releases.history import History
from scripts.releases.plan import published, shipped
from scripts.releases.versions import parse
from scripts.workspace import Package


@dataclass(frozen=True)
class Unreleased:
    """What a package has that no release has.

    Attributes:
        name: The package.
        version: The version that its `pyproject.toml` says.
        tag: The tag of its last release, if there is one.
        pending: Whether `version` is still to be tagged.
        news: How many fragments it has, by type.
        changed: Files that users get and that differ from those at the tag; tests and news are left out.
    """

    name: str
    version: str
    tag: str | None
    pending: bool
    news: dict[str, int]
    changed: list[str]

    @property
    def remark(self) -> str:
        """What is to be done, in a few words."""
        if self.pending:
            return "push its tag" if self.tag else "never released"
        return "" if self.news else "changed without news"


def unreleased(members: Sequence[Package], history: History) -> list[Unreleased]:
    """List the packages with unreleased changes, in the order of `members`.

    A package that was never released is one of them; its files are not listed, since all are new.

    Args:
        members: The packages of the workspace.
        history: Its repository.

    Raises:
        ReleaseError: If a fragment is not as it should be.
    """
    found: list[Unreleased] = []
    for package in published(members):
        released = history.released(package.name)
        tag = released[max(released)] if released else None
        changed = history.changed(tag, package.path) if tag else []
        state = Unreleased(
            name=package.name,
            version=package.version,
            tag=tag,
            pending=parse(package.version) not in released,
            news=dict(Counter(fragment.type for fragment in fragments.read(package.path))),
            changed=[path for path in changed if shipped(path, package, history.root)],
        )
        if state.pending or state.news or state.changed:
            found.append(state)
    return found


def as_objects(states: Sequence[Unreleased]) -> list[dict[str, object]]:
    """The same, for JSON."""
    return [{**asdict(state), "remark": state.remark} for state in states]


def table(states: Sequence[Unreleased]) -> str:
    """Render packages as a table for people."""
    rows = [("package", "version", "last tag", "news", "files", "")]
    for state in states:
        news = ", ".join(f"{count} {kind}" for kind, count in state.news.items())
        files = str(len(state.changed)) if state.tag else "all"
        rows.append((state.name, state.version, state.tag or "-", news or "-", files, state.remark))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)
