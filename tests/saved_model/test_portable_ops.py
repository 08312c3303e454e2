import re

import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow.core.protobuf import saved_model_pb2

from kerassent.errors import ExportError
from kerassent.saved_model.exporting import export
from kerassent.saved_model.portable_ops import check_portable, op_support

ALL = ("2.16", "2.17", "2.18", "2.19", "2.20", "2.21")


@pytest.fixture
def save(tmp_path):
    """A function that writes a SavedModel of a function of texts."""

    def written(function, dtype=tf.string):
        module = tf.Module()
        module.serve = tf.function(
            function, input_signature=[tf.TensorSpec([None], dtype, "text")]
        )
        tf.saved_model.save(
            module,
            str(tmp_path / "model"),
            signatures=module.serve.get_concrete_function(),
        )
        return tmp_path / "model"

    return written


def change(directory, edit):
    """Changes the only MetaGraphDef of a SavedModel."""
    path = directory / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def test_an_op_that_fails_without_its_data_is_refused(save):
    directory = save(lambda text: {"folded": tf_text.case_fold_utf8(text)})
    with pytest.raises(
        ExportError,
        match="holds 'CaseFoldUTF8', which TensorFlow Serving 2.20, 2.21 "
        r"cannot run \(node 'CaseFoldUTF8/CaseFoldUTF8'\). If the prep",
    ):
        check_portable(directory)
    check_portable(directory, ["2.19", "2.16"])
    with pytest.raises(ExportError, match="Serving 2.20 cannot run"):
        check_portable(directory, ["2.19", "2.20"])
    assert op_support(directory)["CaseFoldUTF8"] == ALL[:4]


def test_an_op_that_came_later_is_refused(save):
    trim = tf_text.RoundRobinTrimmer(4)

    def serve(text):
        return {"words": trim.trim([tf.strings.split(text)])[0].to_tensor()}

    directory = save(serve)
    with pytest.raises(
        ExportError,
        match="'TFText>RoundRobinTrim', which TensorFlow Serving 2.16 to 2.19 ",
    ):
        check_portable(directory)
    check_portable(directory, ["2.20", "2.21"])


@pytest.mark.parametrize("form", ["NFKC", "nfkd"])
def test_a_form_without_its_data_is_refused(save, form):
    directory = save(lambda text: {"n": tf_text.normalize_utf8(text, form)})
    with pytest.raises(
        ExportError,
        match=f"'NormalizeUTF8' with normalization_form='{form.upper()}', "
        "which TensorFlow Serving 2.20, 2.21 cannot run",
    ):
        check_portable(directory)
    assert op_support(directory)["NormalizeUTF8"] == ALL[:4]


def test_the_other_forms_are_not(save):
    check_portable(
        save(lambda text: {"n": tf_text.normalize_utf8(text, "NFD")})
    )


def gather(policy):
    def serve(x):
        @tf.function
        def inner(x):
            return tf.gather_nd(
                x, [[0]], bad_indices_policy=policy, name="layer_3/rows"
            )

        return {"y": inner(x)}

    return serve


def test_an_attribute_that_came_later_is_refused(save):
    directory = save(gather("IGNORE"), tf.float32)
    with pytest.raises(
        ExportError,
        match="holds 'GatherNd' with the attribute 'bad_indices_policy', which "
        r"TensorFlow Serving 2.16 ignores \(node 'layer_3/rows'\)",
    ):
        check_portable(directory)
    check_portable(directory, ALL[1:])
    assert op_support(directory)["GatherNd"] == ALL[1:]


def test_at_its_default_it_is_not(save):
    check_portable(save(gather("ERROR"), tf.float32), ["2.17"])
    check_portable(save(gather(""), tf.float32))


def test_a_type_that_came_later_is_refused(save):
    def serve(x):
        return {"y": tf.range(x[0], tf.constant(9, tf.half))}

    directory = save(serve, tf.half)
    with pytest.raises(
        ExportError,
        match="'Range' with Tidx='DT_HALF', which TensorFlow Serving "
        "2.16, 2.17 cannot run",
    ):
        check_portable(directory)
    check_portable(directory, ["2.18"])


def test_an_op_that_nobody_has_is_refused(save):
    directory = save(lambda text: {"n": tf.strings.length(text)})

    def edit(meta_graph):
        for function in meta_graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "StringLength":
                    node.op = "Ours>Length"

    change(directory, edit)
    with pytest.raises(
        ExportError,
        match="'Ours>Length', which TensorFlow Serving 2.16 to 2.21 cannot run",
    ):
        check_portable(directory)
    assert op_support(directory)["Ours>Length"] == ()


def test_a_call_of_a_function_by_name_is_no_op(save):
    directory = save(lambda text: {"n": tf.strings.length(text)})

    def edit(meta_graph):
        graph = meta_graph.graph_def
        graph.node.add(name="call", op=graph.library.function[0].signature.name)

    change(directory, edit)
    check_portable(directory)


def test_of_many_findings_five_are_told(save):
    directory = save(lambda text: {"n": tf.strings.length(text)})

    def edit(meta_graph):
        for number in range(7):
            for name in ("a", "b"):
                meta_graph.graph_def.node.add(
                    name=f"{name}{number}", op=f"Op{number}"
                )

    change(directory, edit)
    with pytest.raises(ExportError) as error:
        check_portable(directory)
    assert re.findall(r"'(\w+)'", str(error.value)) == (
        ["Op0", "a0", "Op1", "a1", "Op2", "a2", "Op3", "a3", "Op4", "a4"]
    )
    assert "(node 'a4'). It holds 2 more. If the" in str(error.value)


def test_what_xla_compiles_is_refused(save):
    @tf.function(jit_compile=True)
    def compiled(x):
        return x * 2

    directory = save(lambda x: {"y": compiled(x)}, tf.float32)
    with pytest.raises(
        ExportError, match="only XLA can run: .*__inference_compiled_.* off"
    ):
        check_portable(directory)


def test_ops_of_xla_are_refused(save):
    directory = save(lambda text: {"n": tf.strings.length(text)})
    change(
        directory,
        lambda meta_graph: meta_graph.graph_def.node.add(
            name="n", op="XlaLaunch"
        ),
    )
    with pytest.raises(ExportError, match="only XLA can run: 'XlaLaunch'. "):
        check_portable(directory)


def test_a_ragged_output_is_refused(save):
    directory = save(
        lambda text: {
            "words": tf.strings.split(text),
            "n": tf.strings.length(text),
        }
    )
    with pytest.raises(
        ExportError,
        match="'serving_default' has outputs that are no dense tensors: "
        "'words'. TensorFlow Serving",
    ):
        check_portable(directory)


def test_an_output_without_a_type_is_refused(save):
    directory = save(lambda text: {"n": tf.strings.length(text)})

    def edit(meta_graph):
        meta_graph.signature_def["serving_default"].outputs["n"].dtype = 0

    change(directory, edit)
    with pytest.raises(ExportError, match="no dense tensors: 'n'. "):
        check_portable(directory)


def test_our_export_runs_everywhere(make_classifier, tmp_path):
    directory = export(make_classifier(), tmp_path / "models")
    support = op_support(directory)
    assert {op: v for op, v in support.items() if v != ALL} == {}
    assert "FastWordpieceTokenizeWithOffsets" in support
    assert list(support) == sorted(support)


@pytest.mark.parametrize("targets", [["2.15"], ["2.19", "3"], [], "2.19"])
def test_targets_must_be_known(save, targets):
    directory = save(lambda text: {"n": tf.strings.length(text)})
    with pytest.raises(ValueError) as error:
        check_portable(directory, targets)
    assert str(error.value) == (
        "`targets` must be a list of some of '2.16', '2.17', '2.18', '2.19', "
        f"'2.20', '2.21'. Received: {targets!r}"
    )


def test_no_saved_model_is_an_error(tmp_path):
    with pytest.raises(ExportError, match="cannot be read as a SavedModel"):
        check_portable(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ExportError, match="Expected the directory of one"):
        op_support(tmp_path)
