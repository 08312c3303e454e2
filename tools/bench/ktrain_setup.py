"""How ktrain is set up with the race's weights, where ktrain is installed."""

import json
import os
import pathlib
from typing import Any

# ktrain needs Keras 2; its imports say much.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def learner_of(
    directory: pathlib.Path,
    batch_size: int,
    texts: list[str] | None = None,
    label_ids: list[int] | None = None,
) -> tuple[Any, Any]:
    """Returns ktrain's learner and preprocessor.

    Args:
        directory: Where a transformers `checkpoint` is.
        batch_size: The learner's.
        texts: What it is to train on; some of no account by default.
        label_ids: Their labels.
    """
    import ktrain
    from ktrain import text

    checkpoint = directory / "checkpoint"
    settings = json.loads((checkpoint / "tokenizer_config.json").read_text())
    names = json.loads((checkpoint / "config.json").read_text())["id2label"]
    preprocessor = text.Transformer(
        str(checkpoint),
        maxlen=settings["model_max_length"],
        class_names=list(names.values()),
    )
    data = preprocessor.preprocess_train(
        texts or ["a good film"] * len(names),
        label_ids or list(range(len(names))),
        verbose=0,
    )
    learner = ktrain.get_learner(
        preprocessor.get_classifier(), train_data=data, batch_size=batch_size
    )
    return learner, preprocessor
