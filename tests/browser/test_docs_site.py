"""The documentation as a site: it builds, hangs together, and shows all."""

import functools
import html.parser
import http.server
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest
import yaml

import kerassent as ks

ROOT = pathlib.Path(__file__).parent.parent.parent
SOURCES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
PAGES = [name.replace(".md", ".html") for name in SOURCES]


class Reader(html.parser.HTMLParser):
    """The addresses that a page names, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.parts = set(), set(), set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.add(values.get("id"))
        if tag == "a" and values.get("href"):
            self.links.add(values["href"])
        elif tag != "a":  # what a browser fetches on its own
            self.parts |= {values.get("src"), values.get("href")} - {None}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The directory of the built site; a warning would fail the build."""
    pytest.importorskip("zensical", reason="needs the extra docs")
    project = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "mkdocs.yml", project)
    shutil.copytree(ROOT / "docs", project / "docs")
    for name in ("kerassent", "serving", "CHANGELOG.md"):
        (project / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return project / "build" / "site"


@pytest.fixture(scope="module")
def address(site):
    """Where a server on the loopback shows it."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def navigation(entries):
    for entry in entries:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else navigation(value)


def test_each_page_is_in_the_navigation_once():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    assert sorted(navigation(config["nav"])) == SOURCES


def test_links_and_anchors_lead_somewhere(site):
    readers = {path.name: Reader(path) for path in site.glob("*.html")}
    assert set(PAGES) <= set(readers)
    lost = []
    for name in PAGES:
        for link in readers[name].links:
            if "://" in link or link.startswith("mailto:"):
                continue
            target, _, anchor = link.partition("#")
            page = (site / (target or name)).resolve()
            if page.is_dir():
                page = page / "index.html"
            if not page.is_file():
                lost.append((name, link))
            elif anchor and page.suffix == ".html":
                reader = readers.get(page.name) or Reader(page)
                if anchor not in reader.anchors:
                    lost.append((name, link))
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_needs_nothing_from_others(site, page):
    parts = Reader(site / page).parts
    assert len(parts) > 3
    assert [part for part in parts if "//" in part] == []
    for part in parts:
        assert (site / part.partition("?")[0].partition("#")[0]).exists(), part


def test_the_api_has_every_public_name(site):
    anchors = Reader(site / "api.html").anchors
    names = {f"kerassent.{name}" for name in ks.__all__}
    assert names - anchors == set()
    errors = {
        f"kerassent.errors.{name}"
        for name, value in vars(ks.errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert len(errors) == 11
    assert errors - anchors == set()
    # Not only a heading: what each argument of `train` means, for one.
    text = (site / "api.html").read_text("utf-8")
    for option in ks.train.__kwdefaults__:
        assert f"<b>{option}</b>" in text or f">{option}</code>" in text


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_all_and_asks_nobody_else(browser, address, page, width):
    shown = browser.open(address + page, width, 900, dark=width == 390)
    assert shown.run(CUT) == []
    assert shown.complaints == []
    asked = [url for url in shown.requests if not url.startswith("data:")]
    assert asked
    assert [url for url in asked if not url.startswith(address)] == []
    shown.close()


# What sticks out of the page, but for what scrolls on its own.
CUT = """(() => {
  const page = document.documentElement, found = [];
  if (page.scrollWidth > page.clientWidth)
    found.push(`page ${page.scrollWidth} > ${page.clientWidth}`);
  const scrolls = e => {
    for (; e; e = e.parentElement)
      if (/auto|scroll/.test(getComputedStyle(e).overflowX)) return true;
    return false;
  };
  for (const e of document.querySelectorAll("article *")) {
    const box = e.getBoundingClientRect();
    if (box.width && box.right > page.clientWidth + 1 && !scrolls(e))
      found.push(`${e.outerHTML.slice(0, 80)}: ${box.right}`);
  }
  return found;
})()"""
