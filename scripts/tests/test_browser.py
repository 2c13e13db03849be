"""The built site of this repository, as a person with a browser sees it."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from scripts import workspace

# In one process, so that the site is built and the browser started once.
pytestmark = pytest.mark.xdist_group("browser")

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or workspace.ROOT / "site-screenshots")

REFERENCE = """\
---
title: vault
sidebarTitle: vault
---

# `acme.vault`

Keep things.

## Functions

### `open_vault` <sup><a href="https://example.org/vault.py#L3" target="_blank" aria-label="Source of open_vault">\
<Icon icon="github" style="width: 14px; height: 14px;" /></a></sup>

*task*

```python
open_vault(
    name: str,
    *,
    timeout_seconds: float = 30.0,
    credentials_with_a_rather_long_name: dict[str, dict[str, list[str]]] | None = None,
) -> QuartzVault
```

Open one.

**Args:**

- `name`: Which one.

## Classes

### `QuartzVault`

A vault. It has `quartz_only_here` inside.

**Fields:**

- `name`: `str`, *required*. What it is called.

**Methods:**

#### `store_gem`

```python
store_gem(self, gem: bytes) -> str
```

Store one.
"""

COMPONENTS = """\
---
title: Components
description: Each component once.
---

## Versions

<Tabs>
  <Tab title="First">The first panel.</Tab>
  <Tab title="Second">The second panel.</Tab>
  <Tab title="Third">The third panel.</Tab>
</Tabs>

<CodeGroup>
```bash pip
pip install "acme[all]"
```

```bash uv
uv add "acme[all]"
```
</CodeGroup>

<AccordionGroup>
  <Accordion title="Closed">It says <a id="inside"></a>something.</Accordion>
  <Accordion title="Open" defaultOpen>It is open.</Accordion>
</AccordionGroup>

<CardGroup cols={3}>
  <Card title="One" icon="book" href="/">Text.</Card>
  <Card title="Two" icon="plug">Text.</Card>
  <Card title="Three" icon="github">Text.</Card>
</CardGroup>

<Steps>
  <Step title="Begin">Now.</Step>
  <Step title="End">Later.</Step>
</Steps>

<Note>A note.</Note>
<Tip>A tip.</Tip>
<Info>An info.</Info>
<Warning>A warning.</Warning>

<Frame caption="Nothing">Framed.</Frame>

## Wide things

| Setting | Meaning | Default | Environment variable |
| --- | --- | --- | --- |
| `a_setting_with_a_long_name` | What it does | `a_long_default_value` | `ACME_A_SETTING_WITH_A_VERY_LONG_NAME_INDEED` |

```bash
acme run --with-a-long-option=value --and-another-long-option=value --and-yet-another-long-option=value --and-one-more
```

`a_single_name_that_is_so_long_that_it_would_stick_out_of_the_page_on_the_screen_of_a_phone`
"""


def _docs(root: Path) -> Path:
    """Copy this repository's pages and add two whose content the tests know."""
    docs = root / "docs"
    shutil.copytree(workspace.ROOT / "docs", docs)
    for name, text in {"acme/api-ref/acme-vault": REFERENCE, "acme/components": COMPONENTS}.items():
        path = docs / f"{name}.mdx"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    config = json.loads((docs / "docs.json").read_text(encoding="utf-8"))
    pages = ["acme/components", {"group": "Reference", "pages": ["acme/api-ref/acme-vault"]}]
    config["navigation"]["tabs"].append({"tab": "Acme", "groups": [{"group": "Acme", "pages": pages}]})
    (docs / "docs.json").write_text(json.dumps(config), encoding="utf-8")
    return docs


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the built site, served as plain files by a server that knows nothing of it."""
    root = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "scripts.site", "build", "--docs", str(_docs(root)), "--out", str(root / "out")]
    result = subprocess.run(words, cwd=workspace.ROOT, capture_output=True, text=True, check=False)
    assert (root / "out" / "search.json").is_file(), result.stdout + result.stderr
    handler = partial(_Quiet, directory=str(root / "out"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if program is None:
        reason = "no Chromium on PATH; install it, on Debian with `apt-get install chromium`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, base: str) -> Iterator[Open]:
    """Open a page, and afterwards see that nothing was wrong: no error, no request that left this machine."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []
    outward: list[str] = []

    def watch(page: Page) -> None:
        page.on("console", lambda said: errors.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "response", lambda answer: errors.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        )
        page.on("request", lambda request: outward.append(request.url) if not is_local(request.url) else None)

    def open_(path: str, *, size: dict[str, int] = DESKTOP, **options: Any) -> Page:
        context = browser.new_context(base_url=base, viewport=size, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []
    assert outward == []


def is_local(url: str) -> bool:
    return urlsplit(url).scheme in {"data", "blob"} or urlsplit(url).hostname == "127.0.0.1"


def snapshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def is_in_view(locator: Locator) -> bool:
    """Whether an element is seen below the top bar."""
    return locator.evaluate(
        """element => {
          const { top, bottom } = element.getBoundingClientRect();
          return top >= document.querySelector('.top').getBoundingClientRect().bottom && bottom <= innerHeight;
        }"""
    )


def search(page: Page, words: str) -> Locator:
    """Open the search, type, and return the results."""
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").press_sequentially(words)
    results = page.get_by_role("option")
    expect(results.first).to_be_visible()
    return results


# --- reading ---------------------------------------------------------------------------------------------------------


def test_the_landing_page_leads_on(open_page: Open) -> None:
    page = open_page("/")
    snapshot(page, "landing-light")

    page.locator("main .card-link").first.click()

    expect(page.locator(".sidebar [aria-current=page]")).to_be_visible()
    expect(page.locator(".tab-bar [aria-current]")).to_have_count(1)


def test_a_reference_page_shows_members_in_order(open_page: Open) -> None:
    page = open_page("/acme/api-ref/acme-vault")

    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert page.locator("main h3, main h4").evaluate_all("all => all.map(heading => heading.id)") == [
        "open_vault",
        "quartzvault",
        "store_gem",
    ]
    signature = page.locator(".signature").first
    assert signature.locator("code").inner_text().startswith("open_vault(\n    name: str,")
    assert signature.locator("i").count() > 5  # it is highlighted
    expect(page.locator(".kind")).to_have_text("task")
    expect(page.get_by_role("link", name="Source of open_vault").locator("svg")).to_be_visible()
    expect(page.locator(".crumbs li")).to_have_text(["Acme", "Reference"])
    expect(page.locator(".pager [rel=prev]")).to_have_attribute("href", "/acme/components")
    snapshot(page, "reference-light")


def test_the_contents_follow_the_reader(open_page: Open) -> None:
    page = open_page("/acme/api-ref/acme-vault", size={"width": 1440, "height": 400})
    current = page.locator(".toc [aria-current]")

    page.locator(".toc a", has_text="QuartzVault").click()

    expect(page).to_have_url(re.compile("#quartzvault$"))
    expect(current).to_have_text("QuartzVault")
    page.evaluate("scrollTo(0, 0)")
    expect(current).to_have_count(0)


def test_a_group_of_the_navigation_opens_and_closes(open_page: Open) -> None:
    page = open_page("/acme/components")
    link = page.locator(".sidebar").get_by_role("link", name="vault")
    expect(link).to_be_hidden()

    page.locator(".sidebar summary", has_text="Reference").focus()
    page.keyboard.press("Enter")
    link.click()

    expect(page).to_have_url(re.compile("acme-vault/?$"))
    expect(link).to_have_attribute("aria-current", "page")
    page.locator(".sidebar summary", has_text="Reference").click()
    expect(link).to_be_hidden()


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_tabs_switch(open_page: Open, way: str) -> None:
    page = open_page("/acme/components")
    tabs = page.locator(".tabs").get_by_role("tab")
    expect(page.get_by_text("The first panel.")).to_be_visible()

    if way == "mouse":
        tabs.nth(1).click()
    else:
        tabs.first.focus()
        page.keyboard.press("ArrowRight")
        expect(tabs.nth(1)).to_be_focused()

    expect(page.get_by_text("The second panel.")).to_be_visible()
    expect(page.get_by_text("The first panel.")).to_be_hidden()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    if way == "keyboard":
        page.keyboard.press("End")
        expect(page.get_by_text("The third panel.")).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text("The first panel.")).to_be_visible()


def test_an_address_opens_what_hides_its_target(open_page: Open) -> None:
    page = open_page("/acme/components#third")
    expect(page.get_by_text("The third panel.")).to_be_visible()

    page.goto("/acme/components#inside")

    expect(page.get_by_text("something.")).to_be_visible()


def test_code_is_copied_as_it_stands(open_page: Open) -> None:
    page = open_page("/acme/components", permissions=["clipboard-read", "clipboard-write"])
    group = page.locator(".code-group")
    group.get_by_role("tab", name="uv").click()

    block = group.locator(".code", has_text="uv add")
    block.hover()
    block.get_by_role("button", name="Copy the code").click()

    expect(page.locator(".announcement")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == 'uv add "acme[all]"'


# --- searching -------------------------------------------------------------------------------------------------------


def test_search_finds_a_class_and_lands_on_it(open_page: Open) -> None:
    page = open_page("/")
    results = search(page, "QuartzVault")
    expect(results.first.locator(".result-title")).to_have_text("QuartzVault")
    expect(results.first).to_have_attribute("aria-selected", "true")
    snapshot(page, "search-light")

    page.keyboard.press("Enter")

    heading = page.locator("#quartzvault")
    expect(heading).to_be_visible()
    expect(page).to_have_url(re.compile(r"/acme/api-ref/acme-vault/?#quartzvault$"))
    assert is_in_view(heading)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("quartz", "QuartzVault"),
        ("store_gem", "QuartzVault.store_gem"),
        ("gem", "QuartzVault.store_gem"),
        ("QuartzVault.store_gem", "QuartzVault.store_gem"),
        ("open_vault()", "open_vault"),
        ("QuartzVautl", "QuartzVault"),
        ("quartz_only_here", "QuartzVault"),
        ("components", "Components"),
        ("wide things", "Wide things"),
    ],
)
def test_search_finds_names_by_their_parts(open_page: Open, words: str, title: str) -> None:
    page = open_page("/acme/components")

    expect(search(page, words).first.locator(".result-title")).to_have_text(title)


def test_search_finds_the_classes_of_this_repository(open_page: Open) -> None:
    if not (workspace.ROOT / "docs/integrations/prefect-aws/api-ref/prefect_aws-s3.mdx").is_file():
        pytest.skip("the reference pages are not generated yet")
    page = open_page("/")

    expect(search(page, "S3Bucket").first).to_have_attribute(
        "href", "/integrations/prefect-aws/api-ref/prefect_aws-s3#s3bucket"
    )


def test_search_works_by_keyboard_alone(open_page: Open) -> None:
    page = open_page("/acme/components")
    page.keyboard.press("/")
    dialog = page.get_by_role("dialog")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("vault")
    expect(page.get_by_role("option").nth(1)).to_be_visible()

    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()


def test_search_says_when_nothing_is_found(open_page: Open) -> None:
    page = open_page("/")
    page.locator(".search-open").click()

    page.get_by_role("combobox").fill("xyzzyplugh")

    expect(page.locator(".search-status")).to_have_text("Nothing found for “xyzzyplugh”.")


def test_the_index_is_loaded_on_first_use(open_page: Open) -> None:
    page = open_page("/")
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(urlsplit(request.url).path))
    page.reload()
    assert "/search.json" not in loaded

    search(page, "vault")

    assert loaded.count("/search.json") == 1


# --- theme -----------------------------------------------------------------------------------------------------------


def is_dark(page: Page) -> bool:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) < 200


def test_the_dark_theme_outlives_a_reload(open_page: Open) -> None:
    page = open_page("/acme/api-ref/acme-vault", color_scheme="light")
    assert not is_dark(page)

    page.get_by_role("button", name="Dark theme").click()
    assert is_dark(page)
    page.reload()

    assert is_dark(page)
    expect(page.get_by_role("button", name="Dark theme")).to_have_attribute("aria-pressed", "true")
    snapshot(page, "reference-dark")
    page.get_by_role("button", name="Theme of the system").click()
    page.reload()
    assert not is_dark(page)


def test_the_theme_of_the_system_is_followed(open_page: Open) -> None:
    page = open_page("/acme/components", color_scheme="dark")
    assert is_dark(page)
    snapshot(page, "components-dark")

    page.get_by_role("button", name="Light theme").click()

    assert not is_dark(page)
    snapshot(page, "components-light")


# What WCAG 2.1 asks of text at level AA.
CONTRAST = """
  () => {
    const parse = (colour) => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (rgb) => {
      const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let node = element; node; node = node.parentElement) {
        const colour = parse(getComputedStyle(node).backgroundColor);
        if (colour[3] === 255) return colour.slice(0, 3);
      }
      return [255, 255, 255];
    };
    const weak = new Set();
    for (const element of document.querySelectorAll('main *, .sidebar *, .toc *, .top *')) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      const style = getComputedStyle(element);
      if (!hasText || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const [a, b] = [light(parse(style.color).slice(0, 3)), light(behind(element))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (isLarge ? 3 : 4.5)) {
        weak.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)} ${element.textContent.slice(0, 20)}`);
      }
    }
    return [...weak];
  }
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/acme/components", "/acme/api-ref/acme-vault", "/integrations/prefect-aws"])
def test_text_stands_out_from_what_is_behind(open_page: Open, path: str, scheme: str) -> None:
    page = open_page(path, color_scheme=scheme)

    assert page.evaluate(CONTRAST) == []


# --- phone -----------------------------------------------------------------------------------------------------------

KINDS = {
    "landing": "/",
    "list": "/integrations/integrations",
    "guide": "/integrations/prefect-aws",
    "components": "/acme/components",
    "reference": "/acme/api-ref/acme-vault",
    "examples": "/v3/examples",
    "contribute": "/contribute",
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_sticks_out_on_a_phone(open_page: Open, kind: str) -> None:
    page = open_page(KINDS[kind], size=PHONE, has_touch=True, is_mobile=True)
    snapshot(page, f"{kind}-phone")

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("innerWidth") == PHONE["width"]  # a page that is too wide is zoomed out


def test_the_drawer_opens_leads_on_and_closes(open_page: Open) -> None:
    page = open_page("/acme/components", size=PHONE)
    drawer = page.locator(".sidebar")
    menu = page.get_by_role("button", name="Navigation", exact=True)
    expect(drawer).to_be_hidden()

    menu.click()
    expect(drawer).to_be_visible()
    expect(menu).to_have_attribute("aria-expanded", "true")
    snapshot(page, "drawer-phone")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(menu).to_be_focused()

    menu.click()
    drawer.locator("summary", has_text="Reference").click()
    drawer.get_by_role("link", name="vault").click()
    expect(page.locator("#open_vault")).to_be_visible()
    expect(drawer).to_be_hidden()


def test_the_contents_fold_out_on_a_phone(open_page: Open) -> None:
    page = open_page("/acme/api-ref/acme-vault", size=PHONE)

    page.get_by_text("On this page").locator("visible=true").click()
    page.locator(".toc-inline").get_by_role("link", name="store_gem").click()

    expect(page).to_have_url(re.compile("#store_gem$"))
    assert is_in_view(page.locator("#store_gem"))


def test_an_unknown_address_is_answered_by_the_site(browser: Browser, base: str) -> None:
    page = browser.new_page(base_url=base)
    page.goto("/404.html")

    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    page.close()
