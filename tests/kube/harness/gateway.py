"""Kubernetes' history in etcd, through the HTTP gateway that etcd has beside gRPC."""

import base64
import json
import urllib.request

# Outside of /registry, where the API server keeps and watches everything.
KEY = base64.b64encode(b"/tests/compact").decode()


def compact(etcd: str) -> int:
    """Forgets all that was before now, and returns the oldest revision that is left.

    A revision is what Kubernetes calls resourceVersion. etcd keeps the one that it compacts at, so a watch that goes on
    from the one before is still served. So two writes of our own come last: nobody watches from between them.
    """
    for _ in range(2):
        written = _ask(etcd, "put", {"key": KEY})
    left = int(written["header"]["revision"])
    _ask(etcd, "compaction", {"revision": str(left), "physical": True})
    return left


def _ask(etcd: str, what: str, question: dict) -> dict:
    with urllib.request.urlopen(f"{etcd}/v3/kv/{what}", json.dumps(question).encode(), timeout=30) as answer:
        return json.loads(answer.read())
