"""The ktrain row of `export.py`, which runs this where ktrain is.

python export_ktrain.py DIRECTORY SECONDS [ktrain/reviews] …
"""

import pathlib
import sys

from answering import BATCH_SIZE, Predict, rows_of
from ktrain_setup import learner_of
from turns import take_turns


def model_of(directory: pathlib.Path, row: str) -> Predict:
    """Returns what takes a list of texts and returns their probabilities."""
    import ktrain

    learner, preprocessor = learner_of(directory, BATCH_SIZE)
    predictor = ktrain.get_predictor(
        learner.model, preproc=preprocessor, batch_size=BATCH_SIZE
    )
    return lambda texts: predictor.predict(texts, return_proba=True).tolist()


if __name__ == "__main__":
    _, home, seconds, *keys = sys.argv
    take_turns(rows_of(keys, pathlib.Path(home), model_of, float(seconds)))
