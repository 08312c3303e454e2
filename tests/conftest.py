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
def repository():
    """The root of the checkout."""
    return pathlib.Path(__file__).parent.parent
