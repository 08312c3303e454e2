import signal
import threading

import numpy as np
import pytest

from kerassent.client import Client
from kerassent.scoring import batching
from kerassent.scoring.answers import AnswerColumns
from kerassent.scoring.batching import score_texts
from tests.scoring.conftest import WordModel


class Served(WordModel, Client):
    """A client that asks nobody."""

    class_names = WordModel.class_names

    def __init__(self, fails_at=None):
        super().__init__()
        self.fails_at = fails_at
        self.lock = threading.Lock()

    def predict_proba(self, texts, *, timeout=None):
        with self.lock:
            self.batches.append(list(texts))
        if self.fails_at in texts:
            raise ValueError("enough")
        return np.array([self.probabilities(text) for text in texts])


TEXTS = [b"x" * (i * 37 % 500 + 1) + b"%d" % i for i in range(1000)]


def expected(texts):
    return np.array([WordModel.probabilities(text) for text in texts])


@pytest.mark.parametrize("batch_size", [None, 1, 7, 5000])
def test_answers_are_in_the_order_of_the_texts(batch_size):
    model = WordModel()
    found = score_texts(model, TEXTS, batch_size=batch_size)
    np.testing.assert_array_equal(found, expected(TEXTS))
    if batch_size == 7:
        assert [len(batch) for batch in model.batches] == [7] * 142 + [6]


def test_rows_without_a_text_are_nan_and_cost_nothing():
    model = WordModel()
    counts = []
    found = score_texts(
        model, [None, b"a", None, b"b", b"a"], advance=counts.append
    )
    assert np.isnan(found[[0, 2]]).all()
    np.testing.assert_array_equal(
        found[[1, 3, 4]], expected([b"a", b"b", b"a"])
    )
    assert model.batches == [[b"a", b"b"]]
    assert counts == [3]
    assert np.isnan(score_texts(model, [None, None])).all()
    answers = AnswerColumns(model.class_names).answers(found, [""] * 5)
    assert answers.labels[0] is answers.labels[2] is None
    assert answers.decimals()[0] == ["", "", ""]


def test_the_shorter_the_texts_the_more_are_in_a_batch():
    model = WordModel()
    short = [b"%04d" % i for i in range(2000)]
    middle = [b"m%04d" % i + b"x" * 395 for i in range(1000)]
    long = [b"l%04d" % i + b"x" * 9995 for i in range(100)]
    score_texts(model, [*long, *middle, *short])
    sizes = [len(batch) for batch in model.batches]
    assert sizes[:7] == [256] * 7
    # Then longer ones follow, so it ends where the short ones do.
    assert sizes[7:] == [208, *[150] * 6, 100, *[32] * 3, 4]
    assert max(sizes) == batching.MAX_BATCH
    assert sum(sizes) == 3100


def test_a_client_is_given_some_texts_at_a_time_and_keeps_their_order(
    monkeypatch,
):
    monkeypatch.setattr(batching, "_CLIENT_TEXTS", 64)
    model = Served()
    counts = []
    found = score_texts(model, TEXTS, advance=counts.append)
    np.testing.assert_array_equal(found, expected(TEXTS))
    assert sorted(map(len, model.batches)) == [40] + [64] * 15
    assert counts == [64] * 15 + [40]


def test_a_client_that_fails_is_not_asked_for_the_rest(monkeypatch):
    monkeypatch.setattr(batching, "_CLIENT_TEXTS", 10)
    shortest = min(TEXTS, key=len)
    model = Served(fails_at=shortest)
    with pytest.raises(ValueError, match="enough"):
        score_texts(model, TEXTS)
    assert len(model.batches) < 100


def test_who_gives_up_does_not_wait_for_a_server_that_says_nothing():
    class Silent(Served):
        begun, over = threading.Event(), threading.Event()
        ended = 0

        def predict_proba(self, texts, *, timeout=None):
            self.begun.set()
            self.over.wait(timeout=30)
            self.ended += 1

    def give_up():
        model.begun.wait(timeout=30)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    model = Silent()
    giving_up = threading.Thread(target=give_up)
    giving_up.start()
    with pytest.raises(KeyboardInterrupt):
        score_texts(model, TEXTS)
    assert model.ended == 0
    model.over.set()
    giving_up.join()


def test_a_model_that_takes_several_calls_at_once_gets_them():
    class Together(WordModel):
        calls_at_once = 2
        meeting = threading.Barrier(2)

        def predict_proba(self, texts, *, batch_size=32):
            self.meeting.wait(timeout=30)  # comes to nothing alone
            return super().predict_proba(texts, batch_size=batch_size)

    found = score_texts(Together(), TEXTS, batch_size=100)
    np.testing.assert_array_equal(found, expected(TEXTS))
