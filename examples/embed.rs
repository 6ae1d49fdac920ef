//! The engine inside another program: a fleet is evaluated, lowered to objects, and simulated machines
//! are driven until nothing is left to do. Real machines need `provision::ironic` in the place of
//! `provision::sim`; all else stays.
//!
//! ```text
//! cargo run --example embed -- specs/single
//! ```
#![allow(
    clippy::print_stdout,
    reason = "this is a program, and that is its answer"
)]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metalform::desired::desired;
use metalform::engine::{
    self, Clock, DEFAULT_MACHINES, Engine, Machines, Metrics, Standing, Telling,
};
use metalform::eval::{Cache, Inputs, Limits, evaluate};
use metalform::plan::Grants;
use metalform::provision::sim;
use metalform::secrets::{CachedSecrets, Salt, SecretsFolder};
use metalform::store::{self, Embedded};
use metalform::vfs::RealDisk;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "specs/single".to_owned()),
    );
    let inputs = Inputs {
        disk: &RealDisk,
        root: &root,
        params: None,
        limits: Limits::default(),
    };
    let evaluation = evaluate(&inputs, &mut Cache::default());
    let simulation = evaluation.fleet.simulation.as_ref();
    let simulation = simulation.ok_or("the spec does not say `simulated`")?;
    if evaluation.has_errors() {
        return Err("the spec has errors; see `metalform check`".into());
    }

    // Where objects live, and the machines. Both go with the folder.
    let home = tempfile::tempdir()?;
    let clock = Clock::starting_at(jiff::Timestamp::now());
    let store = Arc::new(Embedded::open(
        &home.path().join("store.redb"),
        store::Options::default(),
    )?);
    let options = sim::Options::from_spec(simulation)?;
    let simulated = sim::Simulation::open(&home.path().join("machines"), options, clock)?;
    let machines: Machines = [(Arc::from(DEFAULT_MACHINES), Arc::new(simulated) as Arc<_>)].into();
    let folder = evaluation
        .fleet
        .secrets
        .as_ref()
        .map(|folder| root.join(&**folder));
    let secrets = Arc::new(CachedSecrets::new(SecretsFolder { root: folder }));

    // The engine drives machines to what the store says; `follow` brings the spec into the store.
    let metrics = Arc::new(Metrics::default());
    let options = engine::Options {
        salt: Salt::new(store.salt()),
        ..engine::Options::default()
    };
    let engine = Engine::new(
        Arc::clone(&store),
        machines,
        secrets,
        clock,
        metrics,
        options,
    );
    let engine = Arc::new(engine);
    let (fleet, files) = (
        Arc::clone(&evaluation.fleet),
        Arc::new(evaluation.files.clone()),
    );
    let wanted = desired(&fleet, &files, evaluation.complete, &[], None);
    let count = wanted.hosts.len();
    let (_wanted, following) = watch::channel(Some(Arc::new(wanted)));
    let (telling, standing) = watch::channel(Standing::default());
    // Nobody looks at plans here.
    let (plans, _) = mpsc::unbounded_channel();
    let telling = Telling {
        standing: telling,
        plans,
    };
    let stop = CancellationToken::new();
    let follow = engine::follow(
        Arc::clone(&store),
        following,
        Grants::default(),
        telling,
        stop.clone(),
    );
    let follow = tokio::spawn(follow);
    let (driver, token) = (Arc::clone(&engine), stop.clone());
    let driving = tokio::spawn(async move { driver.run(token).await });

    // Something happened, or a second went by: is anything left to do?
    let mut activity = engine.activity();
    loop {
        tokio::time::timeout(Duration::from_secs(1), activity.changed())
            .await
            .ok();
        let overview = engine.overview();
        let applied = standing.borrow().applied();
        if applied && overview.hosts.len() == count && overview.settled() {
            for line in &overview.hosts {
                println!(
                    "{} {}",
                    line.host.metadata.name.as_deref().unwrap_or("?"),
                    line.state()
                );
            }
            break;
        }
    }
    stop.cancel();
    driving.await??;
    follow.await?;
    store.close().await?;
    Ok(())
}
