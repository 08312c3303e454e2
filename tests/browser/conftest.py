"""A real Chromium, spoken to over a pipe in its DevTools protocol."""

import base64
import collections
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import time

import pytest

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update "
    "--disable-sync --remote-debugging-pipe"
).split()


class Browser:
    """A Chromium of our own."""

    def __init__(self, executable, profile):
        to_browser, self._commands = _pipe()
        self._answers, from_browser = _pipe()
        flags = [*_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        # It reads from descriptor 3 and writes to 4.
        moved = f"os.dup2({to_browser}, 3); os.dup2({from_browser}, 4)"
        start = f"import os, sys; {moved}; os.execv(sys.argv[1], sys.argv[1:])"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", start, executable, *flags],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._unread = b""
        self._last = 0
        self.events = collections.deque()

    def ask(self, method, session=None, **params):
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        deadline = time.monotonic() + 60
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method, session):
        """Waits for an event."""
        deadline = time.monotonic() + 60
        for event in list(self.events):
            if (event["method"], event.get("sessionId")) == (method, session):
                return
        while True:
            event = self._read(deadline)
            self.events.append(event)
            if (event["method"], event.get("sessionId")) == (method, session):
                return

    def _read(self, deadline):
        while b"\0" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                raise TimeoutError("Chromium doesn't answer")
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise RuntimeError("Chromium has ended")
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\0")
        return json.loads(line)

    def open(self, url, width=1280, height=900, *, dark=False, media=""):
        """Opens a page and waits until it is there."""
        return Page(self, url, width, height, dark=dark, media=media)

    def close(self):
        """Ends it."""
        os.close(self._commands)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)


def _pipe():
    """A pipe whose ends are neither 3 nor 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved


class Page:
    """A page in it."""

    def __init__(self, browser, url, width, height, *, dark, media):
        self._browser = browser
        target = browser.ask("Target.createTarget", url="about:blank")
        self._target = target["targetId"]
        attached = browser.ask(
            "Target.attachToTarget", targetId=self._target, flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.resize(width, height)
        scheme = "dark" if dark else "light"
        self.ask(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        browser.events.clear()
        answer = self.ask("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        browser.wait("Page.loadEventFired", self._session)

    def ask(self, method, **params):
        return self._browser.ask(method, self._session, **params)

    def resize(self, width, height):
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script):
        """The value of an expression, of a promise what it comes to."""
        answer = self.ask(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def type(self, text):
        self.ask("Input.insertText", text=text)

    def until(self, script):
        """Waits until an expression is true, and returns it."""
        deadline = time.monotonic() + 30
        while not (value := self.run(script)):
            if time.monotonic() > deadline:
                raise TimeoutError(script)
            time.sleep(0.02)
        return value

    @property
    def complaints(self):
        """What its console would show: errors, warnings, messages."""
        self.run("0")  # what happened until now is in `events` after it
        return [
            event["params"]
            for event in self._browser.events
            if event.get("sessionId") == self._session
            and event["method"]
            in (
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
                "Log.entryAdded",
            )
        ]

    @property
    def requests(self):
        """The addresses it asked for."""
        self.run("0")
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("sessionId") == self._session
            and event["method"] == "Network.requestWillBeSent"
        ]

    def cut(self):
        """Elements that stick out of the page, or hide a part of themselves.

        What scrolls on its own is no matter.
        """
        return self.run(
            """(() => {
              const page = document.documentElement, found = [];
              if (page.scrollWidth > page.clientWidth)
                found.push(`page ${page.scrollWidth} > ${page.clientWidth}`);
              for (const e of document.body.querySelectorAll("*")) {
                if (e.closest("svg") && e.tagName !== "svg") continue;
                const style = getComputedStyle(e);
                const box = e.getBoundingClientRect();
                if (!box.width || style.clipPath !== "none") continue;
                const scrolls = e.closest("[tabindex]");
                if (box.right > page.clientWidth + 1 && !scrolls)
                  found.push(`${e.outerHTML.slice(0, 80)}: ${box.right}`);
                if (style.overflowX === "hidden" &&
                    e.scrollWidth > e.clientWidth + 1)
                  found.push(`${e.outerHTML.slice(0, 80)} hides some`);
              }
              for (const t of document.querySelectorAll("svg text")) {
                const b = t.getBoundingClientRect();
                const s = t.closest("svg").getBoundingClientRect();
                if (b.width && (b.left < s.left - 1 || b.right > s.right + 1 ||
                    b.top < s.top - 1 || b.bottom > s.bottom + 1))
                  found.push(`text ${t.textContent} leaves its picture`);
              }
              return found;
            })()"""
        )

    def violations(self, axe):
        """What axe-core finds, shortly."""
        self.run(axe)
        found = self.run(
            "axe.run().then(r => r.violations.map(v => [v.id, v.help, "
            "...v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + "
            "n.failureSummary)]))"
        )
        return found

    def screenshot(self, path, *, whole=True):
        answer = self.ask(
            "Page.captureScreenshot", captureBeyondViewport=whole, format="png"
        )
        pathlib.Path(path).write_bytes(base64.b64decode(answer["data"]))

    def close(self):
        self._browser.ask("Target.closeTarget", targetId=self._target)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A Chromium, where one is installed."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed")
    browser = Browser(found, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def axe(repository):
    """The source of axe-core, where `npm install --no-save axe-core` was."""
    path = repository / "node_modules/axe-core/axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not installed")
    return path.read_text("utf-8")
