import numpy as np
import openpyxl
import pytest

FUNCTION = (
    "the a of and to in is it that was i with as for this but on his are he "
    "not be have at by one an from who all you they there has so"
).split()
NOUNS = [f"thing{n}" for n in range(900)]
GOOD = "wonderful great moving superb charming lovely brilliant fine".split()
BAD = "awful dull boring poor stupid terrible wooden bad".split()


class Writer:
    """Writes reviews that no two are alike of."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)

    def text(self, label="pos", *, words=60):
        """A text with some words of its label, and one of the other's."""
        mine, other = (GOOD, BAD) if label == "pos" else (BAD, GOOD)
        parts = []
        for _ in range(words):
            if self.random.random() < 0.45:
                parts.append(str(self.random.choice(FUNCTION)))
            elif self.random.random() < 0.25:
                parts.append(str(self.random.choice(mine)))
            elif self.random.random() < 0.05:
                parts.append(str(self.random.choice(other)))
            else:
                parts.append(str(self.random.choice(NOUNS)))
        return " ".join(parts)

    def rows(self, count):
        labels = ["pos", "neg"] * (count // 2)
        return [(self.text(label), label) for label in labels]

    def edited(self, text, changes):
        """The text with some words replaced, far from each other."""
        words = text.split()
        for place in np.linspace(2, len(words) - 3, changes).astype(int):
            words[place] = "other"
        return " ".join(words)


@pytest.fixture
def writer():
    return Writer()


@pytest.fixture
def book(tmp_path):
    """Writes rows of (text, label) to an xlsx file, under a header."""

    def write(name, rows):
        book = openpyxl.Workbook()
        for row in [("Reviews", "Sentiment"), *rows]:
            book.active.append(row)
        book.save(tmp_path / name)
        return tmp_path / name

    return write
