//! Any order of edits, faults, crashes and losses: the rules hold, and once it ends, the host
//! reaches its goal.

use proptest::prelude::*;

use super::driver::{Driver, plain};
use crate::api::names::annotation;
use crate::api::{
    BootMode, CustomDeploy, HardwareRaidVolume, Image, ProvisioningState as State, RaidConfig,
    RaidLevel, RootDeviceHints, SoftwareRaidVolume,
};
use crate::budget::{Grants, SlotKind};
use crate::provision::sim::script::Task;
use crate::provision::{Effect, Fault, NodeState};

/// Something that happens.
#[derive(Debug, Clone)]
enum Op {
    /// Steps of the engine.
    Step(u8),
    /// Time passes until the next event, so many times.
    Pass(u8),
    /// An image is wanted, or none.
    Image(Option<u8>),
    /// A custom deployment is wanted, by one method or another, or none.
    Custom(Option<u8>),
    BootMode(bool),
    Online(bool),
    External(bool),
    Raid(Option<u8>),
    Hints(u8),
    /// A BIOS setting is wanted, which may be one that cannot be, or none.
    Setting(Option<u8>),
    /// Firmware is wanted, or none.
    Firmware(Option<u8>),
    /// Somebody deletes the HostFirmwareSettings.
    Unread,
    DisablePowerOff(bool),
    InspectionDisabled(bool),
    /// An annotation is put on or taken off.
    Annotate(&'static str, &'static str, bool),
    /// The next task of this kind fails.
    Fail(Task),
    /// The next so many requests are answered so.
    Answer(u8, u8),
    /// The next request is carried out, but the answer is lost.
    Lose,
    /// The process dies and starts again.
    Restart,
    /// The provisioner loses the machine.
    Wipe,
    /// New credentials, right or wrong.
    Rotate(bool),
    Secret(bool),
    Down(bool),
    Reachable(bool),
    Slots(bool),
    References(bool),
    /// A secret that is needed for enrolling.
    Registrable(bool),
    SoftOff(bool),
    Taken(bool),
    Delete,
}

fn op() -> impl Strategy<Value = Op> {
    let annotation = prop_oneof![
        Just((annotation::REBOOT, "")),
        Just((annotation::REBOOT, "{\"mode\":\"hard\",\"force\":true}")),
        Just(("reboot.metal3.io/hold", "")),
        Just((annotation::INSPECT, "")),
        Just((annotation::DETACHED, "")),
        Just((annotation::DETACHED, "{\"force\":true}")),
        Just((annotation::DETACHED, "{\"deleteAction\":\"delay\"}")),
        Just((annotation::PAUSED, "")),
    ];
    prop_oneof![
        8 => (1u8..8).prop_map(Op::Step),
        8 => (1u8..6).prop_map(Op::Pass),
        2 => proptest::option::weighted(0.8, 0u8..3).prop_map(Op::Image),
        2 => proptest::option::of(0u8..2).prop_map(Op::Custom),
        1 => any::<bool>().prop_map(Op::BootMode),
        1 => any::<bool>().prop_map(Op::Online),
        1 => prop::bool::weighted(0.3).prop_map(Op::External),
        2 => proptest::option::of(0u8..4).prop_map(Op::Raid),
        1 => (0u8..2).prop_map(Op::Hints),
        2 => proptest::option::of(0u8..3).prop_map(Op::Setting),
        1 => proptest::option::of(0u8..2).prop_map(Op::Firmware),
        1 => Just(Op::Unread),
        1 => prop::bool::weighted(0.3).prop_map(Op::DisablePowerOff),
        1 => any::<bool>().prop_map(Op::InspectionDisabled),
        3 => (annotation, any::<bool>()).prop_map(|((name, value), on)| Op::Annotate(name, value, on)),
        4 => prop::sample::select(Task::ALL.to_vec()).prop_map(Op::Fail),
        3 => (0u8..5, 1u8..6).prop_map(|(kind, count)| Op::Answer(kind, count)),
        3 => Just(Op::Lose),
        2 => Just(Op::Restart),
        1 => Just(Op::Wipe),
        1 => any::<bool>().prop_map(Op::Rotate),
        1 => any::<bool>().prop_map(Op::Secret),
        1 => any::<bool>().prop_map(Op::Down),
        1 => any::<bool>().prop_map(Op::Reachable),
        1 => any::<bool>().prop_map(Op::Slots),
        1 => any::<bool>().prop_map(Op::References),
        1 => any::<bool>().prop_map(Op::Registrable),
        1 => any::<bool>().prop_map(Op::SoftOff),
        1 => any::<bool>().prop_map(Op::Taken),
        1 => prop::bool::weighted(0.3).prop_map(|delete| if delete { Op::Delete } else { Op::Restart }),
    ]
}

/// The driver and what has to hold for it.
struct World {
    driver: Driver,
    /// Answers were put in the machine's mouth, so a refusal proves nothing.
    injected: usize,
    seen: usize,
    /// Refusals since the world last changed or time passed.
    refused: usize,
}

impl World {
    fn new() -> Self {
        let mut driver = Driver::new(plain());
        // The limit is a stop on purpose; it has a test of its own.
        driver.policy.max_provisioning_retries = 0;
        Self {
            driver,
            injected: 0,
            seen: 0,
            refused: 0,
        }
    }

    fn step(&mut self) -> bool {
        let before = self.driver.host.clone();
        let done = self.driver.step();
        if !done {
            self.refused = 0;
        }
        self.check(before.as_ref().map(crate::api::BareMetalHost::state));
        done
    }

    fn check(&mut self, before: Option<&State>) {
        let driver = &self.driver;
        for (effect, result) in &driver.effects[self.seen..] {
            if let Err(Fault::Refused(text)) = result
                && self.injected == 0
            {
                // The driver's view is never stale, so a verb that does not fit is a mistake.
                let soft = matches!(effect, Effect::Power(_)) && text.contains("soft");
                assert!(soft, "{effect:?} was refused: {text}");
            }
            self.injected = self.injected.saturating_sub(usize::from(result.is_err()));
            self.refused += usize::from(matches!(result, Err(Fault::Refused(_))));
            // A soft power-off is tried hard at once, and another phase has another try.
            assert!(self.refused < 8, "asked again and again: {effect:?}");
        }
        self.seen = driver.effects.len();
        let Some(host) = &driver.host else {
            return;
        };
        if *host.state() == State::Provisioned && before == Some(&State::Provisioning) {
            let url = &driver.status().provisioning.image.url;
            let disk = driver.machine.hardware.disk.as_deref().unwrap_or_default();
            assert_eq!(disk, url, "the wrong image");
        }
        if *host.state() == State::ExternallyProvisioned {
            // From here on what the spec says is taken to be there.
            self.driver.deployed = None;
        }
        let driver = &self.driver;
        let Some(host) = &driver.host else {
            return;
        };
        let waiting = host.status.as_ref().is_some_and(|status| {
            status
                .condition(&crate::api::ConditionType::Waiting)
                .is_some()
        });
        if let (Some(facts), Some(step)) = (driver.machine.facts(), &driver.last)
            && !step.blind
            && SlotKind::of(facts.state).is_some()
            && driver.taken.is_none()
        {
            // Not always of this kind: what is sent next may need another one already.
            assert!(driver.held.is_some(), "at work without a slot: {step:#?}");
        }
        if let Some(step) = &driver.last
            && !driver.had_outcome
            && step.status.is_none()
            && step.meta.is_empty()
            && step.effect.is_none()
        {
            assert!(step.notes.is_empty(), "an event again and again: {step:#?}");
        }
        if let Some(step) = &driver.last
            && step.why.settled
            && step.why.code != "Paused"
        {
            assert!(!waiting, "settled and waiting: {:?}", step.why);
        }
    }

    fn run(&mut self, op: &Op) {
        self.refused = 0;
        let driver = &mut self.driver;
        match op {
            Op::Step(count) => (0..*count).for_each(|_| {
                self.step();
            }),
            Op::Pass(count) => (0..*count).for_each(|_| {
                if !self.step() {
                    self.driver.pass();
                }
            }),
            Op::Image(image) => driver.edit(|host| {
                host.spec.image = image.map(|number| {
                    crate::api::Shared::new(Image {
                        url: format!("http://i/{number}"),
                        ..Image::default()
                    })
                });
            }),
            Op::Custom(on) => driver.edit(|host| {
                host.spec.custom_deploy = on.map(|number| CustomDeploy {
                    method: format!("install{number}"),
                });
            }),
            Op::BootMode(legacy) => driver.edit(|host| {
                host.spec.boot_mode = legacy.then_some(BootMode::Legacy);
            }),
            Op::Online(on) => driver.edit(|host| host.spec.online = *on),
            Op::External(on) => driver.edit(|host| host.spec.externally_provisioned = *on),
            Op::Raid(raid) => {
                driver.edit(|host| host.spec.raid = raid.map(|number| Box::new(volumes(number))));
            }
            Op::Hints(number) => driver.edit(|host| {
                let device_name = format!("/dev/sd{number}");
                host.spec.root_device_hints = Some(crate::api::Shared::new(RootDeviceHints {
                    device_name,
                    ..Default::default()
                }));
            }),
            Op::Setting(value) => {
                let values = ["Enabled", "Disabled", "Disabld"];
                let wanted = value.map(|value| ("ProcTurboMode", values[usize::from(value)]));
                driver.firmware.want(wanted.as_slice());
            }
            Op::Firmware(number) => {
                let url = number.map(|number| format!("http://f/{number}"));
                driver.firmware.update(url.as_deref());
            }
            Op::Unread => driver.firmware.settings = None,
            Op::DisablePowerOff(on) => driver.edit(|host| host.spec.disable_power_off = *on),
            Op::InspectionDisabled(on) => driver.edit(|host| {
                host.spec.inspection_mode = on.then_some(crate::api::InspectionMode::Disabled);
            }),
            Op::Annotate(name, value, true) => driver.annotate(name, value),
            Op::Annotate(name, _, false) => driver.remove_annotation(name),
            Op::Fail(task) => driver.machine.troubles.next.push_back(*task),
            Op::Answer(kind, count) => {
                let count = usize::from(*count);
                driver.answers.extend(vec![answer(*kind); count]);
                self.injected += count;
            }
            Op::Lose => {
                driver.lost += 1;
                self.injected += 1;
            }
            Op::Registrable(there) => {
                driver.unregistrable = (!there).then(|| "secret `net` not found".into());
            }
            Op::Restart => driver.restart(),
            Op::Wipe => driver.machine.lose(),
            Op::Rotate(right) => {
                driver.login.version += 1;
                driver.login.password = if *right { "right" } else { "wrong" }.into();
            }
            Op::Secret(there) => driver.login.present = *there,
            Op::Down(down) => driver.down = *down,
            Op::Reachable(on) => driver.machine.set_reachable(*on, driver.now),
            Op::Slots(on) => {
                driver.grants = if *on { Grants::ALL } else { Grants::default() };
            }
            Op::References(there) => {
                driver.missing = if *there {
                    Vec::new()
                } else {
                    vec!["secret `ud` not found".into()]
                };
            }
            Op::SoftOff(on) => driver.machine.hardware.soft_off = *on,
            Op::Taken(on) => {
                let free = driver.machine.facts().is_none();
                driver.taken = (*on && free).then(|| "the MAC belongs to `m~other`".into());
            }
            Op::Delete => driver.delete(),
        }
    }

    /// All is well again.
    fn heal(&mut self) {
        let driver = &mut self.driver;
        driver.machine.troubles.next.clear();
        driver.answers.clear();
        driver.lost = 0;
        driver.unregistrable = None;
        self.injected = 0;
        self.refused = 0;
        if driver.login.password != "right" {
            driver.login.version += 1;
            driver.login.password = "right".into();
        }
        driver.login.present = true;
        driver.down = false;
        driver.taken = None;
        driver.missing.clear();
        driver.grants = Grants::ALL;
        driver.machine.set_reachable(true, driver.now);
        for name in [
            annotation::PAUSED,
            annotation::DETACHED,
            "reboot.metal3.io/hold",
        ] {
            driver.remove_annotation(name);
        }
        driver.edit(|host| {
            // With power that must not be off, `online` false is refused by the webhook.
            if host.spec.disable_power_off {
                host.spec.online = true;
            }
        });
    }

    fn settle(&mut self) {
        for _ in 0..3000 {
            if !self.step() && !self.driver.pass() {
                return;
            }
        }
        panic!(
            "not settled: {:#?}\n{:#?}",
            self.driver.last,
            self.driver.machine.facts()
        );
    }

    fn at_goal(&mut self) {
        assert!(
            !self.driver.step(),
            "a fixpoint returns nothing: {:#?}",
            self.driver.last
        );
        let driver = &self.driver;
        let Some(host) = &driver.host else {
            return;
        };
        let why = &driver.last.as_ref().unwrap().why;
        assert!(
            why.settled,
            "{why:?}\n{:#?}\n{:#?}",
            driver.status(),
            driver.machine.facts()
        );
        assert!(host.metadata.deletion_timestamp.is_none(), "deletion ends");
        let facts = driver.machine.facts().unwrap();
        let url = host.spec.image.as_ref().map(|image| image.url.as_str());
        let wanted = url.is_some() || host.spec.custom_deploy.is_some();
        match host.state() {
            State::ExternallyProvisioned => {
                assert!(host.spec.externally_provisioned);
                assert_eq!(facts.state, NodeState::Active);
            }
            State::Provisioned => {
                assert!(wanted);
                assert_eq!(facts.state, NodeState::Active);
                assert_eq!(
                    driver.status().provisioning.image.url,
                    url.unwrap_or_default()
                );
            }
            State::Available => assert!(!wanted || !host.spec.online, "{:?}", host.spec),
            other => panic!("not a goal: {other}"),
        }
        assert_eq!(
            driver.machine.hardware.power, host.spec.online,
            "{:#?}",
            driver.last
        );
        assert_eq!(driver.status().error_count, 0);
        self.status_is_true();
    }

    /// What the status says of the machine is so.
    fn status_is_true(&self) {
        let driver = &self.driver;
        let Some(host) = &driver.host else {
            return;
        };
        let applied = &driver.status().provisioning;
        let known = applied.raid.as_deref().filter(|raid| raid.is_certain());
        if known.is_some() {
            assert_eq!(driver.made.as_deref(), known, "the volumes");
        }
        let standing = driver.firmware.standing();
        assert!(standing.unread.is_empty(), "{standing:?}");
        if *host.state() == State::Available {
            assert!(standing.changes.is_none(), "{standing:?}");
            let read = driver.firmware.setting("ProcTurboMode");
            let parts = crate::firmware::Parts {
                settings: true,
                components: false,
            };
            let found = driver.machine.read_firmware(parts).settings.unwrap();
            let there = found.into_iter().find(|it| it.name == "ProcTurboMode");
            assert_eq!(read, there.map(|it| it.value), "the setting");
            assert!(!applied.lacks_volumes(host.spec.raid.as_deref()));
        }
        assert_eq!(driver.boot_mode, applied.boot_mode, "the boot mode");
        if let Some(deployed) = &driver.deployed
            && *host.state() == State::Provisioned
        {
            let method =
                |custom: &Option<CustomDeploy>| custom.as_ref().map(|custom| custom.method.clone());
            assert_eq!(deployed.method, method(&applied.custom_deploy));
            assert_eq!(deployed.method, method(&host.spec.custom_deploy));
            assert_eq!(deployed.boot_mode, applied.boot_mode);
            let attempted = &driver.status().last_attempted_image;
            let url = attempted.as_ref().map(|image| image.url.as_str());
            assert_eq!(url.unwrap_or_default(), deployed.url);
        }
    }
}

fn volumes(number: u8) -> RaidConfig {
    let volume = HardwareRaidVolume {
        size_gibibytes: Some(i64::from(number)),
        level: RaidLevel::Raid1,
        name: "root".into(),
        rotational: None,
        number_of_physical_disks: None,
        controller: String::new(),
        physical_disks: Vec::new(),
    };
    let software = SoftwareRaidVolume {
        level: RaidLevel::Raid1,
        size_gibibytes: None,
        root_volume: false,
        physical_disks: Vec::new(),
    };
    match number {
        2 => RaidConfig {
            hardware_raid_volumes: None,
            software_raid_volumes: Some(vec![software]),
        },
        3 => RaidConfig {
            hardware_raid_volumes: None,
            software_raid_volumes: Some(Vec::new()),
        },
        _ => RaidConfig {
            hardware_raid_volumes: Some(vec![volume]),
            software_raid_volumes: None,
        },
    }
}

fn answer(kind: u8) -> Fault {
    match kind {
        0 => Fault::Busy {
            what: "locked".into(),
            retry: std::time::Duration::from_secs(1),
        },
        1 => Fault::Unreachable("connection refused".into()),
        2 => Fault::Unauthorized("401".into()),
        3 => Fault::Refused("400 bad".into()),
        _ => Fault::Gone,
    }
}

/// More with `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn whatever_happens_the_goal_is_reached(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        for op in &ops {
            world.run(op);
        }
        world.heal();
        world.settle();
        world.at_goal();
    }

    #[test]
    fn whatever_happens_deletion_ends(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        for op in &ops {
            world.run(op);
        }
        world.driver.delete();
        // Only what nobody can do without is healed: Ironic answers, and slots become free.
        world.driver.down = false;
        world.driver.answers.clear();
        world.driver.lost = 0;
        world.refused = 0;
        world.injected = 0;
        world.driver.grants = Grants::ALL;
        world.driver.remove_annotation(annotation::PAUSED);
        world.driver.remove_annotation(annotation::DETACHED);
        world.settle();
        prop_assert!(world.driver.host.is_none(), "{:#?}", world.driver.last);
    }
}
