import importlib

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from kerassent.client import _protos


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("apis/predict", "PredictRequest"),
        ("apis/predict", "PredictResponse"),
        ("apis/classification", "ClassificationRequest"),
        ("apis/get_model_status", "GetModelStatusResponse"),
        ("apis/get_model_metadata", "SignatureDefMap"),
    ],
)
def test_messages_are_those_of_the_generated_modules(file, message):
    path = f"tensorflow_serving/{file}"
    ours = _protos.message_class(
        f"{path}.proto", f"tensorflow.serving.{message}"
    )
    module = importlib.import_module(f"{path}_pb2".replace("/", "."))
    theirs = getattr(module, message)
    assert ours is not theirs
    described = []
    for made in (ours, theirs):
        proto = FileDescriptorProto()
        made.DESCRIPTOR.file.CopyToProto(proto)
        described.append(proto)
    assert described[0] == described[1]


def test_what_one_class_writes_the_other_reads():
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    ours = _protos.message_class(
        "tensorflow_serving/apis/predict.proto",
        "tensorflow.serving.PredictRequest",
    )()
    ours.model_spec.name = "m"
    ours.model_spec.version.value = 3
    ours.inputs["text"].string_val.append(b"\xff\x00")
    theirs = PredictRequest.FromString(ours.SerializeToString())
    assert theirs.model_spec.version.value == 3
    assert list(theirs.inputs["text"].string_val) == [b"\xff\x00"]


def test_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ImportError,
        match="gRPC needs the package 'tensorflow-serving-api', which is not "
        "installed; .*REST needs none",
    ):
        _protos._serialized("tensorflow_serving/apis/predict.proto")


def test_file_without_a_descriptor_is_named(tmp_path, monkeypatch):
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "odd_pb2.py").write_text("AddSerializedFile = b'a'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "tensorflow")
    with pytest.raises(ImportError, match="odd_pb2.py has no descriptor"):
        _protos._serialized("tensorflow/odd.proto")
