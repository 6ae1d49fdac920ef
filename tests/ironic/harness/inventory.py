"""Names, MAC addresses and inventories of the simulated machines. All of it follows from a machine's name or MAC."""

import hashlib


def fake_mac(index: int) -> str:
    return f"52:54:00:f0:{index // 256:02x}:{index % 256:02x}"


def redfish_mac(index: int) -> str:
    return f"52:54:00:aa:{index // 256:02x}:{index % 256:02x}"


def redfish_uuid(index: int) -> str:
    return f"11110000-0000-0000-0000-{index:012x}"


def second_mac(mac: str) -> str:
    """The MAC of the other network port of the machine that has this one: locally administered, from a hash."""
    digest = hashlib.sha256(mac.lower().encode()).hexdigest()
    return "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))


def machine_macs(name: str, ports: list[str], driver_info: dict) -> list[str]:
    """Both MACs of a machine, the first one being what it boots from.

    Told from the ports that Ironic knows: the boot MAC is the one whose partner is known too (the machine was inspected
    before), else the only one. Without ports, from the Redfish system that the node points at, else from its name.
    """
    ports = [port.lower() for port in ports]
    first = next((port for port in ports if second_mac(port) in ports), ports[0] if ports else None)
    if first is None:
        system = str(driver_info.get("redfish_system_id", "")).rstrip("/").rpartition("/")[2]
        if system.startswith(redfish_uuid(0)[:24]):
            first = redfish_mac(int(system.rpartition("-")[2], 16))
        else:
            digest = hashlib.sha256(name.encode()).hexdigest()
            first = "52:54:01:" + ":".join(digest[i : i + 2] for i in range(0, 6, 2))
    return [first, second_mac(first)]


def collect(name: str, ports: list[str], driver_info: dict) -> dict:
    """What the agent posts to continue_inspection."""
    macs = machine_macs(name, ports, driver_info)
    digest = hashlib.sha256(macs[0].encode()).hexdigest()
    interfaces = [
        {
            "name": f"eth{index}",
            "mac_address": mac,
            "ipv4_address": f"192.0.2.{int(digest[:2], 16) % 250 + 1}" if index == 0 else None,
            "ipv6_address": None,
            "has_carrier": index == 0,
            "lldp": None,
            "vendor": "0x8086",
            "product": "0x1572",
            "client_id": None,
            "biosdevname": None,
            "speed_mbps": 10000,
        }
        for index, mac in enumerate(macs)
    ]
    disks = [
        {
            "name": f"/dev/sd{letter}",
            "model": "SimDisk",
            "size": 480103981056,
            "rotational": False,
            "wwn": f"0x5000c500{digest[index * 8 : index * 8 + 8]}",
            "serial": f"S{digest[:8]}{letter}",
            "vendor": "SIM",
            "wwn_with_extension": None,
            "wwn_vendor_extension": None,
            "hctl": f"0:0:{index}:0",
            "by_path": f"/dev/disk/by-path/pci-0000:00:17.0-ata-{index + 1}",
            "logical_sectors": 512,
            "physical_sectors": 4096,
        }
        for index, letter in enumerate("ab")
    ]
    inventory = {
        "interfaces": interfaces,
        "cpu": {
            "model_name": "Sim(R) 9000 @ 2.50GHz",
            "frequency": "2500.0000",
            "count": 32,
            "architecture": "x86_64",
            "flags": ["aes", "vmx"],
            "socket_count": 2,
        },
        "disks": disks,
        "memory": {"total": 67430494208, "physical_mb": 65536},
        "bmc_address": "0.0.0.0",
        "bmc_v6address": "::/0",
        "bmc_mac": None,
        "system_vendor": {
            "product_name": "SimServer 1U",
            "serial_number": f"SN{digest[:8]}",
            "manufacturer": "SIM",
            "firmware": {"vendor": "SIM", "version": "2.1.0", "build_date": "01/02/2026"},
        },
        "boot": {"current_boot_mode": "uefi", "pxe_interface": macs[0]},
        "hostname": f"sim-{digest[:8]}",
    }
    return {"inventory": inventory, "root_disk": {"name": "/dev/sda"}, "boot_interface": macs[0]}
