"""Data frames as files: the formats, and how a pandas frame is written in each."""

from __future__ import annotations

import io
import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.extras import is_installed

if TYPE_CHECKING:
    from pandas import DataFrame


class DataFrameSerializationFormat(Enum):
    """File formats that `GcsBucket.upload_from_dataframe` writes, with their compression.

    Attributes:
        CSV: Comma-separated values, not compressed.
        CSV_GZIP: Comma-separated values in a gzip file.
        PARQUET: Parquet, not compressed.
        PARQUET_SNAPPY: Parquet, compressed by Snappy.
        PARQUET_GZIP: Parquet, compressed by gzip.
    """

    CSV = ("csv", None, "text/csv", ".csv")
    CSV_GZIP = ("csv", "gzip", "application/x-gzip", ".csv.gz")
    PARQUET = ("parquet", None, "application/octet-stream", ".parquet")
    PARQUET_SNAPPY = ("parquet", "snappy", "application/octet-stream", ".snappy.parquet")
    PARQUET_GZIP = ("parquet", "gzip", "application/octet-stream", ".gz.parquet")

    @property
    def format(self) -> str:
        """The file format: `csv` or `parquet`."""
        return self.value[0]

    @property
    def compression(self) -> str | None:
        """The compression: `gzip`, `snappy`, or `None`."""
        return self.value[1]

    @property
    def content_type(self) -> str:
        """The content type of the object."""
        return self.value[2]

    @property
    def suffix(self) -> str:
        """What the object's name ends in."""
        return self.value[3]

    def fix_extension_with(self, gcs_blob_path: str) -> str:
        """Give a path the ending of this format.

        It replaces the ending of any of the formats, `.csv.gz` as a whole, or another extension.

        Args:
            gcs_blob_path: Path of the object.

        Returns:
            The path with the ending.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import DataFrameSerializationFormat

            DataFrameSerializationFormat.PARQUET_GZIP.fix_extension_with("reports/today.csv")
            # 'reports/today.gz.parquet'
            ```
        """
        folder, slash, name = gcs_blob_path.rstrip("/").rpartition("/")
        return f"{folder}{slash}{_stem(name)}{self.suffix}"


# The longest first, so that none leaves a part of another behind.
_ENDINGS = sorted((member.suffix for member in DataFrameSerializationFormat), key=len, reverse=True)
# Begins with a letter: `v1.2` has no extension.
_EXTENSION = re.compile(r"(?<=.)(\.[A-Za-z][A-Za-z0-9]{0,9})?(\.gz|\.snappy)?$")


def _stem(name: str) -> str:
    for ending in _ENDINGS:
        if name.endswith(ending) and name != ending:
            return name[: -len(ending)]
    return _EXTENSION.sub("", name, count=1)


def read_format(value: str | DataFrameSerializationFormat) -> DataFrameSerializationFormat:
    """Find a format by its name, in either case.

    Raises:
        ValueError: If there is no such format.
    """
    if isinstance(value, DataFrameSerializationFormat):
        return value
    names = {member.name: member for member in DataFrameSerializationFormat}
    found = names.get(value.upper()) if isinstance(value, str) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    if found is None:
        raise ValueError(
            f"serialization_format is {value!r}; it must be one of {', '.join(sorted(map(str.lower, names)))}."
        )
    return found


def write_frame(frame: DataFrame, kind: DataFrameSerializationFormat) -> io.BytesIO:
    """Write a data frame in a format. The index is left out.

    Args:
        frame: A pandas data frame.
        kind: The format.

    Returns:
        The file, at its begin.

    Raises:
        TypeError: If `frame` is no pandas data frame.
        ImportError: If pandas needs a distribution for the format that is not installed.
    """
    methods: Any = frame  # anybody may hand anything over
    if not (callable(getattr(methods, "to_csv", None)) and callable(getattr(methods, "to_parquet", None))):
        raise TypeError(
            f"df is a {type(methods).__name__}, not a pandas DataFrame. Make one of it: pandas.DataFrame(df)."
        )
    buffer = io.BytesIO()
    if kind.format == "csv":
        compression: Any = {"method": "gzip", "mtime": 0} if kind.compression else None  # equal frames, equal objects
        methods.to_csv(buffer, index=False, compression=compression)
    else:
        if not (is_installed("pyarrow") or is_installed("fastparquet")):
            raise ImportError('Parquet needs pyarrow. Install it: pip install "pyarrow"')
        methods.to_parquet(buffer, index=False, compression=kind.compression)
    buffer.seek(0)
    return buffer
