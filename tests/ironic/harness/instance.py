"""One all-in-one Ironic (API and conductor in one process, SQLite) and the static files beside it."""

import base64
import json
import os
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from . import config, ports, processes, venv

HERE = Path(__file__).resolve().parent
START_TIMEOUT = 120  # seconds; 4 s on an idle machine, far more beside a cargo build
FOLDERS = ("http", "tftp", "images", "master/images", "master/tftp", "tmp", "state", "certs", "bin", "tls", "run")


class Instance:
    """An Ironic whose whole state lies in `state`. Several can run at once in different folders."""

    def __init__(self, state: Path):
        self.state = state.absolute()
        self.pid_file = self.state / "run/ironic.pid"
        self.files_pid_file = self.state / "run/files.pid"
        self.log = self.state / "ironic.log"
        self.database = self.state / "ironic.sqlite"

    @property
    def options(self) -> config.Options:
        try:
            return config.Options(**json.loads((self.state / "options.json").read_text()))
        except FileNotFoundError:
            raise SystemExit(f"tests/ironic: no Ironic was ever started in {self.state}") from None

    @property
    def ca_file(self) -> Path | None:
        return self.state / "tls/ca.pem" if self.options.tls else None

    def start(self, options: config.Options | None = None) -> None:
        """Starts what does not run yet, and returns when the conductor takes work.

        `options` count when the folder is new; later starts keep those of the first, its ports among them.
        """
        python = venv.ensure() / "bin/python"
        for folder in FOLDERS:
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        if not (self.state / "options.json").exists():
            self._create(options or config.Options(), python)
        options = self.options
        if not processes.recorded(self.files_pid_file):
            argv = [
                python,
                "-I",
                "-m",
                "http.server",
                options.files_port,
                "--bind",
                "127.0.0.1",
                "--directory",
                self.state / "http",
            ]
            processes.spawn(argv, self.files_pid_file, self.state / "files.log")
        if processes.recorded(self.pid_file) and self.ready():
            return
        processes.stop(self.pid_file, 8)
        (self.state / "ironic.conf").write_text(config.render(self.state, options))
        if not self.database.exists():
            self._empty_database()
        self.log.unlink(missing_ok=True)
        argv = [python, "-I", HERE / "ironic_server.py", "--config-file", self.state / "ironic.conf"]
        path = f"{self.state / 'bin'}:{python.parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        processes.spawn(argv, self.pid_file, self.log, {"PATH": path, "TMPDIR": str(self.state / "tmp")})
        self._wait_until_ready()

    def pause(self) -> None:
        """Ends the Ironic process, as an outage would: connections are refused. State and ports stay."""
        processes.stop(self.pid_file, 8)

    def freeze(self, frozen: bool) -> None:
        """Stops or continues the process where it stands: connections are taken but nothing is answered."""
        for member in processes.session(self.pid_file):
            processes.send(member, signal.SIGSTOP if frozen else signal.SIGCONT)

    def wipe(self) -> None:
        """Empties the database. A running Ironic comes back with the same URL and no node."""
        running = processes.recorded(self.pid_file) is not None
        self.pause()
        for part in self.state.glob("ironic.sqlite*"):
            part.unlink()
        if running:
            self.start()

    def stop(self) -> None:
        """Ends everything that was started here. Files stay, for whoever wants to read the logs."""
        processes.stop(self.pid_file, 8)
        processes.stop(self.files_pid_file, 2)

    def ready(self) -> bool:
        """Whether the API answers, lets us in, and a conductor has registered.

        `alive` in /v1/conductors would be the obvious question, but on SQLite conductors never send heartbeats.
        """
        try:
            return "fake-hardware" in self.get("/v1/drivers", timeout=2)
        except (OSError, ValueError):
            return False

    def get(self, path: str, timeout: float = 30) -> str:
        options = self.options
        request = urllib.request.Request(options.url + path, headers={"X-OpenStack-Ironic-API-Version": "1.89"})
        if options.auth == "http_basic":
            secret = base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {secret}")
        context = ssl.create_default_context(cafile=str(self.ca_file)) if options.tls else None
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return answer.read().decode()

    def describe(self) -> dict:
        """What a client needs to know, and which processes run."""
        options = self.options
        running = {
            name: processes.recorded(file) for name, file in (("ironic", self.pid_file), ("files", self.files_pid_file))
        }
        basic = options.auth == "http_basic"
        return {
            "url": options.url,
            "auth": options.auth,
            "username": options.user if basic else None,
            "password": options.password if basic else None,
            "ca_file": str(self.ca_file) if options.tls else None,
            "files_url": options.files_url,
            "files_dir": str(self.state / "http"),
            "processes": {name: str(identity) for name, identity in running.items() if identity},
        }

    def _create(self, options: config.Options, python: Path) -> None:
        if not options.port or not options.files_port:
            found = ports.free(2)
            options.port, options.files_port = options.port or found[0], options.files_port or found[1]
        if options.auth == "http_basic":
            # bcrypt comes with the pins, not with the standard library.
            make = "import bcrypt, sys; print(bcrypt.hashpw(sys.stdin.buffer.read(), bcrypt.gensalt(4)).decode().replace('$2b$', '$2y$', 1))"
            hashed = subprocess.run(
                [python, "-c", make], input=options.password.encode(), stdout=subprocess.PIPE, check=True
            )
            (self.state / "htpasswd").write_text(f"{options.user}:{hashed.stdout.decode()}")
            (self.state / "htpasswd").chmod(0o600)
        if options.tls:
            subprocess.run([python, "-I", HERE / "certificate.py", self.state / "tls"], check=True)
        # What nodes would boot. Nothing ever boots it, but Ironic fetches it and builds ISOs from it.
        for name in ("ipa.kernel", "ipa.initramfs", "esp.img", "isolinux.bin", "ldlinux.c32"):
            (self.state / "http" / name).write_bytes((name.encode() + b"\n") * 4096)
        # Ironic calls mkisofs for config drives and virtual media; ours needs no Debian package.
        for name in ("mkisofs", "genisoimage"):
            tool = self.state / "bin" / name
            tool.write_text(f'#!/bin/sh\nexec "{python}" -I "{HERE / "mkisofs.py"}" "$@"\n')
            tool.chmod(0o755)
        temporary = self.state / "options.json.new"
        temporary.write_text(json.dumps(options.dump(), indent=1))
        temporary.rename(self.state / "options.json")

    def _empty_database(self) -> None:
        new = self.state / "new.sqlite"
        shutil.copyfile(venv.location() / venv.SCHEMA, new)
        connection = sqlite3.connect(new)
        connection.execute("pragma journal_mode=wal")
        connection.close()
        new.rename(self.database)

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START_TIMEOUT
        while not self.ready():
            # The master starts a worker that dies anew for ever, so a bad configuration would look like a hang.
            crashed = "exited with status 1" in processes.tail(self.log, 200)
            if crashed or not processes.recorded(self.pid_file):
                reason = "crashed"
            elif time.monotonic() > end:
                reason = f"was not ready within {START_TIMEOUT} s"
            else:
                time.sleep(0.1)
                continue
            processes.stop(self.pid_file, 2)
            sys.exit(f"tests/ironic: Ironic {reason}, see {self.log}:\n{processes.tail(self.log)}")
