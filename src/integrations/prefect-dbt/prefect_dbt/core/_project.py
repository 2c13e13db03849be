"""dbt's own objects of a project, loaded from its artifacts when somebody asks for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import DbtManifestError, DbtProjectError, DbtStateError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.graph.graph import Graph


def load_manifest(path: Path) -> Manifest:
    """Load a `manifest.json` as dbt's own object. This imports dbt, and takes some 10 kB for each node.

    Args:
        path: The file.

    Raises:
        DbtStateError: If there is no such file.
        DbtManifestError: If it cannot be read, or another version of dbt wrote it.
    """
    if not path.is_file():
        raise DbtStateError(f"There is no manifest at {path}. Run a command that writes it, such as `dbt parse`.")
    # This module has had it in all versions since 1.7.
    from dbt.contracts.graph.manifest import Manifest, WritableManifest  # pyright: ignore[reportPrivateImportUsage]

    try:
        return Manifest.from_writable_manifest(WritableManifest.read_and_check_versions(str(path)))
    except Exception as exc:
        raise DbtManifestError(
            f"{path} is not a manifest that this version of dbt can read: {exc}. Write it again: `dbt parse`."
        ) from exc


def graph_of(manifest: Manifest) -> Graph:
    """Link the nodes of a manifest, as dbt does before it runs them.

    Args:
        manifest: dbt's own object.
    """
    from dbt.compilation import Linker
    from dbt.graph.graph import Graph

    linker = Linker()
    linker.link_graph(manifest)
    linked: Any = cast("Any", linker).graph  # of networkx, whose types say little
    return Graph(linked)


def project_name_of(project_dir: Path, manifest: Path) -> str:
    """Read the name of a project from `dbt_project.yml`, or from the manifest where that is missing.

    Args:
        project_dir: The folder of the project.
        manifest: Its `manifest.json`.

    Raises:
        DbtProjectError: If neither says it.
    """
    import yaml

    try:
        content: Any = yaml.safe_load((project_dir / "dbt_project.yml").read_text("utf-8"))
        if isinstance(content, dict) and (name := cast("dict[str, Any]", content).get("name")):
            return str(name)
    except (OSError, ValueError, yaml.YAMLError):
        pass
    try:
        return str(json.loads(manifest.read_text("utf-8"))["metadata"]["project_name"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DbtProjectError(
            f"{project_dir / 'dbt_project.yml'} gives no name of the project. "
            "Set project_dir or DBT_PROJECT_DIR to the folder of the project."
        ) from None
