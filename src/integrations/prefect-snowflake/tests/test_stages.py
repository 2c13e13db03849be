"""Files are put on stages, and their rows copied into tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_snowflake import SnowflakeConnector, SnowflakeError, SnowflakeInvalidRequest, SnowflakeObjectNotFound

CSV = {"type": "csv", "skip_header": 1}


@pytest.fixture
def stocked(connector: SnowflakeConnector) -> SnowflakeConnector:
    connector.execute_script("CREATE STAGE deliveries; CREATE TABLE parcels (id INT, country VARCHAR)")
    return connector


@pytest.fixture
def days(tmp_path: Path) -> list[Path]:
    days = [tmp_path / "day 1.csv", tmp_path / "day 2.csv"]
    for number, day in enumerate(days):
        day.write_text(f"id,country\n{2 * number},NO\n{2 * number + 1},PT\n")
    return days


async def test_files_are_put_on_a_stage_and_copied_into_a_table(
    stocked: SnowflakeConnector, days: list[Path], call: Any
) -> None:
    put = await call(stocked, "put_files", days, "@deliveries", auto_compress=False)
    assert [(each.source, each.target, each.status) for each in put] == [
        (day.name, day.name, "UPLOADED") for day in days
    ]
    assert [each.size_bytes for each in put] == [day.stat().st_size for day in days]

    copied = await call(stocked, "copy_into", "parcels", "@deliveries", file_format=CSV)
    assert {(Path(each.file).name, each.status, each.rows_loaded) for each in copied} == {
        (day.name, "LOADED", 2) for day in days
    }
    assert stocked.fetch_all("SELECT * FROM parcels ORDER BY id") == [(0, "NO"), (1, "PT"), (2, "NO"), (3, "PT")]


async def test_what_a_table_has_got_is_not_copied_again(
    stocked: SnowflakeConnector, days: list[Path], call: Any
) -> None:
    stocked.put_files(days[0], "@deliveries/today/", auto_compress=False)
    rows: list[int] = []
    for is_forced in (False, False, True):
        copied = await call(stocked, "copy_into", "parcels", "@deliveries/today/", file_format=CSV, force=is_forced)
        rows.append(sum(each.rows_loaded for each in copied))
    assert rows == [2, 0, 2]
    assert stocked.fetch_one("SELECT COUNT(*) FROM parcels") == (4,)


def test_no_name_of_a_file_is_a_pattern_or_ends_the_statement(
    stocked: SnowflakeConnector, snowflake_server: Any, tmp_path: Path
) -> None:
    odd = tmp_path / "day's [1]*\\.csv"
    odd.touch()
    with pytest.raises(SnowflakeObjectNotFound):
        stocked.put_files(odd, "@nowhere", overwrite=True, parallel=9)
    assert snowflake_server.queries_like("PUT")[-1].sql == (
        f"PUT 'file://{tmp_path}/day''s [[]1][*]\\\\.csv' @nowhere PARALLEL = 9 AUTO_COMPRESS = TRUE OVERWRITE = TRUE"
    )


def test_files_that_are_copied_are_removed(stocked: SnowflakeConnector, days: list[Path]) -> None:
    stocked.put_files(days, "@deliveries", auto_compress=False)
    copied = stocked.copy_into("parcels", "@deliveries", columns=["id", "country"], file_format=CSV, purge=True)
    assert [each.rows_loaded for each in copied] == [2, 2]
    assert stocked.fetch_all("LIST @deliveries") == []


def test_numbers_may_be_those_of_numpy(stocked: SnowflakeConnector, days: list[Path], snowflake_server: Any) -> None:
    np: Any = pytest.importorskip("numpy", reason="The numbers are those of numpy.")
    stocked.put_files(days, "@deliveries", auto_compress=False, parallel=np.int64(2))
    assert "PARALLEL = 2 " in snowflake_server.queries_like("PUT")[-1].sql
    copied = stocked.copy_into("parcels", "@deliveries", file_format={**CSV, "skip_header": np.int64(1)})
    assert [each.rows_loaded for each in copied] == [2, 2]


def test_a_stage_without_files_gives_nothing(stocked: SnowflakeConnector) -> None:
    assert stocked.copy_into("parcels", "@deliveries", file_format=CSV) == []


def test_a_stage_that_is_missing_is_named(stocked: SnowflakeConnector, days: list[Path]) -> None:
    with pytest.raises(SnowflakeObjectNotFound, match="NOWHERE"):
        stocked.put_files(days, "@nowhere")
    with pytest.raises(SnowflakeObjectNotFound, match="NOWHERE"):
        stocked.copy_into("parcels", "@nowhere", file_format=CSV)


def test_a_wrong_row_is_an_error_and_nothing_is_copied(stocked: SnowflakeConnector, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("id,country\n1,NO\ntwo,PT\n")
    stocked.put_files(wrong, "@deliveries")
    with pytest.raises(SnowflakeError, match="two"):
        stocked.copy_into("parcels", "@deliveries", file_format=CSV)
    assert stocked.fetch_all("SELECT * FROM parcels") == []


def test_all_options_are_sent(stocked: SnowflakeConnector, snowflake_server: Any) -> None:
    with pytest.raises(SnowflakeError):  # the emulator does not know them all
        stocked.copy_into(
            'public."Par""cels"',
            "@deliveries/it's -- today",
            columns=["id", '"Country"'],
            files=["day 1.csv", "day's 2.csv"],
            pattern=r".*\d'.csv",
            file_format={
                "type": "csv",
                "null_if": ["", "n/a"],
                "escape": '"',
                "compression": None,
            },
            match_by_column_name="case_insensitive",
            on_error="skip_file_10%",
            purge=True,
            force=True,
        )
    assert snowflake_server.queries_like("COPY INTO")[-1].sql == (
        """COPY INTO public."Par""cels" (id, "Country") FROM '@deliveries/it''s -- today' """
        """FILES = ('day 1.csv', 'day''s 2.csv') PATTERN = '.*\\\\d''.csv' """
        """FILE_FORMAT = (TYPE = 'csv' NULL_IF = ('', 'n/a') ESCAPE = '"' COMPRESSION = NONE) """
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = 'SKIP_FILE_10%' PURGE = TRUE FORCE = TRUE"
    )
    with pytest.raises(SnowflakeError):
        stocked.copy_into("parcels", "@%parcels", file_format="db.public.'x")
    assert snowflake_server.queries_like("COPY INTO")[-1].sql.endswith("FILE_FORMAT = (FORMAT_NAME = 'db.public.''x')")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"table": "parcels; DROP TABLE x"}, "table is 'parcels; DROP TABLE x'; it must be a name of SQL"),
        ({"stage": "deliveries"}, "stage is 'deliveries'; name a stage with its @"),
        ({"columns": ["id", "a b"]}, "columns has 'a b'"),
        ({"files": "day.csv"}, "files must be a list of 1 to 1,000 names; or give a `pattern`"),
        ({"file_format": {"type) --": "csv"}}, r"file_format has 'type\) --'"),
        ({"file_format": {"skip_header": 1.5}}, r"file_format\['skip_header'\] is 1.5"),
        ({"match_by_column_name": "BY_LUCK"}, "match_by_column_name is 'BY_LUCK'; it must be one of CASE_SENSITIVE"),
        ({"on_error": "IGNORE"}, "on_error is 'IGNORE'; it must be CONTINUE"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_copy_that_cannot_be_is_refused_early(
    stocked: SnowflakeConnector, snowflake_server: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SnowflakeInvalidRequest, match=message):
        stocked.copy_into(**{"table": "parcels", "stage": "@deliveries", **arguments})
    assert not snowflake_server.queries_like("COPY INTO")


def test_files_that_cannot_be_put_are_refused_before_one_is(
    stocked: SnowflakeConnector, snowflake_server: Any, days: list[Path], tmp_path: Path
) -> None:
    namesake = tmp_path / "other" / days[0].name
    namesake.parent.mkdir()
    namesake.touch()
    for files, options, message in (
        ([*days, tmp_path / "day 3.csv"], {}, "day 3.csv', which is no file"),
        ([*days, tmp_path], {}, "which is a folder; name the files in it"),
        ([*days, namesake], {}, "one would replace the other"),
        (days, {"parallel": 0}, "parallel is 0; it must be between 1 and 99"),
    ):
        with pytest.raises(SnowflakeInvalidRequest, match=message):
            stocked.put_files(files, "@deliveries", **options)
    assert not snowflake_server.queries_like("PUT")
