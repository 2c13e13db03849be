"""What job variables are made of: volumes as Docker writes them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

# https://docs.docker.com/reference/api/engine/ - volume names are checked by the engine with this pattern.
NAMED_VOLUME_PATTERN = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")
"""What the name of a volume may be."""

_WINDOWS_DRIVE = re.compile(r"^[a-zA-Z]:[\\/]")
# The colon of a drive letter separates nothing, as in C:\\data:/data; in v:/data it follows the name of a volume.
_VOLUME = re.compile(
    r"(?P<source>[a-zA-Z]:[\\/][^:]*(?=:(?:[/\\]|[a-zA-Z]:[\\/]))|[^:]*)"
    r":(?P<target>[a-zA-Z]:[\\/][^:]*|[^:]*)(?::(?P<options>.*))?"
)
_FORM = "Write 'source:target' or 'source:target:options', such as '/srv/data:/data:ro' or 'my-volume:/data'."
_OPTIONS = re.compile(
    # Docker's, then those that Podman adds.
    "ro|rw|z|Z|cached|delegated|consistent|nocopy|r?shared|r?slave|r?private"
    "|U|O|r?bind|(no)?exec|(no)?suid|(no)?dev|idmap|copy|(upper|work)dir=.+"
)


def is_relative_bind_source(source: str) -> bool:
    r"""Say whether the source of a volume is a path that is relative to some folder, rather than a name.

    Args:
        source: The part before the first colon, such as `./data`, `/srv/data` or `my-volume`.

    Returns:
        `True` for `.`, `..`, and whatever begins with `./` or `../`; with `\` in place of `/` as well.
    """
    return source in (".", "..") or source.startswith(("./", "../", ".\\", "..\\"))


def _is_path(text: str) -> bool:
    return text.startswith(("/", "\\\\")) or _WINDOWS_DRIVE.match(text) is not None


def assert_volume_str(volume: str) -> str:
    """Validate a Docker volume string.

    Args:
        volume: `source:target` or `source:target:options`. The source is an absolute path, a path that begins with `./`
            or `../`, or the name of a volume; the target is an absolute path in the container.

    Returns:
        The volume, unchanged.

    Raises:
        ValueError: If it is not of this form. The message quotes the volume and says what is wrong with it.
    """
    match = _VOLUME.fullmatch(volume)
    if match is None:
        raise ValueError(f"Invalid volume string {volume!r}: it has no target. {_FORM}")
    source, target, options = match["source"], match["target"], match["options"]
    if not (source and target and options != ""):
        raise ValueError(f"Invalid volume string {volume!r}: it has an empty part. {_FORM}")
    if not (_is_path(source) or is_relative_bind_source(source) or NAMED_VOLUME_PATTERN.match(source)):
        raise ValueError(
            f"Invalid volume string {volume!r}: the source {source!r} is neither a path nor the name of a volume. "
            "A path is absolute or begins with './'; a name has letters, digits, '_', '.' and '-'."
        )
    if not _is_path(target):
        raise ValueError(f"Invalid volume string {volume!r}: the target {target!r} is not an absolute path. {_FORM}")
    if options and (unknown := [option for option in options.split(",") if not _OPTIONS.fullmatch(option)]):
        raise ValueError(
            f"Invalid volume string {volume!r}: unknown option {', '.join(map(repr, unknown))}. "
            "Options are 'ro', 'rw', 'z', 'Z', 'nocopy' and those of bind propagation, with commas between."
        )
    return volume


VolumeStr = Annotated[str, AfterValidator(assert_volume_str)]
