"""Select nodes of a manifest with dbt's own code; run as a script, with a request in JSON on standard input."""

from __future__ import annotations

import json
import sys
from typing import Any, cast


def main() -> None:
    """Read a request and print an answer, each in one line of JSON."""
    request = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"nodes": select(**request)}
    except Exception as exc:  # noqa: BLE001 - the parent makes the error of it
        answer = {"error": type(exc).__name__, "message": str(exc)}
    print(json.dumps(answer))


def select(manifest: str, select: list[str], exclude: list[str], indirect_selection: str) -> list[str]:
    """Return the unique ids that a selection means."""
    from argparse import Namespace

    from dbt.artifacts.schemas.manifest import WritableManifest
    from dbt.compilation import Linker
    from dbt.contracts.graph.manifest import Manifest
    from dbt.flags import set_from_args  # pyright: ignore[reportUnknownVariableType]
    from dbt.graph.cli import parse_difference
    from dbt.graph.graph import Graph
    from dbt.graph.selector import NodeSelector

    cast("Any", set_from_args)(Namespace(INDIRECT_SELECTION=indirect_selection), None)
    writable: Any = WritableManifest.read_and_check_versions(manifest)
    known = Manifest.from_writable_manifest(writable)
    linker: Any = Linker()
    linker.link_graph(known)
    parse: Any = parse_difference
    try:
        spec = parse(select or None, exclude or None)
    except TypeError:  # before dbt 1.8
        spec = parse(select or None, exclude or None, indirect_selection)
    selector = NodeSelector(Graph(linker.graph), known)
    return [str(node) for node in selector.get_selected(spec)]


if __name__ == "__main__":
    main()
