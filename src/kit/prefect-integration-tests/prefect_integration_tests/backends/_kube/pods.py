"""What the status of a played pod says of its containers."""

from __future__ import annotations

from .defaults import now
from .json import Json, items


def containers_of(pod: Json) -> list[Json]:
    """Give the containers of a pod's specification."""
    return pod["spec"]["containers"]


def container_status(container: Json, state: Json, restarts: int = 0) -> Json:
    """Write the status of one container.

    Args:
        container: The container in the specification.
        state: Its state, such as `{"running": {...}}`.
        restarts: How often it was started again.
    """
    is_running = "running" in state
    status: Json = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "" if "waiting" in state else f"{container['image']}@sha256:{'0' * 64}",
        "ready": is_running,
        "started": is_running,
        "restartCount": restarts,
        "state": state,
        "lastState": {},
    }
    if "waiting" not in state:
        status["containerID"] = f"containerd://{container['name']}"
    return status


def terminated_state(pod: Json, exit_code: int, reason: str, message: str = "") -> Json:
    """Write the state of containers that have ended."""
    started = next((each["state"].get("running") for each in items(pod["status"], "containerStatuses")), None)
    terminated: Json = {
        "exitCode": exit_code,
        "reason": reason,
        "startedAt": (started or {}).get("startedAt", now()),
        "finishedAt": now(),
        "containerID": f"containerd://{containers_of(pod)[0]['name']}",
    }
    return {**terminated, "message": message} if message else terminated


def end_containers(data: Json, terminated: Json) -> None:
    """Let all containers have ended."""
    statuses = [container_status(each, {"terminated": terminated}) for each in containers_of(data)]
    data["status"]["containerStatuses"] = statuses


def restart_containers(data: Json, terminated: Json) -> None:
    """Let all containers run again after they ended."""
    restarts = 1 + max((each["restartCount"] for each in items(data["status"], "containerStatuses")), default=0)
    statuses = [container_status(each, {"running": {"startedAt": now()}}, restarts) for each in containers_of(data)]
    for status in statuses:
        status["lastState"] = {"terminated": terminated}
    data["status"]["containerStatuses"] = statuses
