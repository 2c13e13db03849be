"""hatchling, and both spellings of extras in the metadata: `all-extras`, as the standard wants it, and `all_extras`.

pip up to 23.2 compares the name of an extra as it is written, so that `pip install "prefect-gcp[all_extras]"` installed
nothing more and only warned. pyproject.toml cannot have both spellings, since uv and hatchling normalise names
(https://peps.python.org/pep-0685/) and refuse the second; newer installers take the two for one. Metadata of version
2.2 may hold both, see `core-metadata-version` in pyproject.toml.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path
from typing import Any

import hatchling.build
from hatchling.build import (
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = dict[str, Any] | None

_EXTRA = re.compile(r"^Provides-Extra: (?P<name>\S*-\S*)$|^Requires-Dist: .*;.*\bextra == '(?P<of>[^']*-[^']*)'.*$")


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """Write the metadata only, https://peps.python.org/pep-0517/."""
    name = hatchling.build.prepare_metadata_for_build_wheel(metadata_directory, config_settings)
    path = Path(metadata_directory, name, "METADATA")
    path.write_text(with_both_spellings(path.read_text("utf-8")), "utf-8")
    return name


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build the wheel, https://peps.python.org/pep-0517/."""
    name = hatchling.build.build_wheel(wheel_directory, config_settings, metadata_directory)
    _rewrite(Path(wheel_directory, name))
    return name


def with_both_spellings(metadata: str) -> str:
    """Add to each line about an extra with a dash the same one with an underscore."""
    head, blank, description = metadata.partition("\n\n")
    lines: list[str] = []
    for line in head.split("\n"):
        lines.append(line)
        if found := _EXTRA.match(line):
            name = found["name"] or found["of"]
            lines.append(line[::-1].replace(name[::-1], name.replace("-", "_")[::-1], 1)[::-1])
    return "\n".join(lines) + blank + description


def _rewrite(wheel: Path) -> None:
    """Put the new metadata into the wheel, and its checksum into the wheel's record."""
    with zipfile.ZipFile(wheel) as archive:
        files = [(info, archive.read(info)) for info in archive.infolist()]
    path = next(info.filename for info, _ in files if info.filename.endswith(".dist-info/METADATA"))
    content = with_both_spellings({info.filename: data for info, data in files}[path].decode()).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    record = re.compile(rf"^{re.escape(path)},.*$", re.MULTILINE)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in files:
            if info.filename == path:
                data = content
            elif info.filename.endswith(".dist-info/RECORD"):
                data = record.sub(f"{path},sha256={digest},{len(content)}", data.decode()).encode()
            archive.writestr(info, data)
