"""GPUs, as `docker run --gpus` names them."""

from __future__ import annotations

from typing import Any


def assert_gpus(gpus: str | int | None) -> str | int | None:
    """Refuse what names no GPUs.

    Raises:
        ValueError: If it cannot be read.
    """
    if gpus is not None:
        device_request(gpus)
    return gpus


def device_request(gpus: str | int) -> dict[str, Any]:
    """Write the engine's request for GPUs.

    Args:
        gpus: `all`, a number, or options with commas between: `device=0`, `"device=0,2"`, `count=2`,
            `driver=nvidia`, `capabilities=utility`. Several values of one option stand together, as in `device=0,2`.

    Returns:
        A `DeviceRequest`, see https://docs.docker.com/reference/api/engine/ (ContainerCreate, HostConfig).

    Raises:
        ValueError: If the text cannot be read.
    """
    text = str(gpus).strip().strip("\"'")
    request: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}
    if text == "all":
        return {**request, "Count": -1}
    if text.isdigit() and int(text) > 0:
        return {**request, "Count": int(text)}
    options = _options(text)
    if not options or set(options) - {"device", "count", "driver", "capabilities"}:
        raise ValueError(f"gpus is {gpus!r}; write all, a number of GPUs, or device=0,2 with numbers or UUIDs.")
    if "device" in options and "count" in options:
        raise ValueError(f"gpus is {gpus!r}; give either count or device, not both.")
    request["Driver"] = ",".join(options.get("driver", []))
    request["DeviceIDs"] = options.get("device", [])
    request["Capabilities"] = [["gpu", *options.get("capabilities", [])]]
    if not request["DeviceIDs"]:
        count = (options.get("count") or ["all"])[0]
        if count != "all" and not count.isdigit():
            raise ValueError(f"gpus is {gpus!r}; count must be a number or all.")
        request["Count"] = -1 if count == "all" else int(count)
    return request


def _options(text: str) -> dict[str, list[str]]:
    """Read `name=value,value,name=value`; nothing when it is not of that form."""
    options: dict[str, list[str]] = {}
    values: list[str] = []
    for part in (piece.strip().strip("\"'") for piece in text.split(",")):
        name, equals, value = part.partition("=")
        if equals:
            values = options.setdefault(name, [])
        elif not options:
            return {}
        if not (value if equals else part):
            return {}
        values.append(value if equals else part)
    return options
