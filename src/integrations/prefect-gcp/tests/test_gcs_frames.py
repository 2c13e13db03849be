"""Data frames: what is uploaded is read back by pandas, in every format."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from prefect_gcp import errors
from prefect_gcp.cloud_storage import DataFrameSerializationFormat as Format
from prefect_gcp.cloud_storage import GcsBucket

pd: Any = pytest.importorskip("pandas", reason="The data frames are those of pandas.")

FRAME: Any = pd.DataFrame({"name": ["Ada", "Ü"], "born": [1815, 1912], "note": ["a,b", None]})


def read(kind: Format, content: bytes) -> Any:
    if kind.format == "parquet":
        return pd.read_parquet(io.BytesIO(content))
    return pd.read_csv(io.BytesIO(gzip.decompress(content) if kind.compression else content))


@pytest.mark.parametrize("kind", list(Format), ids=lambda kind: kind.name)
async def test_a_frame_comes_back_in_every_format(gcs_bucket: GcsBucket, behind: Any, call: Any, kind: Format) -> None:
    for given in (kind, kind.name.lower(), kind.name):
        key = await call(gcs_bucket, "upload_from_dataframe", FRAME, "x/people", given)
        assert key == f"base/x/people{kind.suffix}"
        pd.testing.assert_frame_equal(read(kind, behind.get(key)), FRAME, check_dtype=False)
        assert behind.blob(key).content_type == kind.content_type


def test_the_usual_format_is_csv_in_gzip(gcs_bucket: GcsBucket) -> None:
    assert gcs_bucket.upload_from_dataframe(FRAME, "people") == "base/people.csv.gz"


@pytest.mark.parametrize(
    ("kind", "compression"),
    [(Format.PARQUET, "UNCOMPRESSED"), (Format.PARQUET_SNAPPY, "SNAPPY"), (Format.PARQUET_GZIP, "GZIP")],
)
def test_parquet_is_compressed_as_it_says(gcs_bucket: GcsBucket, behind: Any, kind: Format, compression: str) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    key = gcs_bucket.upload_from_dataframe(FRAME, "p", kind)
    group = parquet.ParquetFile(io.BytesIO(behind.get(key))).metadata.row_group(0)
    assert group.column(0).compression == compression


def test_an_empty_frame_keeps_its_columns(gcs_bucket: GcsBucket, behind: Any) -> None:
    key = gcs_bucket.upload_from_dataframe(FRAME.iloc[:0], "empty", "csv")
    assert behind.get(key) == b"name,born,note\n"


def test_equal_frames_make_equal_objects(gcs_bucket: GcsBucket, behind: Any) -> None:
    keys = [gcs_bucket.upload_from_dataframe(FRAME, name, "csv_gzip") for name in ("a", "b")]
    assert behind.get(keys[0]) == behind.get(keys[1])


def test_options_of_the_upload_are_passed_on(gcs_bucket: GcsBucket, behind: Any) -> None:
    key = gcs_bucket.upload_from_dataframe(FRAME, "a", "csv", content_type="text/x", if_generation_match=0)
    assert behind.blob(key).content_type == "text/x"
    with pytest.raises(errors.GcpPreconditionFailed):
        gcs_bucket.upload_from_dataframe(FRAME, "a", "csv", if_generation_match=0)


@pytest.mark.parametrize("bad", ["xlsx", "csv.gz", "", 7, None])
async def test_an_unknown_format_is_refused_with_the_known_ones(gcs_bucket: GcsBucket, call: Any, bad: Any) -> None:
    with pytest.raises(ValueError, match=r"serialization_format is .*csv, csv_gzip, parquet, parquet_gzip"):
        await call(gcs_bucket, "upload_from_dataframe", FRAME, "a", bad)


@pytest.mark.parametrize("bad", [{"a": [1]}, [1], "a,b", None], ids=["dict", "list", "text", "nothing"])
async def test_what_is_no_frame_is_refused(gcs_bucket: GcsBucket, behind: Any, call: Any, bad: Any) -> None:
    with pytest.raises(TypeError, match=f"{type(bad).__name__}, not a pandas DataFrame"):
        await call(gcs_bucket, "upload_from_dataframe", bad, "a")
    assert behind.keys() == []


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        (Format.CSV, "a", "a.csv"),
        (Format.CSV, "a.csv", "a.csv"),
        (Format.CSV_GZIP, "x/a.csv", "x/a.csv.gz"),
        (Format.CSV, "a.csv.gz", "a.csv"),
        (Format.PARQUET, "a.snappy.parquet", "a.parquet"),
        (Format.PARQUET_SNAPPY, "a.parquet", "a.snappy.parquet"),
        (Format.PARQUET_GZIP, "a.gz.parquet", "a.gz.parquet"),
        (Format.PARQUET_GZIP, "a.txt", "a.gz.parquet"),
        (Format.CSV, "a.json.gz", "a.csv"),
        (Format.CSV, "report-v1.2", "report-v1.2.csv"),
        (Format.CSV, "dotted.folder/a", "dotted.folder/a.csv"),
        (Format.CSV, "./x//a.xls", "./x//a.csv"),
        (Format.CSV, ".csv", ".csv.csv"),
        (Format.CSV_GZIP, "x/day/", "x/day.csv.gz"),
    ],
)
def test_a_path_gets_the_ending_of_the_format(kind: Format, path: str, expected: str) -> None:
    assert kind.fix_extension_with(path) == expected
    assert kind.fix_extension_with(expected) == expected or path == ".csv"


def test_formats_say_what_they_are() -> None:
    assert [(kind.format, kind.compression, kind.suffix) for kind in Format] == [
        ("csv", None, ".csv"),
        ("csv", "gzip", ".csv.gz"),
        ("parquet", None, ".parquet"),
        ("parquet", "snappy", ".snappy.parquet"),
        ("parquet", "gzip", ".gz.parquet"),
    ]
