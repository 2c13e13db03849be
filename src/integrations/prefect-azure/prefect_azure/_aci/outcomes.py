"""Say how a container group ended, or why it did not come to run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from prefect_integration_kit.outcomes import meaning_of, sentence

from .views import ContainerView, DeploymentView, EventView, GroupView

UNKNOWN_EXIT_CODE = 1
"""Status code of a container group that ended without its container's exit code."""

# What Azure says of it: https://learn.microsoft.com/azure/container-instances/container-instances-troubleshooting
_REMEDIES = (
    (
        re.compile(r"oomkilled|out of memory", re.IGNORECASE),
        "The container was killed for want of memory: raise `memory`, or let the flow use less.",
    ),
    (
        re.compile(
            r"inaccessibleimage|failed to pull image|errimagepull|imagepullbackoff|manifest unknown|image.*not found|"
            r"unauthorized: |registryerrorresponse",
            re.IGNORECASE,
        ),
        (
            "Check `image`: its registry, name and tag, and that it is there for linux/amd64. For a private registry "
            "give `image_registry`, and the identity the role AcrPull."
        ),
    ),
    (
        re.compile(r"quota|ResourceRequestsNotAvailable|servicequota", re.IGNORECASE),
        (
            "Ask for less `cpu` and `memory`, choose another region, delete container groups that are not needed, or "
            "ask for a higher quota "
            "(https://learn.microsoft.com/azure/container-instances/container-instances-quotas)."
        ),
    ),
    (
        re.compile(r"not available in the location|capacity", re.IGNORECASE),
        "Ask for less `cpu` and `memory`, or choose another region.",
    ),
    (
        re.compile(r"userAssignedIdentities/assign|LinkedAuthorizationFailed", re.IGNORECASE),
        "Give the worker's identity the role Managed Identity Operator on each of `identities`.",
    ),
    (
        re.compile(r"subnets?/(join|action)|delegat", re.IGNORECASE),
        (
            "Delegate each of `subnet_ids` to Microsoft.ContainerInstance/containerGroups, and give the worker's "
            "identity the role Network Contributor on it."
        ),
    ),
)


def remedy_for(text: str) -> str:
    """What to do about what Azure says; empty where that is not known."""
    return next((remedy for pattern, remedy in _REMEDIES if pattern.search(text)), "")


def exit_code_of(group: GroupView) -> int:
    """The exit code of the container that runs the flow, or 1 where it has none."""
    main = group.main
    if main is not None and main.exit_code is not None:
        return main.exit_code
    return 0 if group.state == "Succeeded" else UNKNOWN_EXIT_CODE


def message_of(group: GroupView) -> str:
    """Say what happened, the exit code, the remedy when there is a known one.

    Args:
        group: A group that has ended.
    """
    title = f"Container group {group.name!r}"
    exit_code = exit_code_of(group)
    main = group.main
    if exit_code == 0:
        return f"{title} succeeded."
    if main is None or main.exit_code is None:
        was_stopped = group.state == "Stopped"
        parts = [f"{title} was stopped." if was_stopped else f"{title} failed, and its container has no exit code."]
    else:
        said = f"Its container {main.name!r} exited with code {exit_code}"
        if main.detail and main.detail != "Error":
            said += f" ({main.detail})"
        if main.restarts:
            said += f" after {main.restarts} restarts"
        parts = [f"{title} failed.", f"{said}."]
    events = said_by(group)
    parts += [f"Azure says: {sentence(event)}" for event in events]
    told = " ".join([main.detail if main else "", *events])
    # Many exit codes say less than Azure does.
    parts.append(remedy_for(told) or meaning_of(exit_code))
    return " ".join(part for part in parts if part)


def said_by(group: GroupView) -> list[str]:
    """The last warnings about a group and the container that runs the flow, at most two."""
    main = [group.main] if group.main is not None else []
    events: list[EventView] = [*group.events, *(event for item in _containers(group, main) for event in item.events)]
    warnings = [event.message or event.name for event in events if event.is_warning]
    return list(dict.fromkeys(warnings))[-2:]


def _containers(group: GroupView, main: Iterable[ContainerView]) -> list[ContainerView]:
    """Those that matter: init containers first, since the others wait for them."""
    return [*group.init_containers, *main]


def failure_of(name: str, group: GroupView | None, deployment: DeploymentView | None) -> str:
    """Say why a container group did not come to run.

    Args:
        name: Its name.
        group: What there is of it.
        deployment: Its deployment.
    """
    said = [*(said_by(group) if group is not None else [])]
    if deployment is not None and deployment.error:
        said.insert(0, deployment.error)
    reasons = " ".join(sentence(text) for text in dict.fromkeys(said)) or "Azure gives no reason."
    codes = sorted(deployment.error_codes) if deployment is not None else []
    where = f" ({', '.join(codes)})" if codes else ""
    remedy = remedy_for(" ".join([*codes, reasons]))
    return " ".join(
        part for part in (f"Container group {name!r} could not be started: {reasons}{where}", remedy) if part
    )
