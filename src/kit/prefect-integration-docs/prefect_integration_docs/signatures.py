"""Write signatures as they would stand in the source."""

from __future__ import annotations

from prefect_integration_docs.model import Parameter, Signature

MAX_WIDTH = 88
_STARS = {"variadic positional": "*", "variadic keyword": "**"}


def render(name: str, signature: Signature) -> str:
    """Write a signature in one line, or one parameter a line where that is too long.

    Args:
        name: Name of the function.
        signature: Its parameters and what it returns.
    """
    head = f"{'async ' if signature['is_async'] else ''}{name}("
    tail = ")" + (f" -> {signature['returns']}" if signature["returns"] is not None else "")
    parts = _parts(signature["parameters"])
    line = head + ", ".join(parts) + tail
    if len(line) <= MAX_WIDTH or not parts:
        return line
    return "\n".join([head, *(f"    {part}," for part in parts), tail])


def _parts(parameters: list[Parameter]) -> list[str]:
    """Write the parameters, with `/` and `*` where they change what a caller may do."""
    parts: list[str] = []
    before = ""
    has_star = False
    for parameter in parameters:
        kind = parameter["kind"]
        if before == "positional-only" and kind != before:
            parts.append("/")
        if kind == "variadic positional":
            has_star = True
        elif kind == "keyword-only" and not has_star:
            parts.append("*")
            has_star = True
        parts.append(_part(parameter))
        before = kind
    if before == "positional-only":
        parts.append("/")
    return parts


def _part(parameter: Parameter) -> str:
    text = _STARS.get(parameter["kind"], "") + parameter["name"]
    annotation, default = parameter["annotation"], parameter["default"]
    if annotation is not None:
        text += f": {annotation}"
    if default is not None:
        text += f" = {default}" if annotation is not None else f"={default}"
    return text
