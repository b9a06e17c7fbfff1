"""The page at `/`: complete in itself, allowed nothing else, and used by a person in a browser."""

import base64
import hashlib
import re
import shutil

import pytest

from edgeembed import Encoder, Index
from helpers.live_server import served

pytestmark = pytest.mark.slow

KEY = "a-key-for-the-page"
TEXTS = "the cat sat\nthe dog ran\na train"
WIDTHS = (400, 1000, 1600)
READABLE = 4.5
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def live(tiny_path, tmp_path_factory):
    """A server that asks for a key, of a model and an index."""
    folder = tmp_path_factory.mktemp("page")
    keys = folder / "keys"
    keys.write_text(f"person {KEY}\n")
    with (
        Encoder.load(tiny_path) as encoder,
        Index.create(folder / "notes", encoder=encoder) as index,
    ):
        index.upsert(["a", "b"], documents=["the cat sat on the mat", "<img src=x> the rain"])
    settings = {"api_key_file": str(keys), "indexes": (str(folder / "notes"),)}
    with served(tiny_path, **settings) as live:
        yield live


@pytest.fixture(scope="module")
def answer(live):
    return live.request("GET", "/")


def policy(answer):
    parts = (part.strip().split() for part in answer.headers["content-security-policy"].split(";"))
    return {name: values for name, *values in parts}


def test_the_page_needs_no_key_and_nothing_else(answer):
    html = answer.body.decode()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"""(?:src|href|url|import|action)\s*[=(]\s*["']?(?!data:|#)\S*//""", html)


def test_only_its_own_script_and_style_may_run(answer):
    html, allowed = answer.body.decode(), policy(answer)
    for name in ("script", "style"):
        (content,) = re.findall(f"<{name}>(.*?)</{name}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert allowed[f"{name}-src"] == [f"'sha256-{digest}'"]
    assert allowed["default-src"] == ["'none'"]
    assert allowed["connect-src"] == ["'self'"]
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", html)


def test_every_field_has_a_label(answer):
    html = answer.body.decode()
    fields = re.findall(r'<(?:input|select|textarea)[^>]* id="(\w+)"', html)
    assert sorted(fields) == sorted(re.findall(r'<label for="(\w+)"', html))


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("no browser")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser, live):
    """The page, opened by somebody who has not given a key yet."""
    page, complaints = browser.new_page(), []
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else 0)
    page.goto(f"http://127.0.0.1:{live.port}/")
    yield page
    page.close()
    assert [each for each in complaints if "401" not in each] == []


@pytest.fixture(scope="module")
def asked(page):
    """What the page says, and where one types then, when the server wants a key."""
    page.get_by_label("Texts, one a line").fill(TEXTS)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#compare-failed:not(:empty)")
    return page.get_by_role("alert").first.inner_text(), page.evaluate("document.activeElement.id")


@pytest.fixture(scope="module")
def allowed(page, asked):
    """The page, once it has the key."""
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("API key").press("Enter")
    page.wait_for_selector("#searching:not([hidden])")
    return page


def test_a_person_is_asked_for_the_key_that_the_page_then_keeps_to_itself(asked, allowed):
    assert "API key" in asked[0]
    assert asked[1] == "key"
    kept = allowed.evaluate("localStorage.length + sessionStorage.length + document.cookie.length")
    assert kept == 0
    assert KEY not in allowed.url


def test_similarities_are_a_table_that_readers_of_screens_can_read(allowed, tiny_path):
    allowed.get_by_role("button", name="Compare").click()
    allowed.wait_for_selector("#heat td")
    table = allowed.get_by_role("table", name="Cosine similarity of 3 texts")
    assert table.get_by_role("columnheader").all_inner_texts() == ["text", "1", "2", "3"]
    assert table.get_by_role("rowheader").count() == 3
    numbers = [float(each) for each in table.get_by_role("cell").all_inner_texts()]
    with Encoder.load(tiny_path) as encoder:
        vectors = encoder.encode(TEXTS.split("\n"))
        assert numbers == pytest.approx(encoder.similarity(vectors, vectors).ravel(), abs=0.006)
    assert allowed.locator("#compare-said").get_attribute("role") == "status"
    assert "3 texts" in allowed.locator("#compare-said").inner_text()


def test_the_index_is_searched_and_what_it_has_is_shown_as_text(allowed):
    allowed.get_by_label("Question").fill("the rain")
    allowed.get_by_label("Question").press("Enter")
    allowed.wait_for_selector("#hits li")
    assert "<img src=x> the rain" in allowed.locator("#hits").inner_text()
    assert allowed.locator("#hits img").count() == 0


def test_throughput_is_shown_and_can_be_paused(allowed, live):
    live.embed("the cat", {"Authorization": f"Bearer {KEY}"})
    allowed.locator("#rate").filter(has_text=re.compile(r"\d")).wait_for()
    allowed.locator("#p99").filter(has_text=re.compile(r"\d m?s$")).wait_for()
    pause = allowed.get_by_role("button", name="Pause")
    pause.press("Enter")
    assert pause.get_attribute("aria-pressed") == "true"


def test_it_fits_every_width_and_its_numbers_can_be_read_in_light_and_dark(page):
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) == 101
        assert min(contrasts) >= READABLE
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


# The contrast of the heat map's numbers, for similarities of 0 to 1.
CONTRASTS = """() => {
  const steps = Array.from({length: 101}, (_, n) => n / 100);
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const luminance = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((byte) => {
      const part = byte / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  document.getElementById("compared").hidden = false;
  return steps.map((heat) => {
    document.getElementById("heat").replaceChildren(heatMap([""], [[heat]]));
    const style = getComputedStyle(document.querySelector("#heat td"));
    const [a, b] = [luminance(style.color), luminance(style.backgroundColor)].sort((x, y) => x - y);
    return (b + 0.05) / (a + 0.05);
  });
}"""
