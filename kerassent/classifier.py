"""The model: keras-nlp's DistilBERT classifier that knows its class names."""

import json
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import keras
import keras_nlp
import numpy as np
import tensorflow as tf

from kerassent import forward
from kerassent.contract import encode_texts
from kerassent.errors import listed
from kerassent.preprocessing import SentimentPreprocessor, Truncate
from kerassent.presets import find_preset
from kerassent.replicas import (
    own_seed,
    symbolic_batch,
    to_be_averaged,
    weighed_by_rows,
)
from kerassent.tokenizer import BertTokenizer

DEFAULT_SEQUENCE_LENGTH = 400


@keras.saving.register_keras_serializable(package="kerassent")
class SentimentClassifier(keras_nlp.models.DistilBertTextClassifier):
    """A DistilBERT with a classification head, and the names of its classes.

    All else is Keras's and keras-nlp's own: `compile`, `fit`, `evaluate`,
    `predict` (raw logits), `save_to_preset`. `class_names` and `temperature`
    travel in the preset's config.

    Args:
        backbone: A `keras_nlp.models.DistilBertBackbone`.
        class_names: The classes in the order of the logits; two or more.
        preprocessor: A `SentimentPreprocessor`, or `None` to hand `fit` token
            ids instead of text.
        temperature: Logits are divided by it before softmax, which leaves the
            label as it is and makes `score` honest. Above 0.
        **kwargs: Those of `keras_nlp.models.DistilBertTextClassifier`:
            `activation`, `hidden_dim`, `dropout`.

    Example:
        ```python
        classifier = SentimentClassifier.from_preset(
            "minilm_l6_en_uncased", class_names=["neg", "pos"]
        )
        classifier.fit(train_ds, epochs=2)
        ```

    Reference:
        [Sanh et al., 2019](https://arxiv.org/abs/1910.01108).
    """

    backbone_cls = None  # for the reason given in `BertTokenizer`
    preprocessor_cls = SentimentPreprocessor

    def __init__(
        self,
        backbone: Any,
        class_names: Sequence[str],
        preprocessor: SentimentPreprocessor | None = None,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        class_names = _checked_class_names(class_names)
        if not temperature > 0:
            raise ValueError(
                f"`temperature` must be above 0. Received: {temperature}"
            )
        if preprocessor is not None:
            _check_fits(preprocessor, backbone)
        kwargs.pop("num_classes", None)
        super().__init__(
            backbone,
            num_classes=len(class_names),
            preprocessor=preprocessor,
            **kwargs,
        )
        self.class_names = class_names
        self.temperature = temperature
        self._seed_generator = keras.random.SeedGenerator()
        self._precision: forward.Precision = "float32"
        self._graph_made_for: tuple[Any, ...] = ()

    @property
    def precision(self) -> forward.Precision:
        """What matrix products are computed in; not saved.

        Weights, their gradients, normalization and the loss are float32 in
        any case. With `"float16"`, compile with a
        `keras.optimizers.LossScaleOptimizer`.
        """
        return self._precision

    @precision.setter
    def precision(self, precision: forward.Precision) -> None:
        if precision not in get_args(forward.Precision):
            raise ValueError(
                "`precision` must be one of "
                f"{listed(get_args(forward.Precision))}. Received: "
                f"{precision!r}"
            )
        if precision != self._precision:
            # Traced functions have the old one.
            self.train_function = None
            self.test_function = None
            self.predict_function = None
        self._precision = precision

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        """Returns the logits, by the lean pass of `kerassent.forward`."""
        if (
            not isinstance(inputs, dict)
            or self.backbone.compute_dtype != "float32"
            or self.backbone.hidden_dim % self.backbone.num_heads
        ):
            return super().call(inputs, training=training, mask=mask)
        seed = own_seed(self._seed_generator.next()) if training else None
        return forward.logits(
            self,
            inputs["token_ids"],
            inputs["padding_mask"],
            seed=seed,
            precision=self._precision,
        )

    # On several devices `fit` is to come to what it comes to on one.

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the loss; Keras calls this."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return weighed_by_rows(loss, y_pred) if training else loss

    def compute_metrics(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the metrics so far; Keras calls this."""
        return to_be_averaged(super().compute_metrics(*args, **kwargs))

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        if self._distribute_strategy is not None:
            with self._distribute_strategy.scope():
                self._symbolic_build(
                    data_batch=symbolic_batch(iterator) or data_batch
                )

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike[str],
        *,
        class_names: Sequence[str] | None = None,
        sequence_length: int | None = None,
        truncate: Truncate | None = None,
        head_tokens: int | None = None,
        clean_html: bool | None = None,
        weights: str | os.PathLike[str] | None = None,
        keep_tokenizer: bool = False,
        **kwargs: Any,
    ) -> "SentimentClassifier":
        """Returns a classifier from pretrained weights, or one saved before.

        Args:
            preset: A name of `list_presets()`, a `hf://` or `kaggle://`
                handle, a local preset or Hugging Face checkpoint directory, or
                what `save_to_preset` or `train` wrote.
            class_names: The classes in the order of the logits. A preset that
                was saved as a classifier has its own; other names give it a
                new, untrained head. keras-nlp's own classifier keeps its head
                if there are as many names as it has classes.
            sequence_length: The most tokens of a text. Default: what was
                saved, else 400 or the backbone's maximum if that is less.
            truncate: As in `SentimentPreprocessor`. Default: what was saved,
                else `"head_tail"`.
            head_tokens: As in `SentimentPreprocessor`. Default: what was
                saved, else a quarter.
            clean_html: As in `SentimentPreprocessor`. Default: what was saved,
                else no.
            weights: A local file to take the packaged preset's weights from.
            keep_tokenizer: Whether a preset of keras-nlp keeps the tokenizer
                it came with, which can be neither exported nor relied on to
                give what the weights were trained with. By default
                `BertTokenizer` takes its place, and the log says so.
            **kwargs: Passed on to the constructor with a new head.

        Raises:
            PresetError: The preset cannot be found, fetched or read.
            ValueError: `class_names` are missing or wrong, or
                `sequence_length` does not fit the backbone.
        """
        directory = find_preset(preset, weights=weights)
        settings = {
            "sequence_length": sequence_length,
            "truncate": truncate,
            "head_tokens": head_tokens,
            "clean_html": clean_html,
        }
        task = _saved_task(directory)
        saved = tuple(task.get("class_names", ()))
        if saved and (class_names is None or tuple(class_names) == saved):
            stock = keras_nlp.models.DistilBertTextClassifier
            classifier: SentimentClassifier = stock.from_preset(
                str(directory), **kwargs
            )
            preprocessor = classifier.preprocessor.with_settings(**settings)
            _check_fits(preprocessor, classifier.backbone)
            classifier.preprocessor = preprocessor
            return classifier
        if class_names is None:
            raise ValueError(
                f"The preset {os.fspath(preset)!r} has no class names yet: "
                "pass `class_names`, for example "
                "`class_names=reviews.class_names`."
            )
        backbone = keras_nlp.models.DistilBertBackbone.from_preset(
            str(directory)
        )
        from_preset = (
            keras_nlp.models.DistilBertTokenizer
            if keep_tokenizer
            else BertTokenizer
        ).from_preset
        preprocessor = SentimentPreprocessor(
            from_preset(str(directory)),
            sequence_length=min(
                DEFAULT_SEQUENCE_LENGTH, backbone.max_sequence_length
            ),
            truncate="head_tail",
        ).with_settings(**settings)
        if not saved and task.get("num_classes") == len(tuple(class_names)):
            return cls._of_stock(directory, class_names, preprocessor)
        return cls(backbone, class_names, preprocessor, **kwargs)

    @classmethod
    def _of_stock(
        cls,
        directory: pathlib.Path,
        class_names: Sequence[str],
        preprocessor: SentimentPreprocessor,
    ) -> "SentimentClassifier":
        """Returns keras-nlp's own classifier, head and all, as this one."""
        stock = keras_nlp.models.DistilBertTextClassifier.from_preset(
            str(directory), preprocessor=None
        )
        classifier = cls(
            stock.backbone,
            class_names,
            preprocessor,
            activation=stock.activation,
            hidden_dim=stock.hidden_dim,
            dropout=stock.dropout,
        )
        for name in ("pooled_dense", "output_dense"):
            getattr(classifier, name).set_weights(
                getattr(stock, name).get_weights()
            )
        return classifier

    def save_task_weights(self, filepath: Any) -> None:
        """Writes the head's weights; keras-nlp calls this.

        keras-nlp's own writes the optimizer's state with them, which a
        classifier that is compiled otherwise then refuses to load.
        """
        keras.saving.save_weights(
            self, filepath, objects_to_skip=self._not_of_the_head()
        )

    def load_task_weights(self, filepath: Any) -> None:
        """Reads the head's weights; keras-nlp calls this."""
        keras.saving.load_weights(
            self, filepath, objects_to_skip=self._not_of_the_head()
        )

    def _not_of_the_head(self) -> list[Any]:
        layers = list(self.backbone._flatten_layers())
        return layers if self.optimizer is None else [*layers, self.optimizer]

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's own `fit`.

        Keras warns that it cannot shuffle a dataset: `make_dataset` has.
        """
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)
        return super().fit(x, *args, **kwargs)

    def predict_proba(
        self, texts: Iterable[str | bytes], *, batch_size: int = 32
    ) -> np.ndarray:
        """Returns each class's probability for each text.

        Texts of similar length share a batch, so that a short one does not
        pay for a long one.

        Args:
            texts: The texts.
            batch_size: How many texts go through the model at once.

        Returns:
            float32 `(num_texts, num_classes)`, in the order of `texts` and of
            `class_names`: softmax of the logits over `temperature`.
        """
        data = encode_texts(texts)
        if batch_size < 1:
            raise ValueError(
                f"`batch_size` must be 1 or more. Received: {batch_size}"
            )
        order = np.argsort([len(text) for text in data], kind="stable")
        probabilities = np.zeros((len(data), len(self.class_names)), np.float32)
        for start in range(0, len(data), batch_size):
            rows = order[start : start + batch_size]
            batch = tf.constant([data[row] for row in rows], tf.string)
            logits = tf.cast(self._logits_of(batch), tf.float32)
            probabilities[rows] = tf.nn.softmax(logits / self.temperature)
        return probabilities

    def _logits_of(self, text: tf.Tensor) -> tf.Tensor:
        """Returns the logits of text, by one graph.

        Keras's `predict` would set up a `tf.data` pipeline for each call.
        """
        made_for = (self.preprocessor, self._precision)
        if self._graph_made_for != made_for:
            self._graph_made_for = made_for
            self._graph = tf.function(
                lambda text: self(self.preprocessor(text), training=False),
                input_signature=[tf.TensorSpec([None], tf.string)],
                autograph=False,
            )
        return self._graph(text)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, the backbone and preprocessor serialized."""
        config: dict[str, Any] = super().get_config()
        del config["num_classes"]
        config["class_names"] = list(self.class_names)
        config["temperature"] = self.temperature
        return config


def saved_class_names(directory: pathlib.Path) -> tuple[str, ...]:
    """Returns the class names of a saved classifier, `()` for other presets.

    Args:
        directory: A preset directory.
    """
    return tuple(_saved_task(directory).get("class_names", ()))


def _saved_task(directory: pathlib.Path) -> dict[str, Any]:
    """Returns the arguments of a saved classifier, if one was saved."""
    task = directory / "task.json"
    if not task.is_file():
        return {}
    config: dict[str, Any] = json.loads(task.read_text("utf-8"))["config"]
    return config


def _checked_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(class_names, str) or not all(
        isinstance(name, str) for name in class_names
    ):
        raise TypeError(
            "`class_names` must be a list of strings, such as "
            f"['neg', 'pos']. Received: {class_names!r}"
        )
    if len(class_names) < 2 or len(set(class_names)) < len(class_names):
        raise ValueError(
            "`class_names` must be two or more different names. "
            f"Received: {class_names!r}"
        )
    return tuple(class_names)


def _check_fits(preprocessor: SentimentPreprocessor, backbone: Any) -> None:
    longest = backbone.max_sequence_length
    if preprocessor.sequence_length > longest:
        raise ValueError(
            f"`sequence_length` must be at most {longest}, the longest text "
            "this backbone knows positions for. "
            f"Received: {preprocessor.sequence_length}"
        )
