"""How ktrain is set up with the race's weights, where ktrain is installed."""

import json
import os
import pathlib
import shutil
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

    checkpoint = tensorflow_checkpoint(directory)
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


def tensorflow_checkpoint(directory: pathlib.Path) -> pathlib.Path:
    """Returns a checkpoint like `checkpoint`, with TensorFlow's weights.

    transformers 4.57 reads torch's safetensors into TensorFlow's models by a
    loop that today's safetensors does not allow, so that it is done here.

    Args:
        directory: Where `checkpoint` is; the other one is put beside it.
    """
    from safetensors.numpy import load_file
    from transformers import (
        DistilBertConfig,
        TFDistilBertForSequenceClassification,
    )
    from transformers.modeling_tf_pytorch_utils import (
        load_pytorch_state_dict_in_tf2_model,
    )

    source, made = directory / "checkpoint", directory / "checkpoint_tensorflow"
    if not made.exists():
        beside = made.with_name(f".writing-{made.name}")
        shutil.rmtree(beside, ignore_errors=True)
        model = TFDistilBertForSequenceClassification(
            DistilBertConfig.from_pretrained(source)
        )
        load_pytorch_state_dict_in_tf2_model(
            model, load_file(source / "model.safetensors")
        )
        model.save_pretrained(beside)
        for name in ("tokenizer_config.json", "vocab.txt"):
            shutil.copy(source / name, beside / name)
        beside.rename(made)
    return made
