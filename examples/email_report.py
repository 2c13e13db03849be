# ---
# title: A mail with a picture
# description: Send an HTML mail with a chart and a table from a flow, and see what arrives, without a mail account.
# icon: envelope
# keywords: ["email", "smtp", "report", "attachment"]
# dependencies: ["prefect-email", "prefect-integration-tests[email]"]
# cmd: ["python", "examples/email_report.py"]
# order: 3
# ---
#
# This program starts a mail server on your own machine, one that wants encryption and a password as real ones do, and
# a temporary Prefect server. A flow draws a chart and mails it; at the end we look at what the mail server got.
# Nothing leaves the machine.

import os
import struct
import tempfile
import zlib
from pathlib import Path

from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from prefect_email import EmailServerCredentials, email_send_message
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.smtp import serve_smtp

SALES = {"north": 7, "east": 12, "south": 4, "west": 9}

# ## Draw a chart
#
# The picture never becomes a file: the task returns the bytes of a PNG. A plotting library would do this better; for
# four bars, the format itself is enough.


def png(rows: list[bytes]) -> bytes:
    """Write lines of RGB pixels as a PNG."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@task
def draw_bars(values: list[int], bar_width: int = 40, height_per_unit: int = 10) -> bytes:
    """Draw one bar for each value."""
    blue, white = b"\x2d\x6d\xf6", b"\xff\xff\xff"
    height = (max(values) + 1) * height_per_unit
    rows = []
    for y in range(height, 0, -1):
        bars = [(blue if value * height_per_unit >= y else white) * bar_width for value in values]
        rows.append((white * 10).join(bars))
    return png(rows)


# ## Send it
#
# `inline_images` holds the picture under the name that the HTML shows it by; the table goes along as a file that was
# never on disk. `email_send_message` is a task: a sync flow calls it like a function, an async flow awaits it.


@flow
def mail_report(credentials: EmailServerCredentials, readers: list[str]) -> str:
    chart = draw_bars(list(SALES.values()))
    table = "region,amount\n" + "".join(f"{region},{amount}\n" for region, amount in SALES.items())
    best = max(SALES, key=lambda region: SALES[region])
    message = email_send_message(
        email_server_credentials=credentials,
        subject=f"Sales: the {best} leads",
        msg=f'<h1>Sales</h1><p>Best region: <b>{best}</b></p><img src="cid:chart" alt="bar chart">',
        msg_plain=f"Best region: {best}",
        email_from="Reports <reports@example.com>",
        email_to=readers,
        inline_images={"chart": chart},
        attachments=[("sales.csv", table, "text/csv")],
    )
    return message["Message-ID"]


# ## See what arrived
#
# The block below is what you would save with your own server's name and load in the flow. The server's certificate is
# signed by an authority that only this program knows, so the block names it in `ca_file`.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_smtp(
            "STARTTLS",
            ca=PrivateCA(Path(folder)),
            mechanisms=("PLAIN",),
            username="reports@example.com",
            password="not-so-secret",
        ) as server,
        prefect_test_harness(server_startup_timeout=120),
    ):
        message_id = mail_report(EmailServerCredentials(**server.fields), ["Ann <ann@example.com>", "bob@example.com"])

        mail = server.mailbox.only()
        print(f"\nThe server got {message_id}, {len(mail.content):,} bytes")
        print(f"  encrypted: {mail.is_encrypted}, logged in as {mail.username}")
        print(f"  from {mail.sender} to {', '.join(mail.recipients)}")
        print(f"  {mail.message['Subject']}")
        for part in mail.message.walk():
            if not part.is_multipart():
                name = part.get_filename() or part["Content-ID"] or ""
                size = len(part.get_payload(decode=True))
                print(f"  {part.get_content_type():<12}{size:>6} bytes  {name}")
