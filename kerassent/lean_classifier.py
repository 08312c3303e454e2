"""keras-nlp's DistilBERT classifier, computed with less work and anywhere."""

from typing import Any, get_args

import keras
import keras_nlp
import tensorflow as tf

from kerassent import forward
from kerassent.errors import listed
from kerassent.replicas import (
    own_seed,
    symbolic_batch,
    to_be_averaged,
    weighed_by_rows,
)


class LeanClassifier(keras_nlp.models.DistilBertTextClassifier):
    """A DistilBERT with a classification head, by the lean pass.

    Args:
        *args: Those of `keras_nlp.models.DistilBertTextClassifier`.
        **kwargs: Likewise.
    """

    backbone_cls = None  # for the reason given in `BertTokenizer`

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seed_generator = keras.random.SeedGenerator()
        self._precision: forward.Precision = "float32"

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

    def compile(
        self, *args: Any, jit_compile: bool | str = False, **kwargs: Any
    ) -> None:
        """Keras's own `compile`, without XLA unless asked for.

        Batches have many widths, and on a GPU Keras's "auto" would compile the
        whole step for each.
        """
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's own `fit`.

        Keras warns that it cannot shuffle a dataset: `make_dataset` has.
        """
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)
        return super().fit(x, *args, **kwargs)
