"""Builds by BuildKit, through the Docker CLI and its plugin buildx.

python-on-whales finds the program and pushes. The build itself is run here: its secrets belong into the command's
environment, and its output is read line by line, which that package does not offer together.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, cast

from prefect.utilities.dockerutils import IMAGE_LABELS

from prefect_docker._build.buildx_options import render_options
from prefect_docker._build.output import Output
from prefect_docker.errors import BuildxMissing, ImageBuildFailed

if TYPE_CHECKING:
    from prefect_docker._build.plan import BuildPlan

_INSTALL = "https://github.com/docker/buildx#installing"
_KEPT_LINES = 200
_STEP = re.compile(r"^ ?> (\[.*\].*?):?$")
_ERROR = re.compile(r"^(?:#\d+ )?ERROR: (?:failed to (?:solve|build): )*(.*)$")


def docker_program() -> str:
    """Find the Docker CLI, and make sure that it has buildx.

    Raises:
        BuildxMissing: If either is missing.
    """
    import python_on_whales
    from python_on_whales.client_config import ClientNotFoundError
    from python_on_whales.exceptions import DockerException

    client: Any = python_on_whales.DockerClient()
    otherwise = "or leave out 'build_backend: buildx' to build with the engine's own builder"
    try:
        program = str(client.client_config.docker_cmd[0])
        is_there = client.buildx.is_installed()
    except ClientNotFoundError as exc:
        raise BuildxMissing(
            "build_backend 'buildx' needs the Docker CLI, and there is no program 'docker' on the PATH. Install it"
            f" (https://docs.docker.com/engine/install/) with buildx ({_INSTALL}), {otherwise}."
        ) from exc
    except DockerException:
        is_there = False
        program = "docker"
    if not is_there:
        raise BuildxMissing(
            f"build_backend 'buildx' needs the plugin buildx of the Docker CLI, and {program} has it not. Install it"
            f" ({_INSTALL}), {otherwise}."
        )
    return program


def build_with_buildx(plan: BuildPlan, references: list[str], output: Output) -> str:
    """Build an image, and tell of it as it goes.

    Args:
        plan: What to build.
        references: Names and tags of the image.
        output: Where the builder's messages go.

    Returns:
        The ID that the builder gave; the digest in the registry for an image that it pushed.

    Raises:
        ImageBuildFailed: If it cannot be built. The message has the builder's reason and the step that failed.
        BuildxMissing: If the Docker CLI or its plugin is not installed.
    """
    arguments, variables = render_options(plan.options)
    command = [docker_program(), "buildx", "build", *arguments]
    if not {"progress", "quiet"} & set(plan.options.others):
        command += ["--progress", "plain"]  # nothing else can be read line by line
    for name, value in IMAGE_LABELS.items():
        command += ["--label", f"{name}={value}"]
    if plan.options.pull:
        command.append("--pull")
    with TemporaryDirectory() as folder:
        id_file = Path(folder) / "image-id"
        command += ["--iidfile", str(id_file)]
        for reference in references:
            command += ["--tag", reference]
        if (file := _file(plan, Path(folder))) is not None:
            command += ["--file", file]
        command += ["--", str(plan.options.context)]
        lines, exit_code = _run(command, variables, output)
        if exit_code != 0:
            raise _failure(references[0], lines, exit_code)
        return id_file.read_text(encoding="utf-8").strip() if id_file.is_file() else references[0]


def _file(plan: BuildPlan, folder: Path) -> str | None:
    if plan.dockerfile is None:
        return plan.dockerfile_input
    if plan.dockerfile.path is not None:
        return str(plan.dockerfile.path)
    generated = folder / "Dockerfile"
    generated.write_text(plan.dockerfile.text, encoding="utf-8")
    return str(generated)


def _run(command: list[str], variables: dict[str, str], output: Output) -> tuple[list[str], int]:
    """Run a command, write what it says, and return the end of that and its exit code."""
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **variables},
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in cast("IO[str]", process.stdout):
                output.write(line)
                kept.append(output.redact(line.rstrip("\n")))
        except BaseException:
            process.terminate()  # the builder stops the build when its client goes
            raise
    return list(kept), process.returncode


def _failure(reference: str, lines: list[str], exit_code: int) -> ImageBuildFailed:
    steps = [found[1] for line in lines if (found := _STEP.match(line))]
    errors = [found[1] for line in lines if (found := _ERROR.match(line))]
    said = [line.strip() for line in lines if line.strip()]
    reason = errors[-1] if errors else said[-1] if said else f"the command ended with exit code {exit_code}"
    where = f" at {steps[-1]!r}" if steps else ""
    message = f"Image {reference!r}: building it failed{where}: {reason.rstrip('.')}."
    if "multiple platforms" in reason or "multi-platform" in reason.lower():
        message += " Make a builder for that: docker buildx create --use."
    return ImageBuildFailed(message, subject=f"Image {reference!r}", reason=reason)
