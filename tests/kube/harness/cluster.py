"""A Kubernetes without nodes: etcd, an API server and, on demand, controllers. Described in STATE/cluster.json."""

import base64
import json
import secrets
import signal
import ssl
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import gateway, ports, processes, programs
from .part import Part

HERE = Path(__file__).resolve().parent
# Namespaces end, and what belongs to something that is gone goes too; nothing else would find work without nodes.
CONTROLLERS = "namespace-controller,garbage-collector-controller"
# Seconds. After SIGTERM an API server waits a minute for the client of an open watch. Its state is etcd's: none goes.
API_GRACE = 1


@dataclass
class Options:
    """How a cluster is started; kept in its folder, because later starts are to be like the first."""

    bin: str
    port: int
    etcd_port: int
    etcd_peer_port: int
    controllers: bool
    watch_cache: bool
    compaction: int | None  # seconds; null leaves the API server's own five minutes
    api_flags: list[str] = field(default_factory=list)  # as they are given to it, after all others


class Cluster(Part):
    def __init__(self, state: Path):
        super().__init__(state, HERE.parent / "cluster", "cluster.json")
        self.certificates = self.state / "certs"
        self.ca_file = self.certificates / "apiserver.crt"
        self.tokens = self.state / "tokens.csv"
        self.kubeconfig = self.state / "kubeconfig"

    @property
    def options(self) -> Options:
        try:
            return Options(**json.loads((self.state / "options.json").read_text()))
        except FileNotFoundError:
            sys.exit(f"tests/kube: no cluster was ever started in {self.state}")

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.options.port}"

    @property
    def etcd(self) -> str:
        return f"http://127.0.0.1:{self.options.etcd_port}"

    def start(
        self,
        controllers: bool,
        watch_cache: bool,
        compaction: int | None,
        api_flags: list[str],
        owner: int | None,
        temporary: bool,
    ) -> None:
        """Starts everything. A folder that a cluster ran in before keeps its ports, its data and its tokens."""
        with self.starting(owner, temporary):
            found = programs.ensure()
            if controllers:
                programs.need_controllers()
            given = self._ports() if (self.state / "options.json").exists() else ports.free(3)
            folder = str(found["kube-apiserver"].parent)
            self._keep_options(Options(folder, *given, controllers, watch_cache, compaction, api_flags))
            if not self.tokens.exists():
                self._private(self.tokens, f"{secrets.token_hex(16)},admin,admin,system:masters\n")
            self._start()
            self._describe(found)

    def _start(self) -> None:
        """Starts what does not run."""
        options = self.options
        folder = Path(options.bin)
        if not self._runs("etcd"):
            self.spawn("etcd", [folder / "etcd", *self._etcd_flags()], lambda: ports.listening(options.etcd_port))
        if not self._runs("apiserver"):
            self.spawn("apiserver", [folder / "kube-apiserver", *self._api_flags()], self.ready)
            self._private(self.kubeconfig, self._render_kubeconfig())
        if options.controllers and not self._runs("controllers"):
            (self.state / "controllers.log").unlink(missing_ok=True)  # of an earlier one, which was ready once
            argv = [folder / "kube-controller-manager", *self._controllers_flags()]
            self.spawn("controllers", argv, self._controllers_work)

    def _etcd_flags(self) -> list[str]:
        peer = f"http://127.0.0.1:{self.options.etcd_peer_port}"
        return [
            f"--data-dir={self.state / 'etcd'}",
            "--unsafe-no-fsync",  # else the disk dominates every time that a test takes
            "--log-level=error",
            f"--listen-client-urls={self.etcd}",
            f"--advertise-client-urls={self.etcd}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]

    def _api_flags(self) -> list[str]:
        options = self.options
        key = self.certificates / "apiserver.key"  # the server makes it before it looks for its keys of tokens
        flags = [
            f"--etcd-servers={self.etcd}",
            f"--cert-dir={self.certificates}",
            "--bind-address=127.0.0.1",
            f"--secure-port={options.port}",
            # Without these two it looks for a default route, and ends where there is none.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}",
            f"--service-account-key-file={key}",
            f"--token-auth-file={self.tokens}",
            "--authorization-mode=RBAC",
            # Nothing here makes the account `default` of each namespace, without which it would refuse every pod.
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            "--profiling=false",
        ]
        if options.compaction is not None:
            flags.append(f"--etcd-compaction-interval={options.compaction}s")
        if not options.watch_cache:
            flags.append("--watch-cache=false")
        return flags + options.api_flags

    def _controllers_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={CONTROLLERS}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--use-service-account-credentials=false",
        ]

    def end(self) -> None:
        # The API server before etcd: without its etcd it retries, hears no SIGTERM and holds its port.
        for name, grace in (("controllers", 2), ("apiserver", API_GRACE), ("etcd", 5)):
            processes.stop(self.state / f"run/{name}.pid", grace)

    def pause(self) -> None:
        """Ends the API server, as an outage would: connections are refused. Its port and etcd with all data stay."""
        with self.locked():
            self._pause()

    def _pause(self) -> None:
        self._expect("etcd")
        processes.stop(self.state / "run/apiserver.pid", API_GRACE)

    def resume(self) -> None:
        """Starts the API server again, on the same port and the same data."""
        with self.locked():
            self._expect("etcd")
            self._start()

    def freeze(self) -> None:
        """Stops the API server where it stands: connections are taken but nothing is answered."""
        self._signal_api(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_api(signal.SIGCONT)

    def _signal_api(self, number: int) -> None:
        self._expect("apiserver")
        for member in processes.session(self.state / "run/apiserver.pid"):
            processes.send(member, number)

    def compact(self) -> int:
        """Makes every resourceVersion so far too old (410 Gone), and returns the oldest that is left.

        The API server keeps the changes that it has seen in memory and would go on telling them, whatever etcd has
        forgotten. So one with a watch cache is started anew.
        """
        with self.locked():
            self._expect("etcd")
            left = gateway.compact(self.etcd)
            if self.options.watch_cache and self._runs("apiserver"):
                self._pause()
                self._start()
            return left

    def ready(self) -> bool:
        """Whether the API server answers, knows its roles and has made its namespaces."""
        try:
            # /readyz waits for the roles, but nothing says that it waits for the namespace most things are made in.
            return self.get("/readyz") == "ok" and bool(self.get("/api/v1/namespaces/default"))
        except (OSError, ValueError):
            return False

    def get(self, path: str) -> str:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        # Python 3.13 asks more of a certificate than Go writes into it.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        request = urllib.request.Request(self.server + path, headers={"Authorization": f"Bearer {self._token()}"})
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return answer.read().decode()

    def _controllers_work(self) -> bool:
        return "Proceeding to collect garbage" in (self.state / "controllers.log").read_text(errors="replace")

    def _runs(self, name: str) -> bool:
        return processes.recorded(self.state / f"run/{name}.pid") is not None

    def _expect(self, name: str) -> None:
        if not self._runs(name):
            sys.exit(f"tests/kube: no {name} runs in {self.state}")

    def _ports(self) -> tuple[int, int, int]:
        options = self.options
        return options.port, options.etcd_port, options.etcd_peer_port

    def _keep_options(self, options: Options) -> None:
        self._private(self.state / "options.json", json.dumps(asdict(options), indent=1))

    def _token(self) -> str:
        return self.tokens.read_text().partition(",")[0]

    def _render_kubeconfig(self) -> str:
        """An admin's. It holds the certificate itself, so that a copy of it works anywhere."""
        authority = base64.b64encode(self.ca_file.read_bytes()).decode()
        cluster = {"server": self.server, "certificate-authority-data": authority}
        described = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self._token()}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin", "namespace": "default"}}],
            "current-context": "tests",
        }
        return json.dumps(described, indent=1) + "\n"  # JSON is YAML

    def _describe(self, found: dict[str, Path | None]) -> None:
        options = self.options
        names = ["apiserver", "etcd"] + (["controllers"] if options.controllers else [])
        self.write_description(
            {
                "version": 1,
                "state": str(self.state),
                "server": self.server,
                "ca_file": str(self.ca_file),
                "kubeconfig": str(self.kubeconfig),
                "kubernetes": json.loads(self.get("/version"))["gitVersion"],
                "bin": options.bin,
                "kubectl": str(found["kubectl"]),
                "helm": str(found["helm"]),
                "etcd": self.etcd,
                "ports": {"server": options.port, "etcd": options.etcd_port, "etcd_peer": options.etcd_peer_port},
                "controllers": options.controllers,
                "watch_cache": options.watch_cache,
                "logs": {name: str(self.state / f"{name}.log") for name in names},
            }
        )

    @staticmethod
    def _private(file: Path, text: str) -> None:
        """Writes a file that nobody else may read, whole or not at all."""
        new = file.with_name(f"{file.name}.new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(text)
        new.rename(file)
