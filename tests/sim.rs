//! Scripts of fleets over time, on simulated machines and virtual time: `tests/sim/*.txt`, each with
//! what it prints in the `.snap` beside it. `tests/sim/README.md` says what a script can do.
//!
//! Everything is real but the machines: text, evaluation, plan, store, engine. `INSTA_UPDATE=always`
//! records what scripts print now.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "sim/kills.rs"]
mod kills;
#[path = "sim/play.rs"]
mod play;
#[path = "sim/stage.rs"]
mod stage;

/// One test a script.
macro_rules! scripts {
    ($($name:ident)+) => {
        const SCRIPTS: &[&str] = &[$(stringify!($name)),+];
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                check(stringify!($name)).await;
            }
        )+
    };
}

scripts! {
    available
    broken_edit
    busy
    credentials
    deletion
    deletion_of_failed
    deploy_failure
    fairness
    firmware
    happy_life
    image_roll
    inspection_failure
    lost_bmc
    lost_early
    lost_node
    outage_at_start
    outage_in_between
    percent
    power
    power_failure
    restart
    slots
    slow_bmc
}

async fn check(name: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sim");
    let script = std::fs::read_to_string(format!("{folder}/{name}.txt")).unwrap();
    let printed = play::play(&script).await;
    // The same again: nothing in it depends on anything but the script.
    assert_eq!(
        printed,
        play::play(&script).await,
        "{name} differs from run to run"
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, printed));
}

#[test]
fn no_script_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sim");
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    there.sort();
    let mut known = SCRIPTS.to_vec();
    known.sort_unstable();
    assert_eq!(there, known);
}
