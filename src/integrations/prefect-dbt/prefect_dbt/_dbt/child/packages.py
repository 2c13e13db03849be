"""What a failed `dbt deps` leaves: a part of the packages, which a later run may take for all of them.

dbt empties the folder and installs one package after another. Before a run it only counts that there are as many as
the project names, and not those that these depend on.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

_BEGINS = "DepsStartPackageInstall"


class Installation:
    """Watches one `dbt deps`."""

    def __init__(self) -> None:
        self._has_begun = False

    def callback(self, message: Any) -> None:
        """Take an event from dbt."""
        self._has_begun = self._has_begun or message.info.name == _BEGINS

    def undo(self, project: Any) -> None:
        """Remove the packages that are there, if any was installed: dbt then says that they are missing.

        Args:
            project: dbt's, of which the packages are.
        """
        if self._has_begun and project is not None:
            root = Path(project.project_root).resolve()
            folder = (root / project.packages_install_path).resolve()
            if folder not in (root, *root.parents):
                shutil.rmtree(folder, ignore_errors=True)
        downloads = getattr(sys.modules.get("dbt.deps.base"), "DOWNLOADS_PATH", None)
        if downloads and downloads != os.environ.get("DBT_DOWNLOADS_DIR"):  # dbt removes it after a success only
            shutil.rmtree(downloads, ignore_errors=True)
