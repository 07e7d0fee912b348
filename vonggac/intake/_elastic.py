"""What senders of bulk bodies ask an Elasticsearch before they send: answered so that they find all in place.

Templates, policies and pipelines "exist", so that nothing is uploaded; what is uploaded nevertheless is acknowledged
and not kept: events are stored as they are, whatever a template says. Who asks what: Beats 8 for index management and
licence, Logstash's output for health and licence, Vector for health.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
from typing import Final

import orjson

from vonggac.serving.http import Head, Response

#: clients of Elasticsearch 8 refuse a server that does not send it
HEADERS: Final = {"X-Elastic-Product": "Elasticsearch"}
#: whose bulk API is spoken here: shippers of 8.x take it, later ones with allow_older_versions
_VERSION: Final = "8.19.0"
_ROOT: Final = {
    "name": "vonggac",
    "cluster_name": "vonggac",
    "cluster_uuid": "vonggac",
    "version": {
        "number": _VERSION,
        "build_flavor": "default",
        "build_type": "docker",
        "build_snapshot": False,
        "lucene_version": "9.12.0",
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    },
    "tagline": "You Know, for Search",
}
_LICENSE: Final = {"license": {"status": "active", "uid": "vonggac", "type": "basic", "mode": "basic"}}
_FEATURES: Final = {"license": _LICENSE["license"], "features": {"ilm": {"available": True, "enabled": True}}}
_ANSWERS: Final[dict[str, object]] = {
    "/": _ROOT,
    "/_license": _LICENSE,
    "/_xpack": _FEATURES,
    "/_cluster/health": {"cluster_name": "vonggac", "status": "green", "timed_out": False},
    "/_nodes/ingest": {"nodes": {}},
    "/_nodes/http": {"nodes": {}},
    "/_ilm/status": {"operation_mode": "RUNNING"},
}
#: what is set up under these is there already
_SETUP: Final = (
    "/_template/",
    "/_index_template/",
    "/_component_template/",
    "/_ilm/policy/",
    "/_ingest/pipeline/",
    "/_data_stream/",
    "/_alias/",
)


def answer(head: Head) -> Response | None:
    """Answer what is asked before and between bulk bodies; None = it is none of that."""
    path = head.path.rstrip("/") or "/"
    if head.method in ("GET", "HEAD") and path in _ANSWERS:
        return Response(200, orjson.dumps(_ANSWERS[path]))
    if path.startswith(_SETUP):
        if head.method in ("GET", "HEAD"):
            return Response(200, b"{}")
        if head.method in ("PUT", "POST", "DELETE"):
            return Response(200, b'{"acknowledged":true}')
    return None


def error(status: int, kind: str, reason: str, headers: dict[str, str] | None = None) -> Response:
    """Give a refusal in Elasticsearch's shape, which its clients print."""
    body = orjson.dumps({"error": {"type": kind, "reason": reason}, "status": status})
    return Response(status, body, headers=headers or {})


def allowed(authorization: str, token: bytes) -> bool:
    """Say whether an Authorization header shows the token; takes as long whatever the header says of it."""
    scheme, _, shown = authorization.partition(" ")
    given = shown.strip().encode("latin-1", "replace")
    scheme = scheme.lower()
    candidates = [given] if scheme in ("bearer", "apikey") else []
    if scheme in ("apikey", "basic"):
        with contextlib.suppress(binascii.Error):
            pair = base64.b64decode(given, validate=True)
            candidates.append(pair.partition(b":")[2])
            if scheme == "apikey":
                candidates.append(pair)
    return sum(hmac.compare_digest(one, token) for one in candidates) > 0  # all are compared, whichever fits
