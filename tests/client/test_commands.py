"""What the commands' options come to on the wire, in each command."""

import json

import pytest
import tensorflow as tf
from click.testing import CliRunner
from tensorflow_serving.apis import predict_pb2

from kerassent.cli import main

ROW = {
    "label": "pos",
    "score": 0.75,
    "probabilities": [0.25, 0.75],
    "class_names": ["neg", "pos"],
    "words": ["good"],
    "starts": [0],
    "ends": [4],
    "attributions": [0.5],
    "completeness_error": 0.0,
}
VERSIONS = {
    ("--version", "3"): {"version": 3},
    ("--version-label", "stable"): {"label": "stable"},
}


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(
    params=["predict", "predict a file", "evaluate", "explain", "load-test"]
)
def command(request, tmp_path):
    """A command that asks a server, but for the server."""
    file, output = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text("text,sentiment\ngood,pos\nbad,neg\n")
    return {
        "predict": ["predict", "good"],
        "predict a file": [
            *("predict", "--input", file, "--output", output, "--text", "text")
        ],
        "evaluate": [
            *("evaluate", file, "--text", "text", "--label", "sentiment")
        ],
        "explain": ["explain", "good"],
        "load-test": [
            *("load-test", "--clients", 1, "--requests", 2, "--warmup", 0)
        ],
    }[request.param]


@pytest.fixture(params=["grpcs", "https"])
def asked(request, mutual_tls, grpc_server, http_server):
    """The URL of a server, and a function that says what it was asked."""
    scheme, secret = request.param, mutual_tls[request.param]
    if scheme == "grpcs":
        seen = []

        def predict(request, context):
            spec = request.model_spec
            headers = dict(context.invocation_metadata())
            seen.append((spec, headers))
            response = predict_pb2.PredictResponse()
            num_texts = len(request.inputs["text"].string_val)
            for name, value in ROW.items():
                kind = tf.float32 if name in FLOATS else None
                response.outputs[name].CopyFrom(
                    tf.make_tensor_proto([value] * num_texts, dtype=kind)
                )
            return response

        def found():
            for spec, headers in seen:
                version = {"label": spec.version_label}
                if spec.HasField("version"):
                    version = {"version": spec.version.value}
                yield spec.name, version, spec.signature_name, headers

        port = grpc_server(predict=predict, credentials=secret)
    else:

        def answer(body):
            num_texts = len(json.loads(body)["instances"])
            return json.dumps({"predictions": [ROW] * num_texts}).encode()

        server = http_server(200, answer, ssl_context=secret)

        def found():
            for request in server.requests:
                _, _, _, name, kind, value = request.path.split("/")
                value = value.removesuffix(":predict")
                yield (
                    name,
                    {"version": int(value)}
                    if kind == "versions"
                    else {"label": value},
                    json.loads(request.body)["signature_name"],
                    {k.lower(): v for k, v in request.headers.items()},
                )

        port = server.port
    return f"{scheme}://127.0.0.1:{port}", found


FLOATS = ("score", "probabilities", "attributions", "completeness_error")


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v[0][2:])
def test_each_option_reaches_the_server(command, version, asked, pem):
    url, found = asked
    cert, key = pem
    done = run(
        *(*command, "--url", url, "--model-name", "sentiment", *version),
        *("--signature-name", "other", "--ca-cert", cert),
        *("--client-cert", cert, "--client-key", key),
        *("--header", "Authorization: Bearer a:b", "--header", "x-team:films"),
    )
    assert done.exit_code == 0, (done.stderr, done.exception)
    requests = list(found())
    assert requests
    for name, spec, signature_name, headers in requests:
        assert name == "sentiment"
        assert spec == VERSIONS[version]
        assert signature_name == "other"
        assert headers["authorization"] == "Bearer a:b"
        assert headers["x-team"] == "films"


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
@pytest.mark.parametrize(
    "option",
    [
        ("--model-name", "m"),
        ("--version", "3"),
        ("--version-label", "stable"),
        ("--signature-name", "other"),
        ("--header", "a: b"),
        ("--ca-cert", "ca.pem"),
        ("--client-cert", "cert.pem"),
        ("--client-key", "key.pem"),
    ],
)
def test_option_without_a_server_is_refused(command, option):
    done = run(command, "run", "text", *option)
    assert done.exit_code == 2
    assert f"{option[0]} goes with --url." in done.stderr


def test_timeout_without_a_server_is_refused():
    done = run("predict", "run", "text", "--timeout", 1)
    assert done.exit_code == 2
    assert "--timeout goes with --url." in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--header", "Bearer s3cret"), 2, "Received 13 characters without"),
        (("--header", "a:s3cret", "--header", "a:2"), 2, "'a' is given twice"),
        (("--header", "a b:s3cret"), 1, "only letters, digits, '_', '.'"),
        (("--version", 1, "--version-label", "x"), 1, "not both. Received"),
        (("--ca-cert", "ca.pem"), 1, "need TLS. Use `https://127.0.0.1:9`"),
        (("--client-key", "key.pem"), 1, "need TLS"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "load-test"])
def test_what_makes_no_sense_is_refused_and_secrets_are_not_shown(
    command, options, code, message
):
    done = run(
        *(command, "--url", "http://127.0.0.1:9", "--model-name", "m"),
        *options,
        *(["text"] if command == "predict" else ["--clients", 1]),
    )
    assert done.exit_code == code, (done.stderr, done.exception)
    assert message in " ".join(done.stderr.split())
    assert "s3cret" not in done.output
