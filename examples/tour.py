# ---
# title: A nightly report
# description: Shell, S3, Dask, SQL, mail and Slack in one flow, a flow from git, and one in a container.
# icon: envelope-open-text
# keywords: ["s3", "secrets manager", "email", "slack", "shell", "dask", "docker", "git", "gitlab", "sql", "report"]
# dependencies:
#   ["matplotlib", "prefect-aws", "prefect-dask", "prefect-docker", "prefect-email", "prefect-gitlab",
#    "prefect-integration-tests[docker]", "prefect-shell", "prefect-slack", "prefect-sqlalchemy", "vega-datasets"]
# cmd: ["python", "examples/tour.py"]
# order: 1
# ---
#
# Every night a weather station delivers its measurements. This program makes a report of them and mails it:
#
# 1. a shell step takes what is needed out of the delivery,
# 2. S3 keeps it, and later the report,
# 3. a Dask cluster compares the last weeks with the years before, a task for each day, and a chart shows both,
# 4. the figures go into a database, all or none, and the last week is read back from it,
# 5. Secrets Manager hands out the password of the mail account,
# 6. the report goes out as an HTML mail, encrypted, with the chart inside,
# 7. its headline is posted to Slack, with the chart as a reply,
# 8. one more flow is pulled from a private git repository, at a tag, and runs,
# 9. where there is a Docker engine, a worker runs it again, in a container of its own.
#
# It needs no account and no network. The data are real: four years of Seattle's weather, from the package
# `vega-datasets`. The Dask cluster, the S3 store, the AWS emulator, the mail, the Slack, the git and the Prefect server
# start on this machine and end with the program. Run it with `just tour`; `just tour --serve` keeps the Prefect server
# for a look around.

import argparse
import asyncio
import csv
import html
import io
import logging
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_client, task, unmapped
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.worker import EventsWorker
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

from prefect_aws import AwsClientParameters, AwsCredentials, AwsSecret, S3Bucket
from prefect_dask import DaskTaskRunner
from prefect_docker import DockerWorker
from prefect_email import EmailServerCredentials, email_send_message
from prefect_gitlab import GitLabCredentials, GitLabRepository
from prefect_integration_tests.backends.aws import MiniStack
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.docker_images import image_with_files, python_image
from prefect_integration_tests.backends.git_server import GitServer, basic
from prefect_integration_tests.backends.processes import LocalServer, ServerError, answers_http, free_port
from prefect_integration_tests.backends.s3 import SeaweedFS
from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_integration_tests.backends.smtp import serve_smtp
from prefect_shell import ShellOperation
from prefect_slack import SlackCredentials, send_chat_message, upload_file
from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

NIGHTS = 30
FIRST = date(2013, 1, 30)  # the data begin in 2012, and each of its days is compared with the year before
SENDER, READER = "Weather station <station@example.com>", "reader@example.com"

# ## What is measured, and what follows from it
#
# Plain Python that knows nothing of Prefect: one day, and the last days beside those of earlier years.


@dataclass(frozen=True)
class Day:
    """One day's weather: rain in millimetres, temperatures in degrees Celsius."""

    day: date
    rain: float
    high: float
    low: float


def as_date(text: str) -> date:
    """Read a date written with slashes or hyphens."""
    return date.fromisoformat(text.replace("/", "-"))


def in_year(day: date, year: int) -> date:
    """Find the same day in another year; the 28th of February stands in for a 29th that is not there."""
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)


@dataclass(frozen=True)
class Summary:
    """The last days, and for each the mean of the same day in earlier years."""

    days: list[Day]
    usual: list[Day]
    since: int

    @property
    def last(self) -> Day:
        return self.days[-1]

    @property
    def rain(self) -> float:
        return sum(day.rain for day in self.days)

    @property
    def usual_rain(self) -> float:
        return sum(day.rain for day in self.usual)

    @property
    def warmer_by(self) -> float:
        return statistics.fmean((day.high + day.low) / 2 for day in self.days) - statistics.fmean(
            (day.high + day.low) / 2 for day in self.usual
        )

    @property
    def headline(self) -> str:
        ratio = self.rain / self.usual_rain
        rain = "About the usual rain" if 0.9 < ratio < 1.1 else f"{ratio:.1f} times the usual rain"
        if abs(self.warmer_by) < 0.5:
            return f"{rain}, at the usual temperatures"
        return f"{rain}, and {abs(self.warmer_by):.1f} °C {'warmer' if self.warmer_by > 0 else 'colder'} than usual"


# ## Extract
#
# The shell does what it does well. `fail_fast` ends the script at the first command that fails, and the flow with it.


@task
def extract(delivery: Path, night: date, folder: Path) -> Path:
    """Take the days up to `night` out of the delivery."""
    count = ShellOperation(
        commands=[
            'head -n 1 "$DELIVERY" > nights.csv',
            """awk -F, -v night="$NIGHT" 'NR > 1 && $1 <= night' "$DELIVERY" | sort >> nights.csv""",
            "tail -n +2 nights.csv | wc -l",
        ],
        env={"DELIVERY": str(delivery), "NIGHT": f"{night:%Y/%m/%d}"},
        working_dir=folder,
        fail_fast=True,
    ).run()
    if int(count[-1]) < NIGHTS:
        raise SystemExit(f"error: the data hold fewer than {NIGHTS} days up to {night}; choose a later --night")
    return folder / "nights.csv"


# ## Keep in S3
#
# The block of the bucket was saved on the server; a task loads it by name, with credentials that stay encrypted there.
# A file and a folder are kept in one call each.


@task
def keep(path: Path, key: str) -> str:
    """Store a file or a folder in S3 and return its key."""
    bucket = S3Bucket.load("weather")
    if path.is_dir():
        bucket.upload_from_folder(path, key)
    else:
        bucket.upload_from_path(path, key)
    return key


# ## Compare
#
# What was kept is read back, and each of the last days set beside the mean of the same day in earlier years. The flow
# has a Dask cluster of its own, which starts and ends with it: `map` makes a task run for each day, and the workers run
# them side by side. All days are needed by each of them, so they are `unmapped`, and travel to the cluster once.
#
# These workers are threads of this process, which start in a moment. Without `"processes": False` they would be
# processes, with `address="tcp://..."` those of a cluster elsewhere; nothing else would change.


@task
def read_days(key: str) -> dict[date, Day]:
    """Read the days from S3."""
    text = S3Bucket.load("weather").read_path(key).decode()
    measured = ("precipitation", "temp_max", "temp_min")
    rows = csv.DictReader(io.StringIO(text))
    return {as_date(row["date"]): Day(as_date(row["date"]), *(float(row[name]) for name in measured)) for row in rows}


@task
def usual_day(night: date, days: dict[date, Day]) -> Day:
    """The mean of the same day in all earlier years."""
    same = [days[in_year(night, year)] for year in range(min(days).year, night.year)]
    means = (statistics.fmean(getattr(day, name) for day in same) for name in ("rain", "high", "low"))
    return Day(night, *means)


CLUSTER: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 2, "processes": False, "dashboard_address": ":0"}


@flow(task_runner=DaskTaskRunner(cluster_kwargs=CLUSTER))
def summarise(key: str) -> Summary:
    """Set the last days beside those of earlier years."""
    days = read_days(key)
    nights = [max(days) - timedelta(days=back) for back in reversed(range(NIGHTS))]
    usual = usual_day.map(nights, unmapped(days))
    return Summary([days[night] for night in nights], usual.result(), since=min(days).year)


# ## Draw
#
# One picture says both: temperatures above, rain below. Matplotlib is imported here, so only this task waits for it.


@task
def draw(summary: Summary, path: Path) -> Path:
    """Draw temperatures and rain: the last days in colour, the usual in grey."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import dates, ticker
    from matplotlib import pyplot as plt

    ink, grey, red, blue = "#1f2933", "#9aa5b1", "#d9480f", "#1971c2"
    style: dict[str, Any] = {
        "font.size": 10,
        "axes.edgecolor": grey,
        "text.color": ink,
        "xtick.color": "#52606d",
        "ytick.color": "#52606d",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
    }
    with mpl.rc_context(style):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(7.25, 4.6), sharex=True, height_ratios=[3, 2], layout="constrained"
        )
        x: Any = [day.day for day in summary.days]
        usual_mean = [(day.high + day.low) / 2 for day in summary.usual]
        top.fill_between(x, [d.low for d in summary.days], [d.high for d in summary.days], color=red, alpha=0.16, lw=0)
        top.plot(x, [(d.high + d.low) / 2 for d in summary.days], color=red, lw=2.2)
        top.plot(x, usual_mean, color=grey, lw=1.6, ls=(0, (4, 3)))
        top.set_title("Temperature, °C", loc="left", fontsize=10.5, fontweight="bold")
        bottom.bar(x, [d.rain for d in summary.days], color=blue, width=0.72)
        bottom.set_title("Rain, mm a day", loc="left", fontsize=10.5, fontweight="bold")
        for axes in (top, bottom):
            axes.grid(axis="y", color="#e4e7eb", lw=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(length=0)
            axes.yaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
        top.spines.bottom.set_visible(False)
        bottom.tick_params(axis="x", pad=6)
        half_a_day = timedelta(hours=14)
        noon = [datetime.combine(day, datetime.min.time()) for day in (x[0], x[-1])]
        bottom.set_xlim(noon[0] - half_a_day, noon[1] + half_a_day)
        bottom.set_ylim(bottom=0)
        bottom.xaxis.set_major_locator(dates.DayLocator(bymonthday=range(1, 32, 5)))
        bottom.xaxis.set_major_formatter(dates.DateFormatter("%-d %b"))
        note = "dashed: mean of the same days in earlier years"
        top.annotate(note, (1, 1.03), xycoords="axes fraction", ha="right", fontsize=9, color="#7b8794")
        figure.savefig(path, dpi=200, facecolor="white")
        plt.close(figure)
    return path


# ## Load into a database
#
# Others query the figures, too. Days that were loaded before are replaced in one transaction, so that nobody sees half
# of them. Values are bound, never written into a statement. The table of the last week is what the database then gives.


@task
def load_days(summary: Summary) -> list[dict[str, Any]]:
    """Load the days into the database, and read the last week back."""
    days = [
        {"day": f"{day.day}", "high": day.high, "low": day.low, "rain": day.rain, "usual_rain": usual.rain}
        for day, usual in zip(summary.days, summary.usual, strict=True)
    ]
    with SqlAlchemyConnector.load("figures") as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS days "
            "(day VARCHAR(10) PRIMARY KEY, high FLOAT, low FLOAT, rain FLOAT, usual_rain FLOAT)"
        )
        with database.transaction() as transaction:
            transaction.execute("DELETE FROM days WHERE day >= :first", {"first": days[0]["day"]})
            transaction.insert_many("days", days)
        query = "SELECT day, high, low, rain FROM days WHERE day <= :last ORDER BY day DESC"
        week = database.fetch_many(query, {"last": days[-1]["day"]}, size=7)
    return [{"day": row.day, "high °C": row.high, "low °C": row.low, "rain mm": row.rain} for row in reversed(week)]


# ## Read a secret
#
# One secret holds the passwords of all mail accounts, as JSON; the task returns one of them.


@task
def password_of(account: str) -> str:
    """Read the password of the mail account from Secrets Manager."""
    return str(AwsSecret.load("mail-account").read_json(account))


# ## Write the mail
#
# Mail programs know little of CSS, so the report is built of tables, with styles in place. `chart` says where the
# picture is: in a part of the mail, or in a file beside the copy that stays on disk. Those who read mail as text get
# the same figures.


def page(summary: Summary, chart: str) -> str:
    """Write the report as HTML that mail programs understand: tables, and styles in place."""
    last = summary.last
    usual = summary.usual[-1]
    figures = [
        (f"{last.day:%A}", f"{last.high:.0f}° / {last.low:.0f}°", f"usually {usual.high:.0f}° / {usual.low:.0f}°"),
        (f"Rain, {NIGHTS} days", f"{summary.rain:.0f} mm", f"usually {summary.usual_rain:.0f} mm"),
        ("Days with rain", f"{sum(day.rain > 0 for day in summary.days)}", f"of {NIGHTS}"),
    ]
    cells = "".join(
        '<td style="padding:14px 12px;background:#f5f7fa;border-radius:8px;vertical-align:top">'
        f'<div style="font-size:12px;color:#7b8794">{name}</div>'
        f'<div style="font-size:24px;font-weight:600;line-height:1.35;white-space:nowrap">{value}</div>'
        f'<div style="font-size:12px;color:#7b8794">{beside}</div></td>'
        for name, value, beside in figures
    )
    numeric = "padding:7px 0;text-align:right;border-bottom:1px solid #e4e7eb"
    rows = "".join(
        f'<tr><td style="padding:7px 0;border-bottom:1px solid #e4e7eb">{day.day:%A, %-d %B}</td>'
        f'<td style="{numeric}">{day.high:.1f}</td><td style="{numeric}">{day.low:.1f}</td>'
        f'<td style="{numeric}">{day.rain:.1f}</td></tr>'
        for day in reversed(summary.days[-7:])
    )
    head = "padding:7px 0;text-align:right;font-weight:400;color:#7b8794;border-bottom:1px solid #cbd2d9"
    return f"""\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Seattle, {last.day:%-d %B %Y}</title></head>
<body style="margin:0;padding:24px 12px;background:#e9edf2">
<table role="presentation" align="center" width="640" cellspacing="0" cellpadding="0" style="max-width:640px;width:100%;
  background:#ffffff;border-radius:12px;color:#1f2933;font:15px/1.5 'Helvetica Neue',Helvetica,Arial,sans-serif">
<tr><td style="padding:32px 36px 8px">
  <div style="font-size:13px;color:#7b8794">Seattle &middot; {last.day:%A, %-d %B %Y}</div>
  <h1 style="margin:4px 0 0;font-size:25px;line-height:1.25;font-weight:700">{html.escape(summary.headline)}</h1>
</td></tr>
<tr><td style="padding:12px 24px">
  <table role="presentation" width="100%" cellspacing="12" cellpadding="0"
    style="table-layout:fixed;font-variant-numeric:tabular-nums"><tr>{cells}</tr></table>
</td></tr>
<tr><td style="padding:0 30px"><img src="{chart}" width="580" style="width:100%;display:block"
  alt="Temperature and rain of the last {NIGHTS} days beside the same days of earlier years"></td></tr>
<tr><td style="padding:16px 36px 12px">
  <table width="100%" cellspacing="0" cellpadding="0" style="font-size:14px;font-variant-numeric:tabular-nums">
  <tr><th style="{head};text-align:left">The last week</th><th style="{head}">high, °C</th>
  <th style="{head}">low, °C</th><th style="{head}">rain, mm</th></tr>{rows}</table>
</td></tr>
<tr><td style="padding:12px 36px 32px;font-size:12px;color:#7b8794">
  Usual is the mean of the same days in earlier years, since {summary.since}.
</td></tr>
</table></body></html>
"""


def plain(summary: Summary) -> str:
    """Write the report for those who read mail as text."""
    lines = [f"Seattle, {summary.last.day:%-d %B %Y}", summary.headline + ".", ""]
    lines += [f"Rain in {NIGHTS} days: {summary.rain:.0f} mm, usually {summary.usual_rain:.0f} mm.", ""]
    lines += [f"{day.day:%a %d %b}  {day.high:5.1f} {day.low:5.1f} °C  {day.rain:5.1f} mm" for day in summary.days[-7:]]
    return "\n".join(lines) + "\n"


# ## Pull a flow
#
# Others keep a flow at their GitLab. The block knows the repository, its tag, and who asks; only the folder that is
# wanted comes. A deployment would do the same before a run.

WETTEST = """
import csv
from pathlib import Path

from prefect import flow


@flow
def wettest_day(folder: str) -> str:
    with open(f"{folder}/nights.csv") as file:
        days = list(csv.DictReader(file))
    wettest = max(days, key=lambda day: float(day["precipitation"]))
    found = f"{wettest['date'].replace('/', '-')}: {wettest['precipitation']} mm"
    Path(folder, "wettest.txt").write_text(found)
    return found
"""


@task
def pull(folder: Path) -> Path:
    """Pull the flow's code from its git host."""
    GitLabRepository.load("station-flows").get_directory(from_path="flows", local_path=str(folder))
    return folder / "flows" / "wettest.py"


# ## The flow
#
# The tasks come together. Each step notes how long it took, for the table at the end.


@dataclass
class Diary:
    """What was done, for the table at the end."""

    rows: list[tuple[str, str, str, float]] = field(default_factory=list[tuple[str, str, str, float]])

    @contextmanager
    def step(self, integration: str, deed: str, against: str) -> Iterator[None]:
        """Note a step and the seconds that it took."""
        begin = time.perf_counter()
        yield
        self.rows.append((integration, deed, against, time.perf_counter() - begin))


@flow(name="nightly-report")
def nightly_report(night: date, delivery: Path, output: Path, mail_server: dict[str, Any], diary: Diary) -> Summary:
    """Make the report of one night and mail it."""
    with diary.step("prefect-shell", "took the days needed out of the delivery", "bash, awk, sort"):
        path = extract(delivery, night, output)
    with diary.step("prefect-aws", "stored the raw data", "S3 (SeaweedFS)"):
        key = keep(path, f"raw/{night}.csv")
    with diary.step("prefect-dask", f"read them back, compared {NIGHTS} days", "Dask, two workers"):
        summary = summarise(key)
    with diary.step("matplotlib", f"drew {NIGHTS} days beside earlier years", "this process"):
        report = output / "report"
        report.mkdir(exist_ok=True)
        chart = draw(summary, report / "chart.png")
        report.joinpath("report.html").write_text(page(summary, "chart.png"), encoding="utf-8")
    with diary.step("prefect-aws", "stored report and chart, a folder", "S3 (SeaweedFS)"):
        keep(report, f"reports/{night}")
    with diary.step("prefect-sqlalchemy", f"loaded {NIGHTS} days, read a week back", "SQLite"):
        week = load_days(summary)
    with diary.step("prefect-aws", "read the password of the account", "Secrets Manager (ministack)"):
        password = password_of("station")
    with diary.step("prefect-email", "sent the report with its chart", "SMTP, STARTTLS, login"):
        email_send_message(
            email_server_credentials=EmailServerCredentials(username="station", password=password, **mail_server),
            subject=f"Seattle, {night:%-d %B}: {summary.headline[0].lower()}{summary.headline[1:]}",
            msg=page(summary, "cid:chart"),
            msg_plain=plain(summary),
            email_from=SENDER,
            email_to=READER,
            inline_images={"chart": str(chart)},
        )
    with diary.step("prefect-slack", "posted the headline, the chart below it", "Slack's Web API"):
        slack = SlackCredentials.load("station-slack")
        message = send_chat_message("#general", slack, f"*Seattle, {night:%-d %B}*: {summary.headline}.")
        upload_file(message["channel"], slack, chart, title=f"The last {NIGHTS} days", thread_ts=message["ts"])
    with diary.step("prefect-gitlab", "pulled a flow at its tag, and ran it", "git over HTTPS"):
        code = pull(output / "code")
        wettest = load_flow_from_entrypoint(f"{code}:wettest_day")(str(output))
        print(f"\nThe wettest day of all, found by a flow from a git host: {wettest}.", flush=True)
    with diary.step("prefect", "recorded the runs and two artifacts", "Prefect server"):
        create_markdown_artifact(f"# {summary.headline}\n\n```text\n{plain(summary)}```\n", key="nightly-report")
        create_table_artifact(week, key="last-week", description="The last seven days.")
    return summary


# ## In a container
#
# The same flow, deployed in an image. The worker of a Docker work pool starts a container for its run, with a limit of
# memory and the folder of the days mounted. The image is made of what is installed here; none is pulled.


def wettest_day(engine: DockerEngine, output: Path) -> str:
    """Look for the wettest day of all in a container, and return it with its rain."""
    code = (output / "code" / "flows" / "wettest.py").read_text(encoding="utf-8")
    image = image_with_files(engine, python_image(engine, ["prefect"]), {"/opt/station/wettest.py": code})
    variables = {"image": image, "mem_limit": "512m", "volumes": [f"{output}:/data"], "auto_remove": True}
    template = DockerWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="station", type="docker", base_job_template=template))
        deployment_id = client.create_deployment(
            client.create_flow_from_name("wettest-day"),
            "container",
            work_pool_name="station",
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": "/opt/station"}}],
            entrypoint="wettest.py:wettest_day",
            job_variables=variables,
        )
        flow_run = client.create_flow_run_from_deployment(deployment_id, parameters={"folder": "/data"})
        os.environ["DOCKER_HOST"] = engine.socket_url
        asyncio.run(DockerWorker(work_pool_name="station").start(run_once=True, printer=lambda _: None))
        state = client.read_flow_run(flow_run.id).state
    if state is None or not state.is_completed():
        raise SystemExit(f"error: the flow in the container ended as {state}")
    return output.joinpath("wettest.txt").read_text(encoding="utf-8")


def run_in_container(output: Path, diary: Diary) -> None:
    """Run the flow where there is a Docker engine, or root can start one; otherwise note what is missing."""
    try:
        engine = DockerEngine.start()
    except ServerError as missing:
        print(f"\nNo flow runs in a container, for want of a Docker engine: {missing}", flush=True)
        return
    with engine, diary.step("prefect-docker", "found the wettest day in a container", "Docker engine"):
        print(f"\nThe same, found in a container: {wettest_day(engine, output)}.", flush=True)


# ## Where it runs
#
# Six servers start side by side, on free ports. The blocks are saved on the Prefect server, as you would do once.


def prefect_server(home: Path) -> LocalServer:
    """Start a Prefect server that keeps what it knows in `home`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = LocalServer(
        [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        lambda: answers_http(f"{url}/api/health"),
        name=url,
        env={"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"},
        log_path=home / "server.log",
    )
    server.start()
    return server


def stop_if_started(starting: Future[Any]) -> None:
    """Stop a server, also when another one failed to start."""
    if starting.exception() is None:
        starting.result().stop()


def fill(git: GitServer) -> str:
    """Put the flow into a repository that only its deploy token reads, and return its address."""
    repository = git.repository("station/flows.git")
    repository.tag("v1.0", repository.commit({"flows/wettest.py": WETTEST.encode(), "README.md": b"Flows.\n"}))
    git.require(basic("gitlab+deploy-token-7", "gldt-station"))
    return git.url(repository)


def save_blocks(
    store: SeaweedFS, emulator: MiniStack, slack: SlackServer, repository: str, ca_file: Path, figures: Path
) -> None:
    """Save what the flow loads by name, and put the password where it will be read."""
    SlackCredentials(token=TOKEN, base_url=slack.api_url).save("station-slack", overwrite=True)
    file = ConnectionComponents(driver=SyncDriver.SQLITE_PYSQLITE, database=str(figures))
    SqlAlchemyConnector(connection_info=file).save("figures", overwrite=True)
    deploy_token = GitLabCredentials(
        token="gldt-station", token_type="deploy", username="gitlab+deploy-token-7", ca_bundle=ca_file.read_text()
    )
    GitLabRepository(repository=repository, reference="v1.0", credentials=deploy_token).save("station-flows")
    storage = AwsCredentials(
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        region_name=store.region,
        aws_client_parameters=AwsClientParameters(endpoint_url=store.endpoint_url),
    )
    S3Bucket(bucket_name=store.new_bucket("weather"), credentials=storage).save("weather", overwrite=True)
    services = AwsCredentials(
        aws_access_key_id=emulator.access_key,
        aws_secret_access_key=emulator.secret_key,
        region_name=emulator.region,
        aws_client_parameters=AwsClientParameters(endpoint_url=emulator.endpoint_url),
    )
    secret = AwsSecret(aws_credentials=services, secret_name="mail-accounts")
    secret.write_secret(b'{"station": "rain-or-shine"}')
    secret.save("mail-account", overwrite=True)


# ## From start to end
#
# Whatever was started is stopped again, in reverse order, however the program ends. The logs of the runs go to the
# Prefect server, and only warnings to the console.


def run(night: date, output: Path, serve: bool) -> None:
    """Start the servers, run the flow against them, and show what came out."""
    from vega_datasets import local_data

    delivery = Path(local_data.seattle_weather.filepath)
    begin = time.perf_counter()
    diary = Diary()
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        home = output / "prefect"
        home.mkdir(parents=True)
        print("Starting an S3 store, an AWS emulator, a mail, a Slack, a git and a Prefect server …", flush=True)
        serving = pool.submit(prefect_server, home)
        storing = pool.submit(SeaweedFS.start)
        emulating = pool.submit(MiniStack.start)
        for starting in (serving, storing, emulating):
            stack.callback(stop_if_started, starting)
        authority = PrivateCA(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        mail = stack.enter_context(
            serve_smtp("STARTTLS", ca=authority, mechanisms=("PLAIN",), username="station", password="rain-or-shine")
        )
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        git = stack.enter_context(GitServer(root, authority.issue("git", "127.0.0.1")))
        repository = fill(git)
        slack = stack.enter_context(SlackServer())
        server, store, emulator = serving.result(), storing.result(), emulating.result()
        url = f"{server.name}/api"
        stack.enter_context(
            temporary_settings({PREFECT_API_URL: url, PREFECT_API_KEY: None, PREFECT_API_AUTH_STRING: None})
        )
        diary.rows.append(("", "started six servers", "this machine", time.perf_counter() - begin))
        stack.callback(send_what_waits)
        quiet_console()
        save_blocks(store, emulator, slack, repository, authority.ca_file, output / "figures.db")
        place = {"smtp_server": mail.host, "smtp_port": mail.port, "smtp_type": "STARTTLS", "ca_file": mail.ca_file}
        summary = nightly_report(night, delivery, output, place, diary)
        output.joinpath("report.eml").write_bytes(mail.mailbox.only().content)
        run_in_container(output, diary)
        show(summary, diary, output, time.perf_counter() - begin)
        if serve:
            print(f"\nUntil you press Ctrl-C: {server.name}/runs and {server.name}/artifacts", flush=True)
            wait_for_interrupt()


def send_what_waits() -> None:
    """Send the logs and events that still wait, while there is a server to take them."""
    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)


def quiet_console() -> None:
    """Leave the runs' logs to the server, and warnings to the console."""
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # the mail server's own remarks


def wait_for_interrupt() -> None:
    """Wait until Ctrl-C."""
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()


def show(summary: Summary, diary: Diary, output: Path, seconds: float) -> None:
    """Print what was done, and where to look."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    table = Table("integration", "what it did", "against")
    table.add_column("seconds", justify="right")
    for integration, deed, against, took in diary.rows:
        table.add_row(integration, deed, against, f"{took:.1f}")
    table.add_section()
    table.add_row("", "all of it", "", f"{seconds:.1f}")
    console.print(f"\nSeattle, {summary.last.day:%-d %B %Y}: {summary.headline}.\n")
    console.print(table)
    console.print("\nWhere to look:")
    folder = output.relative_to(Path.cwd()) if output.is_relative_to(Path.cwd()) else output
    for what, where in {
        "the mail, as it arrived": folder / "report.eml",
        "the report": folder / "report" / "report.html",
        "its chart": folder / "report" / "chart.png",
        "its figures, in SQLite": folder / "figures.db",
        "runs and artifacts": "`just tour --serve` keeps the Prefect server",
    }.items():
        console.print(f"  {what:24} {where}", soft_wrap=True)


# ## The command line


def end(number: int, frame: object) -> None:
    """Leave the program as if it had ended by itself."""
    del frame
    sys.exit(f"ended by {signal.Signals(number).name}")


def main() -> int:
    """Read the command line, look for what would fail later, and run."""
    parser = argparse.ArgumentParser(prog="just tour", description="Run a nightly report from end to end.")
    parser.add_argument("--night", type=as_date, default=date(2015, 12, 15), help=f"{FIRST} to 2015-12-31")
    parser.add_argument("--output", type=Path, default=Path("tour-output"), help="folder to write to")
    parser.add_argument("--serve", action="store_true", help="keep the Prefect server until Ctrl-C")
    options = parser.parse_args()
    if not FIRST <= options.night <= date(2015, 12, 31):
        parser.error(f"--night {options.night}: there are data to compare for {FIRST} to 2015-12-31")
    if missing := [name for name in ("awk", "git", "head", "sort", "tail", "wc") if shutil.which(name) is None]:
        parser.error(f"the flow needs {', '.join(missing)} on the PATH")
    # The servers must end with the program, also when it is told to end.
    signal.signal(signal.SIGTERM, end)
    output = options.output.resolve()
    if output.exists() and not output.is_dir():
        parser.error(f"--output {output} is a file")
    for old in ("prefect", "report", "report.eml", "figures.db", "nights.csv", "wettest.txt", "code"):
        path = output / old
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    run(options.night, output, options.serve)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
