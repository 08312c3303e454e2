"""The ktrain row of `rows.py`: a predictor over a csv file.

python rows_ktrain.py MODELS SOURCE OUTPUT
"""

import csv
import pathlib
import sys

from ktrain_setup import learner_of


def main(
    models: pathlib.Path, source: pathlib.Path, output: pathlib.Path
) -> None:
    """Scores the file."""
    import ktrain

    with source.open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    learner, preprocessor = learner_of(models, 32)
    predictor = ktrain.get_predictor(
        learner.model, preproc=preprocessor, batch_size=32
    )
    found = predictor.predict(texts, return_proba=True)
    names = predictor.get_classes()
    labels = [names[int(row.argmax())] for row in found]
    with output.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "score"])
        writer.writerows(zip(texts, labels, found.max(1).tolist(), strict=True))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
