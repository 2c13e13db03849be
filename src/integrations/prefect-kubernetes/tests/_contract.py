"""Plays what can become of a job on a real cluster, all cases at the same time, and keeps what was seen."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import uuid
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelling, Completed, Paused, Running, Suspended

from prefect_integration_kit.waiting import WaitTimeout, apoll
from prefect_kubernetes.worker import KubernetesWorker

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_integration_tests.backends.kubernetes import KubernetesCluster

WAIT = "trap 'exit 143' TERM; sleep 1000 & wait"
"""A flow at work, which ends when it is asked to."""

EAT = "x=a; while true; do x=$x$x; done"
FILL = "dd if=/dev/zero of=/disk/file bs=1M count=4"
GUARANTEED = {"memory_limit": "16Mi", "memory_request": "16Mi", "cpu_limit": "200m", "cpu_request": "200m"}
PATIENCE_SECONDS = 400
AT_A_TIME = 8  # all at once start so many pods that each waits for minutes on a busy machine of two cores


@flow
def contract() -> None:
    """Stands for a deployed flow; what runs in the pods is a shell."""


@dataclass
class Seen:
    """What became of one run."""

    states: list[State] = field(default_factory=list)
    pods: set[str] = field(default_factory=set)
    most_alive: int = 0
    alive: set[str] = field(default_factory=set)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def state(self) -> State:
        return self.states[-1]

    @property
    def names(self) -> list[str]:
        return [state.name or "" for state in self.states]


def script(fault: str = "", *, every_time: bool = False) -> str:
    """What a pod does: the fault, in the first pod of the run or in each, then it waits."""
    if not fault:
        return WAIT
    return f"{fault}; {WAIT}" if every_time else f"mkdir /node/$MARK && {{ {fault}; }}; {WAIT}"


class Play:
    """Runs of one pool, in one namespace."""

    def __init__(self, cluster: KubernetesCluster, namespace: str, image: str, client: PrefectClient) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.client = client
        self.seen: dict[str, Seen] = {}
        self.runs: dict[str, FlowRun] = {}
        self.jobs: list[dict[str, Any]] = []
        self.pods: list[dict[str, Any]] = []
        self._one_by_one = asyncio.Lock()  # the database takes one writer at a time
        self.image = image
        self._pool = f"contract-{uuid.uuid4().hex[:8]}"
        self._deployment_id: uuid.UUID | None = None

    # The pool

    async def open(self) -> None:
        template = KubernetesWorker.get_default_base_job_template()
        volumes = [
            {"name": "node", "hostPath": {"path": f"/tmp/{self.namespace}", "type": "DirectoryOrCreate"}},
            {"name": "disk", "emptyDir": {"sizeLimit": "1Mi"}},
        ]
        defaults = {
            "namespace": self.namespace,
            "image": self.image,
            "stream_output": False,
            "volumes": volumes,
            "volume_mounts": [{"name": "node", "mountPath": "/node"}, {"name": "disk", "mountPath": "/disk"}],
            "pod_overrides": {"spec": {"terminationGracePeriodSeconds": 1}},
        }
        for variable, value in defaults.items():
            template["variables"]["properties"][variable]["default"] = value
        await self.client.create_work_pool(
            WorkPoolCreate(name=self._pool, type="kubernetes", base_job_template=template)
        )
        flow_id = await self.client.create_flow(contract)
        self._deployment_id = await self.client.create_deployment(
            flow_id, name=self._pool, work_pool_name=self._pool, entrypoint="flows.py:contract", path="/"
        )

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncGenerator[None]:
        """Submit what is due, and watch pods, while inside."""
        async with KubernetesWorker(work_pool_name=self._pool) as worker:
            tasks = [asyncio.create_task(self._submit(worker)), asyncio.create_task(self._watch())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _submit(self, worker: KubernetesWorker) -> None:
        while True:
            with contextlib.suppress(PrefectHTTPStatusError):
                await worker.get_and_submit_flow_runs()
            await asyncio.sleep(1)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(PrefectHTTPStatusError, OSError):  # both are busy; the next look will do
                await self._look()
            await asyncio.sleep(0.4)

    async def _look(self) -> None:
        """Look at all runs, jobs and pods, in this order: what a run's end leaves behind is seen."""
        ids = FlowRunFilter(id=FlowRunFilterId(any_=[uuid.UUID(each) for each in self.seen]))
        runs = await self.client.read_flow_runs(flow_run_filter=ids) if self.seen else []
        jobs = await self._list("/apis/batch/v1", "jobs")
        pods = await self._list("/api/v1", "pods")
        self.runs = {str(run.id): run for run in runs}
        self.jobs, self.pods = jobs, pods
        for run_id, seen in self.seen.items():
            own = [pod for pod in pods if is_of(pod, run_id)]
            seen.pods.update(pod["metadata"]["name"] for pod in own)
            seen.alive = {pod["metadata"]["name"] for pod in own if is_alive(pod)}
            seen.most_alive = max(seen.most_alive, len(seen.alive))

    async def _list(self, group: str, plural: str) -> list[dict[str, Any]]:
        path = f"{group}/namespaces/{self.namespace}/{plural}"
        return (await run_sync(self.cluster.api.get, path))["items"]

    def _what_is_seen_of(self, run: FlowRun) -> str:
        found = self.runs.get(str(run.id))
        jobs = [(job["metadata"], job["status"]) for job in self.jobs if is_of(job, str(run.id))]
        pods = [(pod["metadata"], pod["status"]) for pod in self.pods_of(run)]
        return f"State: {found and found.state!r}\nJobs: {jobs}\nPods: {pods}"

    def pods_of(self, run: FlowRun) -> list[dict[str, Any]]:
        return [pod for pod in self.pods if is_of(pod, str(run.id))]

    async def delete(self, group: str, plural: str, name: str, **query: str) -> None:
        path = f"{group}/namespaces/{self.namespace}/{plural}/{name}"
        await run_sync(lambda: self.cluster.api.delete(path, **query))

    # What happens in one run

    async def begin(self, retries: int, command: str, **variables: Any) -> FlowRun:
        assert self._deployment_id is not None
        seen = Seen()
        async with self._one_by_one:
            run = await self.client.create_flow_run_from_deployment(
                self._deployment_id,
                job_variables={
                    "backoff_limit": retries,
                    "command": f"sh -c {shlex.quote(command)}",
                    "env": {"MARK": seen.mark},
                    **variables,
                },
            )
        self.seen[str(run.id)] = seen
        return run

    def once_let(self, command: str) -> str:
        """Let a command wait for `let`; for some seconds where the node's folder is out of reach."""
        wait = "until test -e /node/let-$MARK; do sleep 0.2; done" if self.cluster.is_ours else "sleep 5"
        return f"{wait}; {command}"

    async def let(self, run: FlowRun) -> None:
        """Let the command go on, now that the flow has said its state: said later, it would follow a final one."""
        if self.cluster.is_ours:
            folder = Path("/tmp", self.namespace)  # the node's, on which the pods mount it
            folder.mkdir(exist_ok=True)
            (folder / f"let-{self.seen[str(run.id)].mark}").touch()

    async def pod(self, run: FlowRun, other_than: str = "") -> dict[str, Any]:
        """Wait for a pod that runs."""

        def look() -> dict[str, Any] | None:
            found = (pod for pod in self.pods_of(run) if is_alive(pod) and pod["status"].get("phase") == "Running")
            return next((pod for pod in found if pod["metadata"]["name"] != other_than), None)

        return await self.until(look, f"a pod of {run.name}", run)

    async def running(self, run: FlowRun) -> str:
        """Wait for the pod, whose name is returned, and say what the flow in it would say."""
        pod = await self.pod(run)
        async with self._one_by_one:
            state = (await self.client.read_flow_run(run.id)).state
            if state is None or not state.is_final():  # a fault may be faster than we are
                await self.client.set_flow_run_state(run.id, Running())
        return pod["metadata"]["name"]

    async def submitted(self, run: FlowRun) -> None:
        """Wait for the run's job."""

        def look() -> bool:
            found = self.runs.get(str(run.id))
            return found is not None and bool(found.infrastructure_pid)

        await self.until(look, f"the job of {run.name}", run)

    async def replaced(self, run: FlowRun, pod: str) -> None:
        """Wait for a second pod, which brings the flow to its end."""
        await self.pod(run, other_than=pod)
        await self.set_state(run, Completed())

    async def set_state(self, run: FlowRun, state: State, *, force: bool = False) -> None:
        """Say what the flow, or somebody, would say."""
        async with self._one_by_one:
            await self.client.set_flow_run_state(run.id, state, force=force)

    async def until(self, look: Callable[[], Any], subject: str, run: FlowRun | None = None) -> Any:
        async def found() -> Any:
            return look() or None

        try:
            return await apoll(found, subject=subject, interval_seconds=0.1, timeout_seconds=PATIENCE_SECONDS)
        except WaitTimeout as exc:
            if run is None:
                raise
            raise WaitTimeout(f"{exc}\n{self._what_is_seen_of(run)}") from exc

    async def end(self, run: FlowRun, *, is_final: bool = True) -> Seen:
        """Wait for the run's final state, and for the end of its job and its pods."""
        seen = self.seen[str(run.id)]

        def look() -> bool:
            found = self.runs.get(str(run.id))
            if found is None or found.state is None or (is_final and not found.state.is_final()):
                return False
            jobs = [job for job in self.jobs if is_of(job, str(run.id))]
            is_over = all(job["status"].get("conditions") or "deletionTimestamp" in job["metadata"] for job in jobs)
            return is_over and not seen.alive

        await self.until(look, f"the end of {run.name}", run)
        async with self._one_by_one:
            states = await self.client.read_flow_run_states(run.id)
        seen.states = sorted(states, key=lambda state: state.timestamp)
        return seen


def is_of(item: dict[str, Any], run_id: str) -> bool:
    """Say whether a job or pod is of a run."""
    return item["metadata"].get("labels", {}).get("prefect.io/flow-run-id") == run_id


def is_alive(pod: dict[str, Any]) -> bool:
    """Say whether a pod runs or will, and is not about to go."""
    return pod["status"].get("phase") in ("Pending", "Running") and "deletionTimestamp" not in pod["metadata"]


# The causes


async def exit_code(play: Play, retries: int) -> Seen:
    run = await play.begin(retries, script("exit 1"))
    if retries:

        def look() -> list[str]:
            return [pod["metadata"]["name"] for pod in play.pods_of(run) if pod["status"].get("phase") == "Failed"]

        (first,) = await play.until(look, f"the first pod of {run.name}", run)
        await play.replaced(run, first)
    return await play.end(run)


async def exit_code_every_time(play: Play, retries: int) -> Seen:
    return await play.end(await play.begin(retries, script("exit 1", every_time=True)))


async def out_of_memory(play: Play, retries: int) -> Seen:
    return await _fault(play, retries, EAT, **GUARANTEED)


async def evicted(play: Play, retries: int) -> Seen:
    return await _fault(play, retries, FILL)


async def _fault(play: Play, retries: int, fault: str, **variables: Any) -> Seen:
    run = await play.begin(retries, script(play.once_let(fault)), **variables)
    pod = await play.running(run)
    await play.let(run)
    if retries:
        await play.replaced(run, pod)
    return await play.end(run)


async def pod_deleted(play: Play, retries: int) -> Seen:
    run = await play.begin(retries, script())
    pod = await play.running(run)
    await play.delete("/api/v1", "pods", pod)
    if retries:
        await play.replaced(run, pod)
    return await play.end(run)


async def preempted(play: Play, retries: int) -> Seen:
    resource = await run_sync(play.cluster.limited_resource)
    limits = {"resources": {"limits": {resource: "1"}}}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "prefect-job", **limits}]}
    run = await play.begin(retries, script(), pod_overrides={"spec": spec})
    pod = await play.running(run)

    async def is_preempted() -> bool | None:
        await _prefer(play, limits)
        return pod not in play.seen[str(run.id)].alive or None

    # A busy scheduler may forget for a while that the node is taken, and runs both: then it is asked once more.
    await apoll(
        is_preempted,
        subject=f"the preemption of {pod}",
        interval_seconds=1.0,
        timeout_seconds=PATIENCE_SECONDS / 2,
    )
    if retries:
        await play.replaced(run, pod)
    return await play.end(run)


async def _prefer(play: Play, limits: dict[str, Any]) -> None:
    """Run a pod of greater priority for a moment."""
    name = f"greater-{uuid.uuid4().hex[:8]}"
    container = {"name": "main", "image": play.image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", WAIT]}
    greater = {
        "metadata": {"name": name},
        "spec": {
            "priorityClassName": "system-cluster-critical",
            "terminationGracePeriodSeconds": 0,
            "containers": [{**container, **limits}],
        },
    }
    await run_sync(play.cluster.api.post, f"/api/v1/namespaces/{play.namespace}/pods", greater)

    def look() -> bool:
        return any(each["metadata"]["name"] == name and each["status"].get("phase") == "Running" for each in play.pods)

    await play.until(look, "the greater pod")
    await play.delete("/api/v1", "pods", name)


async def image_missing(play: Play, retries: int) -> Seen:
    return await play.end(await play.begin(retries, script(), image="no-such:1", pod_watch_timeout_seconds=20))


async def job_deleted(play: Play, retries: int) -> Seen:
    run = await play.begin(retries, script())
    await play.running(run)
    (job,) = (job["metadata"]["name"] for job in play.jobs if is_of(job, str(run.id)))
    await play.delete("/apis/batch/v1", "jobs", job, propagationPolicy="Background")
    return await play.end(run)


async def suspended(play: Play, retries: int) -> Seen:
    return await _resting(play, retries, Suspended())


async def paused(play: Play, retries: int) -> Seen:
    return await _resting(play, retries, Paused())


async def _resting(play: Play, retries: int, state: State) -> Seen:
    run = await play.begin(retries, play.once_let("exit 0"))
    await play.submitted(run)
    await play.set_state(run, Running())
    await play.set_state(run, state, force=True)
    await play.let(run)
    return await play.end(run, is_final=False)


async def cancelled(play: Play, retries: int) -> Seen:
    run = await play.begin(retries, script())
    await play.running(run)
    await play.set_state(run, Cancelling(), force=True)
    return await play.end(run)


CAUSES = {
    "The process exits before the flow began": exit_code,
    "It exits in every pod": exit_code_every_time,
    "Out of memory": out_of_memory,
    "Evicted": evicted,
    "Pod deleted": pod_deleted,
    "Preempted": preempted,
    "Image missing": image_missing,
    "Job deleted": job_deleted,
    "Suspended": suspended,
    "Paused": paused,
    "Cancelled": cancelled,
}
LOST = "Node lost"


async def node_lost(play: Play) -> dict[tuple[str, int], Seen]:
    """Lose the node under two runs, and get it back when their pods have been given up."""
    toleration = {
        "key": "node.kubernetes.io/unreachable",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 0,
    }
    runs = [await play.begin(retries, script(), tolerations=[toleration]) for retries in (0, 1)]
    pods = await asyncio.gather(*(play.running(run) for run in runs))
    lost = play.cluster.lost_node()
    await run_sync(lost.__enter__)
    try:
        await play.until(
            lambda: not any(pod in play.seen[str(run.id)].alive for run, pod in zip(runs, pods, strict=True)),
            "the loss of the pods",
        )
    finally:
        await run_sync(lost.__exit__, None, None, None)
    await play.replaced(runs[1], pods[1])
    seen = await asyncio.gather(*map(play.end, runs))
    return {(LOST, retries): each for retries, each in enumerate(seen)}


async def play_all(cluster: KubernetesCluster, namespace: str, image: str) -> dict[tuple[str, int], Seen | Exception]:
    """Play all causes, with and without retries."""
    async with get_client() as client:
        play = Play(cluster, namespace, image, client)
        await play.open()
        cells = [(cause, retries) for cause in CAUSES for retries in (0, 1)]
        places = asyncio.Semaphore(AT_A_TIME)

        async def played_in_turn(cause: str, retries: int) -> Seen:
            async with places:
                return await CAUSES[cause](play, retries)

        async with play.worker():
            played = await asyncio.gather(*(played_in_turn(*cell) for cell in cells), return_exceptions=True)
            results: dict[tuple[str, int], Any] = dict(zip(cells, played, strict=True))
            if cluster.is_ours:
                results |= await node_lost(play)
    return results
