"""What a client makes Python import."""

import json
import subprocess
import sys

HEAVY = ("tensorflow", "grpc", "requests")
PROGRAM = """
import json, sys
{code}
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""


def heavy_modules(code):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code=code, heavy=HEAVY)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(result.stdout)


def test_import_brings_no_protocol():
    assert heavy_modules("from kerassent.client import Client") == []


CALLS = """
from kerassent.client import Client
client = Client({url!r}, model_name='sentiment')
client.wait_until_ready()
client.metadata()
assert client.predict(['good'])[0].label in client.class_names
client.classify(['good']), client.explain(['good'])
"""


def test_rest_requests_bring_no_tensorflow(served):
    assert heavy_modules(CALLS.format(url=served.rest_url)) == ["requests"]


def test_grpc_requests_bring_no_tensorflow(served):
    assert heavy_modules(CALLS.format(url=served.grpc_url)) == ["grpc"]
