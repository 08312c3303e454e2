"""One model on several devices: what Keras leaves to be done.

Under a `tf.distribute` strategy each step is traced once for each device, a
replica, which gets its part of the batch. Outside of a strategy, and where it
has one device, all of this does nothing.
"""

from typing import Any

import numpy as np
import tensorflow as tf


def is_one_of_several() -> bool:
    """Whether this is a part of a step that several devices share."""
    return (
        not tf.distribute.in_cross_replica_context()
        and tf.distribute.get_strategy().num_replicas_in_sync > 1
    )


def is_writer(strategy: Any) -> bool:
    """Whether this process is the one that writes for all of them.

    Args:
        strategy: A `tf.distribute.Strategy`.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return bool(resolver.task_type == "chief")
    return bool(resolver.task_type == "worker" and resolver.task_id == 0)


def own_seed(seed: Any) -> Any:
    """Returns a seed that no other replica has.

    Keras's seed generators are the same on all of them, and so would be what
    dropout drops.

    Args:
        seed: An integer tensor `(2,)`.
    """
    if not is_one_of_several():
        return seed
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return seed + tf.stack([tf.cast(replica, seed.dtype), 0])


def weighed_by_rows(loss: Any, y_pred: Any) -> Any:
    """Returns a loss whose gradient counts each row of the batch alike.

    Keras lets each replica's mean count alike, so that a row counts for more
    on the one that has fewer. The value stays as it is.

    Args:
        loss: A scalar, the mean over this replica's rows.
        y_pred: `(num_rows, ...)`, maybe with no rows.
    """
    if not is_one_of_several():
        return loss
    context = tf.distribute.get_replica_context()
    mine = tf.cast(tf.shape(y_pred)[0], loss.dtype)
    all_rows = context.all_reduce(tf.distribute.ReduceOp.SUM, mine)
    share = mine * context.num_replicas_in_sync / all_rows

    @tf.custom_gradient
    def weighed(loss: Any) -> Any:
        return tf.identity(loss), lambda gradient: gradient * share

    return weighed(loss)


def to_be_averaged(metrics: dict[str, Any]) -> dict[str, Any]:
    """Returns metrics as Keras can take their mean over the replicas.

    Between processes it does so along a dimension, which scalars lack.

    Args:
        metrics: Scalars by name.
    """
    resolver = tf.distribute.get_strategy().cluster_resolver
    if not is_one_of_several() or resolver is None or not resolver.task_type:
        return metrics
    return {name: tf.expand_dims(x, 0) for name, x in metrics.items()}


def symbolic_batch(iterator: Any) -> Any:
    """Returns what `fit` should make the optimizer and the metrics by.

    Keras draws a batch, which sets a shuffled dataset one epoch further, and
    takes the mean of the replicas' parts, which makes floats of token ids and
    fails between processes.

    Args:
        iterator: Keras's `EpochIterator`, or `None`.
    """
    if iterator is None:
        return None
    return iterator.data_adapter.get_tf_dataset().element_spec


def assign(variable: Any, value: np.ndarray) -> None:
    """Puts back what `variable.numpy()` was.

    What each replica sums up on its own, such as a metric, would be given to
    all in equal parts, which a count cannot be.

    Args:
        variable: A Keras variable.
        value: Its value.
    """
    copies = getattr(variable.value, "values", ())
    if variable.synchronization != "on_read" or not copies:
        variable.assign(value)
        return
    has_it = is_writer(variable.value.distribute_strategy)
    for copy in copies:
        copy.assign(value if has_it else np.zeros_like(value))
        has_it = False
