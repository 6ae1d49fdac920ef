//! What an inspection finds in a simulated machine: made from its MAC address and name, never
//! kept, always the same.

use crate::api::{
    Bios, Cpu, DiskType, Firmware, HardwareDetails, HardwareJson, Nic, Storage, SystemVendor,
};
use crate::dice::Dice;
use crate::eval::unit::Mac;

/// One model of server.
struct Model {
    maker: &'static str,
    product: &'static str,
    bios: (&'static str, &'static str, &'static str),
    cpu: &'static str,
    megahertz: f64,
    threads: [i64; 2],
    nic: (&'static str, i64),
}

const MODELS: [Model; 3] = [
    Model {
        maker: "Dell Inc.",
        product: "PowerEdge R650",
        bios: ("04/12/2024", "Dell Inc.", "1.14.1"),
        cpu: "Intel(R) Xeon(R) Gold 6330 CPU @ 2.00GHz",
        megahertz: 3100.0,
        threads: [56, 112],
        nic: ("0x8086 0x159b", 25),
    },
    Model {
        maker: "HPE",
        product: "ProLiant DL365 Gen11",
        bios: ("06/21/2024", "HPE", "2.16"),
        cpu: "AMD EPYC 9334 32-Core Processor",
        megahertz: 3900.0,
        threads: [64, 128],
        nic: ("0x14e4 0x16d7", 25),
    },
    Model {
        maker: "Supermicro",
        product: "SYS-110P-WTR",
        bios: (
            "11/08/2023",
            "American Megatrends International, LLC.",
            "1.8a",
        ),
        cpu: "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz",
        megahertz: 3400.0,
        threads: [32, 64],
        nic: ("0x8086 0x1572", 10),
    },
];

/// Kinds of disk: kind, model, vendor, sizes in bytes.
const DISKS: [(DiskType, &str, &str, [i64; 2]); 2] = [
    (
        DiskType::Ssd,
        "MZ7L3480HCHQ",
        "SAMSUNG",
        [480_103_981_056, 960_197_124_096],
    ),
    (
        DiskType::Nvme,
        "INTEL SSDPE2KE016T8",
        "INTEL",
        [1_600_321_314_816, 3_200_631_791_616],
    ),
];

/// The inventory of the machine with this boot MAC address: about 1.5 KB of JSON. The first NIC is
/// the one that boots; there is a second one and two to four disks.
///
/// `mac` may be any text that names the machine where there is no MAC address.
pub fn of(mac: &str, name: &str) -> HardwareJson {
    let mut dice = Dice::of(mac, 0);
    let model = &MODELS[dice.below(MODELS.len() as u64) as usize];
    let serial = format!("{:08X}", dice.roll() as u32);
    let mut pick = |two: [i64; 2]| two[dice.below(2) as usize];
    let (threads, gibibytes) = (pick(model.threads), pick([128, 256]));
    let (kind, disk, vendor, sizes) = &DISKS[usize::from(pick([0, 1]) == 1)];
    let (count, size) = (2 + dice.below(3), sizes[dice.below(2) as usize]);
    let (nic, speed) = model.nic;
    let details = HardwareDetails {
        system_vendor: SystemVendor {
            manufacturer: model.maker.into(),
            product_name: model.product.into(),
            serial_number: serial.clone(),
        },
        firmware: Firmware {
            bios: Bios {
                date: model.bios.0.into(),
                vendor: model.bios.1.into(),
                version: model.bios.2.into(),
            },
        },
        ram_mebibytes: gibibytes * 1024,
        nics: nics(mac, nic, speed, &mut dice),
        storage: (0..count)
            .map(|number| Storage {
                name: format!("/dev/disk/by-path/pci-0000:00:17.0-ata-{}", number + 1),
                alternate_names: vec![match kind {
                    DiskType::Nvme => format!("/dev/nvme{number}n1"),
                    _ => format!("/dev/sd{}", char::from(b'a' + number as u8)),
                }],
                kind: Some(kind.clone()),
                size_bytes: size,
                vendor: (*vendor).into(),
                model: (*disk).into(),
                serial_number: format!("S{serial}{number}"),
                hctl: format!("{number}:0:0:0"),
                ..Storage::default()
            })
            .collect(),
        cpu: Cpu {
            arch: "x86_64".into(),
            model: model.cpu.into(),
            clock_megahertz: model.megahertz,
            flags: ["aes", "avx", "avx2", "lm", "nx"].map(Into::into).into(),
            count: threads,
        },
        hostname: name.into(),
    };
    HardwareJson::new(&details).expect("an inventory of plain fields is JSON")
}

fn nics(mac: &str, model: &str, speed: i64, dice: &mut Dice) -> Vec<Nic> {
    let nic = |number: u64, mac: String, ip: String| Nic {
        name: format!("eno{}", number + 1),
        model: model.into(),
        mac,
        ip,
        speed_gbps: speed,
        pxe: number == 0,
        ..Nic::default()
    };
    // From 198.18.0.0/15, which is set aside for tests of networks (RFC 2544).
    let [.., a, b] = dice.roll().to_be_bytes();
    let second = mac.parse::<Mac>().map_or_else(|_| dice.roll(), Mac::number);
    // Another half of the maker's range and locally administered: fleets number their boot NICs
    // in a row, and the next address would be another machine's.
    let second = Mac::from_number((second ^ 0x80_0000) & !0x0100_0000_0000 | 0x0200_0000_0000);
    vec![
        nic(0, mac.to_owned(), format!("198.18.{a}.{b}")),
        nic(1, second.to_string(), String::new()),
    ]
}
