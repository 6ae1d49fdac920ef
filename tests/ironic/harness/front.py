"""A proxy in front of Ironic that logs every request and misbehaves on demand.

The log is a file of JSON lines: {"time", "method", "path", "target", "ironic", "status", "ms"}. `ironic` is what Ironic
answered, 0 when it never saw the request; `status` is what the client was answered, 0 for nothing; `target` is the state
that was asked for, of a change of state.

Control, on the same port:
    GET    /ctl   the rules, how many requests came by method, and how many are held now
    POST   /ctl   {"what": WHAT, "times": N, "method": M, "path": PART, "status": S, "seconds": S}   one more rule
    DELETE /ctl   forget all rules and start counting anew
A rule strikes requests of this method whose path holds PART (both may be left out), N times (default 1, negative: until
forgotten). WHAT is
    status     answer with `status` and an Ironic error body; nothing reaches Ironic. With "echo" the error quotes the
               request's body, as Ironic quotes what it does not like
    drop       close the connection; nothing reaches Ironic
    lose       let Ironic do it, then close the connection without an answer
    slow       wait `seconds`, then do as usual
    hold       wait until all rules are forgotten, then do as usual, also when whoever asked is gone by then
"""

import argparse
import collections
import http.client
import json
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = ("status", "drop", "lose", "slow", "hold")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Front:
    """What all connections share."""

    def __init__(self, ironic: str, log: str):
        target = urllib.parse.urlsplit(ironic)
        self.host, self.port, self.log = target.hostname, target.port, open(log, "a", buffering=1)
        self.rules: list[dict] = []
        self.counts: collections.Counter = collections.Counter()
        self.lock = threading.Lock()
        self.held, self.forgotten = 0, threading.Event()

    def add(self, rule: dict) -> None:
        if rule.get("what") not in KINDS:
            raise ValueError(f"what must be one of {', '.join(KINDS)}")
        with self.lock:
            self.rules.append({"times": 1, "method": None, "path": "", "status": 503, "seconds": 0, "echo": False, **rule})

    def strike(self, method: str, path: str) -> dict | None:
        """The rule for this request; uses up one of its times."""
        with self.lock:
            self.counts[method] += 1
            for rule in self.rules:
                if rule["method"] in (None, method) and rule["path"] in path:
                    rule["times"] -= 1
                    if rule["times"] == 0:
                        self.rules.remove(rule)
                    return rule
        return None

    def forget(self) -> None:
        """No rules any more; what is held goes on."""
        with self.lock:
            self.rules.clear()
            self.counts.clear()
            self.forgotten.set()
            self.forgotten = threading.Event()

    def hold(self) -> None:
        """Waits until the rules are forgotten."""
        with self.lock:
            self.held, forgotten = self.held + 1, self.forgotten
        forgotten.wait()
        with self.lock:
            self.held -= 1

    def record(self, method: str, path: str, body: bytes, ironic: int, status: int, started: float) -> None:
        entry = {
            "time": round(time.time(), 3),
            "method": method,
            "path": path,
            "target": target(path, body),
            "ironic": ironic,
            "status": status,
            "ms": round((time.monotonic() - started) * 1000, 1),
        }
        with self.lock:
            self.log.write(json.dumps(entry) + "\n")


def target(path: str, body: bytes) -> str | None:
    """The state that a change of state asks for. Nothing else of a body is logged: it may hold secrets."""
    if "/states/" not in path:
        return None
    try:
        return json.loads(body).get("target")
    except (ValueError, AttributeError):
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def log_message(self, *_):
        pass

    def answer(self, status: int, headers: list, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/ctl":
            return self.control(body)
        started, rule = time.monotonic(), self.front.strike(self.command, self.path)
        what = rule["what"] if rule else None
        ironic = status = 0
        if what == "slow":
            time.sleep(rule["seconds"])
        elif what == "hold":
            self.front.hold()
        try:
            if what == "status":
                text = "simulated failure"
                if rule["echo"]:
                    text += f": {body.decode(errors='replace')}"
                fault = json.dumps({"faultcode": "Server", "faultstring": text, "debuginfo": None})
                body_of_error = json.dumps({"error_message": fault}).encode()
                self.answer(rule["status"], [("Content-Type", "application/json")], body_of_error)
                status = rule["status"]
            elif what == "drop":
                self.close_connection = True
            else:
                ironic, headers, answer = self.forward(body)
                if what == "lose":
                    self.close_connection = True
                else:
                    self.answer(ironic, headers, answer)
                    status = ironic
        except OSError:
            self.close_connection = True  # Ironic is away, or whoever asked is
        finally:
            # What Ironic did counts even when the client died before it heard of it.
            self.front.record(self.command, self.path, body, ironic, status, started)

    def forward(self, body: bytes) -> tuple[int, list, bytes]:
        # The Host header stays the client's, so that links in answers lead through here.
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP - {"content-length"}
        }
        # A connection each: an idle one that Ironic closes meanwhile would look like an outage.
        upstream = http.client.HTTPConnection(self.front.host, self.front.port, timeout=120)
        try:
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
            return answer.status, kept, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            upstream.close()

    def control(self, body: bytes) -> None:
        if self.command == "POST":
            try:
                self.front.add(json.loads(body))
            except ValueError as error:
                return self.answer(400, [], str(error).encode())
        elif self.command == "DELETE":
            self.front.forget()
        with self.front.lock:
            facts = {"rules": self.front.rules, "counts": dict(self.front.counts), "held": self.front.held}
            text = json.dumps(facts).encode()
        self.answer(200, [("Content-Type", "application/json")], text)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="front", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ironic", required=True, metavar="URL")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--log", required=True, metavar="FILE")
    given = parser.parse_args(argv)
    Handler.front = Front(given.ironic, given.log)
    Server(("127.0.0.1", given.port), Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
