"""`GET /`: one HTML file that needs nothing else, and may run nothing but its own script."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from edgeembed.serve.base.jobs import Caller, Engine
from edgeembed.serve.http.endpoint import Endpoint, Request, Response

_FILE = Path(__file__).with_name("page.html")


async def page(request: Request, engine: Engine, caller: Caller) -> Response:
    """Answer `GET /`; the page asks for everything else by the APIs, with the person's own key."""
    del request, engine, caller
    return _response()


@cache
def _response() -> Response:
    html = _FILE.read_text(encoding="utf-8")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash_of(html, 'script')}",
            f"style-src {_hash_of(html, 'style')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    return Response(
        body=html.encode("utf-8"),
        media_type="text/html; charset=utf-8",
        headers={
            "content-security-policy": policy,
            "referrer-policy": "no-referrer",
            "cache-control": "no-cache",
        },
    )


def _hash_of(html: str, element: str) -> str:
    """What a policy calls the content of the page's only such element."""
    (content,) = re.findall(f"<{element}>(.*?)</{element}>", html, re.DOTALL)
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/",
        answer=page,
        summary="A page to try the server with.",
        tag="Operation",
        needs_key=False,
    ),
)
