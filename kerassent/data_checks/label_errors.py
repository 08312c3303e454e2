"""Labels that a model would not have given."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from kerassent.data_checks.words import Words

_NUM_FOLDS: Final = 5
_NUM_FEATURES: Final = 2**20
_INVERSE_REGULARIZATION: Final = 20.0
_EPOCHS: Final = 5
_LEAST_STEPS: Final = 5_000
# More texts make the models better no more, and memory matters.
_MOST_LEARNT: Final = 100_000
_TEXTS_AT_A_TIME: Final = 4096
# Less than that in each class teaches a model nothing.
_MIN_OF_CLASS: Final = 20


def cross_probabilities(
    words: Words,
    label_ids: np.ndarray,
    groups: np.ndarray,
    train: np.ndarray,
    *,
    num_classes: int,
    seed: int = 0,
) -> np.ndarray | None:
    """Returns what linear models say of texts that they have not seen.

    Words and word pairs, hashed, go into a logistic regression. A text of the
    training is judged by a model that was made without it and without its
    copies, any other by one that was made of all of the training without its
    copies.

    Args:
        words: The texts' words.
        label_ids: Each text's class, or -1.
        groups: Each text's group of copies.
        train: Which texts are of the training, bool.
        num_classes: How many classes there are.
        seed: Of the parts.

    Returns:
        float64 `(num_texts, num_classes)`, or `None` if a class has too few
        texts in the training.
    """
    used = train & (label_ids >= 0)
    counts = np.bincount(label_ids[used], minlength=num_classes)
    if num_classes < 2 or counts.min() < _MIN_OF_CLASS:
        return None
    generator = np.random.default_rng(seed)
    # A group is in one part; which, is random.
    parts = generator.permutation(len(words))[groups] % _NUM_FOLDS
    learnt = generator.permutation(np.flatnonzero(used))[:_MOST_LEARNT]
    learnt.sort()
    features = _joined(_pieces(words, learnt))
    rarity = _rarity(features)
    features = _weighed(features, rarity)
    models = []
    for part in range(_NUM_FOLDS):
        kept = parts[learnt] != part
        ids = label_ids[learnt[kept]]
        if np.bincount(ids, minlength=num_classes).min() == 0:
            return None
        models.append(_fitted(features[kept], ids, seed))
    del features
    found = np.zeros((len(words), num_classes))
    start = 0
    for piece in _pieces(words, np.arange(len(words))):
        places = np.arange(start, start + piece.shape[0])
        piece = _weighed(piece, rarity)
        for part, model in enumerate(models):
            judged = parts[places] == part
            if judged.any():
                found[places[judged]] = model.predict_proba(piece[judged])
        start += piece.shape[0]
    return found


def likely_errors(
    probabilities: np.ndarray, label_ids: np.ndarray
) -> np.ndarray:
    """Returns which labels are likely wrong, bool `(num_texts,)`.

    Those where a model that has not seen the text is surer of another label
    than it is, on average, of the texts that have that label.

    Args:
        probabilities: What the model says, `(num_texts, num_classes)`.
        label_ids: Each text's class, or -1 for none.

    Reference:
        [Northcutt et al., 2021](https://arxiv.org/abs/1911.00068).
    """
    num_classes = probabilities.shape[1]
    usual = np.full(num_classes, np.inf)
    for k in range(num_classes):
        of_class = label_ids == k
        if of_class.any():
            usual[k] = probabilities[of_class, k].mean()
    said = probabilities.argmax(axis=1)
    scores = probabilities.max(axis=1)
    found: np.ndarray = (
        (label_ids >= 0) & (said != label_ids) & (scores >= usual[said])
    )
    return found


def _fitted(features: Any, label_ids: np.ndarray, seed: int) -> Any:
    from sklearn.linear_model import SGDClassifier

    count = len(label_ids)
    model = SGDClassifier(
        loss="log_loss",
        alpha=1 / (_INVERSE_REGULARIZATION * count),
        max_iter=max(_EPOCHS, -(-_LEAST_STEPS // count)),
        tol=None,
        random_state=seed,
    )
    return model.fit(features, label_ids)


def _pieces(words: Words, places: np.ndarray) -> Iterator[Any]:
    """Yields which words and word pairs texts have, some texts at a time.

    Args:
        words: The texts' words.
        places: The texts.

    Returns:
        Sparse matrices of ones. How often a word comes says little more than
        that it comes.
    """
    from scipy.sparse import csr_matrix

    for begin in range(0, len(places), _TEXTS_AT_A_TIME):
        columns = [
            _columns(words.of(place))
            for place in places[begin : begin + _TEXTS_AT_A_TIME].tolist()
        ]
        ends = np.cumsum([0, *map(len, columns)])
        yield csr_matrix(
            (
                np.ones(ends[-1], np.float32),
                np.concatenate(columns),
                ends.astype(np.int32),
            ),
            shape=(len(columns), _NUM_FEATURES),
        )


def _columns(words: np.ndarray) -> np.ndarray:
    """Returns the features that a text has, each once, int32."""
    wide = words.astype(np.uint64)
    pairs = wide[:-1] * np.uint64(0x9E3779B97F4A7C15) + wide[1:]
    pairs ^= pairs >> np.uint64(31)
    both = np.concatenate([wide, pairs]) % np.uint64(_NUM_FEATURES)
    return np.unique(both).astype(np.int32)


def _joined(pieces: Iterator[Any]) -> Any:
    from scipy.sparse import vstack

    return vstack(list(pieces), format="csr")


def _rarity(features: Any) -> np.ndarray:
    """Returns how much a feature weighs: the more, the fewer texts have it."""
    seen = np.bincount(features.indices, minlength=_NUM_FEATURES)
    rarity: np.ndarray = np.log((1.0 + features.shape[0]) / (1.0 + seen)) + 1.0
    return rarity.astype(np.float32)


def _weighed(features: Any, rarity: np.ndarray) -> Any:
    """Returns the features by rarity, each text's of length 1."""
    from scipy.sparse import csr_matrix

    data = rarity[features.indices]
    ends = features.indptr
    sums = np.add.reduceat(np.append(data * data, 0.0), ends[:-1])
    counts = np.diff(ends)
    lengths = np.where(counts > 0, np.sqrt(sums), 1.0)
    data = data / np.repeat(lengths, counts)
    return csr_matrix(
        (data.astype(np.float32), features.indices, ends), features.shape
    )
