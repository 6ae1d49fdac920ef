//! A process that is killed.

use super::*;

const CHILD: &str = "METALFORM_TEST_STORE";

/// What the next test runs and kills; by itself it does nothing. Prints each write once it is acknowledged.
#[tokio::test]
async fn child_that_writes() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Embedded::open(Path::new(&path), options().fold_entries(50)).unwrap();
    let start = Store::<Widget>::list(&store).len();
    for round in 0.. {
        let writes = (0..5).map(|n| {
            let store = &store;
            async move {
                let name = format!("a{}", (start + round) % 40 + n);
                let widget = try_apply(store, &name, round).await.unwrap();
                println!("ACK {name} {} {round}", widget.version().0);
            }
        });
        join_all(writes).await;
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut acknowledged: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for kill in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::embedded::tests::bad_days::kill::child_that_writes")
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = 0;
        for line in lines {
            let Ok(line) = line else { break };
            let mut words = line
                .split_whitespace()
                .skip_while(|word| *word != "ACK")
                .skip(1);
            if let (Some(name), Some(version), Some(round)) =
                (words.next(), words.next(), words.next())
            {
                let value = (version.parse().unwrap(), round.parse().unwrap());
                acknowledged.insert(name.to_owned(), value);
                told += 1;
            }
            // Somewhere in a commit, a fold, or between.
            if told == 60 + kill * 37 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(told > 0, "the child wrote nothing");
        let store = open(&path);
        for (name, (version, round)) in &acknowledged {
            let widget: Arc<Widget> = store.get(&key(name)).unwrap();
            assert!(
                widget.version().0 >= *version,
                "{name} is older than acknowledged"
            );
            let found = widget
                .spec
                .get("n")
                .and_then(serde_json::Value::as_u64)
                .unwrap();
            assert!(
                widget.version().0 > *version || found == *round,
                "{name} has another value"
            );
        }
    }
}
