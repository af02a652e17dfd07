"""The pages in a real Chromium, on a store of real media and on a damaged one.

Screenshots lie in pytest's temporary folder, or in the one that FILMCAN_SCREENSHOTS names.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import filmcan
from filmcan.store.store import Store
from filmcan.testing.made_server import (
    build_test_app,
    write_damaged,
    write_schema_folder,
    write_stranger_run,
)
from filmcan.testing.made_views import STRANGER

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        if (found := shutil.which(name))
    ),
    None,
)
_MOST_QUESTIONS, _BETWEEN_QUESTIONS_MS = 1200, 50
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 180_000  # a busy machine is no failure


@contextmanager
def serving(store: Store, **settings: object) -> Iterator[str]:
    """Serve a store on a free port of the loopback and yield the address."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            build_test_app(store, **settings), log_level="error", ws="none", access_log=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def video(request: pytest.FixtureRequest) -> Path:
    """Return a real video where the corpus is at hand, else a made one."""
    try:
        corpus: Path = request.getfixturevalue("media_corpus")
    except pytest.skip.Exception:
        clip: Path = request.getfixturevalue("clip")
        return clip
    return corpus / "video" / "carphone.mp4"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, video: Path) -> Iterator[str]:
    """Serve runs of a real video, and a run of it by a component that only a schema describes."""
    root = tmp_path_factory.mktemp("site")
    document = {"title": "On the <b>phone</b>", "description": "A man talks. Человек говорит."}
    wanted = ["core_optical_flow", "loudness_extractor", "text_processor", "core_clip"]
    for number, rate in enumerate((4, 2)):
        filmcan.run(
            video,
            store=root / "store",
            platform_id="demo",
            video_id="phone",
            run_id=f"r{number}",
            document=document,
            settings=[f"sampling.rate_hz={rate}"],
            only=wanted,
        )
    store = filmcan.open_store(root / "store")
    source = store.run("demo", "phone", "r0").manifest.run.source
    data = video.read_bytes()
    write_stranger_run(
        store.backend, source=hashlib.sha256(data).hexdigest(), size_bytes=len(data),
        duration_sec=source["duration_sec"], video_stream=source["video_stream"],
    )  # fmt: skip
    write_stranger_run(store.backend, "elsewhere", source="1" * 64)
    media = root / "media"
    media.mkdir()
    shutil.copyfile(video, media / "some.mp4")
    folder = write_schema_folder(root / "schemas")
    with serving(store, media_roots=(str(media),), schema_folder=str(folder)) as address:
        yield address


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(write_damaged(tmp_path_factory.mktemp("damaged") / "store")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("FILMCAN_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Visit:
    """One look at a page: what it wrote to the console, how it looks, what axe says of it."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self._folder = folder
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: said.type in ("error", "warning") and self._note(said.text))

    def _note(self, text: str) -> None:
        self.faults.append(text)

    def is_ready(self) -> None:
        """Wait until every lane is drawn."""
        self.page.evaluate(
            "async () => { for (const s of document.querySelectorAll('section[data-component]'))"
            " { s.scrollIntoView(); await new Promise(requestAnimationFrame); } scrollTo(0, 0); }"
        )
        wait_until(
            self.page,
            "[...document.querySelectorAll('section[data-component]')]"
            ".every((section) => section.dataset.ready)",
        )

    def keep(self, name: str) -> None:
        self.page.screenshot(path=self._folder / f"{name}.png")

    def judge(self) -> None:
        """Hold the page to axe's rules: nothing serious."""
        from axe_playwright_python.sync_playwright import Axe

        found: Any = Axe().run(self.page).response
        serious = [
            (rule["id"], [node["html"][:160] for node in rule["nodes"]][:4])
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == []

    def is_within_width(self) -> bool:
        return bool(
            self.page.evaluate(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            )
        )


@pytest.fixture
def visit(browser: Browser, screenshots: Path) -> Iterator[Visit]:
    context = browser.new_context(viewport=WIDE, color_scheme="light")  # type: ignore[arg-type]
    found = Visit(context.new_page(), screenshots)
    yield found
    context.close()


def wait_until(page: Page, claim: str) -> None:
    """Ask from outside until a claim holds: what asks inside is forbidden by the pages' policy."""
    for _ in range(_MOST_QUESTIONS):
        if page.evaluate(claim):
            return
        page.wait_for_timeout(_BETWEEN_QUESTIONS_MS)
    raise AssertionError(f"never came true: {claim}")


def now(page: Page) -> float:
    return float(page.locator("#run").get_attribute("data-now") or "nan")


def test_runs_are_filtered_searched_and_reached_by_keyboard(site: str, visit: Visit) -> None:
    page = visit.page
    page.goto(f"{site}/runs")
    rows = page.locator("tbody tr")
    assert rows.count() == 4
    visit.judge()
    visit.keep("runs-light")
    page.locator("select[name=component]").select_option(STRANGER)
    page.wait_for_url("**component=acme_watcher*")
    assert rows.count() == 2
    page.get_by_label("Search", exact=True).fill("elsewhere")
    page.get_by_label("Search", exact=True).press("Enter")
    page.wait_for_url("**q=elsewhere*")
    assert rows.count() == 1
    page.goto(f"{site}/runs")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.get_by_role("link", name="core_clip").first.click()
    page.wait_for_url("**component=core_clip*")
    assert rows.count() == 2
    page.get_by_role("link", name="phone").first.press("Enter")
    page.wait_for_url("**/runs/demo/phone/r*")
    assert visit.faults == []


def test_a_click_on_a_curve_seeks_the_video_and_the_cursor_follows(site: str, visit: Visit) -> None:
    page = visit.page
    page.goto(f"{site}/runs/demo/phone/r0")
    visit.is_ready()
    wait_until(page, "document.getElementById('video').readyState >= 2")
    plot = page.locator("#core_optical_flow .plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 64 + (box["width"] - 78) / 2, box["y"] + 40)
    wait_until(page, "Number(document.getElementById('run').dataset.now) > 0.5")
    clicked = now(page)
    duration = float(page.locator("#run").get_attribute("data-duration") or 0)
    assert abs(clicked - duration / 2) < duration / 20
    wait_until(page, "!document.getElementById('video').seeking")
    playing = page.evaluate("document.getElementById('video').currentTime")
    assert abs(playing - clicked) < 0.1
    cursor = page.locator("#core_optical_flow .cursor").first.bounding_box()
    assert cursor is not None
    assert abs(cursor["x"] - (box["x"] + 64 + (box["width"] - 78) / 2)) < 8
    page.locator("#time").focus()
    page.keyboard.press("Home")
    wait_until(page, "Number(document.getElementById('run').dataset.now) === 0")
    page.keyboard.press("PageUp")
    wait_until(page, "Number(document.getElementById('run').dataset.now) > 0")
    page.evaluate("document.getElementById('video').muted = true")
    page.evaluate("document.getElementById('video').play()")
    before = now(page)
    wait_until(page, f"Number(document.getElementById('run').dataset.now) !== {before}")
    visit.judge()
    visit.keep("run-light")
    assert visit.faults == []


def test_what_a_strangers_component_found_is_drawn_over_the_picture(
    site: str, visit: Visit
) -> None:
    page = visit.page
    page.goto(f"{site}/runs/local/strange/r1")
    visit.is_ready()
    layers = page.locator("#layers label")
    assert sorted(layers.all_inner_texts()) == ["drift", "glow", "marks", "things"]
    for index in range(4):
        layers.nth(index).locator("input").check()
    wait_until(page, "Number(document.getElementById('overlay').dataset.drawn) === 5")
    inked = page.evaluate(
        "(() => { const c = document.getElementById('overlay'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
        " for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"
    )
    assert inked > 1000
    for index in range(4):
        layers.nth(index).locator("input").uncheck()
    wait_until(page, "document.getElementById('overlay').dataset.drawn === '0'")
    assert page.locator("section .plot").count() >= 2
    assert page.locator("section .strip .thumb").count() == 6
    page.locator("section .strip .thumb").nth(1).click()
    assert now(page) == 2.0
    layers.nth(0).locator("input").check()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    visit.judge()
    visit.keep("run-stranger-dark")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert visit.faults == []


def test_features_arrays_and_findings_of_a_run(site: str, visit: Visit) -> None:
    page = visit.page
    page.goto(f"{site}/runs/demo/phone/r0")
    shown = page.locator("#feature-table tbody tr:visible")
    everything = shown.count()
    page.get_by_label("Search features").fill("camera_speed")
    assert 0 < shown.count() < everything
    page.locator("summary", has_text="text_processor").first.click()
    button = page.get_by_role("button", name="Copy Python that reads title_language", exact=True)
    copied = button.get_attribute("data-copy") or ""
    assert 'run["text_processor"]["title_language"]' in copied
    compile(copied, "copied", "exec")
    page.get_by_role("button", name="Hold this run to the contract").click()
    page.get_by_text("Valid: 4 artifacts, 0 findings.").wait_for()
    visit.judge()
    assert visit.faults == []


def test_two_runs_are_compared_and_their_curves_lie_over_each_other(
    site: str, visit: Visit
) -> None:
    page = visit.page
    page.goto(f"{site}/runs/demo/phone/r1")
    page.get_by_role("link", name="compare with this one").click()
    page.wait_for_url("**/compare?**")
    assert page.get_by_text("sampling.rate_hz").count() == 1
    wait_until(
        page, "[...document.querySelectorAll('.overlaid')].every((p) => p.ariaBusy === 'false')"
    )
    assert page.evaluate("document.querySelector('#compare .plot').data.length") >= 2
    visit.judge()
    visit.keep("compare-light")
    assert visit.faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_corpus_and_schemas(site: str, visit: Visit, theme: str) -> None:
    page = visit.page
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.goto(f"{site}/corpus")
    page.get_by_label("Component").select_option("core_optical_flow")
    page.wait_for_url("**show=core_optical_flow*")
    assert page.locator("html").get_attribute("data-theme") == theme
    assert page.locator("svg.histogram").count() > 10
    page.get_by_label("Search features").fill("camera_pan")
    assert page.locator("#columns tbody tr:visible").count() == 1
    visit.judge()
    visit.keep(f"corpus-{theme}")
    page.goto(f"{site}/schemas")
    page.get_by_role("link", name="core_clip_npz_v1").click()
    assert page.get_by_text("frame_embeddings").count() >= 1
    visit.judge()
    visit.keep(f"schema-{theme}")
    assert visit.faults == []


def test_every_page_fits_a_phone(site: str, visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for name, path in (
        ("runs", "/runs"),
        ("run", "/runs/local/strange/r1"),
        ("compare", "/compare?left=demo/phone/r0&right=demo/phone/r1"),
        ("corpus", "/corpus?show=core_optical_flow"),
        ("schema", "/schemas/audio_npz_v1"),
    ):
        page.goto(f"{site}{path}")
        if name == "run":
            visit.is_ready()
        assert visit.is_within_width(), name
        visit.keep(f"{name}-phone")
    visit.judge()
    assert visit.faults == []


def test_without_its_video_a_run_still_has_a_clock(site: str, visit: Visit) -> None:
    page = visit.page
    page.goto(f"{site}/runs/local/elsewhere/r1")
    visit.is_ready()
    assert page.get_by_text("The video is not here.").count() == 1
    page.get_by_label("Time in the video").fill("3")
    assert now(page) == 3.0
    visit.keep("run-without-video")
    assert visit.faults == []


def test_a_damaged_store_is_shown_as_what_it_is(damaged: str, visit: Visit) -> None:
    page = visit.page
    page.goto(f"{damaged}/runs")
    assert page.get_by_text("damaged manifests").count() == 1
    visit.judge()
    visit.keep("damaged-runs")
    told = 0
    for address in page.locator("tbody a").evaluate_all("links => links.map((a) => a.href)"):
        assert page.goto(address).ok  # type: ignore[union-attr]
        visit.is_ready()
        told += page.get_by_text("Damaged:").count()
        page.get_by_role("button", name="Hold this run to the contract").click()
        page.locator("#findings .good, #findings .bad").wait_for()
    assert told > 0
    visit.judge()
    visit.keep("damaged-run")
    missing = page.goto(f"{damaged}/runs/local/broken/r0")
    assert missing is not None
    assert missing.status == 409
    visit.judge()
    visit.keep("damaged-manifest")
    # The browser itself notes each answer that is no success; anything else would be ours.
    assert [fault for fault in visit.faults if "status of 4" not in fault] == []
