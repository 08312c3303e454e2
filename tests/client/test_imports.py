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


def test_rest_request_brings_no_tensorflow(served):
    code = (
        "from kerassent.client import Client\n"
        f"client = Client({served.rest_url!r}, model_name='sentiment')\n"
        "client.wait_until_ready()\n"
        "client.metadata()\n"
        "assert client.predict(['good'])[0].label in client.class_names"
    )
    assert heavy_modules(code) == ["requests"]
