"""What azureml-core says in its exceptions, in one form."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, cast

from prefect_integration_kit.sdk_errors import causes

_USER_ERROR = re.compile(r"^\s*\(UserError\)\s*")
_STATUS = re.compile(r"\bstatus[ _]?code\W{1,4}(\d{3})\b", re.IGNORECASE)


class MlWords(NamedTuple):
    """Message, HTTP status and error code of a failure; the status is `None` and the code empty where not known."""

    message: str
    http_status: int | None
    code: str


def read_azureml(exc: BaseException) -> MlWords:
    """Read an exception of azureml-core.

    Args:
        exc: One of azureml-core, or of msrest below it.
    """
    said = str(getattr(exc, "message", None) or exc).strip()
    status, code, message = _of_response(exc)
    inner = _loaded(said)
    if inner is not None:
        error = _error_of(inner)
        code, message = str(error.get("code") or code), str(error.get("message") or message)
        status = status or _number(inner.get("status_code"))
    elif not message or "\n" not in said:
        message = said
    status = status or _number(next(iter(_STATUS.findall(said)), None))
    if status is None and "not found" in message.lower():
        status = 404
    return MlWords(_USER_ERROR.sub("", message or said), status, "" if code == "UserError" else code)


def _of_response(exc: BaseException) -> tuple[int | None, str, str]:
    for each in causes(exc):
        response: Any = getattr(each, "response", None)
        status = _number(getattr(response, "status_code", None))
        if status is None:
            continue
        text: Any = getattr(response, "text", "")
        error = _error_of(_loaded(text if isinstance(text, str) else "") or {})
        return status, str(error.get("code") or ""), str(error.get("message") or "")
    return None, "", ""


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        loaded: Any = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else None


def _error_of(body: dict[str, Any]) -> dict[str, Any]:
    for name in ("error_details", "error"):
        inner: Any = body.get(name)
        if isinstance(inner, dict):
            return _error_of(cast("dict[str, Any]", inner))
    return body


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdigit() else None
