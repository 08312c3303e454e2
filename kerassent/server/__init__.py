"""The embedded server: TensorFlow Serving's protocols from a Python process.

Importing this imports neither TensorFlow nor a server library; `serve` does.
"""

from kerassent.server.embedded import serve
from kerassent.server.running import Server

__all__ = ["Server", "serve"]
