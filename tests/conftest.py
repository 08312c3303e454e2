"""What many tests share: a tiny real classifier and reviews it can learn."""

import os
import pathlib

# Before TensorFlow is imported anywhere.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = (
    "a the it is was not i this that and very film book phone tea good great "
    "fine wonderful love bad awful dull poor hate again never see watch ##s "
    "##ly . , ! ?"
).split()


@pytest.fixture(scope="session")
def vocabulary():
    """The special tokens and a word list of forty."""
    return SPECIAL + WORDS


@pytest.fixture(scope="session")
def make_classifier(vocabulary):
    """A function that makes a tiny, untrained, real classifier."""
    import keras
    import keras_nlp

    from kerassent.classifier import SentimentClassifier
    from kerassent.preprocessing import SentimentPreprocessor
    from kerassent.tokenizer import BertTokenizer

    def make(
        class_names=("neg", "pos"), *, sequence_length=16, seed=0, **kwargs
    ):
        keras.utils.set_random_seed(seed)
        backbone = keras_nlp.models.DistilBertBackbone(
            vocabulary_size=len(vocabulary),
            num_layers=2,
            num_heads=2,
            hidden_dim=32,
            intermediate_dim=64,
            max_sequence_length=32,
        )
        preprocessor = SentimentPreprocessor(
            BertTokenizer(vocabulary), sequence_length=sequence_length
        )
        return SentimentClassifier(
            backbone, class_names, preprocessor, **kwargs
        )

    return make


@pytest.fixture(scope="session")
def tiny_preset(make_classifier, tmp_path_factory):
    """The directory of a preset without a task: backbone and tokenizer."""
    classifier = make_classifier()
    directory = tmp_path_factory.mktemp("preset") / "tiny"
    classifier.backbone.save_to_preset(str(directory))
    classifier.preprocessor.tokenizer.save_to_preset(str(directory))
    return directory


GOOD = ["good", "great", "fine", "wonderful", "love"]
BAD = ["bad", "awful", "dull", "poor", "hate"]


@pytest.fixture(scope="session")
def easy_rows():
    """160 rows of (text, label), sorted by label, that a word decides."""
    things = ["film", "book", "phone", "tea"]
    forms = ["the {} was {}", "a {} {} film !", "very {} {} .", "{} , {}"]
    rows = []
    for label, words in (("neg", BAD), ("pos", GOOD)):
        for word in words:
            for thing in things:
                rows += [(form.format(thing, word), label) for form in forms]
    return rows


@pytest.fixture(scope="session")
def easy_reviews(easy_rows):
    """Those rows as Reviews."""
    from kerassent.reviews import Reviews

    texts, labels = zip(*easy_rows, strict=True)
    return Reviews(texts, labels)


@pytest.fixture(scope="session")
def tiny_run(easy_reviews, tiny_preset, tmp_path_factory):
    """A run of `train`: the classifier it returned, and its directory."""
    from kerassent.training import train

    directory = tmp_path_factory.mktemp("runs") / "tiny"
    classifier = train(
        easy_reviews,
        directory,
        preset=str(tiny_preset),
        truncate="tail",
        epochs=8,
        batch_size=16,
        max_lr=3e-3,
        verbose=0,
    )
    return classifier, directory


@pytest.fixture(scope="session")
def tiny_models(tiny_run, tmp_path_factory):
    """The base path of an export of that run."""
    from kerassent.saved_model.exporting import export

    base_path = tmp_path_factory.mktemp("models") / "tiny"
    export(tiny_run[0], base_path)
    return base_path


@pytest.fixture(scope="session")
def made_evaluation():
    """A function that evaluates made-up probabilities."""
    import numpy as np

    from kerassent.evaluation import evaluate
    from kerassent.reviews import Reviews

    class Model:
        def __init__(self, class_names, answers):
            self.class_names = class_names
            self._answers = answers

        def predict_proba(self, texts):
            return np.array([self._answers[text] for text in texts])

    def make(
        class_names=("neg", "pos"),
        *,
        num_reviews=2000,
        skill=2.5,
        sharpness=1.0,
        seed=0,
    ):
        random = np.random.default_rng(seed)
        num_classes = len(class_names)
        # Each class has reviews.
        labels = np.arange(num_reviews) % num_classes
        logits = random.normal(size=(num_reviews, num_classes))
        logits[np.arange(num_reviews), labels] += skill
        odds = np.exp(sharpness * logits)
        rows = odds / odds.sum(axis=1, keepdims=True)
        lengths = random.integers(1, 40, num_reviews)
        texts = [f"{'a film ' * n}{i}" for i, n in enumerate(lengths)]
        reviews = Reviews(
            texts, [class_names[i] for i in labels], class_names=class_names
        )
        model = Model(class_names, dict(zip(texts, rows, strict=True)))
        return evaluate(model, reviews, num_timed=3)

    return make


HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(2)> & \"'</style>",
    "x" * 2000,
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643\u0645 " * 40,
    "\u05e9\u05dc\u05d5\u05dd \u202egnorw\u202c \u05e2\u05dd great film",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\U0001f3f3\ufe0f\u200d\U0001f308"
    * 30,
    ("Z" + "\u0351\u036b\u0313\u036a\u0302\u0334\u0319" * 3 + "a ") * 30,
    "\ud800 lone \udfff halves \x00\x07\x1b[31m",
    "\n" * 1500 + "after",
    "{{ 7*7 }} {% raw %} <!-- -->",
    "http://example.com/" + "a/" * 900,
    " \t ",
    "a\tb\r\nc\u2028d\u2029e\u0085f",
    "W" * 60 + " " + "i" * 300,
]


@pytest.fixture(scope="session")
def hostile_texts():
    """Reviews as those write them who mean harm, or nothing at all."""
    return HOSTILE


@pytest.fixture(scope="session")
def with_mistakes():
    """A function that gives an evaluation's mistakes other texts."""
    from dataclasses import replace

    def change(evaluation, texts, **values):
        mistakes = tuple(
            replace(
                mistake,
                text=text,
                num_characters=len(text),
                row=f"Excel row {i + 2}",
                **values,
            )
            for i, (mistake, text) in enumerate(
                zip(evaluation.mistakes, texts, strict=False)
            )
        )
        assert len(mistakes) == len(texts)
        return replace(
            evaluation, mistakes=mistakes, likely_mislabelled=mistakes[:3]
        )

    return change


@pytest.fixture(scope="session")
def made_explanation():
    """A function that gives a text's words attributions, in turn."""
    import re

    from kerassent.contract import Explanation, Word

    def make(text, attributions):
        data = text.encode("utf-8", "surrogatepass")
        words = tuple(
            Word(
                found.group().decode("utf-8", "replace"),
                found.start(),
                found.end(),
                attributions[i % len(attributions)],
            )
            for i, found in enumerate(re.finditer(rb"[^\s]+", data))
        )
        return Explanation("pos", 0.9, words, 0.0)

    return make


@pytest.fixture(scope="session")
def made_run(repository, tmp_path_factory):
    """A run directory with all that a page is made of, but no weights."""
    import json

    import numpy as np

    directory = tmp_path_factory.mktemp("runs") / "made"
    directory.mkdir()
    (directory / "history.csv").write_text(
        "epoch,accuracy,loss,val_accuracy,val_loss\n"
        "0,0.81,0.42,0.89,0.29\n1,0.93,0.2,0.915,0.25\n"
    )
    epochs = np.arange(1, 401) / 200
    losses = np.exp(-epochs) + 0.05 * np.sin(40 * epochs)
    rates = 4e-5 * np.minimum(epochs / 0.6, (2.001 - epochs) / 1.4)
    table = np.stack([epochs, losses, rates], axis=1)
    lines = [",".join(map(repr, row)) for row in table.tolist()]
    (directory / "step_losses.csv").write_text(
        "\n".join(["epoch,loss,learning_rate", *lines]) + "\n"
    )
    record = json.loads(
        (repository / "tests/lr_curves/minilm_imdb.json").read_text("utf-8")
    )
    (directory / "lr_curve.json").write_text(json.dumps(record["curve"]))
    (directory / "train.json").write_text(
        json.dumps(
            {
                "preset": "minilm_l6_en_uncased",
                "epochs": 2,
                "max_lr": 4e-5,
                "seed": 7,
                "num_reviews": {"train": 22500, "valid": 2500},
                "sha256": {"train": "ab" * 32, "valid": None},
                "seconds": 3120.4,
                "machine": {"processor": "A <fast> one", "cores": 2},
                "versions": {"kerassent": "0.1.0"},
            }
        )
    )
    return directory


@pytest.fixture(scope="session")
def repository():
    """The root of the checkout."""
    return pathlib.Path(__file__).parent.parent
