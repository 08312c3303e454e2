import numpy as np
import pytest

from kerassent import text_windows
from kerassent.text_windows import predict_by_length, windows


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(text_windows, "WINDOW", 10)


def lengths_of(batch):
    """A model of two classes, of which one has the text's length."""
    return np.array([[len(text), 0.5] for text in batch], np.float32)


class Asked:
    """Remembers the batches that it was asked for."""

    def __init__(self):
        self.batches = []

    def __call__(self, batch):
        self.batches.append(batch)
        return lengths_of(batch)


def test_windows_are_all_of_it_in_order(small_windows):
    found = list(windows(iter(range(23))))
    assert [len(window) for window in found] == [10, 10, 3]
    assert sum(found, []) == list(range(23))
    assert list(windows([])) == []


@pytest.mark.parametrize("make", [list, iter, np.array])
def test_answers_are_in_the_order_of_the_texts(small_windows, make):
    lengths = np.random.default_rng(0).integers(1, 40, 57)
    found = predict_by_length(
        make(["x" * n for n in lengths]),
        lengths_of,
        num_classes=2,
        batch_size=4,
    )
    assert found.dtype == np.float32
    assert found.tolist() == [[n, 0.5] for n in lengths]


def test_texts_of_a_window_are_asked_for_by_length(small_windows):
    model = Asked()
    texts = ["dddd", "a", "ccc", "bb"] * 3
    predict_by_length(texts, model, num_classes=2, batch_size=4)
    assert [[len(text) for text in batch] for batch in model.batches] == [
        [1, 1, 1, 2],
        [2, 3, 3, 4],
        [4, 4],
        [2, 3],
    ]


def test_no_more_than_a_window_is_drawn_ahead(small_windows):
    drawn = 0
    ahead = []

    def texts():
        nonlocal drawn
        for i in range(95):
            drawn += 1
            yield f"text {i}"

    answered = 0

    def model(batch):
        nonlocal answered
        ahead.append(drawn - answered)
        answered += len(batch)
        return lengths_of(batch)

    predict_by_length(texts(), model, num_classes=2, batch_size=5)
    assert (drawn, answered, max(ahead)) == (95, 95, 10)


def test_no_texts_give_no_rows():
    for nothing in ([], iter([])):
        found = predict_by_length(
            nothing, lengths_of, num_classes=3, batch_size=4
        )
        assert (found.shape, found.dtype) == ((0, 3), np.float32)


def test_a_list_is_checked_before_the_model_is_asked(small_windows):
    texts = ["good"] * 25 + [float("nan")]
    model = Asked()
    for some, batches in ((texts, 0), (iter(texts), 4)):
        with pytest.raises(TypeError, match="`texts.25.` is nan of type float"):
            predict_by_length(some, model, num_classes=2, batch_size=5)
        assert len(model.batches) == batches


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="`batch_size` must be 1 or more"):
        predict_by_length(["a"], lengths_of, num_classes=2, batch_size=0)
    with pytest.raises(TypeError, match=r"Pass `\['good'\]`"):
        predict_by_length("good", lengths_of, num_classes=2, batch_size=1)
