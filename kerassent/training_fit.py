"""The `fit` of a run of `train`, from a checkpoint if there is one."""

from typing import Any

import keras

from kerassent import contract
from kerassent.callbacks.averaged_weights import AveragedWeights
from kerassent.callbacks.best_weights import BestWeights
from kerassent.callbacks.checkpoints import Checkpoints
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.progress_bar import ProgressBar
from kerassent.callbacks.run_history import RunHistory
from kerassent.callbacks.throughput import Throughput
from kerassent.callbacks.unfreezing import GradualUnfreezing
from kerassent.class_weights import resolve_class_weights
from kerassent.rate_search import found_peak
from kerassent.review_base import ReviewsBase
from kerassent.review_stream import ReviewStream
from kerassent.token_batches import TokenBatches, in_turn, token_dataset
from kerassent.training_run import TOKENS, TrainingRun
from kerassent.training_setup import compile_for_training, training_batches


def fit_run(run: TrainingRun, verbose: int | str) -> RunHistory:
    """Trains the classifier, from a checkpoint if there is one.

    Args:
        run: What was begun.
        verbose: As in Keras's `fit`.
    """
    options, classifier = run.options, run.classifier
    classifier.precision = run.decided["precision"]
    batches = _batches(run, run.reviews, "train", 1)
    compile_for_training(
        classifier,
        layer_decay=options.layer_decay,
        weight_decay=options.weight_decay,
        clip_norm=options.clip_norm,
        gradient_accumulation=options.gradient_accumulation,
        label_smoothing=options.label_smoothing,
        ema=options.ema,
        balanced=options.class_weight is not None,
    )
    minutes = options.checkpoint_minutes
    checkpoints = Checkpoints(
        run.directory / contract.CHECKPOINTS,
        every_steps=options.checkpoint_steps,
        every_seconds=None if minutes is None else 60 * minutes,
    )
    # Metrics have their variables once they have seen a batch.
    classifier.test_on_batch(*next(batches.epoch(0)))
    history = RunHistory(run.directory / contract.HISTORY)
    throughput = Throughput(batches.num_tokens)
    # Each sees what those before it have put into the model or the logs.
    callbacks = [
        throughput,
        OneCycle(_peak(run, batches)),
        *_callbacks(run),
        history,
        ProgressBar(throughput),
    ]
    checkpoints.set_callbacks(callbacks)
    valid_ds = None
    if run.valid is not None:
        valid_ds = token_dataset(
            _batches(run, run.valid, "valid", 2), lambda: (0, 0)
        )
    classifier.fit(
        token_dataset(batches, lambda: checkpoints.position),
        validation_data=valid_ds,
        epochs=options.epochs,
        initial_epoch=options.epochs
        if checkpoints.has_stopped
        else checkpoints.initial_epoch,
        class_weight=resolve_class_weights(
            options.class_weight,
            run.reviews.label_ids,
            run.reviews.class_names,
        ),
        callbacks=[*callbacks, checkpoints],
        verbose=verbose,
    )
    classifier.precision = "float32"
    return history


def _batches(
    run: TrainingRun, reviews: ReviewsBase, part: str, times: int
) -> TokenBatches:
    """Returns batches of a part, so many times as large as asked for."""
    cache = run.options.cache
    if cache is None and isinstance(reviews, ReviewStream):
        cache = run.directory / TOKENS
    batch_size, most = run.options.batch_size, run.options.max_tokens
    return training_batches(
        run.classifier,
        reviews,
        batch_size=batch_size and times * batch_size,
        max_tokens=most and times * most,
        seed=run.options.seed,
        cache=cache,
        data_hash=run.hashes[part],
    )


def _peak(run: TrainingRun, batches: TokenBatches) -> float:
    if not isinstance(run.options.max_lr, str):
        return float(run.options.max_lr)
    return found_peak(
        run.classifier,
        token_dataset(batches, in_turn()),
        kept=run.directory / contract.CHECKPOINTS / "max_lr.json",
        curve_file=run.directory / contract.LR_CURVE,
    )


def _callbacks(run: TrainingRun) -> list[Any]:
    """Returns those that were asked for."""
    options = run.options
    callbacks: list[Any] = []
    if options.unfreeze_per_epoch is not None:
        callbacks.append(GradualUnfreezing(options.unfreeze_per_epoch))
    if options.ema is not None:
        callbacks.append(AveragedWeights())
    if options.tensorboard:
        callbacks.append(
            keras.callbacks.TensorBoard(
                str(run.directory / "tensorboard"),
                write_graph=False,
                update_freq=10,
            )
        )
    if run.valid is not None and (
        options.best_weights or options.early_stopping
    ):
        callbacks.append(
            BestWeights(
                options.monitor,
                options.early_stopping,
                restore=options.best_weights,
            )
        )
    return callbacks
