"""What the rows of `export.py` are asked, wherever they run.

Standard library only: the peers run it where kerassent is not.

A task is `reviews`, all of them in batches; `short`, one review of 16 tokens;
`long`, one of real reviews that fill `sequence_length`; `length_N`, one of N
tokens; `batch_N`, N of 128 tokens. All but the first are asked again and again
for a moment, with other texts each time, and a call's median counts.
"""

import json
import pathlib
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

BATCH_SIZE = 32
WARM_UP_BATCHES = 3
GROWTH_TOKENS = 128
SHORT_TOKENS = 16
TASKS = ("reviews", "short", "long")

# Each is one token of BERT's vocabulary.
WORDS = (
    "a the of and it was this film story actor scene music plot wonderful dull "
    "good bad great poor long short funny sad never always again very quite"
).split()

# How far a row's probabilities may be from ours.
FAR = {
    "bfloat16": 0.05,
    "torch_bfloat16": 0.05,
    "onnx_int8": 0.3,
    "bfloat16_predict": 0.05,
}
OTHERWISE_FAR = 5e-3

Predict = Callable[[list[str]], Any]


def rows_of(
    keys: list[str],
    directory: pathlib.Path,
    model: Callable[[pathlib.Path, str], Predict],
    seconds: float,
) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Returns what `take_turns` wants.

    Args:
        keys: Row and task, as in `torch/short`.
        directory: What `export.write_inputs` wrote.
        model: From that directory and a row to what takes a list of texts
            and returns their probabilities.
        seconds: How long a turn asks, but for `reviews`.
    """
    texts = read_texts(directory)
    expected = json.loads((directory / "expected.json").read_text("utf-8"))
    made: dict[str, Predict] = {}

    def predict_of(row: str) -> Predict:
        if row not in made:
            made[row] = model(directory, row)
            check(row, made[row](texts["reviews"][: len(expected)]), expected)
        return made[row]

    def turns(key: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
        row, _, task = key.partition("/")

        def warm_up() -> None:
            predict = predict_of(row)
            for batch in batches(texts, task, -1)[:WARM_UP_BATCHES]:
                predict(batch)

        def all_reviews() -> None:
            for batch in batches(texts, task, 0):
                predict_of(row)(batch)

        numbers = iter(range(10**9))

        def calls() -> float:
            asked = batches(texts, task, next(numbers))
            return median_call(predict_of(row), asked, seconds)

        return warm_up, all_reviews if task == "reviews" else calls

    return {key: turns(key) for key in keys}


def read_texts(directory: pathlib.Path) -> dict[str, list[str]]:
    """Returns the `reviews`, and those that are `long`."""
    found: dict[str, list[str]] = json.loads(
        (directory / "texts.json").read_text("utf-8")
    )
    return found


def batches(
    texts: dict[str, list[str]], task: str, number: int
) -> list[list[str]]:
    """Returns what a task asks, no two alike where they are made up.

    Args:
        texts: As `read_texts` returns them.
        task: Its name.
        number: Other texts for another; below 0 before the first turn.
    """
    if task == "reviews":
        reviews = texts["reviews"]
        return [
            reviews[i : i + BATCH_SIZE]
            for i in range(0, len(reviews), BATCH_SIZE)
        ]
    chance = random.Random(f"{task} {number}")
    if task == "long":
        return [[text] for text in chance.sample(texts["long"], 20)]
    kind, _, size = task.partition("_")
    if kind == "batch":
        return [
            [made_up(chance, GROWTH_TOKENS) for _ in range(int(size))]
            for _ in range(20)
        ]
    tokens = SHORT_TOKENS if task == "short" else int(size)
    return [[made_up(chance, tokens)] for _ in range(100)]


def made_up(chance: random.Random, tokens: int) -> str:
    """Returns a text of so many tokens, with [CLS] and [SEP]."""
    return " ".join(chance.choices(WORDS, k=tokens - 2))


def median_call(
    predict: Predict, asked: Iterable[list[str]], seconds: float
) -> float:
    """Returns the median of seconds for a call; there are two at least.

    The first call isn't counted: while the others had their turns, the system
    may have put away what it needs.
    """
    taken: list[float] = []
    first, *others = asked
    predict(first)
    end = time.perf_counter() + seconds
    for batch in others:
        start = time.perf_counter()
        predict(batch)
        taken.append(time.perf_counter() - start)
        if len(taken) > 1 and time.perf_counter() > end:
            break
    return statistics.median(taken)


def check(row: str, found: Any, expected: Any) -> None:
    """Raises unless a row says what our classifier says."""
    far = FAR.get(row, OTHERWISE_FAR)
    differences = [
        max(abs(a - b) for a, b in zip(found_row, row_, strict=True))
        for found_row, row_ in zip(found, expected, strict=True)
    ]
    num_far = sum(difference > far for difference in differences)
    print(
        f"{row}: differs by {max(differences):.2g}, {num_far} of "
        f"{len(differences)} texts by more than {far}",
        file=sys.stderr,
        flush=True,
    )
    # keras-nlp and transformers split some texts in their own way.
    allowed = 0 if row.startswith(("float32", "bfloat16")) else 1
    if num_far > allowed:
        raise SystemExit(f"{row}: {num_far} of {len(differences)} texts differ")
