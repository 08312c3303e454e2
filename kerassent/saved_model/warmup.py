"""What TensorFlow Serving runs before a version counts as loaded."""

import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from kerassent import contract

# Short to as long as is read; not all is plain ASCII, nor are two texts alike:
# both would take a shorter way.
_SENTENCES = (1, 8, 30, 120)
_BATCH_SIZES = (8, 32)


def write_warmup_requests(path: pathlib.Path) -> None:
    """Writes requests of every signature, each with a batch of texts.

    An op that a server lacks is found by the first request, or by these: then
    the version fails to load, and the one before it stays.

    Args:
        path: The file, a TFRecord.

    Reference:
        https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    numbers = itertools.count()

    def texts(*sentences: int) -> list[bytes]:
        return [
            f"Café {next(numbers)}: {'a wonderful film. ' * count}".encode()
            for count in sentences
        ]

    requests = [
        *(
            _predict(contract.PREDICT_SIGNATURE, texts(count))
            for count in _SENTENCES
        ),
        *(
            _predict(
                contract.PREDICT_SIGNATURE,
                texts(*itertools.islice(itertools.cycle(_SENTENCES), size)),
            )
            for size in _BATCH_SIZES
        ),
        _classify(texts(*_SENTENCES)),
        # Many times the work of an answer: the short ones do.
        _predict(contract.EXPLAIN_SIGNATURE, texts(*_SENTENCES[:2])),
    ]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(request.SerializeToString())


def read_warmup_requests(
    path: pathlib.Path,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each request's signature, and what it feeds.

    Args:
        path: The file; where there is none, there are no requests.

    Raises:
        tf.errors.DataLossError: It is damaged.
    """
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    if not path.is_file():
        return
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = PredictionLog.FromString(record)
        if log.HasField("predict_log"):
            request = log.predict_log.request
            inputs = {
                name: tf.make_ndarray(tensor)
                for name, tensor in request.inputs.items()
            }
        elif log.HasField("classify_log"):
            request = log.classify_log.request
            examples = request.input.example_list.examples
            inputs = {
                contract.INPUTS: [each.SerializeToString() for each in examples]
            }
        else:
            continue
        name = request.model_spec.signature_name
        yield name or contract.PREDICT_SIGNATURE, inputs


def _predict(signature_name: str, texts: list[bytes]) -> Any:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature_name
    request.inputs[contract.TEXT].CopyFrom(tf.make_tensor_proto(texts))
    return log


def _classify(texts: list[bytes]) -> Any:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = log.classify_log.request
    request.model_spec.signature_name = contract.CLASSIFY_SIGNATURE
    for text in texts:
        example = request.input.example_list.examples.add()
        example.features.feature[contract.TEXT].bytes_list.value.append(text)
    return log
