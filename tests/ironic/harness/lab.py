"""A whole lab: Ironic, its static files with images, the BMC emulators, the agents. Described in STATE/lab.json."""

import json
import urllib.request
from pathlib import Path

from . import config, images, inventory, ports, processes, venv
from .instance import Instance
from .part import Part

HERE = Path(__file__).resolve().parent
BMC_USER, BMC_PASSWORD = "admin", "password"
SERVERS = ("front", "agents", "bmc")  # beside what Instance runs, in the order in which they are stopped


class Lab(Part):
    """One Ironic and what it talks to."""

    def __init__(self, state: Path):
        super().__init__(state, HERE.parent / "lab", "lab.json")
        self.instance = Instance(self.state)

    def start(
        self,
        fake: int,
        redfish: int,
        options: config.Options,
        boot: float,
        step: float,
        owner: int | None = None,
        temporary: bool = False,
    ) -> None:
        with self.starting(owner, temporary):
            self._start(fake, redfish, options, boot, step)

    def _start(self, fake, redfish, options, boot, step) -> None:
        python = venv.ensure() / "bin/python"
        self.instance.start(options)
        facts = self.instance.describe()
        agents, bmc, front = ports.free(3)
        argv = [
            python,
            HERE.parent / "agent",
            "--ironic",
            facts["url"],
            "--database",
            self.instance.database,
            "--port",
            agents,
            "--boot",
            boot,
            "--step",
            step,
        ]
        self._serve("agents", argv + (["--ca-file", facts["ca_file"]] if facts["ca_file"] else []), agents)
        through = None
        if not facts["ca_file"]:  # it speaks plain HTTP only
            log = self.state / "requests.jsonl"
            log.unlink(missing_ok=True)
            argv = [python, HERE.parent / "front", "--ironic", facts["url"], "--port", front, "--log", log]
            self._serve("front", argv, front)
            front_url = f"http://127.0.0.1:{front}"
            through = {"url": front_url, "control_url": f"{front_url}/ctl", "log": str(log)}
        bmc_url = f"http://127.0.0.1:{bmc}"
        argv = [python, HERE.parent / "bmc", redfish, "--port", bmc, "--user", BMC_USER, "--password", BMC_PASSWORD]
        self._serve("bmc", argv, bmc)
        described = {
            "version": 1,
            "state": str(self.state),
            "ironic": {key: facts[key] for key in ("url", "auth", "username", "password", "ca_file")},
            "front": through,
            "files_url": facts["files_url"],
            "files_dir": facts["files_dir"],
            "deploy_kernel_url": f"{facts['files_url']}/ipa.kernel",
            "deploy_ramdisk_url": f"{facts['files_url']}/ipa.initramfs",
            "images": images.write(self.state / "http", facts["files_url"]),
            "agents": {"control_url": f"http://127.0.0.1:{agents}/ctl"},
            "bmc": {"url": bmc_url, "username": BMC_USER, "password": BMC_PASSWORD, "control_url": f"{bmc_url}/ctl"},
            "fake": [_fake(index) for index in range(fake)],
            "redfish": [_redfish(index, bmc) for index in range(redfish)],
        }
        self.write_description(described)

    def _serve(self, name: str, argv: list, port: int) -> None:
        (self.state / f"{name}.log").unlink(missing_ok=True)
        self.spawn(name, argv, lambda: ports.listening(port), {"TMPDIR": str(self.state / "tmp")}, 60)

    def end(self) -> None:
        for name in SERVERS:
            processes.stop(self.state / f"run/{name}.pid", 0.5)
        self.instance.stop()

    def pause(self) -> None:
        with self.locked():
            self.instance.pause()

    def resume(self) -> None:
        with self.locked():
            self.instance.start()

    def freeze(self) -> None:
        self.instance.freeze(True)

    def thaw(self) -> None:
        self.instance.freeze(False)

    def wipe(self) -> None:
        with self.locked():
            self.instance.wipe()

    def control(self, part: str, rule: dict | None) -> dict:
        """Adds a rule to the agents or the BMCs (see rules.py); None asks for what holds."""
        request = urllib.request.Request(self.describe()[part]["control_url"])
        if rule is not None:
            request.data = json.dumps(rule).encode()
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())


def _fake(index: int) -> dict:
    name = f"fake-{index:03d}"
    return {"name": name, "mac": inventory.fake_mac(index), "address": f"fake-hardware://{name}"}


def _redfish(index: int, port: int) -> dict:
    path = f"/redfish/v1/Systems/{inventory.redfish_uuid(index)}"
    return {
        "name": f"redfish-{index:03d}",
        "mac": inventory.redfish_mac(index),
        "url": f"http://127.0.0.1:{port}{path}",
        "system_id": path,
        "address": f"redfish-virtualmedia+http://127.0.0.1:{port}{path}",
    }
