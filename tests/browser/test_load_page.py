"""The load test's page in a real browser."""

import pytest

from kerassent.load_test.page import write_load_page
from kerassent.load_test.payloads import Payloads
from kerassent.load_test.recording import Event, Recording
from kerassent.load_test.summary import summarize
from kerassent.load_test.sweep import Step, Sweep

HOSTILE = "<script>alert(1)</script>" + "x" * 80


class Server:
    url = "grpc://a-host-with-a-long-name.of-a-cluster.example:8500"
    model_name = HOSTILE
    model_spec = HOSTILE


def result(*, rate=None, clients=None, slow=0.0, failing=False):
    recording = Recording()
    error = ("Overloaded", f"{HOSTILE} said no")
    number = rate or 50
    for i in range(int(number * 5)):
        latency = 0.004 * (1 + (i % 97) / 20) + slow * i / number
        recording.events.append(
            Event(
                i / number,
                i / number,
                i / number + 0.0004,
                i / number + latency,
                error if failing and i % 40 == 0 else None,
            )
        )
    return summarize(
        recording,
        server=Server(),
        payloads=Payloads(["a text"]),
        window=(0.0, 5.0),
        num_requests=len(recording.events),
        rate=rate,
        clients=clients,
    )


def sweep():
    alone = result(clients=1)
    steps = [Step(result(rate=rate), None) for rate in (20, 50, 100, 140, 170)]
    steps.append(Step(result(rate=185, slow=0.1), "p95 over 20 ms"))
    steps.append(Step(result(rate=200, slow=0.3, failing=True), "2.5% failed"))
    return Sweep(alone, result(clients=32), 20.0, tuple(steps), 170)


PAGES = {
    "sweep": sweep,
    "one": lambda: result(rate=80, failing=True),
    "nothing": lambda: result(clients=1, failing=True, slow=1e-9),
}


@pytest.fixture(params=["sweep", "one", "nothing"])
def file(request, tmp_path):
    path = tmp_path / f"{request.param}.html"
    write_load_page(PAGES[request.param](), path)
    return path


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_shows_all_and_asks_for_nothing(browser, file, width, dark):
    page = browser.open(file.as_uri(), width, 900, dark=dark)
    assert page.cut() == []
    assert page.complaints == []
    asked = [url for url in page.requests if not url.startswith("data:")]
    assert asked == [file.as_uri()]
    assert page.run("document.scripts.length") == 0
    assert HOSTILE in page.run("document.body.innerText")
    curves = "document.querySelectorAll('figure svg path.line').length"
    assert page.run(curves) >= 3
    page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_accessible(browser, axe, file, dark):
    page = browser.open(file.as_uri(), dark=dark)
    assert page.violations(axe) == []
    page.close()
