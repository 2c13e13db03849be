"""Call everything where no service can be reached, and hear what is said."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_integration_tests.public import Package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prefect.blocks.core import Block

NOWHERE = "http://127.0.0.1:9"
"""The port of the discard service, which refuses connections."""


@dataclass(frozen=True)
class Calls:
    """What is to be called: every method of a block, or functions, or workers.

    Attributes:
        block: The block.
        workers: The workers, each with the job variables of a run that it is to start, and the identifier of
            infrastructure that it is to end.
        functions: The functions, each by module and name, such as `prefect_acme.storage:read.aio`.
        blocks: What functions are given where they ask for a block or for credentials.
        canary: What they are given for a secret.
        not_secret: Names of parameters that sound like a secret and are none.
    """

    block: Block | None = None
    workers: tuple[tuple[type[Any], Mapping[str, Any], str], ...] = ()
    functions: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    canary: str = ""
    not_secret: frozenset[str] = frozenset()


def functions_of(package: Package) -> tuple[str, ...]:
    """List the public functions, tasks and flows of a package, both faces, as `Calls` takes them."""
    found: list[str] = []
    operations = package.functions()
    listed = {id(operation.member) for operation in operations}
    for operation in operations:
        for module in (operation.owner, *package.modules):
            if getattr(module, operation.name, None) is operation.member:
                found.append(f"{module.__name__}:{operation.name}")
                if operation.aio is not None and id(operation.aio) not in listed:
                    found.append(f"{found[-1]}.aio")
                break
    return tuple(found)


def said_by(calls: Calls, folder: Path, *, seconds: float, api_url: str = f"{NOWHERE}/api") -> str:
    """Make calls in a process of its own, and return all that it says.

    Args:
        calls: The calls. All are made at once.
        folder: An empty folder, which is home and working directory.
        seconds: How long they may try to reach somebody.
        api_url: The Prefect API, which tasks and flows do not start without.

    Raises:
        AssertionError: If the process ended early.
    """
    import cloudpickle

    here = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    proxies: Any = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE)
    surroundings = {
        **here,
        **dict.fromkeys(("HOME", "TMPDIR", "PREFECT_HOME"), str(folder)),
        **proxies,
        **{name.lower(): value for name, value in proxies.items()},
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PREFECT_API_URL": api_url,
        "DO_NOT_TRACK": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "prefect_integration_tests._calls_in_vain", str(seconds)],
        input=cloudpickle.dumps(calls),  # pyright: ignore[reportUnknownMemberType]
        env=surroundings,
        cwd=folder,
        capture_output=True,
        timeout=seconds + 100,
        start_new_session=True,  # it ends as a whole
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "\nEND\n" in said, said[-2000:]
    return said
