"""A store of bundles in a folder that the caller and the containers share, and the steps of a pool that use it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import WorkPoolStorageConfiguration

STORE = """
    import argparse, json, shutil
    from pathlib import Path

    from prefect_integration_kit.bundles import execute_stored_bundle, upload_bundle

    class Folder:
        def __init__(self, folder):
            self.folder = Path(folder)
        def url(self, key):
            return f"{self.folder}/{key}"
        def put(self, source, key, metadata):
            target = self.folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
            Path(f"{target}.json").write_text(json.dumps(dict(metadata)))
        def get(self, key, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / key, target)
            return json.loads(Path(f"{self.folder / key}.json").read_text())

    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--folder")
        parser.add_argument("--key")
        parser.add_argument("path", nargs="?")
        given = parser.parse_args()
        if given.path:
            upload_bundle(Folder(given.folder), given.path, given.key)
        else:
            execute_stored_bundle(Folder(given.folder), given.key)
"""


def write_store(folder: Path) -> WorkPoolStorageConfiguration:
    """Put the store's module and its bundles into a folder; it must be on the path of those who run the steps."""
    (folder / "folder_store.py").write_text(textwrap.dedent(STORE))
    step: dict[str, Any] = {"folder_store": {"folder": str(folder / "bundles")}}
    return WorkPoolStorageConfiguration(bundle_upload_step=step, bundle_execution_step=step)
