"""The request for a custom job, made from a configuration's `job_spec` and checked against the SDK's own classes.

`job_spec` is a `CustomJobSpec` (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec) in the
spelling of Python or of the REST API, with three fields of the worker's own beside it: `service_account_name`,
`maximum_run_time_hours` and `encryption_spec`. Fields of value `null` are left out; one that Vertex AI does not have
is refused by name, so that nothing is ignored in silence.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import CustomJob

_DURATION = "google.protobuf.Duration"
_NANOS = Decimal("0.000000001")
# Numbers of descriptor types: https://protobuf.dev/reference/python/python-generated
_TYPE_ENUM = 14
_TYPE_MESSAGE = 11


def custom_job(job_spec: Mapping[str, Any], *, display_name: str, labels: Mapping[str, str]) -> CustomJob:
    """Make the job to create.

    Args:
        job_spec: The configuration's, prepared for a flow run.
        display_name: Name for people, of at most 128 characters.
        labels: Labels that Vertex AI accepts.

    Raises:
        ValueError: If a field is unknown or its value does not fit; the message names it.
    """
    from google.cloud.aiplatform_v1.types.custom_job import CustomJob
    from google.protobuf.json_format import ParseDict, ParseError

    spec = {_snake(name): value for name, value in job_spec.items()}
    encryption = spec.pop("encryption_spec", None)
    fields: dict[str, Any] = {"job_spec": _with_own_fields(spec)}
    if encryption is not None:
        fields["encryption_spec"] = encryption
    cls: Any = CustomJob
    message: Any = cls.pb(cls())
    known = _cleaned(message.DESCRIPTOR, fields, "")
    _check_accelerators(known["job_spec"])
    try:
        ParseDict({**known, "display_name": display_name, "labels": dict(labels)}, message)
    except ParseError as exc:
        raise ValueError(f"job_spec does not fit Vertex AI's CustomJobSpec: {exc}") from exc
    return cls.wrap(message)


def _with_own_fields(spec: dict[str, Any]) -> dict[str, Any]:
    """Put the worker's own fields where Vertex AI has them; what a field of Vertex AI's says already, stands."""
    account = spec.pop("service_account_name", None)
    if account and not spec.get("service_account"):
        spec["service_account"] = account
    hours = spec.pop("maximum_run_time_hours", None)
    given = _object(spec.get("scheduling") or {}, "job_spec.scheduling")
    scheduling = {_snake(str(name)): value for name, value in given.items()}
    if hours is not None and scheduling.get("timeout") is None:
        scheduling["timeout"] = _hours(hours)
    spec["scheduling"] = scheduling
    return spec


def _hours(value: Any) -> str:
    try:
        hours = Decimal(str(value))
    except InvalidOperation:
        hours = Decimal(0)
    if isinstance(value, bool) or not hours.is_finite() or hours <= 0:
        raise ValueError(f"job_spec.maximum_run_time_hours is {value!r}; give a number of hours above 0.")
    return _seconds(hours * 3600)


def _cleaned(descriptor: Any, fields: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Leave out what is `None`, and bring names, durations and enums into the form that protobuf's JSON has."""
    by_name = {field.name: field for field in descriptor.fields}
    cleaned: dict[str, Any] = {}
    for given, value in fields.items():
        name = _snake(str(given))
        field = by_name.get(name) or by_name.get(f"{name}_")
        if field is None:
            raise ValueError(_unknown(f"{path}{given}", name, sorted(by_name), descriptor.name))
        if value is not None:
            cleaned[field.name] = _value(field, value, f"{path}{name}")
    return cleaned


def _value(field: Any, value: Any, path: str) -> Any:
    if field.type == _TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
        return {key: item for key, item in _object(value, path).items() if item is not None}
    if _is_repeated(field):
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            raise ValueError(f"{path} is {value!r}; give a list.")
        items = cast("Sequence[Any]", value)
        return [_item(field, item, f"{path}[{index}]") for index, item in enumerate(items) if item is not None]
    return _item(field, value, path)


def _item(field: Any, value: Any, path: str) -> Any:
    if field.type == _TYPE_ENUM:
        return _enum(field.enum_type, value, path)
    if field.type != _TYPE_MESSAGE:
        return value
    if field.message_type.full_name == _DURATION:
        return _duration(value, path)
    if field.message_type.full_name.startswith("google.protobuf."):
        return value
    return _cleaned(field.message_type, _object(value, path), f"{path}.")


def _is_repeated(field: Any) -> bool:
    known = getattr(field, "is_repeated", None)  # `label`, of older releases, is deprecated
    return field.label == field.LABEL_REPEATED if known is None else bool(known)


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} is {value!r}; give an object.")  # noqa: TRY004 - a user's value
    return cast("Mapping[str, Any]", value)


def _enum(enum: Any, value: Any, path: str) -> Any:
    names = list(enum.values_by_name)
    if isinstance(value, str) and value.upper() in names:
        return value.upper()
    if not isinstance(value, bool) and value in enum.values_by_number:
        return value
    raise ValueError(f"{path} is {value!r}; Vertex AI knows {', '.join(names[1:])}.")


def _duration(value: Any, path: str) -> str:
    """Write a duration as protobuf's JSON does: `3600s`. It may be given so, as a number of seconds, or in parts."""
    if isinstance(value, timedelta):
        return _seconds(Decimal(str(value.total_seconds())))
    if isinstance(value, Mapping):
        parts = cast("Mapping[str, Any]", value)
        if parts and not parts.keys() - {"seconds", "nanos"}:
            with contextlib.suppress(InvalidOperation):
                seconds, nanos = (Decimal(str(parts.get(part) or 0)) for part in ("seconds", "nanos"))
                return _seconds(seconds + nanos * _NANOS)
    elif not isinstance(value, bool):
        text = str(value)
        try:
            return _seconds(Decimal(text.removesuffix("s")))
        except InvalidOperation:
            pass
    raise ValueError(f"{path} is {value!r}; give a number of seconds, such as 3600 or '3600s'.")


def _seconds(value: Decimal) -> str:
    if not value.is_finite():
        raise InvalidOperation
    return f"{value.quantize(_NANOS).normalize():f}s"


def _check_accelerators(spec: Mapping[str, Any]) -> None:
    for index, pool in enumerate(spec.get("worker_pool_specs", ())):
        machine: dict[str, Any] = pool.get("machine_spec") or {}
        if machine.get("accelerator_count") and not machine.get("accelerator_type"):
            at = f"job_spec.worker_pool_specs[{index}].machine_spec"
            raise ValueError(
                f"{at}.accelerator_count is {machine['accelerator_count']}, but there is no accelerator_type. Set "
                "both, or neither."
            )


def _unknown(path: str, name: str, known: Sequence[str], message: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
    return f"{path}: Vertex AI's {message} has no such field. {hint}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
