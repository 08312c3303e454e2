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


def has_other_processes(strategy: Any) -> bool:
    """Whether this process is one of a job's, which `TF_CONFIG` tells.

    Args:
        strategy: A `tf.distribute.Strategy`.
    """
    resolver = strategy.cluster_resolver
    return resolver is not None and bool(resolver.task_type)


def is_writer(strategy: Any) -> bool:
    """Whether this process is the one that writes for all of them.

    Args:
        strategy: A `tf.distribute.Strategy`.
    """
    if not has_other_processes(strategy):
        return True
    resolver = strategy.cluster_resolver
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

    weighed = tf.custom_gradient(
        lambda loss: (tf.identity(loss), lambda gradient: gradient * share)
    )
    return weighed(loss)


def to_be_averaged(metrics: dict[str, Any]) -> dict[str, Any]:
    """Returns metrics as Keras can take their mean over the replicas.

    Between processes it does so along a dimension, which scalars lack.

    Args:
        metrics: Scalars by name.
    """
    if not (
        is_one_of_several()
        and has_other_processes(tf.distribute.get_strategy())
    ):
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


def read(variable: Any) -> np.ndarray:
    """Returns a variable's value, without asking other processes.

    What each replica sums up on its own, such as a metric, is that of this
    process's replicas. `variable.numpy()` would wait for the other processes to
    ask as well, and without end if one is dead.

    Args:
        variable: A Keras variable.
    """
    copies = _own_sums(variable)
    if not copies:
        return np.asarray(variable.numpy())
    return np.asarray(
        np.sum(
            [copy.numpy() for copy in copies],
            axis=0,
            dtype=copies[0].dtype.as_numpy_dtype,
        )
    )


def assign(variable: Any, value: np.ndarray) -> None:
    """Puts back what `read` returned.

    `variable.assign` would give each replica an equal part of a sum, which a
    count may not have.

    Args:
        variable: A Keras variable.
        value: Its value.
    """
    copies = _own_sums(variable)
    if not copies:
        variable.assign(value)
        return
    copies[0].assign(value)
    for copy in copies[1:]:
        copy.assign(np.zeros_like(value))


def _own_sums(variable: Any) -> tuple[Any, ...]:
    """Returns what this process's replicas have each summed up, if they do."""
    if variable.synchronization != "on_read":
        return ()
    return tuple(getattr(variable.value, "values", ()))
