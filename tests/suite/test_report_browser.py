"""The page of a run in a real browser: at a phone's and a desktop's width, in both colour schemes."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest
from browser import browser, programs
from reported import WORDS, shown_run

import algos
from kvratio import Instance
from kvratio.suite.report.write import write_report

pytestmark = pytest.mark.skipif(programs() is None, reason="chromium or chromedriver is not installed")

SIZES = [(360, True), (1280, False)]
EVERY_SIZE = [(360, False), (360, True), (1280, False), (1280, True)]
#: the rows of the list that are seen: policy, family, worst ratio
ROWS = """return [...document.querySelectorAll('#list tbody tr')].filter((row) => !row.hidden)
    .map((row) => [0, 1, 2].map((k) => (k ? row.cells[k] : row.cells[0].firstElementChild).textContent.trim()))"""
#: waits until the sheet shows the evidence
OPENED = """const until = Date.now() + 8000, open = () => document.querySelector('dialog[open] .command');
    while (!open() && Date.now() < until) await new Promise((go) => setTimeout(go, 20));
    return document.querySelector('dialog[open]').innerText"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the path of a page with failures, certificates and arrivals."""
    with pytest.MonkeyPatch.context() as patch:
        run = shown_run(tmp_path_factory.mktemp("browser") / "run", patch)
    return write_report(run, workers=1, progress=False).path


@pytest.fixture(scope="module")
def tab():
    """Return a tab of a browser that all tests here share."""
    with browser() as page:
        yield page


def _opened(tab, report, size):
    """Open the page, and afterwards see that nothing was said on the console."""
    tab.open(report, size[0], dark=size[1])
    yield tab
    assert tab.errors() == []


def _name(size):
    return f"{size[0]} {'dark' if size[1] else 'light'}"


@pytest.fixture(params=EVERY_SIZE, ids=_name)
def any_page(request, tab, report):
    """Open the page at each width in each scheme."""
    yield from _opened(tab, report, request.param)


@pytest.fixture(params=SIZES, ids=_name)
def page(request, tab, report):
    """Open the page on a dark phone and on a light desktop, at the list."""
    for opened in _opened(tab, report, request.param):
        opened.run("document.querySelector('#views [data-view=list]').click()")
        yield opened


def _fits(page):
    """Whether neither the page nor an open sheet can be moved sideways."""
    return page.run(
        """const root = document.documentElement, sheet = document.getElementById('detail');
        return root.scrollWidth <= innerWidth && sheet.scrollWidth <= sheet.clientWidth"""
    )


def _middle(text):
    """The lower end of a printed ratio, or the only one."""
    return float(text.removeprefix("★").strip(" =≤[]*").split(",")[0])


def test_the_body_never_moves_sideways(any_page):
    """Not as a list, not as a matrix, not with a sheet open."""
    page = any_page
    page.run("document.querySelector('#views [data-view=list]').click()")
    assert page.run("return document.getElementById('list').offsetHeight") > 0
    assert _fits(page)
    page.run("document.querySelector('#views [data-view=matrix]').click()")
    assert page.run("return document.getElementById('matrix').offsetHeight") > 0
    assert _fits(page)
    page.run("document.querySelector('#matrix td button').click()")
    page.run(OPENED)
    assert _fits(page)


def test_the_scheme_follows_the_system_and_the_button(any_page, request):
    """Dark where the system is dark; the button goes over to light and to dark."""
    luminance = (
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + Number(b), 0)"
    )
    page = any_page
    dark = request.node.callspec.params["any_page"][1]
    assert (page.run(luminance) < 200) == dark
    for expected in (False, True):
        page.run("document.getElementById('theme').click()")
        assert (page.run(luminance) < 200) == expected
    page.run("document.getElementById('theme').click()")
    assert (page.run(luminance) < 200) == dark


def test_every_text_can_be_read_in_both_schemes(any_page):
    """Text stands out from what is behind it, in the page and in its figures."""
    poor = any_page.run(
        """const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const parts = (text) => {
          const scale = text.startsWith('color(') ? 255 : 1;
          const [r, g, b, a = 1] = text.replace(/^color\\(srgb/, '').match(/[\\d.]+/g).map(Number);
          return [r * scale, g * scale, b * scale, a];
        };
        const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
        const behind = (e) => {
          for (; e; e = e.parentElement) {
            const found = parts(getComputedStyle(e).backgroundColor);
            if (found[3] > 0.9) return found;
          }
          return [255, 255, 255];
        };
        document.getElementById('matrix').hidden = document.getElementById('list').hidden = false;
        const poor = [];
        for (const e of document.querySelectorAll('main *, header *')) {
          if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
          const style = getComputedStyle(e);
          const [x, y] = [light(parts(e.closest('svg') ? style.fill : style.color)), light(behind(e))];
          const contrast = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
          if (contrast < 4.5) poor.push(`${e.tagName} ${e.textContent.trim().slice(0, 30)} ${contrast.toFixed(2)}`);
        }
        return poor"""
    )
    # 4.5 is what WCAG asks (AA). Stars are marks beside their text, and drawn in the colour of the frame of the best.
    assert [text for text in poor if not text.startswith("I ★")] == []


def test_the_list_sorts(page):
    """A heading sorts down, then up; failed cells stand last both ways; the menu does the same."""
    before = page.run(ROWS)
    for down in (True, False):
        page.run("document.querySelector('#list th[data-sort=\"0\"] button').click()")
        rows = page.run(ROWS)
        assert sorted(rows) == sorted(before)
        assert rows[-1][2] == "failed"
        values = [_middle(row[2]) for row in rows if row[2] != "failed"]
        assert values == sorted(values, reverse=down)
        state = page.run("return document.querySelector('#list th[data-sort=\"0\"]').getAttribute('aria-sort')")
        assert state == ("descending" if down else "ascending")
    page.run(
        "const menu = document.getElementById('sort'); menu.value = 'policy'; menu.dispatchEvent(new Event('change'))"
    )
    names = [row[0] for row in page.run(ROWS)]
    assert names == sorted(names)
    assert len(set(names)) == 4


def test_filters_hide_and_reset_shows(page):
    """Search, family, failures: the list, the matrix and the count agree."""
    everything = page.run(ROWS)
    put = """const [id, value] = given, control = document.getElementById(id);
        control.value = value;
        control.dispatchEvent(new Event('input', {bubbles: true}))"""
    page.run(put, "search", "FCFS block")
    assert [row[:2] for row in page.run(ROWS)] == [["fcfs", "blocker"]]
    assert page.run("return document.getElementById('count').textContent").startswith("1 of 8 cells")
    page.run(put, "search", "")
    page.run(put, "only", "failed")
    assert [row[:2] for row in page.run(ROWS)] == [["svf & co", "blocker"]]
    shown = "return [...document.querySelectorAll('#matrix tbody tr')].filter((r) => !r.hidden).map((r) => r.dataset.p)"
    assert page.run(shown) == ["svf & co"]
    page.run(put, "family", "uniform")
    assert page.run(ROWS) == []
    page.run("document.querySelector('#tools [type=reset]').click(); await new Promise((r) => setTimeout(r, 50))")
    assert page.run(ROWS) == everything


def test_the_matrix_sorts_by_a_family_and_shows_means(page):
    """Policies stand in the order of a family's ratios; the menu changes worst into mean."""
    page.run("document.querySelector('#views [data-view=matrix]').click()")
    page.run("document.querySelector('#matrix th[data-f=uniform] button').click()")
    column = "return [...document.querySelectorAll('#matrix tbody tr')].map((r) => r.cells[1].textContent)"
    worst = page.run(column)
    values = [float(text.strip("=≤*").split("–")[0]) for text in worst]
    assert values == sorted(values)
    page.run(
        "const menu = document.getElementById('which'); menu.value = 'mean'; menu.dispatchEvent(new Event('change'))"
    )
    assert page.run(column) != worst


def test_a_cell_opens_its_evidence_by_keyboard(page):
    """Enter on a policy opens its sheet with all it should have, Escape closes it."""
    from selenium.webdriver.common.keys import Keys

    button = page.driver.find_element("css selector", "#list tr[data-k='0'] button")
    button.send_keys(Keys.ENTER)
    text = page.run(OPENED)
    for words in ("fcfs on uniform", "Its instances", "Schedule", "Bound", "Requests", "Replay"):
        assert words in text
    assert "kvratio simulate instances/" in text
    assert "kvratio bound instances/" in text
    drawn = page.run(
        "return ['.ran', '.band:not(.lit)'].map((name) => document.querySelectorAll(`dialog ${name}`).length)"
    )
    assert drawn == [1, 30]
    # The certificate opens, and so does another instance of the cell.
    page.run("document.querySelector('dialog .cert summary').click()")
    assert '"' in page.run("return document.querySelector('dialog .cert pre').innerText")
    assert page.run("return document.querySelectorAll('dialog tbody th[scope=row]').length") == 12
    page.run("document.querySelector('dialog .row-links button').click()")
    assert page.run("return document.querySelectorAll('dialog tbody th[scope=row]').length") == 30
    page.run("document.querySelectorAll('dialog .pick')[1].click(); await new Promise((r) => setTimeout(r, 200))")
    assert page.run("return document.querySelectorAll('dialog tr[aria-current=true]').length") == 1
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert page.run("return document.getElementById('detail').open") is False


def test_the_memory_that_is_drawn_is_that_of_the_schedule(page, report):
    """The highest point of the drawing, measured against the line of the budget, is the peak of the schedule."""
    page.run("document.querySelector(\"#list tr[data-k='0'] button\").click()")
    text = page.run(OPENED)
    peak, base, budget = page.run(
        """const heights = (name) => [...document.querySelectorAll('dialog svg ' + name)]
            .flatMap((path) => [...path.getAttribute('d').matchAll(/[ML][\\d.]+ ([\\d.]+)/g)])
            .map((match) => Number(match[1]));
        const bands = heights('.band:not(.lit)');
        return [Math.min(...bands), Math.max(...bands), heights('.budget')[0]]"""
    )
    inst = Instance.load(report.parent / "instances" / re.search(r"instances/(\w+\.json)", text)[1])
    _, first, last = algos.schedule(inst, "fcfs").memory_curve()
    expected = max(first[:-1].max(), last[:-1].max()) / inst.memory
    assert (base - peak) / (base - budget) == pytest.approx(expected, abs=0.002)


def test_a_failed_cell_tells_why(page):
    """Its message as text and its traceback."""
    number = page.run("return document.querySelector('#list tr[data-t~=failed]').dataset.k")
    page.run("document.querySelector(`#list tr[data-k='${given[0]}'] button`).click()", number)
    text = page.run(OPENED)
    assert f"RuntimeError: {WORDS}" in text
    assert page.run("return document.querySelector('dialog pre').textContent").startswith("Traceback")


def test_a_downloaded_instance_is_the_one_of_the_run(page, report):
    """The link holds the file that the run keeps."""
    page.run("document.querySelector(\"#list tr[data-k='1'] button\").click()")
    page.run(OPENED)
    name, link = page.run(
        """const link = document.querySelector('dialog a[download]:not([download*=certificates])');
        return [link.download, link.href]"""
    )
    kept = json.loads((report.parent / "instances" / name).read_text())
    assert json.loads(unquote(link.partition(",")[2])) == kept


def test_an_address_opens_its_cell(tab, report):
    """The address of a cell can be sent to someone."""
    tab.open(report, 1280)
    tab.driver.get(report.resolve().as_uri() + "#cell=3")
    tab.driver.refresh()
    assert "vllm recompute on uniform" in tab.run(OPENED)
    assert tab.errors() == []


def test_a_browser_that_cannot_unpack_says_so(tab, report):
    """Without DecompressionStream the tables work and a press tells what is missing."""
    source = {"source": "delete window.DecompressionStream"}
    made = tab.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        tab.open(report, 360)
        tab.run("document.querySelector('#list tbody button').click()")
        assert "DecompressionStream" in tab.run("return document.getElementById('trouble').innerText")
        assert tab.run("return document.getElementById('detail').open") is False
        assert len(tab.run(ROWS)) == 8
    finally:
        tab.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)


def test_paper_shows_the_whole_list(tab, report):
    """In print the list stands in full, whatever was chosen on the screen; the tools are gone."""
    tab.open(report, 1280, dark=True)
    tab.run("document.querySelector('#views [data-view=matrix]').click()")
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        heights = tab.run("return ['list', 'tools', 'matrix'].map((id) => document.getElementById(id).offsetHeight)")
        assert heights[0] > 200
        assert heights[1:] == [0, 0]
        assert tab.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
