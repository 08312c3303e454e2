"""One page to type a review into: the playground of `serve(ui=True)`.

It asks the REST API as any client does. Whatever a user or a model writes gets
into it as text, and nothing runs in it but its own script.
"""

import base64
import hashlib
import html
import importlib.resources
import re
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kerassent.contract import rest_model_path

PLAYGROUND_PATH: Final = "/"


def playground(model_name: str) -> Callable[[Request], Response]:
    """Returns what answers a GET of the page.

    Args:
        model_name: The model that it asks.
    """
    page = (
        importlib.resources.files("kerassent.server")
        .joinpath("playground.html")
        .read_text("utf-8")
        .replace("[[path]]", html.escape(rest_model_path(model_name)))
        .replace("[[model_name]]", html.escape(model_name))
    )
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; connect-src 'self'; img-src data:; "
            f"script-src '{_hash('script', page)}'; "
            f"style-src '{_hash('style', page)}'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    content = page.encode("utf-8", "replace")
    return lambda request: Response(
        content, headers=headers, media_type="text/html"
    )


def _hash(element: str, page: str) -> str:
    """Returns what the policy calls the page's only such element."""
    [text] = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
