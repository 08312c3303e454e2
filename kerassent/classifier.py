"""The model: keras-nlp's DistilBERT classifier that knows its class names."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerassent.classifier_presets import (
    check_fits,
    checked_class_names,
    load_saved,
    new_from_preset,
)
from kerassent.classifier_presets import (
    saved_class_names as saved_class_names,
)
from kerassent.lean_classifier import LeanClassifier
from kerassent.preprocessing import SentimentPreprocessor, Truncate
from kerassent.presets import find_preset
from kerassent.text_windows import predict_by_length


@keras.saving.register_keras_serializable(package="kerassent")
class SentimentClassifier(LeanClassifier):
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

    preprocessor_cls = SentimentPreprocessor

    def __init__(
        self,
        backbone: Any,
        class_names: Sequence[str],
        preprocessor: SentimentPreprocessor | None = None,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        class_names = checked_class_names(class_names)
        if not temperature > 0:
            raise ValueError(
                f"`temperature` must be above 0. Received: {temperature}"
            )
        if preprocessor is not None:
            check_fits(preprocessor, backbone)
        kwargs.pop("num_classes", None)
        super().__init__(
            backbone,
            num_classes=len(class_names),
            preprocessor=preprocessor,
            **kwargs,
        )
        self.class_names = class_names
        self.temperature = temperature
        self._graph_made_for: tuple[Any, ...] = ()

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
        saved = saved_class_names(directory)
        if saved and (class_names is None or tuple(class_names) == saved):
            classifier: SentimentClassifier = load_saved(
                directory, settings, **kwargs
            )
            return classifier
        if class_names is None:
            raise ValueError(
                f"The preset {os.fspath(preset)!r} has no class names yet: "
                "pass `class_names`, for example "
                "`class_names=reviews.class_names`."
            )
        return new_from_preset(
            cls,
            directory,
            class_names,
            settings,
            keep_tokenizer=keep_tokenizer,
            **kwargs,
        )

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

    def predict_proba(
        self, texts: Iterable[str | bytes], *, batch_size: int = 32
    ) -> np.ndarray:
        """Returns each class's probability for each text.

        Texts of similar length share a batch, so that a short one does not
        pay for a long one. An iterator or a stream is drawn from 8,192 texts
        at a time, so it may be longer than memory.

        Args:
            texts: The texts, in any iterable.
            batch_size: How many texts go through the model at once.

        Returns:
            float32 `(num_texts, num_classes)`, in the order of `texts` and of
            `class_names`: softmax of the logits over `temperature`.
        """
        return predict_by_length(
            texts,
            lambda batch: tf.nn.softmax(
                tf.cast(
                    self._logits_of(tf.constant(batch, tf.string)), tf.float32
                )
                / self.temperature
            ).numpy(),
            num_classes=len(self.class_names),
            batch_size=batch_size,
        )

    def _logits_of(self, text: tf.Tensor) -> tf.Tensor:
        """Returns the logits of text, by one graph.

        Keras's `predict` would set up a `tf.data` pipeline for each call.
        """
        made_for = (self.preprocessor, self.precision)
        if self._graph_made_for != made_for:
            self._graph_made_for = made_for
            # Concrete, since TensorFlow warns where one line is traced several
            # times, though it is for as many classifiers.
            self._graph = tf.function(
                lambda text: self(self.preprocessor(text), training=False),
                autograph=False,
            ).get_concrete_function(tf.TensorSpec([None], tf.string))
        return self._graph(text)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, the backbone and preprocessor serialized."""
        config: dict[str, Any] = super().get_config()
        del config["num_classes"]
        config["class_names"] = list(self.class_names)
        config["temperature"] = self.temperature
        return config
