"""Stand-ins for the ironic-python-agent: one HTTP server that plays the ramdisk of every node that waits for one.

Touches no disk; it only speaks the agent protocol (lookup, heartbeat, continue_inspection, /v1/commands). Which nodes
wait is read from Ironic's SQLite file, for two reasons: polling costs the API nothing, and the agent token of a node
that boots from virtual media is handed over inside its ISO, which nothing here reads.

Control, all on the same port:
    GET    /ctl   rules and running agents
    POST   /ctl   {"node": NAME|UUID|"*", "what": WHAT, "times": N, "seconds": S}   one more rule; see rules.py
    DELETE /ctl   forget all rules
"""

import argparse
import json
import random
import sqlite3
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .inventory import collect
from .rules import Rules

VERSION = "13.0.0"
WAITING = {"inspect wait", "clean wait", "wait call-back", "service wait", "rescue wait"}
BUSY = {"inspecting", "cleaning", "deploying", "servicing", "rescuing"}
POLL = 0.25  # seconds between looks into the database
BEAT = 5.0  # seconds between heartbeats when nothing happens


def _step(name: str, interface: str = "deploy", priority: int = 0, **more) -> dict:
    return {"step": name, "priority": priority, "interface": interface, "reboot_requested": False, **more}


# What the stand-in offers, as a hardware manager does.
STEPS = {
    "clean": [
        _step("erase_devices", abortable=True),
        _step("erase_devices_metadata", priority=10, abortable=True),
        _step("delete_configuration", "raid", abortable=True),
        _step("create_configuration", "raid", abortable=True),
    ],
    "deploy": [_step("install_coreos"), _step("erase_devices_metadata"), _step("apply_configuration", "raid")],
    "service": [_step("noop")],
}


class Fleet:
    """All agents of one Ironic."""

    def __init__(self, ironic: str, ca_file: str | None, database: Path, boot: float, step: float):
        self.ironic, self.database, self.boot, self.step = ironic, database, boot, step
        self.context = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self.agents: dict[str, Agent] = {}
        self.lock = threading.Lock()
        self.kick = threading.Event()
        self.rules = Rules()
        self.address = ""  # of our own server, once it listens

    def call(self, method: str, path: str, body=None):
        """One request to the public part of the API: an agent has no credentials."""
        request = urllib.request.Request(
            self.ironic + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-OpenStack-Ironic-API-Version": "1.110"},
        )
        with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def query(self, sql: str, *values) -> list:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def forget(self, agent: "Agent") -> None:
        with self.lock:
            if self.agents.get(agent.uuid) is agent:
                del self.agents[agent.uuid]

    def run(self) -> None:
        """Boots an agent for every node that waits, and drops those whose machine went off or rebooted."""
        pool = ThreadPoolExecutor(16)
        sql = "select uuid, name, provision_state, power_state, json_extract(driver_internal_info, '$.agent_secret_token') from nodes"
        while True:
            try:
                nodes = self.query(sql)
            except sqlite3.Error:  # Ironic is stopped or its database is being replaced
                nodes = None
            for uuid, name, state, power, token in nodes or []:
                with self.lock:
                    agent = self.agents.get(uuid)
                    # Ironic forgets the token whenever it reboots a machine: this agent is gone with its memory.
                    rebooted = agent and agent.token and agent.token != token
                    gone = power == "power off" or state not in WAITING | BUSY
                    if agent and (rebooted or gone):
                        agent = self.agents.pop(uuid) and None
                    if state in WAITING and not agent:
                        agent = self.agents[uuid] = Agent(self, uuid, name)
                if state in WAITING and agent and not agent.ticking:
                    agent.ticking = True
                    pool.submit(agent.tick, state)
            if nodes is not None:
                known = {node[0] for node in nodes}
                with self.lock:
                    self.agents = {uuid: agent for uuid, agent in self.agents.items() if uuid in known}
            self.kick.wait(POLL)
            self.kick.clear()


class Agent:
    """One machine's ramdisk, from its boot to its end."""

    def __init__(self, fleet: Fleet, uuid: str, name: str):
        self.fleet, self.uuid, self.name = fleet, uuid, name
        self.up_at = time.monotonic() + fleet.boot + fleet.rules.seconds("slow-boot", uuid, name)
        self.token, self.commands, self.beat_at, self.ticking = None, [], 0.0, False

    def failing(self, what: str) -> bool:
        return self.fleet.rules.take(what, self.uuid, self.name)

    def tick(self, state: str) -> None:
        """What the agent does by itself: hand in the inventory, or look itself up and send heartbeats."""
        try:
            if time.monotonic() < self.up_at or self.fleet.rules.holds("silent", self.uuid, self.name):
                return
            if state == "inspect wait":
                self.inspect()
            elif time.monotonic() >= self.beat_at:
                self.beat()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")[:300]
            if error.code == 409:  # the conductor holds the node: try again at the next tick
                self.beat_at = 0.0
            else:
                self.say(f"{state}: {error.code} {text}")
                self.fleet.forget(self)
        except (OSError, ValueError, KeyError, sqlite3.Error) as error:
            self.say(f"{state}: {error!r}")
            self.beat_at = 0.0
        finally:
            self.ticking = False

    def inspect(self) -> None:
        rows = self.fleet.query(
            "select p.address from ports p join nodes n on p.node_id = n.id where n.uuid = ? order by p.address",
            self.uuid,
        )
        driver_info = self.fleet.query("select driver_info from nodes where uuid = ?", self.uuid)[0][0]
        data = collect(self.name or self.uuid, [row[0] for row in rows], json.loads(driver_info or "{}"))
        if self.failing("inspect"):
            data["error"] = "simulated failure of the collectors"
        self.fleet.call("POST", f"/v1/continue_inspection?node_uuid={self.uuid}", data)
        self.fleet.forget(self)  # Ironic powers the machine off or reboots it now

    def beat(self) -> None:
        if not self.token:
            token = self.fleet.call("GET", f"/v1/lookup?node_uuid={self.uuid}")["config"]["agent_token"]
            if token == "******":  # handed over before, on virtual media
                sql = "select json_extract(driver_internal_info, '$.agent_secret_token') from nodes where uuid = ?"
                token = self.fleet.query(sql, self.uuid)[0][0]
            self.token = token
        self.beat_at = time.monotonic() + BEAT
        body = {
            "callback_url": f"{self.fleet.address}/agent/{self.uuid}",
            "agent_version": VERSION,
            "agent_token": self.token,
        }
        self.fleet.call("POST", f"/v1/heartbeat/{self.uuid}", body)

    def execute(self, name: str, params: dict, wait: bool) -> dict:
        """A command from the conductor. Long ones end later and are announced by a heartbeat."""
        kind = name.split(".")[-1]
        command = {
            "id": f"{random.getrandbits(64):016x}",
            "command_name": kind,
            "command_params": params,
            "command_status": "RUNNING",
            "command_error": None,
            "command_result": None,
        }
        self.commands = [*self.commands[-19:], command]
        if wait or not (kind.startswith("execute_") or kind == "prepare_image"):
            self.finish(command)
        else:
            seconds = self.fleet.step + self.fleet.rules.seconds("slow-step", self.uuid, self.name)
            timer = threading.Timer(seconds, self.finish, [command, True])
            timer.daemon = True
            timer.start()
        if kind in ("power_off", "run_image", "reboot"):
            self.fleet.forget(self)
        return command

    def finish(self, command: dict, announce: bool = False) -> None:
        kind, params = command["command_name"], command["command_params"]
        phase = kind.split("_")[1] if kind.startswith(("get_", "execute_")) else "deploy"
        step = {"prepare_image": "write_image"}.get(kind, kind)
        if kind.startswith("execute_"):
            step = params["step"]["step"]
        long = kind.startswith("execute_") or kind == "prepare_image"
        if self.failing(step) or (long and self.failing(phase)):
            details = f"simulated failure of {step}"
            command["command_error"] = {"type": "SimulatedError", "code": 500, "message": details, "details": details}
            command["command_status"] = "FAILED"
        else:
            command["command_result"] = self.result(kind, phase, step, params)
            command["command_status"] = "SUCCEEDED"
        if announce:
            self.beat_at = 0.0
            self.fleet.kick.set()

    def result(self, kind: str, phase: str, step: str, params: dict) -> dict:
        if kind in ("get_clean_steps", "get_deploy_steps", "get_service_steps"):
            return {
                f"{phase}_steps": {"SimulatedHardwareManager": STEPS[phase]},
                "hardware_manager_version": {"SimulatedHardwareManager": "1.0"},
            }
        if kind.startswith("execute_"):
            raid = (params.get("node") or {}).get("target_raid_config") if step == "create_configuration" else None
            return {f"{phase}_step": params["step"], f"{phase}_result": raid}
        root = "11111111-2222-3333-4444-555555555555"
        if kind == "get_partition_uuids":
            return {"partitions": {}, "root uuid": root, "efi system partition uuid": None}
        if kind == "prepare_image":
            return {"result": f"prepare_image: image (img) written to device /dev/sda root_uuid={root}"}
        return {"result": f"{kind}: ok"}

    def say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {self.name or self.uuid}: {text}", flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fleet: Fleet

    def log_message(self, *_):
        pass

    def answer(self, code: int, body) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self) -> dict:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def agent(self) -> Agent | None:
        parts = self.path.split("?")[0].strip("/").split("/")
        return self.fleet.agents.get(parts[1]) if len(parts) > 1 and parts[0] == "agent" else None

    def do_GET(self):
        if self.path == "/ctl":
            agents = {agent.name or agent.uuid: len(agent.commands) for agent in list(self.fleet.agents.values())}
            return self.answer(200, {"rules": self.fleet.rules.dump(), "agents": agents})
        agent, last = self.agent(), self.path.split("?")[0].rstrip("/").split("/")[-1]
        if not agent:
            return self.answer(404, {"faultstring": "no agent runs for this node"})
        if last == "commands":
            return self.answer(200, {"commands": agent.commands})
        found = [command for command in agent.commands if command["id"] == last]
        return self.answer(200, found[0]) if found else self.answer(404, {"faultstring": "no such command"})

    def do_POST(self):
        body = self.body()
        if self.path == "/ctl":
            try:
                self.fleet.rules.add(body)
            except (KeyError, ValueError) as error:
                return self.answer(400, {"error": str(error)})
            return self.answer(200, {})
        agent = self.agent()
        if not agent:
            return self.answer(404, {"faultstring": "no agent runs for this node"})
        if f"agent_token={agent.token or '-'}" not in self.path:
            return self.answer(401, {"faultstring": "the agent_token is missing or not mine"})
        return self.answer(200, agent.execute(body["name"], body.get("params") or {}, "wait=true" in self.path))

    def do_DELETE(self):
        self.fleet.rules.clear()
        self.answer(200, {})


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="agent", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ironic", required=True, metavar="URL")
    parser.add_argument("--database", required=True, type=Path, help="Ironic's SQLite file")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--ca-file")
    parser.add_argument("--boot", type=float, default=0.5, metavar="S", help="from power on to the first call")
    parser.add_argument("--step", type=float, default=0.3, metavar="S", help="what each long command takes")
    given = parser.parse_args(argv)
    fleet = Fleet(given.ironic, given.ca_file, given.database, given.boot, given.step)
    Handler.fleet = fleet
    server = Server(("127.0.0.1", given.port), Handler)
    fleet.address = f"http://127.0.0.1:{given.port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"agents of {given.ironic} on {fleet.address}", flush=True)
    fleet.run()


if __name__ == "__main__":
    main(sys.argv[1:])
