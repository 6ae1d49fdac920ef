"""The text of ironic.conf for one instance."""

import argparse
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass
class Options:
    """How one Ironic behaves. Kept in the state folder, so that a restart is the same Ironic."""

    port: int = 0  # of the API; 0 picks a free one when the instance is made
    files_port: int = 0  # of the static files that nodes and BMCs fetch
    auth: str = "noauth"  # or "http_basic"
    user: str = "ironic"
    password: str = "ironic-password"
    tls: bool = False  # HTTPS with a certificate of an own CA
    fake_delay: str = "0"  # seconds, or "min,max": what each operation of the fake interfaces takes
    power_sync: int = 60  # seconds between reads of all power states, 0 for never
    poll: int = 2  # seconds between looks at asynchronous Redfish steps; each look scans all nodes
    fast_track: bool = False  # use an agent that already runs instead of booting one
    node_history: bool = True
    debug: bool = False

    def dump(self) -> dict:
        return asdict(self)

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def files_url(self) -> str:
        return f"http://127.0.0.1:{self.files_port}"


def render(state: Path, options: Options) -> str:
    """The configuration. Traps that cost time are noted at their line."""
    o, files = options, options.files_url
    tls = (
        f"enable_ssl_api = true\ncert_file = {state}/tls/server.pem\nkey_file = {state}/tls/server.key" if o.tls else ""
    )
    return f"""\
# Written by tests/ironic; a start writes it anew.
[DEFAULT]
auth_strategy = {o.auth}
http_basic_auth_user_file = {state}/htpasswd
debug = {o.debug}
use_stderr = true
rpc_transport = none
host = 127.0.0.1
my_ip = 127.0.0.1
state_path = {state}/state
tempdir = {state}/tmp
hash_ring_algorithm = sha256
# ipmi refuses to load without ipmitool; fake-hardware accepts every interface, which is what level B lives on.
enabled_hardware_types = fake-hardware,redfish,idrac,manual-management
enabled_bios_interfaces = no-bios,fake,redfish,idrac-redfish
enabled_boot_interfaces = fake,ipxe,pxe,redfish-virtual-media,redfish-https,idrac-redfish-virtual-media
enabled_console_interfaces = no-console,fake
enabled_deploy_interfaces = direct,fake,ramdisk,custom-agent,anaconda,noop,bootc
enabled_firmware_interfaces = no-firmware,fake,redfish
enabled_inspect_interfaces = no-inspect,agent,fake,redfish,idrac-redfish
enabled_management_interfaces = fake,noop,redfish,idrac-redfish
enabled_network_interfaces = noop
enabled_power_interfaces = fake,agent,redfish,idrac-redfish
enabled_raid_interfaces = no-raid,agent,fake,redfish,idrac-redfish
enabled_rescue_interfaces = no-rescue,fake
enabled_storage_interfaces = noop,fake
enabled_vendor_interfaces = no-vendor,fake,redfish,idrac-redfish
default_network_interface = noop
default_deploy_interface = direct
default_inspect_interface = agent
webserver_verify_ca = false
isolinux_bin = {state}/http/isolinux.bin
ldlinux_c32 = {state}/http/ldlinux.c32
grub_config_path = EFI/debian/grub.cfg
[agent]
deploy_logs_collect = never
max_command_attempts = 3
# The default, true, refuses the plain-HTTP callback of an agent.
require_tls = false
# A stand-in cannot really power off: ask once, then let Ironic cut the power.
post_deploy_get_power_state_retries = 1
post_deploy_get_power_state_retry_interval = 1
command_wait_interval = 1
certificates_path = {state}/certs
[api]
host_ip = 127.0.0.1
port = {o.port}
# public_endpoint stays unset: links in answers then name the host that was asked, so a proxy in front works.
api_workers = 1
{tls}
[conductor]
automated_clean = true
heartbeat_interval = 5
workers_pool_size = 100
sync_power_state_interval = {o.power_sync}
power_state_change_timeout = 30
check_provision_state_interval = {o.poll * 2}
deploy_kernel = {files}/ipa.kernel
deploy_ramdisk = {files}/ipa.initramfs
bootloader = {files}/esp.img
file_url_allowed_paths = {state}
graceful_shutdown_timeout = 3
enable_mdns = false
verify_step_priority_override = management.clear_job_queue:90
node_history = {o.node_history}
[database]
connection = sqlite:///{state}/ironic.sqlite
sqlite_synchronous = false
[deploy]
http_root = {state}/http
http_url = {files}
erase_devices_metadata_priority = 10
erase_devices_priority = 0
default_boot_option = local
fast_track = {o.fast_track}
[dhcp]
dhcp_provider = none
[fake]
power_delay = {o.fake_delay}
boot_delay = {o.fake_delay}
deploy_delay = {o.fake_delay}
inspect_delay = {o.fake_delay}
bios_delay = {o.fake_delay}
raid_delay = {o.fake_delay}
vendor_delay = {o.fake_delay}
[inspector]
require_managed_boot = false
add_ports = all
keep_ports = present
hooks = $default_hooks
[inventory]
data_backend = database
[nova]
send_power_notifications = false
[oslo_concurrency]
lock_path = {state}/tmp
[oslo_messaging_notifications]
# Leave notification_level out: an empty value stops the process.
driver = noop
transport_url = fake://
[pxe]
tftp_root = {state}/tftp
tftp_master_path = {state}/master/tftp
images_path = {state}/images
instance_master_path = {state}/master/images
[redfish]
use_swift = false
connection_attempts = 2
connection_retry_interval = 1
firmware_update_status_interval = {o.poll}
firmware_update_fail_interval = {o.poll * 2}
firmware_update_reboot_delay = 5
firmware_update_bmc_timeout = 10
firmware_update_required_successes = 1
firmware_update_validation_interval = 1
raid_config_status_interval = {o.poll}
raid_config_fail_interval = {o.poll * 2}
[service_catalog]
endpoint_override = {o.url}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line form of Options."""
    defaults = Options()
    parser.add_argument("--auth", choices=["noauth", "http_basic"], default=defaults.auth)
    parser.add_argument("--user", default=defaults.user)
    parser.add_argument("--password", default=defaults.password)
    parser.add_argument("--tls", action="store_true", help="HTTPS, with a CA made for this instance")
    parser.add_argument(
        "--fake-delay", default=defaults.fake_delay, metavar="S|MIN,MAX", help="time of each fake operation"
    )
    parser.add_argument("--power-sync", type=int, default=defaults.power_sync, metavar="S", help="0 turns it off")
    parser.add_argument("--poll", type=int, default=defaults.poll, metavar="S", help="look at Redfish steps so often")
    parser.add_argument("--fast-track", action="store_true")
    parser.add_argument("--no-node-history", dest="node_history", action="store_false")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--port", type=int, default=0, help="API port (default: a free one)")
    parser.add_argument("--files-port", type=int, default=0, help="port of the static files (default: a free one)")


def from_arguments(given: argparse.Namespace) -> Options:
    return Options(**{field.name: getattr(given, field.name) for field in fields(Options)})
