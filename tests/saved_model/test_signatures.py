import collections
import re

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kerassent.saved_model.export_info import read_export_info
from kerassent.saved_model.exporting import export
from kerassent.saved_model.warmup import read_warmup_requests

TEXTS = [
    "a good film",
    "bad " * 40,
    "",
    "caf\u00e9",
    b"\xff\xfe",
    "a good film",
]


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def exported(request, make_classifier, tmp_path_factory):
    classifier = make_classifier(("neg", "mixed", "pos"), temperature=2.0)
    return export(
        classifier, tmp_path_factory.mktemp("models"), precision=request.param
    )


@pytest.fixture(scope="module")
def session(exported):
    """A Session, as TensorFlow Serving has it: `ask(signature, values)`."""
    graph = tf.Graph()
    opened = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        model = tf.compat.v1.saved_model.load(opened, ["serve"], str(exported))

    def ask(name, values, **kwargs):
        signature = model.signature_def[name]
        [fed] = signature.inputs.values()
        fetched = {k: info.name for k, info in signature.outputs.items()}
        return opened.run(fetched, {fed.name: values}, **kwargs)

    ask.signatures = model.signature_def
    yield ask
    opened.close()


def as_bytes(texts):
    return [t.encode() if isinstance(t, str) else t for t in texts]


def example(**features):
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=values)
                )
                for name, values in features.items()
            }
        )
    ).SerializeToString()


def test_each_signature_has_its_apis_method(session):
    methods = {
        name: signature.method_name
        for name, signature in session.signatures.items()
        if not name.startswith("__")
    }
    assert methods == {
        "serving_default": "tensorflow/serving/predict",
        "classify": "tensorflow/serving/classify",
        "explain": "tensorflow/serving/predict",
    }


def test_classify_says_what_predict_says(session):
    predicted = session("serving_default", as_bytes(TEXTS))
    classified = session(
        "classify", [example(text=[text]) for text in as_bytes(TEXTS)]
    )
    assert classified["scores"].tolist() == predicted["probabilities"].tolist()
    assert classified["classes"].tolist() == predicted["class_names"].tolist()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({}, "Feature: text.*is required"),
        ({"text": [b"a", b"b"]}, "Key: text"),
        ({"review": [b"a"]}, "Feature: text.*is required"),
    ],
)
def test_an_example_without_one_text_is_refused(session, features, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        session("classify", [example(**features)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="parse"):
        session("classify", [b"no example"])


@pytest.mark.parametrize("name", ["serving_default", "classify", "explain"])
def test_an_empty_batch_gives_no_rows(session, name):
    answer = session(name, np.array([], object))
    assert {len(value) for value in answer.values()} == {0}
    for value in answer.values():
        assert value.shape[1:] in [(), (3,), (0,)]


def test_explain_answers_as_predict_and_places_its_words(session):
    texts = as_bytes(TEXTS)
    predicted = session("serving_default", texts)
    found = session("explain", texts)
    assert found["label"].tolist() == predicted["label"].tolist()
    assert found["score"] == pytest.approx(predicted["score"], abs=2e-2)
    for row, text in enumerate(texts):
        count = int((found["starts"][row] >= 0).sum())
        for word, start, end in zip(
            found["words"][row][:count],
            found["starts"][row],
            found["ends"][row],
            strict=False,
        ):
            assert word.decode() == text[start:end].decode("utf-8", "replace")
        assert found["words"][row][count:].tolist() == [b""] * (
            found["words"].shape[1] - count
        )
        assert (found["starts"][row][count:] == -1).all()
        assert (found["ends"][row][count:] == -1).all()
        assert (found["attributions"][row][count:] == 0).all()
    assert found["words"][0][:3].tolist() == [b"a", b"good", b"film"]
    assert np.isfinite(found["attributions"]).all()
    assert np.isfinite(found["completeness_error"]).all()


def test_copies_of_a_text_get_one_answer(session):
    text = b"a good film"
    alone = session("serving_default", [text])["probabilities"]
    many = session("serving_default", [text, b"bad " * 9, text, text])
    rows = many["probabilities"]
    assert (rows[[0, 2, 3]] == rows[0]).all()
    assert (rows[1] != rows[0]).any()
    assert rows[0] == pytest.approx(alone[0], abs=1e-2)


def test_an_answer_does_not_depend_on_the_batch(exported, session):
    texts = [f"film number {i} " * (i % 30) for i in range(64)]
    # One at a time, and all at once.
    alone = np.concatenate(
        [
            session("serving_default", [t.encode()])["probabilities"]
            for t in texts
        ]
    )
    together = session("serving_default", as_bytes(texts))["probabilities"]
    precision = read_export_info(exported)["precision"]
    tolerance = 1e-4 if precision == "float32" else 2e-2
    assert together == pytest.approx(alone, abs=tolerance)


def test_warmup_asks_each_signature_what_it_takes(exported, session):
    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    requests = list(read_warmup_requests(path))
    assert {name for name, _ in requests} == {
        "serving_default",
        "classify",
        "explain",
    }
    [first] = requests[0][1]["text"]
    assert len(first) < 40  # for what oneDNN does then, see warmup.py
    texts = []
    for name, inputs in requests:
        [values] = inputs.values()
        answer = session(name, values)
        assert {len(value) for value in answer.values()} == {len(values)}
        texts += list(values)
    assert len(set(texts)) == len(texts)  # none is a copy, computed once
    assert {len(values) for _, i in requests for values in i.values()} >= {
        1,
        32,
    }


def test_batching_parameters_are_tensorflow_servings(exported):
    text = (exported / "batching_params.pbtxt").read_text()
    found = dict(re.findall(r"^(\w+) \{ value: (\d+) \}$", text, re.MULTILINE))
    # Fields of session_bundle_config.proto's BatchingParameters.
    assert list(found) == [
        "max_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
        "num_batch_threads",
    ]
    assert len(found) == len(text.splitlines())


def test_each_function_is_written_once(exported):
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((exported / "saved_model.pb").read_bytes())
    [graph] = model.meta_graphs
    # A second tracing would be there under the function's own name.
    assert [
        name.rstrip("0123456789")
        for name in graph.object_graph_def.concrete_functions
    ] == ["__inference_signature_wrapper_"] * 3


def kernels(session, texts):
    """How often each kernel runs, by TensorFlow's own profile."""
    metadata = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(
        trace_level=tf.compat.v1.RunOptions.SOFTWARE_TRACE,
        output_partition_graphs=True,
    )
    session("serving_default", texts, options=options, run_metadata=metadata)
    kernel_of = {
        node.name: node.op
        for graph in metadata.partition_graphs
        for node in graph.node
    }
    return collections.Counter(
        kernel_of.get(node.node_name)
        for device in metadata.step_stats.dev_stats
        for node in device.node_stats
    )


def test_a_short_text_alone_takes_few_kernels_and_no_loop(session):
    batch = kernels(session, as_bytes(TEXTS))
    short = kernels(session, as_bytes(TEXTS[:1]))
    assert batch["NextIteration"] > short["NextIteration"] == 0
    assert short.total() < 450 < batch.total()
    # oneDNN's kernels take long to begin; these are Eigen's.
    assert short["BatchMatMulV2"] == 2  # of the layers but the last
    assert short["Transpose"] == short["_MklTranspose"] == 0


def test_products_multiply_by_constants(session):
    """oneDNN keeps no others packed: one text's way, and that of many."""
    run = tf.compat.v1.RunMetadata()
    session(
        "serving_default",
        [b"a good film"],
        options=tf.compat.v1.RunOptions(output_partition_graphs=True),
        run_metadata=run,
    )
    [graph] = run.partition_graphs
    ops = {node.name: node.op for node in graph.node}
    factors = [
        ops[node.input[1].partition(":")[0]]
        for node in graph.node
        if "MatMul" in node.op and "BatchMatMul" not in node.op
    ]
    # Of one layer 4 and of the last 6, and the head's 2, each way; and the
    # attention of one text's [CLS] has two of its own.
    assert factors.count("Const") == 2 * (4 + 6 + 2)
    assert len(factors) == 2 * (4 + 6 + 2) + 2
