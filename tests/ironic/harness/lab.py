"""A whole lab: Ironic, its static files with images, the BMC emulators, the agents. Described in STATE/lab.json."""

import contextlib
import fcntl
import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path

from . import config, images, inventory, ports, processes, venv
from .instance import Instance

HERE = Path(__file__).resolve().parent
BMC_USER, BMC_PASSWORD = "admin", "password"
SERVERS = ("front", "agents", "bmc")  # beside what Instance runs, in the order in which they are stopped


class Lab:
    """Everything under one folder. Each method is one command of `lab` and leaves a consistent folder."""

    def __init__(self, state: Path):
        self.state = state.absolute()
        self.instance = Instance(self.state)
        self.file = self.state / "lab.json"

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
        """Starts everything, or ends everything if one part does not come up.

        The lab ends when the process `owner` does; its folder goes too if it is `temporary`.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if any(processes.recorded(file) for file in (self.state / "run").glob("*.pid")):
                sys.exit(f"tests/ironic: a lab runs in {self.state} already; stop it first")
            try:
                self._start(fake, redfish, options, boot, step, owner, temporary)
            except BaseException:
                self._stop()
                raise

    def _start(self, fake, redfish, options, boot, step, owner, temporary) -> None:
        python = venv.ensure() / "bin/python"
        (self.state / "run").mkdir(exist_ok=True)
        if owner:
            self._keep(python, owner, temporary)
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
        self._spawn("agents", argv + (["--ca-file", facts["ca_file"]] if facts["ca_file"] else []), agents)
        through = None
        if not facts["ca_file"]:  # it speaks plain HTTP only
            log = self.state / "requests.jsonl"
            log.unlink(missing_ok=True)
            argv = [python, HERE.parent / "front", "--ironic", facts["url"], "--port", front, "--log", log]
            self._spawn("front", argv, front)
            front_url = f"http://127.0.0.1:{front}"
            through = {"url": front_url, "control_url": f"{front_url}/ctl", "log": str(log)}
        bmc_url = f"http://127.0.0.1:{bmc}"
        argv = [python, HERE.parent / "bmc", redfish, "--port", bmc, "--user", BMC_USER, "--password", BMC_PASSWORD]
        self._spawn("bmc", argv, bmc)
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
        self._write(described)

    def _spawn(self, name: str, argv: list, port: int) -> None:
        pid_file, log = self.state / f"run/{name}.pid", self.state / f"{name}.log"
        log.unlink(missing_ok=True)
        processes.spawn(argv, pid_file, log, {"TMPDIR": str(self.state / "tmp")})
        up = processes.wait_until(lambda: not processes.recorded(pid_file) or ports.listening(port), 60)
        if not up or not processes.recorded(pid_file):
            sys.exit(f"tests/ironic: {name} did not start, see {log}:\n{processes.tail(log)}")

    def _keep(self, python: Path, owner: int, temporary: bool) -> None:
        """Lets a small process stop the lab when its owner is gone, however it went."""
        identity = processes.Identity.of(owner)
        if identity is None:
            sys.exit(f"tests/ironic: there is no process {owner} to own the lab")
        argv = [python, HERE.parent / "lab", "keep", self.state, "--owner", identity]
        processes.spawn(
            argv + (["--temporary"] if temporary else []), self.state / "run/keeper.pid", self.state / "keeper.log"
        )

    def keep(self, owner: processes.Identity, temporary: bool) -> None:
        """The keeper's life: waits for the owner's end."""
        while not processes.wait_until(lambda: not owner.alive(), 3600, every=0.5):
            pass
        with self._locked():
            self._stop(keeper=False)
        if temporary:
            os.chdir("/")
            shutil.rmtree(self.state)

    def stop(self) -> None:
        """Ends every process of the lab. Does nothing where none runs. The files stay, for their logs."""
        if self.state.is_dir():
            with self._locked():
                self._stop()

    def _stop(self, keeper: bool = True) -> None:
        for name in (*(("keeper",) if keeper else ()), *SERVERS):
            processes.stop(self.state / f"run/{name}.pid", 0.5)
        self.instance.stop()
        if not keeper:
            (self.state / "run/keeper.pid").unlink(missing_ok=True)

    def pause(self) -> None:
        with self._locked():
            self.instance.pause()

    def resume(self) -> None:
        with self._locked():
            self.instance.start()

    def freeze(self) -> None:
        self.instance.freeze(True)

    def thaw(self) -> None:
        self.instance.freeze(False)

    def wipe(self) -> None:
        with self._locked():
            self.instance.wipe()

    def describe(self) -> dict:
        try:
            return json.loads(self.file.read_text())
        except FileNotFoundError:
            sys.exit(f"tests/ironic: no lab was ever started in {self.state}")

    def running(self) -> dict[str, str]:
        """The processes of the lab that live, by name."""
        found = {file.stem: processes.recorded(file) for file in sorted((self.state / "run").glob("*.pid"))}
        return {name: str(identity) for name, identity in found.items() if identity}

    def control(self, part: str, rule: dict | None) -> dict:
        """Adds a rule to the agents or the BMCs (see rules.py); None asks for what holds."""
        request = urllib.request.Request(self.describe()[part]["control_url"])
        if rule is not None:
            request.data = json.dumps(rule).encode()
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def _write(self, described: dict) -> None:
        temporary = self.file.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(described, indent=1) + "\n")
        temporary.rename(self.file)

    @contextlib.contextmanager
    def _locked(self):
        """One command at a time in one folder."""
        descriptor = os.open(self.state, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


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
