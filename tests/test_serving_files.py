"""`serving/`: what a tool can check of the files for the real server."""

import io
import json
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.flag_options import read_options
from kerassent.server.flag_table import make_parser
from kerassent.server.metrics import Metrics

ROOT = pathlib.Path(__file__).parent.parent
SERVING = ROOT / "serving"
MANIFESTS = [
    "kubernetes/deployment.yaml",
    "kubernetes/services.yaml",
    "kubernetes/scaling.yaml",
]
ETC = "/etc/serving/"
KUBERNETES = "1.31"


def documents(name):
    return list(yaml.safe_load_all((SERVING / name).read_text()))


def deployment():
    return documents("kubernetes/deployment.yaml")[0]


def dockerfile():
    from dockerfile_parse import DockerfileParser

    parser = DockerfileParser(
        fileobj=io.BytesIO((SERVING / "Dockerfile").read_bytes())
    )
    return json.loads(json.dumps(parser.structure))


def command_lines():
    """Returns the flags of every way to start the server."""
    commands = [
        entry["value"]
        for entry in dockerfile()
        if entry["instruction"] == "CMD"
    ]
    (compose,) = documents("compose.yaml")
    spec = deployment()["spec"]["template"]["spec"]
    return {
        "Dockerfile": json.loads(commands[-1]),
        "compose.yaml": compose["services"]["sentiment"]["command"],
        "deployment.yaml": spec["containers"][0]["args"],
    }


@pytest.mark.parametrize(
    "name", ["Dockerfile", "compose.yaml", "deployment.yaml"]
)
def test_flags_and_files_are_taken_as_they_are(name):
    arguments = [
        argument.replace(ETC, f"{SERVING}/")
        for argument in command_lines()[name]
    ]
    options = read_options(make_parser().parse_args(arguments))
    (model,) = options.configs
    assert (model.name, model.base_path) == ("sentiment", "/models/sentiment")
    assert (options.port, options.rest_api_port) == (8500, 8501)
    assert options.grpc.health
    assert options.servables.batching == BatchingParameters(
        max_batch_size=1024,
        enable_large_batch_splitting=True,
        max_execution_batch_size=32,
        batch_timeout_micros=1000,
        num_batch_threads=2,
        max_enqueued_batches=100,
    )
    assert options.rest.prometheus_path == "/monitoring/prometheus/metrics"


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_fit_their_schemas(name):
    import kubernetes_validate

    for document in documents(name):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_compose_file_fits_its_schema():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            str(SERVING / "compose.yaml"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile_has_both_targets_and_no_root():
    instructions = dockerfile()
    stages = [
        entry["value"].split(" AS ")[1]
        for entry in instructions
        if entry["instruction"] == "FROM"
    ]
    assert stages == ["model", "server"]
    users = [e["value"] for e in instructions if e["instruction"] == "USER"]
    assert users == ["65534:65534"] * 2
    for entry in instructions:
        if entry["instruction"] == "COPY":
            *sources, _ = shlex.split(entry["value"])
            for source in sources:
                assert source == "models/sentiment" or (ROOT / source).is_file()


def test_pods_are_confined_and_leave_in_good_order():
    spec = deployment()["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in [*spec["initContainers"], *spec["containers"]]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
    (server,) = spec["containers"]
    sleep = server["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep[0] == "sleep"
    assert int(sleep[1]) < spec["terminationGracePeriodSeconds"]


def test_manifests_point_to_each_other():
    pod = deployment()["spec"]["template"]
    labels = pod["metadata"]["labels"]
    ports = {p["name"] for p in pod["spec"]["containers"][0]["ports"]}
    services = documents("kubernetes/services.yaml")
    for service in services:
        assert service["spec"]["selector"].items() <= labels.items()
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= ports
    assert services[0]["spec"]["clusterIP"] == "None"
    autoscaler, budget = documents("kubernetes/scaling.yaml")
    target = autoscaler["spec"]["scaleTargetRef"]
    assert target["name"] == deployment()["metadata"]["name"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (kustomization,) = documents("kubernetes/kustomization.yaml")
    assert {f"kubernetes/{n}" for n in kustomization["resources"]} == set(
        MANIFESTS
    )
    (generator,) = kustomization["configMapGenerator"]
    volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == generator["name"]
    for file in generator["files"]:
        assert (SERVING / "kubernetes" / file).is_file()


# --- Prometheus and Grafana


def rules():
    (document,) = documents("prometheus_rules.yaml")
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard():
    return json.loads((SERVING / "grafana_dashboard.json").read_text())


def expressions():
    found = [rule["expr"] for rule in rules()]
    for panel in dashboard()["panels"]:
        found += [target["expr"] for target in panel["targets"]]
    return found


@pytest.mark.parametrize("expression", expressions())
def test_expression_is_promql_of_metrics_that_there_are(expression):
    import promql_parser

    # Grafana fills these in.
    plain = expression.replace("$__rate_interval", "5m").replace("$model", "m")
    promql_parser.parse(plain)
    metrics = Metrics()
    known = set(re.findall(r"^# TYPE (\S+)", metrics.page(), re.MULTILINE))
    known |= {rule["record"] for rule in rules() if "record" in rule}
    names = re.findall(r":tensorflow[:\w]+|model:[:\w]+", expression)
    assert names
    for name in names:
        assert (
            re.sub("_(bucket|sum|count)$", "", name) in known or name in known
        )


def test_rules_have_what_prometheus_wants():
    for rule in rules():
        assert ("alert" in rule) != ("record" in rule)
        if "alert" in rule:
            assert rule["annotations"]["summary"]
            assert rule["labels"]["severity"] in ("page", "ticket")


def test_panels_do_not_overlap():
    taken = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not taken & cells
        taken |= cells


# --- TLS


def test_tls_files_work_as_they_are_made(tmp_path):
    import shutil

    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from kerassent.server.grpc_server import GrpcServer
    from kerassent.server.lifecycle import LifecycleOptions, ServedModels

    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    subprocess.run(
        ["sh", str(SERVING / "make_tls.sh"), str(tmp_path / "tls")],
        check=True,
        capture_output=True,
    )
    options = read_options(
        make_parser().parse_args(
            [
                "--model_base_path=/m",
                "--enable_grpc_healthcheck_service",
                f"--ssl_config_file={tmp_path}/tls/ssl.pbtxt",
            ]
        )
    )
    assert options.grpc.tls.client_verify
    models = ServedModels(None, LifecycleOptions())
    server = GrpcServer(models, Metrics(), ("127.0.0.1",), 0, options.grpc)
    try:
        pem = {
            name: (tmp_path / "tls" / name).read_bytes()
            for name in ("ca.crt", "client.key", "client.crt")
        }
        credentials = grpc.ssl_channel_credentials(
            pem["ca.crt"], pem["client.key"], pem["client.crt"]
        )
        with grpc.secure_channel(
            f"localhost:{server.port}", credentials
        ) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        server.stop(0)
        server.join()
    assert (tmp_path / "tls" / "server.key").stat().st_mode & 0o077 == 0
