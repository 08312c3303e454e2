"""Tells how far explanations can be trusted, on real reviews.

Run it when `explanation.py`, what it computes with, or the default model
changes:

    python tools/check_explanations.py RUN FILE [--reviews 200] [--tokens 100]

Reviews are cut after `--tokens` tokens. Of each:

- completeness: the error as a part of the margin's change;
- time: of one request to the exported `explain`, and of one with as many tokens
  as the model reads; quote it only from an idle machine;
- Python and the export: the largest difference of an attribution;
- deletion: the words that a method calls most important for the label are
  taken out of the text, 2 to 50 % of them, and the model is asked again. Told
  is what the label's probability and margin lose on average over the shares,
  and how much more that is with ours, review by review (with standard error).

Methods: `ours`; `embeddings`, integrated gradients over word embeddings from
those of [MASK] in 32 steps; `gradient`, their gradient times input;
`occlusion`, each word taken out alone; `lime`, with `--lime SAMPLES`, where the
package is installed; `random`.

That takes minutes to an hour: `--results FILE` keeps what each review gave, so
that a run goes on where the last one ended; `--at-most` ends it after so many.

The last line is a JSON object.
"""

import argparse
import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import kerassent as ks
from kerassent.contract import Explanation
from kerassent.flat_forward import FlatForward, _normalized, _Readings
from kerassent.flat_weights import FlatWeights
from kerassent.prediction import open_model
from kerassent.text_offsets import TokenPlacer

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
STEPS = 32


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("file")
    parser.add_argument("--text", default="Reviews")
    parser.add_argument("--label", default="Sentiment")
    parser.add_argument("--reviews", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--lime", type=int, metavar="SAMPLES")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--at-most", type=int)
    parser.add_argument("--only", choices=["time", "deletion"])
    options = parser.parse_args()
    classifier = ks.SentimentClassifier.from_preset(options.run)
    reviews = ks.load_reviews(
        options.file, text=options.text, label=options.label
    ).sample(options.reviews, seed=options.seed)
    whole = [text.encode() for text in reviews.texts]
    texts = [cut(classifier, text, options.tokens) for text in whole]
    figures: dict[str, Any] = {"reviews": len(texts), "tokens": options.tokens}
    with tempfile.TemporaryDirectory() as directory:
        model = open_model(ks.export(classifier, directory))
        found = ks.explain(classifier, texts)
        figures["completeness"] = completeness(found)
        if options.only != "deletion":
            figures |= timed(model, texts, found)
            longest = classifier.preprocessor.sequence_length
            figures["longest"] = timed(
                model,
                [(text * 40)[:20_000] for text in whole[:10]],
                None,
            ) | {"tokens": longest}
        if options.only != "time":
            figures["deletion"] = deletion(options, classifier, model, texts)
    print(json.dumps(figures))


def cut(classifier: Any, text: bytes, num_tokens: int) -> bytes:
    """Returns a text's beginning, of so many tokens with [CLS] and [SEP].

    Args:
        classifier: Whose tokens they are.
        text: The text.
        num_tokens: How many to keep.
    """
    head = classifier.preprocessor.with_settings(
        truncate="head", sequence_length=num_tokens
    )
    ends = TokenPlacer(head)(tf.constant(text)).ends.numpy()
    return text[: ends[-1]] if ends.size else text


def quantiles(values: Any) -> dict[str, float]:
    """Returns how figures are spread.

    Args:
        values: The figures.
    """
    return {
        name: round(float(np.quantile(values, at)), 5)
        for name, at in (("median", 0.5), ("p95", 0.95), ("most", 1.0))
    }


def completeness(found: Sequence[Explanation]) -> dict[str, float]:
    """Returns the errors, each as a part of its margin's change.

    Args:
        found: Explanations.
    """
    errors = []
    for each in found:
        total = sum(word.attribution for word in each.words)
        change = total - each.completeness_error
        errors.append(abs(each.completeness_error / change))
    say("completeness error", quantiles(errors))
    return quantiles(errors)


def timed(
    model: Any, texts: Sequence[bytes], expected: list[Explanation] | None
) -> dict[str, Any]:
    """Returns seconds of a text, and how far the export is from Python.

    Args:
        model: The export.
        texts: What it explains, one by one.
        expected: What Python said, or `None`.
    """
    for text in texts[:3]:
        model.explain([text])
    seconds, found = [], []
    for text in texts:
        start = time.perf_counter()
        found += model.explain([text])
        seconds.append(time.perf_counter() - start)
    figures: dict[str, Any] = {"seconds": quantiles(seconds)}
    say("seconds", figures)
    if expected is not None:
        figures["export_differs_by"] = max(
            abs(a.attribution - b.attribution)
            for one, other in zip(found, expected, strict=True)
            for a, b in zip(one.words, other.words, strict=True)
        )
        say("export differs by", figures["export_differs_by"])
    return figures


def deletion(
    options: argparse.Namespace,
    classifier: Any,
    model: Any,
    texts: Sequence[bytes],
) -> dict[str, Any]:
    """Returns what the label loses with the words that each method names.

    Args:
        options: The command line's.
        classifier: What is explained.
        model: Its export, which is quicker to ask.
        texts: The texts.
    """
    methods = importances(options, classifier, model)
    lost: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    if options.results and options.results.exists():
        for line in options.results.read_text().splitlines():
            for name, values in json.loads(line).items():
                lost[name].append(np.array(values))
    begun = len(lost["ours"])
    seconds = dict.fromkeys(methods, 0.0)
    for text in texts[begun:][: options.at_most]:
        [explanation] = model.explain([text])
        places = [(word.start, word.end) for word in explanation.words]
        label = model.class_names.index(explanation.label)
        shorter = [text]
        for name, method in methods.items():
            start = time.perf_counter()
            order = np.argsort(-method(text, explanation, label))
            seconds[name] += time.perf_counter() - start
            for share in SHARES:
                count = max(1, round(share * len(places)))
                shorter.append(without(text, places, order[:count]))
        probabilities, margins = asked(model, shorter, label)
        for i, name in enumerate(methods):
            rows = slice(1 + i * len(SHARES), 1 + (i + 1) * len(SHARES))
            lost[name].append(
                np.stack(
                    [
                        probabilities[0] - probabilities[rows],
                        margins[0] - margins[rows],
                    ]
                )
            )
        if options.results:
            last = {name: rows[-1].tolist() for name, rows in lost.items()}
            with options.results.open("a") as file:
                file.write(json.dumps(last) + "\n")
    asked_now = max(len(lost["ours"]) - begun, 1)
    say("reviews", len(lost["ours"]))
    say("seconds a review", {k: v / asked_now for k, v in seconds.items()})
    return table(lost)


def table(lost: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    """Returns the averages, and what ours is more than the others.

    Args:
        lost: Of each method and review, `(2, num_shares)`: what probability
            and margin lost.
    """
    of_ours = np.stack(lost["ours"])
    figures = {}
    for name, each in lost.items():
        array = np.stack(each)
        ahead = (of_ours - array).mean(2)
        error = ahead.std(0) / np.sqrt(len(ahead))
        figures[name] = {
            "probability": round(float(array[:, 0].mean()), 4),
            "margin": round(float(array[:, 1].mean()), 3),
            "ours_is_more_by": [round(float(x), 3) for x in ahead.mean(0)],
            "standard_error": [round(float(x), 3) for x in error],
            "by_share": [round(float(x), 3) for x in array[:, 0].mean(0)],
        }
    return figures


def importances(
    options: argparse.Namespace, classifier: Any, model: Any
) -> dict[str, Callable[[bytes, Explanation, int], np.ndarray]]:
    """Returns the methods: `(text, explanation, label)` to a word's weights.

    Args:
        options: The command line's.
        classifier: What is explained.
        model: Its export.
    """
    random = np.random.default_rng(options.seed)
    gradients = EmbeddingGradients(classifier)

    def ours(text: bytes, explanation: Explanation, label: int) -> np.ndarray:
        return np.array([word.attribution for word in explanation.words])

    def occlusion(
        text: bytes, explanation: Explanation, label: int
    ) -> np.ndarray:
        places = [(word.start, word.end) for word in explanation.words]
        left = [without(text, places, [i]) for i in range(len(places))]
        return -asked(model, left, label)[1]

    def lime(text: bytes, explanation: Explanation, label: int) -> np.ndarray:
        from lime.lime_text import LimeTextExplainer

        places = [(word.start, word.end) for word in explanation.words]
        explainer = LimeTextExplainer(
            bow=False,
            mask_string="",
            # Each of our words is one of its words.
            split_expression=lambda joined: joined.split(" "),
            random_state=options.seed,
        )

        def predict(joined: list[str]) -> np.ndarray:
            shorter = []
            for each in joined:
                gone = [i for i, word in enumerate(each.split(" ")) if not word]
                shorter.append(without(text, places, gone))
            return np.asarray(model.predict_proba(shorter))

        found = explainer.explain_instance(
            " ".join(f"w{i}" for i in range(len(places))),
            predict,
            labels=[label],
            num_features=len(places),
            num_samples=options.lime,
        )
        weights = np.zeros(len(places))
        for i, weight in found.as_map()[label]:
            weights[i] = weight
        return weights

    methods = {
        "ours": ours,
        "embeddings": gradients.integrated,
        "gradient": gradients.times_input,
        "occlusion": occlusion,
        "random": lambda text, found, label: random.normal(
            size=len(found.words)
        ),
    }
    if options.lime:
        methods["lime"] = lime
    return methods


class EmbeddingGradients:
    """Integrated gradients as they are usual: over the words' embeddings.

    Args:
        classifier: What is explained.
    """

    def __init__(self, classifier: Any) -> None:
        self._weights = FlatWeights(classifier)
        self._forward = FlatForward(self._weights)
        self._preprocessor = classifier.preprocessor
        self._place = TokenPlacer(classifier.preprocessor)
        vocabulary = classifier.preprocessor.tokenizer.get_vocabulary()
        self._mask = tf.gather(
            self._weights.token_table, vocabulary.index("[MASK]")
        )
        hidden = self._mask.shape[0]
        self._slopes = tf.function(
            self._traced_slopes,
            input_signature=[
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([hidden], tf.float32),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([], tf.int32),
            ],
            autograph=False,
        )

    def integrated(
        self, text: bytes, explanation: Explanation, label: int
    ) -> np.ndarray:
        """Returns each word's attribution."""
        parts = (np.arange(STEPS) + 0.5) / STEPS
        return self._by_word(text, label, parts, self._mask)

    def times_input(
        self, text: bytes, explanation: Explanation, label: int
    ) -> np.ndarray:
        """Returns each word's gradient times its embedding."""
        return self._by_word(text, label, np.ones(1), tf.zeros_like(self._mask))

    def _by_word(
        self, text: bytes, label: int, parts: np.ndarray, baseline: Any
    ) -> np.ndarray:
        [ids] = self._preprocessor.tokens(tf.constant([text]))
        words = self._place(tf.constant(text)).words.numpy()
        slopes = self._slopes(
            ids,
            baseline,
            tf.constant(parts, tf.float32),
            tf.constant(label, tf.int32),
        )
        return np.bincount(words, slopes.numpy().mean(0)[1:-1])

    def _traced_slopes(
        self, ids: Any, baseline: Any, parts: Any, label: Any
    ) -> Any:
        rows = tf.gather(self._weights.token_table, ids)
        way = (rows - baseline) * tf.pad(
            tf.ones([tf.size(ids) - 2, 1]), [[1, 1], [0, 0]]
        )
        x = rows - way + parts[:, tf.newaxis, tf.newaxis] * way
        size, width, hidden = tf.unstack(tf.shape(x))
        with tf.GradientTape() as tape:
            tape.watch(x)
            normed = _normalized(
                x + self._weights.position_table[:width],
                self._weights.embeddings_norm,
            )
            logits = self._forward._encoded(
                tf.reshape(normed, [size * width, hidden]),
                _Readings(size, width, tf.zeros([size, width])),
            )
            is_label = tf.range(self._weights.num_classes) == label
            others = tf.where(is_label, logits.dtype.min, logits)
            margins = tf.gather(logits, label, axis=1) - tf.reduce_max(
                others, 1
            )
        return tf.reduce_sum(tape.gradient(margins, x) * way, -1)


def without(
    text: bytes, places: Sequence[tuple[int, int]], gone: Sequence[int]
) -> bytes:
    """Returns a text without some of its words.

    Args:
        text: The text.
        places: Where its words are.
        gone: Which of them are taken out.
    """
    kept = np.ones(len(text), bool)
    for i in gone:
        kept[slice(*places[i])] = False
    return np.frombuffer(text, np.uint8)[kept].tobytes()


def asked(
    model: Any, texts: Sequence[bytes], label: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the label's probability and margin over the highest other.

    Args:
        model: The export.
        texts: The texts.
        label: The class.
    """
    probabilities = model.predict_proba(texts).astype(float)
    others = np.delete(probabilities, label, 1).max(1)
    mine = probabilities[:, label]
    return mine, np.log(mine) - np.log(others)


def say(*what: Any) -> None:
    """Prints at once."""
    print(*what, flush=True)


if __name__ == "__main__":
    main()
