"""The playground in a real browser, against a real server."""

import json
import urllib.error
import urllib.request

import pytest

import kerassent as ks
from kerassent import contract

HOSTILE = (
    "<img src=x onerror=alert(1)> <script>alert(2)</script> bad "
    "\u202edab\u202c مرحبا \U0001f600\U0001f1e9\U0001f1ea good </textarea>"
    "\n\nnull\0 é great"
)


@pytest.fixture(scope="module")
def server(tiny_models):
    with ks.serve(
        tiny_models,
        model_name="<b>tiny</b> &",
        port=0,
        rest_api_port=0,
        ui=True,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with ks.Client(server.grpc_url, model_name=server.model_name) as client:
        yield client


@pytest.fixture
def page(browser, server):
    page = browser.open(f"{server.rest_url}/", 1280)
    yield page
    page.close()


def ask(page, text):
    page.run(f"find('text').value = {json.dumps(text)}")
    page.run("find('form').requestSubmit()")
    page.until("find('answer').ariaBusy === 'false'")


def text_of(page, name):
    return page.run(f"find('{name}').textContent")


def test_it_says_what_the_server_says(page, client):
    page.until("document.activeElement === find('text')")  # it has autofocus
    page.type("the film was good and never dull")
    page.run("find('form').requestSubmit()")
    page.until("find('answer').ariaBusy === 'false'")
    prediction = client.predict(["the film was good and never dull"])[0]
    assert text_of(page, "label") == prediction.label
    score = float(text_of(page, "score").split("\u202f")[0])
    assert score == pytest.approx(100 * prediction.score, abs=0.06)
    rows = page.run(
        "[...find('probabilities').rows].map(r => [r.cells[0].textContent, "
        "parseFloat(r.cells[2].textContent), "
        "r.querySelector('.bar').getBoundingClientRect().width / "
        "r.cells[1].getBoundingClientRect().width])"
    )
    assert [name for name, *_ in rows] == sorted(
        prediction.probabilities, key=prediction.probabilities.get, reverse=True
    )
    for name, percent, width in rows:
        probability = prediction.probabilities[name]
        assert percent == pytest.approx(100 * probability, abs=0.06)
        assert width == pytest.approx(probability, abs=0.02)
    assert "Answered in" in text_of(page, "time")
    assert "Explained in" in text_of(page, "explained")
    assert page.complaints == []


def test_words_are_coloured_as_the_server_explains_them(page, server):
    text = "a good film, and é bad tea"
    ask(page, text)
    request = {"signature_name": "explain", "instances": [text]}
    path = contract.rest_model_path(server.model_name)
    with urllib.request.urlopen(
        f"{server.rest_url}{path}:predict", json.dumps(request).encode()
    ) as response:
        [answer] = json.load(response)["predictions"]
    strongest = max(map(abs, answer["attributions"]))
    expected = [
        [word, "for" if value > 0 else "against"]
        for word, value in zip(
            answer["words"], answer["attributions"], strict=True
        )
        if abs(value) >= 0.1 * strongest
    ]
    shown = page.run(
        "[...find('words').querySelectorAll('mark')]"
        ".map(m => [m.textContent, m.className.split(' ')[0]])"
    )
    assert shown == expected
    deepest = page.run("find('words').querySelector('.s4').textContent")
    assert deepest in [
        word
        for word, value in zip(
            answer["words"], answer["attributions"], strict=True
        )
        if abs(value) >= 0.75 * strongest
    ]
    assert text_of(page, "words") == text


def test_hostile_text_is_text(page):
    ask(page, HOSTILE)
    assert text_of(page, "words") == HOSTILE
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.scripts.length") == 1
    assert page.run("find('words').querySelectorAll('*:not(mark)').length") == 0
    assert page.run("document.querySelector('h1').textContent") == (
        "Ask <b>tiny</b> &"
    )
    assert page.complaints == []


@pytest.mark.parametrize("text", ["", "\ud800 lone \udc00", "good " * 20_000])
def test_any_text_has_an_answer(page, text):
    ask(page, text)
    assert text_of(page, "label") in ("neg", "pos")
    assert page.run("find('problem').hidden")
    assert text_of(page, "words") == text.replace("\ud800", "\ufffd").replace(
        "\udc00", "\ufffd"
    )


def test_the_last_question_is_answered(page, client):
    texts = ["bad " * 400, "bad", "a good film"]
    page.run(
        f"{json.dumps(texts)}.forEach(t => "
        "{ find('text').value = t; find('form').requestSubmit(); })"
    )
    page.until("find('answer').ariaBusy === 'false'")
    assert text_of(page, "words") == "a good film"
    assert text_of(page, "label") == client.predict(["a good film"])[0].label


def test_it_asks_no_one_else(page, server):
    ask(page, "good")
    for url in page.requests:
        assert url.startswith((server.rest_url, "data:")), url


def test_ctrl_enter_asks(page):
    page.run("find('text').focus()")
    page.type("good")
    for kind in ("keyDown", "keyUp"):
        page.ask(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            windowsVirtualKeyCode=13,
            modifiers=2,
        )
    page.until("find('answer').ariaBusy === 'false'")
    assert text_of(page, "words") == "good"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_and_all_is_accessible(
    browser, axe, server, width, dark
):
    page = browser.open(f"{server.rest_url}/", width, dark=dark)
    assert page.violations(axe) == []
    ask(page, HOSTILE + " good" + "x" * 500)
    assert page.cut() == []
    assert page.violations(axe) == []
    page.close()


def test_a_server_that_has_gone_is_said(browser, tiny_models):
    with ks.serve(tiny_models, port=0, rest_api_port=0, ui=True) as gone:
        page = browser.open(f"{gone.rest_url}/")
    ask(page, "good")
    assert "doesn’t answer" in text_of(page, "problem")
    page.close()


@pytest.mark.parametrize(
    ("outputs", "words", "hidden"),
    [
        (["score"], "was not exported by kerassent", True),
        (["score", "label", "probabilities", "class_names"], "explain", False),
    ],
)
def test_a_model_of_others_is_said(browser, tmp_path, outputs, words, hidden):
    import tensorflow as tf

    class Constant(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.string)])
        def __call__(self, text):
            answer = {
                "score": tf.constant([0.75]),
                "label": tf.constant(["pos"]),
                "probabilities": tf.constant([[0.25, 0.75]]),
                "class_names": tf.constant([["neg", "pos"]]),
            }
            return {name: tf.identity(answer[name]) for name in outputs}

    model = Constant()
    tf.saved_model.save(model, str(tmp_path / "m/1"), model.__call__)
    with ks.serve(tmp_path / "m", port=0, rest_api_port=0, ui=True) as server:
        page = browser.open(f"{server.rest_url}/")
        ask(page, "good")
    assert words in text_of(page, "problem")
    assert not page.run("find('problem').hidden")
    assert page.run("find('answer').hidden") is hidden
    assert page.run("find('why').hidden")
    page.close()


def test_without_it_the_server_is_as_it_was(tiny_models):
    with (
        ks.serve(tiny_models, port=0, rest_api_port=0) as server,
        pytest.raises(urllib.error.HTTPError, match="404"),
    ):
        urllib.request.urlopen(f"{server.rest_url}/")


def test_its_policy_lets_nothing_else_run(server):
    with urllib.request.urlopen(f"{server.rest_url}/") as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_it_is_for_this_machine(tiny_models):
    with pytest.raises(ValueError, match="`ui` is for this machine only"):
        ks.serve(tiny_models, host="0.0.0.0", port=0, rest_api_port=0, ui=True)
    with pytest.raises(ValueError, match="`ui` needs an HTTP port"):
        ks.serve(tiny_models, port=0, rest_api_port=None, ui=True)
