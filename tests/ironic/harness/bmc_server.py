"""bmc N --port PORT [options]: N Redfish BMCs on one loopback port.

sushy-tools' emulator with its fake driver, made complete enough for Ironic's redfish interfaces (inventory, BIOS,
firmware), with a power delay that is fixed instead of random, and with faults on demand. State lives in memory.

Control, on the same port and without credentials:
    GET    /ctl                 rules, requests so far, and each system's power
    POST   /ctl                 {"node": SYSTEM_NAME|SYSTEM_UUID|"*", "what": WHAT, "times": N, "seconds": S}
    POST   /ctl {"password": P} from now on this is the right password
    DELETE /ctl                 forget all rules
WHAT is `fail` (500), `unauthorized` (401), `slow` (waits `seconds` first) or `power` (the next power change fails).
"""

import argparse
import base64
import json
import logging
import os
import pickle
import random
import signal
import sys
import time
from pathlib import Path

from cheroot import wsgi
from sushy_tools import error
from sushy_tools.emulator import memoize

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness.inventory import redfish_mac, redfish_uuid, second_mac  # noqa: E402
from harness.rules import Rules  # noqa: E402

BIOS = {
    "BootMode": "Uefi",
    "ProcTurboMode": "Enabled",
    "ProcVirtualization": "Enabled",
    "NumCores": "10",
    "QuietBoot": "true",
}
DISK = 480103981056
OPEN_PATHS = ("", "/redfish", "/redfish/v1")  # a Redfish service answers its root without credentials
RULES = Rules()


class MemoryDict(dict):
    """Stands in for sushy-tools' PersistentDict, which opens an SQLite file for every access. Values are copied in and
    out, as there: callers change what they get."""

    def make_permanent(self, *_):
        pass

    def __setitem__(self, key, value):
        super().__setitem__(key, pickle.dumps(value))

    def __getitem__(self, key):
        return pickle.loads(super().__getitem__(key))

    def get(self, key, default=None):
        return self[key] if key in self else default

    def items(self):
        return [(key, self[key]) for key in self]

    def update(self, other):
        for key, value in other.items():
            self[key] = value


memoize.PersistentDict = MemoryDict
from sushy_tools.emulator import main as emulator  # noqa: E402
from sushy_tools.emulator.resources.systems import fakedriver  # noqa: E402


class Machine(fakedriver.FakeDriver):
    """The fake driver with an inventory, BIOS settings and firmware versions."""

    def set_power_state(self, identity, state):
        system = self._get(identity)
        if RULES.take("power", system["uuid"], system["name"]):
            raise error.FishyError("simulated power failure", code=500)
        if state == "Nmi":
            return
        target = "Off" if state in ("ForceOff", "GracefulShutdown") else "On"
        if target == "On" and system.get("bios_pending"):  # settings take effect at the next boot
            system["bios"], system["bios_pending"] = {**system.get("bios", BIOS), **system["bios_pending"]}, None
        if "Restart" in state:
            system["power_state"] = "Off"
        delay = self._config["POWER_DELAY"]
        if delay:
            self._update(system, pending_power={"power_state": target, "apply_time": time.time() + delay})
        else:
            self._update(system, power_state=target, pending_power=None)

    def get_total_memory(self, identity):
        return 64

    def get_total_cpus(self, identity):
        return 32

    def get_processors(self, identity):
        return [
            {
                "id": f"CPU{n}",
                "Id": f"CPU{n}",
                "socket": f"CPU {n}",
                "model": "Sim(R) 9000 @ 2.50GHz",
                "vendor": "Sim",
                "cores": "8",
                "threads": "16",
            }
            for n in range(2)
        ]

    def get_bios(self, identity):
        return {**BIOS, **(self._get(identity).get("bios") or {})}

    def set_bios(self, identity, attributes):
        self._update(identity, bios={**self.get_bios(identity), **attributes})

    def reset_bios(self, identity):
        self._update(identity, bios=dict(BIOS))

    def get_versions(self, identity):
        return self._get(identity).get("versions") or {"BiosVersion": "1.0.0"}

    def set_versions(self, identity, versions):
        self._update(identity, versions={**self.get_versions(identity), **versions})

    def reset_versions(self, identity):
        self._update(identity, versions=None)

    def get_simple_storage_collection(self, identity):
        disks = [{"Name": name, "CapacityBytes": DISK} for name in ("sda", "sdb")]
        return {"sata": {"Id": "sata", "Name": "sata", "DeviceList": disks}}

    def find_or_create_storage_volume(self, data):
        return data.get("Id") or f"vol{random.randint(1, 1 << 30)}"

    def get_http_boot_uri(self, identity):
        return self._get(identity).get("http_boot_uri", "")

    def set_http_boot_uri(self, uri):
        pass


class Gate:
    """In front of the emulator: credentials, faults and control."""

    def __init__(self, app, user: str, password: str):
        self.app, self.user, self.password, self.requests = app, user, password, 0

    def __call__(self, env, start_response):
        path = env.get("PATH_INFO", "").rstrip("/")
        if path == "/ctl":
            return self.control(env, start_response)
        self.requests += 1
        parts = path.split("/")
        uuid = parts[4] if len(parts) > 4 else None
        names = (uuid, system_name(uuid))
        time.sleep(RULES.seconds("slow", *names))
        if RULES.take("fail", *names):
            return answer(start_response, "500 Internal Server Error", {"error": {"message": "simulated BMC failure"}})
        expected = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        wrong = env.get("HTTP_AUTHORIZATION") != expected or RULES.take("unauthorized", *names)
        if path not in OPEN_PATHS and wrong:
            body = {"error": {"code": "Base.1.0.GeneralError", "message": "Invalid username or password"}}
            return answer(start_response, "401 Unauthorized", body, [("WWW-Authenticate", 'Basic realm="BMC"')])
        return self.app(env, start_response)

    def control(self, env, start_response):
        if env["REQUEST_METHOD"] == "POST":
            body = json.loads(env["wsgi.input"].read(int(env.get("CONTENT_LENGTH") or 0)) or b"{}")
            if "password" in body:
                self.password = body["password"]
            else:
                RULES.add(body)
        elif env["REQUEST_METHOD"] == "DELETE":
            RULES.clear()
        driver = emulator.app.systems
        power = {driver.name(uuid): driver.get_power_state(uuid) for uuid in driver.systems}
        return answer(start_response, "200 OK", {"rules": RULES.dump(), "requests": self.requests, "power": power})


def answer(start_response, status: str, body: dict, headers=()):
    data = json.dumps(body).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers])
    return [data]


def system_name(uuid: str | None) -> str | None:
    """The name of a system whose UUID occurs in a path; a Managers path carries the system's UUID too."""
    try:
        return f"redfish-{int(uuid[24:], 16):03d}" if uuid and uuid.startswith(redfish_uuid(0)[:24]) else None
    except ValueError:
        return None


def configuration(count: int, delay: float) -> dict:
    uuids = [redfish_uuid(index) for index in range(count)]
    systems = [
        {
            "uuid": uuid,
            "name": system_name(uuid),
            "power_state": "Off",
            "nics": [{"mac": mac, "ip": "127.0.0.1"} for mac in (redfish_mac(index), second_mac(redfish_mac(index)))],
        }
        for index, uuid in enumerate(uuids)
    ]
    controller = {"MemberId": "0", "Name": "Simulated RAID", "SpeedGbps": 12, "SupportedRAIDTypes": ["RAID0", "RAID1"]}
    storage = {
        "Id": "1",
        "Name": "Local Storage Controller",
        "StorageControllers": [controller],
        "Drives": ["DRIVE0", "DRIVE1"],
    }
    drives = [{"Id": f"DRIVE{n}", "Name": f"Drive {n}", "CapacityBytes": DISK, "Protocol": "SAS"} for n in (0, 1)]
    return {
        "SUSHY_EMULATOR_FAKE_DRIVER": True,
        "SUSHY_EMULATOR_FAKE_SYSTEMS": systems,
        # Every system needs its storage here: for others the emulator answers 500, and sushy asks again every 3 s.
        "SUSHY_EMULATOR_STORAGE": {uuid: [storage] for uuid in uuids},
        "SUSHY_EMULATOR_DRIVES": {(uuid, "1"): drives for uuid in uuids},
        "SUSHY_EMULATOR_VOLUMES": {(uuid, "1"): [] for uuid in uuids},
        "POWER_DELAY": delay,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bmc", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, metavar="N")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default="password")
    parser.add_argument("--power-delay", type=float, default=0, metavar="S", help="from a power request to its effect")
    given = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    fakedriver.FakeDriver = Machine  # the application looks it up by this name
    emulator.app.config.update(configuration(given.count, given.power_delay))
    emulator.app.systems  # noqa: B018 (made once, before there are threads)
    gate = Gate(emulator.app, given.user, given.password)
    server = wsgi.Server(("127.0.0.1", given.port), gate, numthreads=16, request_queue_size=128)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"{given.count} BMCs on http://127.0.0.1:{given.port}", flush=True)
    server.start()


main()
