"""The Dockerfile: the one of the project, or a generated one, and what can be read from it without building."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect_docker.errors import DockerInvalidRequest

AUTO = "auto"

_IN_ARCHIVE = ".dockerfile.prefect"
"""Name of a Dockerfile from elsewhere in the context. docker-py draws it at random, which spoils Docker's cache."""

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")
_REMOTE_SOURCE = re.compile(r"^\s*ADD\s[^#\n]*(?:https?://|git@|\.git\b)", re.IGNORECASE | re.MULTILINE)
_NO_IMAGE = "scratch"


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile and where it is."""

    text: str
    path: Path | None
    """The file; `None` for a generated one."""
    name: str
    """Its path in the context, or the name that it gets there."""
    is_in_context: bool


def find_dockerfile(dockerfile: str, context: Path) -> Dockerfile:
    """Read the Dockerfile that a step names.

    Args:
        dockerfile: Its path; a relative one starts at the context.
        context: The context's folder.

    Raises:
        DockerInvalidRequest: If it does not exist, or is no text.
    """
    path = context / dockerfile
    if not path.is_file():
        raise DockerInvalidRequest(_not_found(dockerfile, path, context))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise DockerInvalidRequest(f"dockerfile {dockerfile!r}: {path} cannot be read ({exc}).") from exc
    resolved, root = path.resolve(), context.resolve()
    if resolved.is_relative_to(root):
        return Dockerfile(text, path, resolved.relative_to(root).as_posix(), is_in_context=True)
    return Dockerfile(text, path, _IN_ARCHIVE, is_in_context=False)


def _not_found(dockerfile: str, path: Path, context: Path) -> str:
    message = f"dockerfile {dockerfile!r}: there is no file {path}. Relative paths start at the build context"
    if (Path.cwd() / dockerfile).is_file() and Path.cwd() != context:
        return f"{message}, {context}, not at the working directory. Write {str(Path.cwd() / dockerfile)!r}."
    if dockerfile == "Dockerfile":
        return f"{message}. Write one, name another, or let one be made with 'dockerfile: auto'."
    return f"{message}. Correct the path."


def generate_dockerfile(context: Path) -> Dockerfile:
    """Make the Dockerfile of `dockerfile: auto`, by Prefect's own recipe, and leave the context as it is.

    Args:
        context: The context's folder. Its `requirements.txt` is installed, if there is one.

    Raises:
        DockerInvalidRequest: If the context has a Dockerfile: it is not said which of the two is meant.
    """
    from prefect.utilities.dockerutils import generate_default_dockerfile

    if (context / "Dockerfile").exists():
        raise DockerInvalidRequest(
            f"dockerfile 'auto' makes a Dockerfile, but {context} has one. Write 'dockerfile: Dockerfile' to use it, or"
            " move it away."
        )
    # Prefect's function writes into the folder that it describes; a double of that one is enough for it.
    with TemporaryDirectory() as elsewhere:
        double = Path(elsewhere) / (context.name or "root")
        double.mkdir()
        if (context / "requirements.txt").exists():
            (double / "requirements.txt").touch()
        with generate_default_dockerfile(double) as written:
            text = Path(written).read_text(encoding="utf-8")
    return Dockerfile(text, None, _IN_ARCHIVE, is_in_context=False)


def keep_dockerfile(text: str, output_path: Any) -> Callable[[], None]:
    """Save a generated Dockerfile.

    This is done before the image is built, since the file may lie in the context: the next build would else find
    another context than this one.

    Args:
        text: The Dockerfile.
        output_path: Where to, relative to the working directory.

    Returns:
        A function that puts back what was there before, for a build that fails.

    Raises:
        DockerInvalidRequest: If it cannot be written there.
    """
    if not isinstance(output_path, str) or not output_path:
        raise DockerInvalidRequest(f"dockerfile_output_path is {output_path!r}. Give the path of a file.")
    path = Path.cwd() / Path(output_path).expanduser()
    try:
        before = path.read_bytes() if path.exists() else None
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise DockerInvalidRequest(
            f"dockerfile_output_path {output_path!r} cannot be written ({exc.strerror}). Name a file in a folder that"
            " exists."
        ) from exc

    def put_back() -> None:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)

    return put_back


def bases(text: str, build_args: Mapping[str, str]) -> list[str]:
    """Name the images that a Dockerfile builds on, in the order of their first use.

    Args:
        text: The Dockerfile.
        build_args: Build arguments, which may choose them.

    Returns:
        The images of `FROM` and `COPY --from`; neither stages of the same file nor `scratch`. One whose name cannot be
        told is left out.
    """
    values: dict[str, str] = {}
    stages: set[str] = set()
    found: list[str] = []
    for line in _instructions(text):
        word, *rest = line.split()
        instruction = word.upper()
        if instruction == "ARG" and not stages:
            for item in rest:
                name, _, default = item.partition("=")
                values[name] = build_args.get(name, default.strip("\"'"))
        elif instruction == "FROM":
            rest = [item for item in rest if not item.startswith("--")]
            if rest:
                _add(found, _filled(rest[0], values), stages)
            stages.add(str(len(stages)))
            if len(rest) == 3 and rest[1].upper() == "AS":
                stages.add(rest[2].lower())
        elif instruction == "COPY":
            for item in rest:
                if item.startswith("--from="):
                    _add(found, item.removeprefix("--from="), stages)
    return found


def has_remote_sources(text: str) -> bool:
    """Say whether a Dockerfile adds something from an address, whose content may change unseen."""
    return _REMOTE_SOURCE.search(text) is not None


def _add(found: list[str], image: str, stages: set[str]) -> None:
    known = image.lower() in stages or image.isdigit() or image == _NO_IMAGE
    if image and not known and "$" not in image and image not in found:
        found.append(image)


def _instructions(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"[\\`][ \t]*\n", " ", "\n".join(lines))
    return [line for line in joined.splitlines() if line.strip()]


def _filled(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, sign, other = match[1] or match[4], match[2], match[3] or ""
        known = values.get(name, "")
        if sign == "+":
            return other if known else ""
        return known or other

    return _VARIABLE.sub(value, text)
