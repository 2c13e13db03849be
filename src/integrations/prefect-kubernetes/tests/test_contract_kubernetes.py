"""Whatever becomes of a pod on a real cluster, its run gets one truthful final state and leaves nothing behind.

All cells of the table in the documentation ("Run outcomes") are played at the same time; a test looks at one of them.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ._contract import CAUSES, LOST, Seen, play_all

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.timeout(400)]

CELLS = [(cause, retries) for cause in (*CAUSES, LOST) for retries in (0, 1)]

# How a run ends, and what its state says about why, without retries and with one.
EXPECTED: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "The process exits before the flow began": (("Crashed", "exited with 1"), ("Completed", "")),
    "It exits in every pod": (("Crashed", "exited with 1"), ("Crashed", "used up its 1 retries")),
    "Out of memory": (("Crashed", "memory"), ("Completed", "")),
    "Evicted": (("Crashed", "evicted"), ("Completed", "")),
    "Pod deleted": (("Crashed", "deleted"), ("Completed", "")),
    "Preempted": (("Crashed", "preempt"), ("Completed", "")),
    "Image missing": (("Crashed", "no-such:1"), ("Crashed", "no-such:1")),
    "Job deleted": (("Crashed", "job was deleted"), ("Crashed", "job was deleted")),
    "Suspended": (("Suspended", ""), ("Suspended", "")),
    "Paused": (("Paused", ""), ("Paused", "")),
    "Cancelled": (("Cancelled", ""), ("Cancelled", "")),
    LOST: (("Crashed", "deleted"), ("Completed", "")),
}


@pytest.fixture(scope="module")
def played(
    prefect_harness: None, kubernetes_cluster: Any, busybox_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, int], Any]]:
    namespace = kubernetes_cluster.new_namespace("contract")
    prefix = "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(kubernetes_cluster.kubeconfig(tmp_path_factory.mktemp("kube") / "config")))
        patch.setenv(f"{prefix}_SWEEP_INTERVAL_SECONDS", "1")
        patch.setenv(f"{prefix}_CANCELLATION_GRACE_SECONDS", "2")
        yield asyncio.run(play_all(kubernetes_cluster, namespace, kubernetes_cluster.load_image(busybox_image)))
    kubernetes_cluster.remove_namespace(namespace)
    shutil.rmtree(Path("/tmp", namespace), ignore_errors=True)  # the folder of the node that pods had in common


@pytest.fixture
def seen(played: dict[tuple[str, int], Any], request: pytest.FixtureRequest) -> Seen:
    cell = request.param
    if cell not in played:
        pytest.skip("the node of a cluster that was there already is left alone")
    result = played[cell]
    if isinstance(result, BaseException):
        raise result
    return result


def ids(cell: tuple[str, int]) -> str:
    return f"{cell[0]}-{cell[1]}".replace(" ", "_")


PAGE = Path(__file__).parents[4] / "docs/integrations/prefect-kubernetes/run-outcomes.mdx"


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")
def test_the_documentation_shows_the_same_table() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    table = {row[0]: row[1:3] for row in rows}
    for cause, states in EXPECTED.items():
        for said, (name, _) in zip(table[cause], states, strict=True):
            assert f"**{name}**" in said, cause


@pytest.mark.parametrize(
    ("seen", "expected"),
    [(cell, EXPECTED[cell[0]][cell[1]]) for cell in CELLS],
    indirect=["seen"],
    ids=map(ids, CELLS),
)
def test_a_run_ends_as_the_table_says(seen: Seen, expected: tuple[str, str]) -> None:
    name, words = expected
    assert seen.state.name == name, seen.names
    assert words.lower() in (seen.state.message or "").lower()
    # One pod at a time, none at the end; no way back from a final state.
    assert seen.most_alive == 1
    assert not seen.alive
    assert [state.is_final() for state in seen.states[:-1]] == [False] * (len(seen.states) - 1), seen.names
    assert len(seen.pods) == (2 if name == "Completed" or "retries" in words else len(seen.pods))
