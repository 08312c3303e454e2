"""Warmup records: what is run, and what fails a load."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from kerassent.server import warmup
from kerassent.server.metrics import Metrics
from kerassent.server.servable import ServableLoader, ServableOptions
from kerassent.server.status import StatusError


class Noting:
    name, version = "m", 1

    def __init__(self, signatures):
        self.signatures = signatures
        self.runs = []

    def run(self, feeds, fetches, *, timeout_ms=None, api="Predict"):
        self.runs.append(api)
        return [tf.zeros([1, 2]).numpy() for _ in fetches]


def write(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            if not isinstance(record, bytes):
                record = record.SerializeToString()
            writer.write(record)
    return str(path)


def predict_log(signature_name="", text="good"):
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "whatever"
    request.model_spec.signature_name = signature_name
    request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
    return log


def example_log(kind, signature_name):
    log = PredictionLog()
    request = getattr(log, kind).request
    if kind == "multi_inference_log":
        task = request.tasks.add(method_name="tensorflow/serving/classify")
        task.model_spec.name = "whatever"
        task.model_spec.signature_name = signature_name
    else:
        request.model_spec.signature_name = signature_name
    request.input.example_list.examples.add()
    return log


@pytest.fixture
def version(model_base_path, tmp_path):
    """A copy of the zoo's version, to which records can be added."""
    import shutil

    copy = tmp_path / "1"
    shutil.copytree(model_base_path / "12", copy)
    return copy


def records(version):
    return version / "assets.extra" / "tf_serving_warmup_requests"


def load(version, **options):
    metrics = Metrics()
    loader = ServableLoader(ServableOptions(**options), metrics)
    try:
        loader("m", 1, str(version)).close()
    finally:
        loader.close()
    return metrics.page()


def runs(page, api):
    start = (
        f':tensorflow:serving:runtime_latency_count{{model_name="m",API="{api}"'
    )
    return sum(
        int(line.split()[-1])
        for line in page.splitlines()
        if line.startswith(start)
    )


def test_every_kind_of_record_is_run(version):
    write(
        records(version),
        predict_log(),
        predict_log("echo"),
        example_log("classify_log", "classify"),
        example_log("regress_log", "regress"),
        example_log("multi_inference_log", "classify"),
        PredictionLog(),
    )
    page = load(version)
    kinds = ("Predict", "Classify", "Regress", "MultiInference")
    assert [runs(page, api) for api in kinds] == [2, 1, 1, 1]
    assert (
        f':tensorflow:serving:model_warmup_records_read{{model_path="{version}'
        '"} 6' in page
    )


def test_records_may_be_run_several_times_or_not_at_all(version):
    write(records(version), predict_log())
    assert runs(load(version, warmup_iterations=3), "Predict") == 3
    assert runs(load(version, warmup=False), "Predict") == 0


@pytest.mark.parametrize(
    ("record", "message"),
    [
        pytest.param(
            predict_log("nope"),
            'FAILED_PRECONDITION: Serving signature key "nope" not found.',
            id="unknown signature",
        ),
        pytest.param(
            PredictionLog(session_run_log={}),
            "UNIMPLEMENTED: Unsupported log_type for warmup: 5",
            id="session_run",
        ),
        pytest.param(
            PredictionLog(predict_streamed_log={}),
            "UNIMPLEMENTED: Unsupported log_type for warmup: 7",
            id="predict_streamed",
        ),
        pytest.param(
            b"\xff\xff",
            "INVALID_ARGUMENT: Failed to parse warmup record: ",
            id="no proto",
        ),
    ],
)
def test_record_that_fails_fails_the_load(version, record, message):
    write(records(version), record)
    with pytest.raises(StatusError) as caught:
        load(version)
    assert str(caught.value).startswith(message)


def test_file_that_is_no_tfrecord_fails_the_load(version):
    records(version).parent.mkdir(exist_ok=True)
    records(version).write_bytes(b"something else, long enough to be read")
    with pytest.raises(StatusError) as caught:
        load(version)
    assert str(caught.value).startswith("DATA_LOSS: ")
    assert str(caught.value).endswith(
        ". Please verify your warmup data is in TFRecord format."
    )


def test_empty_file_warms_nothing_up(version):
    write(records(version))
    assert runs(load(version), "Predict") == 0


def test_more_than_1000_records_fail_the_load(tmp_path):
    path = write(tmp_path / "records", *[PredictionLog()] * 1001)
    logs = warmup.read_warmup_logs(path)
    for _ in range(1001):
        next(logs)
    with pytest.raises(StatusError) as caught:
        next(logs)
    assert str(caught.value) == (
        "INVALID_ARGUMENT: Number of warmup records exceeds the maximum "
        f"(1000) at {path}"
    )


def test_warmup_goes_through_the_batches(version):
    from kerassent.server.batching_parameters import BatchingParameters

    write(records(version), predict_log())
    runs = ":tensorflow:serving:batching_session:wrapped_run_count{} 1"
    assert runs not in load(version).splitlines()
    page = load(version, batching=BatchingParameters())
    assert runs in page.splitlines()


# --- What the version directory says of batches


def test_own_parameters_are_used_only_if_wanted(version):
    from kerassent.server.batching_parameters import BatchingParameters

    file = version / "batching_params.pbtxt"
    file.write_text("max_batch_size { value: 0 }")
    write(records(version), predict_log())
    load(version)
    load(version, batching=BatchingParameters())
    load(version, per_model_batching=True)
    with pytest.raises(StatusError, match="must be positive; was 0"):
        load(version, batching=BatchingParameters(), per_model_batching=True)
