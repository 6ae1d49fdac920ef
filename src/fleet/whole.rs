//! The digest of a whole fleet: which text it is.

use std::fmt::Display;

use super::{Canonical, Digest, Fields, Fleet, Ironic};

/// Parts of a text that cannot run into one another.
struct Parts(Vec<u8>);

impl Parts {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn digest(&mut self, digest: Digest) {
        self.0.extend_from_slice(&digest.0);
    }

    /// Nothing and an empty text are told apart.
    fn maybe(&mut self, text: Option<impl Display>) {
        match text {
            None => self.0.push(0),
            Some(text) => {
                self.0.push(1);
                self.text(&text.to_string());
            }
        }
    }
}

impl Fleet {
    /// SHA-256 over all that the fleet says, its machines (`ironic`, `simulated`, `secrets`)
    /// included. Equal fleets have equal digests; origins do not count.
    pub fn digest(&self) -> Digest {
        let mut canonical = Canonical::default();
        let mut parts = Parts(Vec::with_capacity(64 * self.hosts.len() + 1024));
        parts.text(&self.name);
        parts.text(&self.namespace);
        parts.text(&self.edition);
        parts.text(if self.lab { "lab" } else { "" });
        parts.maybe(self.secrets.as_ref());
        parts.maybe(self.simulation.as_ref().map(|one| format!("{one:?}")));
        parts.count(self.ironics.len());
        for ironic in &self.ironics {
            // Taken apart, so that no field is forgotten.
            let Ironic {
                name,
                url,
                auth,
                ca,
                verify_ca,
                ramdisk,
                inspect,
                clean,
                deploy,
                origin: _,
            } = ironic;
            parts.text(name);
            parts.text(url);
            parts.maybe(auth.as_ref());
            parts.maybe(ca.as_ref());
            parts.text(if *verify_ca { "verify" } else { "" });
            parts.maybe(ramdisk.as_ref().map(|one| &*one.kernel));
            parts.maybe(ramdisk.as_ref().map(|one| &*one.initramfs));
            parts.maybe(*inspect);
            parts.maybe(*clean);
            parts.maybe(*deploy);
        }
        parts.count(self.images.len());
        for image in &self.images {
            parts.digest(image.digest);
        }
        parts.count(self.pools.len());
        for pool in &self.pools {
            parts.digest(canonical.of(&self.edition, &pool.name, &pool.fields));
        }
        parts.count(self.hosts.len());
        // Members of one pool mostly have the same from it.
        let mut last: Option<(&Fields, Digest)> = None;
        for host in &self.hosts {
            parts.text(&host.name);
            parts.digest(host.digest);
            parts.maybe(host.rack.as_ref());
            parts.maybe(host.pool.as_ref().map(|candidate| &candidate.pool));
            if let Some(candidate) = &host.pool {
                let digest = match last {
                    Some((fields, digest)) if *fields == candidate.fields => digest,
                    _ => canonical.of(&self.edition, &candidate.pool, &candidate.fields),
                };
                last = Some((&candidate.fields, digest));
                parts.digest(digest);
            }
        }
        parts.count(self.held.len());
        for held in &self.held {
            parts.text(&held.name);
        }
        Digest::of(&parts.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::plan::testing::{spec, workers};

    #[test]
    fn a_digest_tells_texts_apart_and_not_where_they_are_written() {
        let digest = |text: &str| spec(text).fleet.digest();
        let base = workers(3, "");
        assert_eq!(digest(&base), digest(&base.replace('\n', "\n\n")));
        let others = [
            workers(2, ""),
            workers(3, "refine n03 { description d; }"),
            workers(3, "refine n03 { labels role=none; }"),
            base.replace("deploy a", "deploy b"),
            base.replace("deploy a", "deploy a { user-data (secret)u; }"),
            base.replace("deploy a;", "deploy a; replicas 2;"),
            base.replace("20260701", "20260702"),
            base.replace("spec lab", "spec lub"),
            base.replace("simulated;", "simulated pace=2;"),
            base.replace("simulated;", "simulated; secrets s;"),
            base.replace("simulated;", "")
                .replace("pool", "ironic i { url \"http://10.0.0.1\"; }\npool"),
            base.replace("simulated;", "").replace(
                "pool",
                "ironic i { url \"http://10.0.0.1\"; ramdisk kernel=\"http://10.0.0.1/k\" \
                 initramfs=\"http://10.0.0.1/i\"; }\npool",
            ),
        ];
        let all: BTreeSet<_> = others.iter().map(|text| digest(text)).collect();
        assert_eq!(all.len(), others.len());
        assert!(!all.contains(&digest(&base)));
    }
}
