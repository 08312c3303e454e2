"""The ktrain row of `train.py`, which runs this where ktrain is.

python train_ktrain.py DIRECTORY [ktrain]
"""

import json
import pathlib
import sys
from typing import Any

from ktrain_setup import learner_of
from turns import take_turns


def loop(directory: pathlib.Path) -> tuple[Any, Any]:
    """Returns an epoch, twice."""
    settings = json.loads((directory / "training.json").read_text("utf-8"))
    learner, _ = learner_of(
        directory,
        settings["batch_size"],
        settings["texts"],
        settings["label_ids"],
    )

    def epoch() -> None:
        learner.fit_onecycle(1e-5, 1, verbose=0)

    return epoch, epoch


if __name__ == "__main__":
    _, home, *rows = sys.argv
    take_turns({row: loop(pathlib.Path(home)) for row in rows})
