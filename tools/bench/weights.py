"""The classifier of all rows, in our form, keras-nlp's and transformers'."""

import argparse
import json
import pathlib
from typing import Any

# What keras-nlp's DistilBERT-base has, with weights of no training.
BASE = {
    "vocabulary_size": 30522,
    "num_layers": 6,
    "num_heads": 12,
    "hidden_dim": 768,
    "intermediate_dim": 3072,
}

# What the page calls them.
WEIGHTS = {
    "run": "a trained run",
    "preset": "the default preset and a head of no training",
    "base": "no training",
}

# transformers' names for the parts of a layer, of the head, and of the rest.
TORCH_NAMES = {
    "self_attention_layer/query": "attention.q_lin",
    "self_attention_layer/key": "attention.k_lin",
    "self_attention_layer/value": "attention.v_lin",
    "self_attention_layer/attention_output": "attention.out_lin",
    "self_attention_layer_norm": "sa_layer_norm",
    "feedforward_intermediate_dense": "ffn.lin1",
    "feedforward_output_dense": "ffn.lin2",
    "feedforward_layer_norm": "output_layer_norm",
    "pooled_dense": "pre_classifier",
    "logits": "classifier",
    "token_and_position_embedding/token_embedding": (
        "distilbert.embeddings.word_embeddings"
    ),
    "token_and_position_embedding/position_embedding": (
        "distilbert.embeddings.position_embeddings"
    ),
    "embeddings_layer_norm": "distilbert.embeddings.LayerNorm",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what says which reviews and which weights."""
    parser.add_argument("file", help="labelled reviews")
    parser.add_argument("--text", default="Reviews", help="the texts' column")
    parser.add_argument("--label", default="Sentiment")
    parser.add_argument("--shape", choices=["preset", "base"], default="preset")
    parser.add_argument(
        "--run", help="a run directory, whose weights take the preset's place"
    )
    parser.add_argument("--sequence-length", type=int, default=400)


def described(options: argparse.Namespace) -> dict[str, Any]:
    """Returns what `add_arguments` was told, but for where files are."""
    return {
        "weights": WEIGHTS["run" if options.run else options.shape],
        "sequence_length": options.sequence_length,
    }


def sample(options: argparse.Namespace, size: int) -> Any:
    """Returns reviews of the file, as many as it has of `size`."""
    import kerassent as ks

    reviews = ks.load_reviews(
        options.file, text=options.text, label=options.label
    )
    return reviews.sample(min(size, len(reviews)), seed=0)


def our_classifier(
    options: argparse.Namespace, class_names: Any, pad_to_multiple_of: int = 1
) -> Any:
    """Returns our classifier, which reads the beginnings of long reviews.

    Args:
        options: The command line's.
        class_names: Those of the reviews.
        pad_to_multiple_of: 16 is what `train` pads to.
    """
    import keras
    import keras_nlp

    import kerassent as ks
    from kerassent.presets import DEFAULT_PRESET

    keras.utils.set_random_seed(0)
    classifier = ks.SentimentClassifier.from_preset(
        options.run or DEFAULT_PRESET, class_names=class_names
    )
    preprocessor = classifier.preprocessor.with_settings(
        sequence_length=options.sequence_length,
        truncate="head",
        clean_html=False,
        pad_to_multiple_of=pad_to_multiple_of,
    )
    if options.shape == "base" and not options.run:
        classifier = ks.SentimentClassifier(
            keras_nlp.models.DistilBertBackbone(**BASE), class_names
        )
    classifier.preprocessor = preprocessor
    # The others have none.
    classifier.temperature = 1.0
    return classifier


def stock_classifier(
    options: argparse.Namespace, classifier: Any, activation: str | None = None
) -> Any:
    """Returns keras-nlp's own classifier and preprocessor, as its guides do.

    Args:
        options: The command line's.
        classifier: Ours, whose weights and vocabulary it gets.
        activation: Its head's.
    """
    import keras_nlp

    tokenizer = keras_nlp.models.DistilBertTokenizer(
        classifier.preprocessor.tokenizer.get_vocabulary(), lowercase=True
    )
    stock = keras_nlp.models.DistilBertTextClassifier(
        keras_nlp.models.DistilBertBackbone.from_config(
            classifier.backbone.get_config()
        ),
        num_classes=len(classifier.class_names),
        activation=activation,
        preprocessor=keras_nlp.models.DistilBertTextClassifierPreprocessor(
            tokenizer, sequence_length=options.sequence_length
        ),
    )
    stock.set_weights(classifier.get_weights())
    return stock


def write_checkpoint(
    options: argparse.Namespace, classifier: Any, directory: pathlib.Path
) -> None:
    """Writes what transformers' `from_pretrained` reads.

    Args:
        options: The command line's.
        classifier: Ours.
        directory: Where to.
    """
    from safetensors.numpy import save_file

    directory.mkdir(parents=True)
    backbone = classifier.backbone
    names = classifier.class_names
    config = {
        "model_type": "distilbert",
        "architectures": ["DistilBertForSequenceClassification"],
        "vocab_size": backbone.vocabulary_size,
        "max_position_embeddings": backbone.max_sequence_length,
        "n_layers": backbone.num_layers,
        "n_heads": backbone.num_heads,
        "dim": backbone.hidden_dim,
        "hidden_dim": backbone.intermediate_dim,
        "dropout": backbone.dropout,
        "attention_dropout": backbone.dropout,
        "seq_classif_dropout": classifier.dropout,
        "pad_token_id": 0,
        "id2label": dict(enumerate(names)),
        "label2id": {name: i for i, name in enumerate(names)},
    }
    tokenizer = {
        "tokenizer_class": "DistilBertTokenizer",
        "do_lower_case": True,
        "model_max_length": options.sequence_length,
    }
    vocabulary = classifier.preprocessor.tokenizer.get_vocabulary()
    (directory / "config.json").write_text(json.dumps(config), "utf-8")
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (directory / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    save_file(
        torch_weights(classifier),
        directory / "model.safetensors",
        metadata={"format": "pt"},
    )


def torch_weights(classifier: Any) -> dict[str, Any]:
    """Returns a classifier's weights under transformers' names."""
    import numpy as np

    weights = {}
    for variable in classifier.trainable_variables:
        part, _, kind = variable.path.rpartition("/")
        prefix = ""
        if part.startswith("transformer_layer_"):
            layer, _, part = part.partition("/")
            number = layer.removeprefix("transformer_layer_")
            prefix = f"distilbert.transformer.layer.{number}."
        value = variable.numpy()
        if kind == "kernel":
            inputs = value.shape[0]
            if part.endswith("attention_output"):  # (heads, size, out)
                inputs *= value.shape[1]
            # torch keeps (out, in).
            value = np.ascontiguousarray(value.reshape(inputs, -1).T)
        if kind in ("bias", "beta"):
            weights[f"{prefix}{TORCH_NAMES[part]}.bias"] = value.reshape(-1)
        else:
            weights[f"{prefix}{TORCH_NAMES[part]}.weight"] = value
    return weights


def least_flops(backbone: Any) -> dict[str, int]:
    """Returns how many operations an answer needs at least.

    A product of (m, k) and (k, n) counts 2mkn. A review of n tokens needs
    `token` n + `pair` n n: all of each layer for all tokens, but of the last
    one only what [CLS] reads, for which each head's query is multiplied with
    its weights before it meets the tokens. Norms, softmax and GELU don't count.
    `weights` is how many numbers its layers' matrices have.
    """
    size, inner = backbone.hidden_dim, backbone.intermediate_dim
    whole = backbone.num_layers - 1
    return {
        "token": whole * 2 * (4 * size * size + 2 * size * inner)
        + 4 * backbone.num_heads * size,
        "pair": whole * 4 * size,
        "weights": backbone.num_layers * (4 * size * size + 2 * size * inner),
    }
