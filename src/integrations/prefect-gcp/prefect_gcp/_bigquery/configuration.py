"""Job configurations, from dictionaries of plain values."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ..errors import GcpInvalidRequest
from .parameters import query_parameters
from .sdk import BigQueryWrongType, bigquery_sdk

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJobConfig, QueryJobConfig

# Options that are objects of the SDK, and what makes one of a dictionary.
_CLASSES = {
    "csv_options": "CSVOptions",
    "destination_encryption_configuration": "EncryptionConfiguration",
    "hive_partitioning": "HivePartitioningOptions",
    "parquet_options": "ParquetOptions",
    "range_partitioning": "RangePartitioning",
    "time_partitioning": "TimePartitioning",
}
_PUBLIC = frozenset({"to_api_repr", "from_api_repr"})


class BigQueryUnknownOption(GcpInvalidRequest, AttributeError):
    """A job configuration has no such option."""


def query_configuration(options: Any, query_params: Any = None) -> QueryJobConfig:
    """Make the configuration of a query.

    Args:
        options: Options of `google.cloud.bigquery.QueryJobConfig` by name, or such an object. It is not changed.
        query_params: Parameters, which win over those of `options`.

    Raises:
        GcpInvalidRequest: If an option is unknown or has a wrong value; the message names it.
    """
    made: QueryJobConfig = _configuration("QueryJobConfig", options)
    if query_params:
        made.query_parameters = query_parameters(query_params)
    return made


def load_configuration(options: Any, schema: Any = None) -> LoadJobConfig:
    """Make the configuration of a load; types are detected unless it says otherwise.

    Args:
        options: Options of `google.cloud.bigquery.LoadJobConfig` by name, or such an object. It is not changed.
        schema: The table's fields, which win over those of `options`.

    Raises:
        GcpInvalidRequest: If an option is unknown or has a wrong value; the message names it.
    """
    made: LoadJobConfig = _configuration("LoadJobConfig", options)
    untyped: Any = made
    if untyped.autodetect is None:
        untyped.autodetect = True
    if schema:
        made.schema = schema_fields(schema)
    return made


def _configuration(name: str, options: Any) -> Any:
    cls: Any = getattr(bigquery_sdk(), name)
    if options is None:
        return cls()
    if isinstance(options, cls):
        return copy.deepcopy(options)
    if not isinstance(options, Mapping):
        raise BigQueryWrongType(
            f"job_config is {type(options).__name__}; give a dictionary of options of "
            f"google.cloud.bigquery.{name}, or such an object."
        )
    made = cls()
    for option, value in cast("Mapping[Any, Any]", options).items():
        _set(made, option, copy.deepcopy(value))
    return made


def _set(config: Any, option: Any, value: Any) -> None:
    known = _options_of(cast("Any", type(config)))
    if option not in known:
        near = difflib.get_close_matches(str(option), known, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(sorted(known))}."
        raise BigQueryUnknownOption(f"job_config: {type(config).__name__} has no option {option!r}. {hint}")
    try:
        setattr(config, option, _object(option, value))
    except GcpInvalidRequest:
        raise
    except Exception as exc:
        # The SDK says no more than that an attribute of a `str` is missing.
        raise BigQueryWrongType(
            f"job_config: the value of {option!r}, of type {type(value).__name__}, is not accepted: {exc}. See "
            f"https://cloud.google.com/python/docs/reference/bigquery/latest/google.cloud.bigquery.job."
            f"{type(config).__name__}"
        ) from exc


def _options_of(cls: type) -> frozenset[str]:
    names = (name for base in cls.__mro__ for name, member in vars(base).items() if getattr(member, "fset", None))
    return frozenset(names) - _PUBLIC


def _object(option: str, value: Any) -> Any:
    bigquery = bigquery_sdk()
    if option == "schema" and value is not None:
        return schema_fields(value)
    if option == "query_parameters":
        return query_parameters(value)
    if isinstance(value, str) and option == "destination":
        return bigquery.TableReference.from_string(value)
    if isinstance(value, str) and option == "default_dataset":
        return bigquery.DatasetReference.from_string(value)
    name = _CLASSES.get(option)
    if name is None or not isinstance(value, Mapping):
        return value
    return _filled(option, getattr(bigquery, name, None) or _external(name), cast("Mapping[str, Any]", value))


def _external(name: str) -> Any:
    from google.cloud.bigquery import external_config

    return getattr(external_config, name)


def _filled(option: str, cls: Any, members: Mapping[str, Any]) -> Any:
    """Make an object of the SDK of a dictionary: in the spelling of Python's attributes, or of the REST API."""
    known = _options_of(cls)
    if not all(name in known for name in members):
        if any("_" in name for name in members):
            unknown = ", ".join(sorted(set(members) - known))
            raise BigQueryUnknownOption(
                f"job_config: {option!r} has no member {unknown}. Known are: {', '.join(sorted(known))}."
            )
        return cls.from_api_repr(dict(members))
    made = cls()
    for name, value in members.items():
        setattr(made, name, value)
    return made


def schema_fields(schema: Any) -> list[Any]:
    """Make fields of a schema.

    Args:
        schema: Objects `google.cloud.bigquery.SchemaField`, or dictionaries in the form of the REST API.

    Raises:
        BigQueryWrongType: If one of them is something else; the message names its place.
    """
    field: Any = bigquery_sdk().SchemaField
    if isinstance(schema, str | bytes | Mapping) or not hasattr(schema, "__iter__"):
        raise BigQueryWrongType(f"schema is {type(cast('Any', schema)).__name__}; give a list of SchemaField.")
    made: list[Any] = []
    for index, item in enumerate(schema):
        if isinstance(item, field):
            made.append(item)
        elif isinstance(item, Mapping) and {"name", "type"} <= set(cast("Mapping[str, Any]", item)):
            made.append(field.from_api_repr(dict(cast("Mapping[str, Any]", item))))
        else:
            kind = type(cast("Any", item)).__name__
            raise BigQueryWrongType(
                f"schema[{index}] is {kind}; give a google.cloud.bigquery.SchemaField, or a dictionary with 'name' and "
                "'type'."
            )
    return made
