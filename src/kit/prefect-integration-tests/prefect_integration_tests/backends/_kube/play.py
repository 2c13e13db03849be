"""Scheduler, node and kubelet of a played cluster: what becomes of pods, as a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .admission import record_event
from .defaults import new_uid, now
from .deletion import DeleteOptions, Deletions, evict, set_condition
from .jobs import After, JobController
from .json import Json
from .logs import Logs
from .pods import container_status, containers_of, end_containers, restart_containers, terminated_state
from .selectors import Match
from .status import not_found
from .store import Change, Selection, Store, Stored

_OVER = ("Succeeded", "Failed")
NODE = "node1"


@dataclass(frozen=True)
class PodScript:
    """What becomes of each new pod by itself."""

    start_seconds: float = 0.0
    """Seconds until its containers run."""

    run_seconds: float | None = 0.0
    """Seconds until they end; `None`: they run until the test, or a deletion, ends them."""

    exit_code: int = 0
    logs: str = ""
    """What the first container writes when it starts."""


class Play:
    """Plays the cluster behind the API server.

    A pod is named by its own name, or by the name of its job, which stands for the newest pod of the job. Jobs get
    their pods by themselves; these stay pending until the test, or `automatic`, says what becomes of them.
    """

    def __init__(self, store: Store, deletions: Deletions, controller: JobController, logs: Logs, after: After) -> None:
        """Play behind a store."""
        self._store = store
        self._deletions = deletions
        self._controller = controller
        self._logs = logs
        self._after = after
        self.automatic: PodScript | Callable[[Json], PodScript | None] | None = None
        """What becomes of new pods by itself: a script, or a function of the pod; `None`: they stay pending."""

        self.termination_seconds: float | None = 0.0
        """Seconds that containers take to end when asked; `None`: they end when the test calls `terminate`."""

        self.is_delivering_events = True
        """Do scheduler and kubelet write Kubernetes events?"""

        store.controllers.append(self._notice)
        deletions.stop_pod = self._stop

    @property
    def backoff_seconds(self) -> float:
        """Seconds before the job controller replaces a failed pod; none by default, 10 and more in reality."""
        return self._controller.backoff_seconds

    @backoff_seconds.setter
    def backoff_seconds(self, seconds: float) -> None:
        self._controller.backoff_seconds = seconds

    @property
    def counts_deleted_pods(self) -> bool:
        """Does a deleted pod count as a failure of its job, as from Kubernetes 1.26 on? Before, it is replaced."""
        return self._controller.counts_deleted_pods

    @counts_deleted_pods.setter
    def counts_deleted_pods(self, is_so: bool) -> None:
        self._controller.counts_deleted_pods = is_so

    def reset(self) -> None:
        """Forget what was set."""
        self.automatic = None
        self.termination_seconds = 0.0
        self.is_delivering_events = True

    def pods(self, job: str = "", namespace: str = "default") -> list[Json]:
        """Give the pods of a namespace, or of one job in it; oldest first."""
        wanted: list[Match] = [lambda labels: labels.get("batch.kubernetes.io/job-name") == job] if job else []
        found = self._store.select(Selection(self._store.catalogue["pods"], namespace, wanted))
        return [
            pod.data for pod in sorted(found, key=lambda pod: (pod.data["metadata"]["creationTimestamp"], pod.version))
        ]

    def pod(self, name: str, namespace: str = "default") -> Json:
        """Give a pod, by its name or that of its job."""
        return self._find(name, namespace).data

    def job(self, name: str, namespace: str = "default") -> Json:
        """Give a job."""
        return self._store.read(self._store.catalogue["jobs.batch"], namespace, name).data

    def write(self, name: str, text: str, *, container: str = "", namespace: str = "default") -> None:
        """Let a container, the first one by default, write lines to its log."""
        pod = self._find(name, namespace)
        self._logs.write(pod, container or pod.data["spec"]["containers"][0]["name"], text)

    def schedule(self, name: str, namespace: str = "default") -> Json:
        """Give a pod its node."""
        with self._store.step():
            pod = self._find(name, namespace)
            if pod.data["spec"].get("nodeName"):
                return pod.data

            def change(data: Json) -> None:
                data["spec"]["nodeName"] = NODE
                set_condition(data, "PodScheduled", "True")
                statuses = [
                    container_status(each, {"waiting": {"reason": "ContainerCreating"}}) for each in containers_of(data)
                ]
                data["status"].update(startTime=now(), hostIP="192.0.2.1", containerStatuses=statuses)

            pod = self._store.update(pod, change)
            self._say(pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{pod.name} to {NODE}")
            return pod.data

    def start(self, name: str, namespace: str = "default") -> Json:
        """Let a pod's containers run."""
        with self._store.step():
            self.schedule(name, namespace)

            def change(data: Json) -> None:
                statuses = [container_status(each, {"running": {"startedAt": now()}}) for each in containers_of(data)]
                data["status"].update(phase="Running", podIP="192.0.2.10", containerStatuses=statuses)
                for condition in ("Initialized", "Ready", "ContainersReady"):
                    set_condition(data, condition, "True")

            pod = self._store.update(self._find(name, namespace), change)
            for container in containers_of(pod.data):
                self._say(pod, "Normal", "Pulled", f'Container image "{container["image"]}" already present on machine')
                self._say(pod, "Normal", "Created", f"Created container: {container['name']}")
                self._say(pod, "Normal", "Started", f"Started container {container['name']}")
            return pod.data

    def succeed(self, name: str, namespace: str = "default") -> Json:
        """Let all containers end with code 0."""
        return self._end(name, namespace, 0, "Completed")

    def fail(
        self, name: str, exit_code: int = 1, *, reason: str = "Error", message: str = "", namespace: str = "default"
    ) -> Json:
        """Let all containers end with a code other than 0.

        Args:
            name: The pod, or its job.
            exit_code: Exit code of the containers.
            reason: Reason in the status of the containers.
            message: Message in the status of the containers, as from `/dev/termination-log`.
            namespace: Where it is.
        """
        return self._end(name, namespace, exit_code, reason, message)

    def oom_kill(self, name: str, namespace: str = "default") -> Json:
        """Let the kernel kill the containers, since they used more memory than their limit."""
        return self._end(name, namespace, 137, "OOMKilled")

    def evict(self, name: str, namespace: str = "default", *, message: str = "") -> Json:
        """Let the node evict a pod under pressure: it stays there, as Failed with the reason Evicted."""
        message = message or (
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container prefect-job "
            "was using 1Gi, request is 0, has larger consumption of memory. "
        )
        with self._store.step():
            self._kill(self._find(name, namespace), 137, "Evicted", message, "TerminationByKubelet")
            pod = self._find(name, namespace)
            self._say(pod, "Warning", "Evicted", message)
            return pod.data

    def evict_by_api(self, name: str, namespace: str = "default") -> None:
        """Let somebody drain the node: the pod is asked to end, and is gone then."""
        pod = self._find(name, namespace)
        evict(self._store, self._deletions, namespace, pod.name, DeleteOptions())

    def preempt(self, name: str, namespace: str = "default") -> None:
        """Let a pod of higher priority take the place of this one, which is deleted."""
        with self._store.step():
            message = "default-scheduler: preempting to accommodate a higher priority pod"
            pod = self._disrupt(name, namespace, "PreemptionByScheduler", message)
            self._say(pod, "Normal", "Preempted", f"Preempted by pod {new_uid()} on node {NODE}", "default-scheduler")
            self._deletions.delete(pod, DeleteOptions())

    def lose_node(self, name: str, namespace: str = "default") -> Json:
        """Let a pod's node be lost: the pod is not ready, marked for deletion, and stays so until `remove_node`."""
        with self._store.step():
            if self._find(name, namespace).field("status.phase") == "Pending":
                self.start(name, namespace)
            pod = self._find(name, namespace)

            def unready(data: Json) -> None:
                set_condition(data, "Ready", "False", "NodeNotReady")

            pod = self._store.update(pod, unready)
            self._say(pod, "Warning", "NodeNotReady", "Node is not ready", "node-controller")
            pod = self._disrupt(
                name, namespace, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"
            )
            self._say(
                pod,
                "Normal",
                "TaintManagerEviction",
                f"Marking for deletion Pod {namespace}/{pod.name}",
                "taint-eviction-controller",
            )
            seconds, self.termination_seconds = self.termination_seconds, None  # nobody is there to end it
            try:
                self._deletions.delete(pod, DeleteOptions())
            finally:
                self.termination_seconds = seconds
            return self._find(pod.name, namespace).data

    def remove_node(self, name: str, namespace: str = "default") -> None:
        """Let the node of a lost pod be removed: the pod is marked as Failed and deleted by force."""
        with self._store.step():
            pod = self._find(name, namespace)

            def fail(data: Json) -> None:
                data["status"]["phase"] = "Failed"
                message = "PodGC: node no longer exists"
                set_condition(data, "DisruptionTarget", "True", "DeletionByPodGC", message)

            self._deletions.delete(self._store.update(pod, fail), DeleteOptions(grace_seconds=0))

    def delete(self, name: str, namespace: str = "default") -> None:
        """Delete a pod, as by hand."""
        self._deletions.delete(self._find(name, namespace), DeleteOptions())

    def delete_job(self, name: str, namespace: str = "default", propagation: str = "Background") -> None:
        """Delete a job, as by hand."""
        job = self._store.read(self._store.catalogue["jobs.batch"], namespace, name)
        self._deletions.delete(job, DeleteOptions(propagation))

    def terminate(self, name: str, namespace: str = "default", *, exit_code: int = 143) -> None:
        """Let the containers of a pod that is asked to end do so; then it is gone."""
        with self._store.step():
            pod = self._find(name, namespace)
            if pod.field("status.phase") not in _OVER:
                self._kill(pod, exit_code, "Error" if exit_code else "Completed", "", "")
            self._deletions.delete(self._find(pod.name, namespace), DeleteOptions(grace_seconds=0))

    def image_pull_error(self, name: str, namespace: str = "default", *, is_backing_off: bool = True) -> Json:
        """Let the image not be there: the pod stays pending, its container waits."""
        with self._store.step():
            self.schedule(name, namespace)
            reason = "ImagePullBackOff" if is_backing_off else "ErrImagePull"
            pod = self._find(name, namespace)
            image = containers_of(pod.data)[0]["image"]
            cause = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
            message = f'Back-off pulling image "{image}": ErrImagePull: {cause}' if is_backing_off else cause

            def wait(data: Json) -> None:
                waiting = {"waiting": {"reason": reason, "message": message}}
                data["status"]["containerStatuses"] = [container_status(each, waiting) for each in containers_of(data)]

            pod = self._store.update(pod, wait)
            self._say(pod, "Normal", "Pulling", f'Pulling image "{image}"')
            self._say(pod, "Warning", "Failed", f'Failed to pull image "{image}": {cause}')
            self._say(pod, "Warning", "Failed", "Error: ErrImagePull")
            if is_backing_off:
                self._say(pod, "Normal", "BackOff", f'Back-off pulling image "{image}"')
            return pod.data

    def unschedulable(self, name: str, namespace: str = "default", *, message: str = "") -> Json:
        """Let no node fit: the pod stays pending, without a node."""
        message = message or (
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims "
            "found for incoming pod."
        )
        with self._store.step():
            pod = self._store.update(
                self._find(name, namespace),
                lambda data: set_condition(data, "PodScheduled", "False", "Unschedulable", message),
            )
            self._say(pod, "Warning", "FailedScheduling", message, "default-scheduler")
            return pod.data

    def pass_deadline(self, job: str, namespace: str = "default") -> None:
        """Let `activeDeadlineSeconds` of a job be over."""
        self._controller.end_by_deadline(namespace, job, self.job(job, namespace)["metadata"]["uid"])

    def pass_ttl(self, job: str, namespace: str = "default") -> None:
        """Let `ttlSecondsAfterFinished` of a job be over."""
        self._controller.end_by_ttl(self._store.read(self._store.catalogue["jobs.batch"], namespace, job))

    def _find(self, name: str, namespace: str) -> Stored:
        pods = self._store.catalogue["pods"]
        if found := self._store.find(pods, namespace, name):
            return found
        job = self._store.find(self._store.catalogue["jobs.batch"], namespace, name)
        made = self._controller.pods_of(job) if job else []
        if not made:
            raise not_found(pods, name)
        return made[-1]

    def _disrupt(self, name: str, namespace: str, reason: str, message: str) -> Stored:
        pod = self._find(name, namespace)
        return self._store.update(pod, lambda data: set_condition(data, "DisruptionTarget", "True", reason, message))

    def _end(self, name: str, namespace: str, exit_code: int, reason: str, message: str = "") -> Json:
        with self._store.step():
            pod = self._find(name, namespace)
            if pod.field("status.phase") == "Pending":
                self.start(name, namespace)
            pod = self._find(pod.name, namespace)
            terminated = terminated_state(pod.data, exit_code, reason, message)
            policy = pod.data["spec"].get("restartPolicy")
            if policy == "Always" or (policy == "OnFailure" and exit_code):
                return self._store.update(pod, lambda data: restart_containers(data, terminated)).data

            def end(data: Json) -> None:
                data["status"]["phase"] = "Failed" if exit_code else "Succeeded"
                end_containers(data, terminated)
                for condition in ("Ready", "ContainersReady"):
                    set_condition(data, condition, "False", "PodFailed" if exit_code else "PodCompleted")

            return self._store.update(pod, end).data

    def _kill(self, pod: Stored, exit_code: int, reason: str, message: str, disruption: str) -> None:
        def kill(data: Json) -> None:
            data["status"]["phase"] = "Failed" if exit_code else "Succeeded"
            if disruption:
                data["status"].update(reason=reason, message=message)
                set_condition(data, "DisruptionTarget", "True", disruption, message)
            end_containers(data, terminated_state(data, exit_code, "Error" if exit_code else "Completed"))
            set_condition(data, "Ready", "False", "PodFailed")

        self._store.update(pod, kill)

    def _say(self, pod: Stored, kind: str, reason: str, message: str, component: str = "kubelet") -> None:
        if self.is_delivering_events:
            record_event(self._store, pod, kind, reason, message, component)

    def _stop(self, pod: Stored) -> None:
        """Act as the kubelet that is asked to end a pod."""
        self._say(pod, "Normal", "Killing", f"Stopping container {containers_of(pod.data)[0]['name']}")
        seconds = self.termination_seconds
        if seconds is not None:
            key, uid = pod.key, pod.data["metadata"]["uid"]
            self._later(seconds, key, uid, lambda: self.terminate(key[1], key[0]))

    def _notice(self, change: Change) -> None:
        if change.resource.qualified != "pods" or change.kind != "ADDED":
            return
        script = self.automatic(change.new.data) if callable(self.automatic) else self.automatic
        if script is None:
            return
        (namespace, name), uid = change.new.key, change.new.data["metadata"]["uid"]

        def end() -> None:
            if script.exit_code:
                self.fail(name, script.exit_code, namespace=namespace)
            else:
                self.succeed(name, namespace)

        def start() -> None:
            self.start(name, namespace)
            if script.logs:
                self.write(name, script.logs, namespace=namespace)
            if script.run_seconds is not None:
                self._later(script.run_seconds, (namespace, name), uid, end)

        self._later(script.start_seconds, (namespace, name), uid, start)

    def _later(self, seconds: float, key: tuple[str, str], uid: str, act: Callable[[], None]) -> None:
        """Act on a pod after a while, unless it is gone by then."""

        def act_if_there() -> None:
            with self._store.step():
                pod = self._store.find(self._store.catalogue["pods"], *key)
                if pod is not None and pod.data["metadata"]["uid"] == uid:
                    act()

        if seconds:
            self._after(seconds, act_if_there)
        else:
            act_if_there()
