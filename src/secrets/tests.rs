use std::path::Path;

use serde_json::json;

use super::*;
use crate::provision::Effect;
use crate::reconcile::Credentials;

const CANARY: &str = "c4n4ry-5up3r-s3cr3t";

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, SecretsFolder) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(dir.path(), path, text.as_bytes());
    }
    let source = SecretsFolder::new(dir.path().to_owned());
    (dir, source)
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn host(spec: serde_json::Value) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": {"name": "h", "namespace": "metal3"},
        "spec": spec,
    }))
    .unwrap()
}

#[test]
fn reads_one_file_a_key_and_passes_over_what_is_none() {
    let (_dir, source) = folder(&[
        ("bmc/username", "admin\n"),
        ("bmc/password", "pw"),
        ("bmc/.dockerconfigjson", "{}"),
        ("bmc/password~", "old"),
        ("bmc/.password.swp", "x"),
        ("bmc/sub/file", "y"),
    ]);
    let secret = source.read("metal3", "bmc").unwrap();
    let keys: Vec<&String> = secret.data.keys().collect();
    assert_eq!(keys, [".dockerconfigjson", "password", "username"]);
    assert_eq!(secret.trimmed("username").unwrap().reveal(), "admin");
}

#[cfg(unix)]
#[test]
fn a_mount_is_read_from_one_moment_and_followed_through_swaps() {
    use std::os::unix::fs::symlink;

    let (dir, source) = folder(&[("bmc/..1/password", "old"), ("bmc/..2/password", "new")]);
    let bmc = dir.path().join("bmc");
    symlink("..1", bmc.join("..data")).unwrap();
    symlink("..data/password", bmc.join("password")).unwrap();
    let read = || {
        source.read("metal3", "bmc").unwrap().data["password"]
            .reveal()
            .to_owned()
    };
    assert_eq!(read(), "old");
    symlink("..2", bmc.join("..data_tmp")).unwrap();
    std::fs::rename(bmc.join("..data_tmp"), bmc.join("..data")).unwrap();
    assert_eq!(read(), "new");
    assert!(source.watched().contains(&bmc.join("password")));
}

#[test]
fn says_what_to_watch() {
    let (dir, source) = folder(&[("a/username", "x"), ("a/password~", "x"), ("b/value", "x")]);
    let all: Vec<String> = source
        .watched()
        .iter()
        .map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string())
        .collect();
    assert_eq!(all, ["", "a", "a/username", "b", "b/value"]);
    assert!(SecretsFolder::new(None).watched().is_empty());
    let gone = SecretsFolder::new(dir.path().join("gone"));
    assert_eq!(gone.watched(), [dir.path().join("gone")], "it may come");
}

#[test]
fn errors_name_the_path_and_never_the_content() {
    let (dir, source) = folder(&[("file", CANARY)]);
    write(
        dir.path(),
        "binary/key",
        &[CANARY.as_bytes(), &[0xff, 0xfe]].concat(),
    );
    write(dir.path(), "large/key", &vec![b'x'; (1 << 20) + 1]);
    let at = |path: &str| dir.path().join(path).display().to_string();
    for (name, expected) in [
        (
            "bmc",
            format!("secret `bmc` not found: tried {}", at("bmc")),
        ),
        (
            "file",
            format!(
                "cannot be read: {}: it is a file; a secret is a folder",
                at("file")
            ),
        ),
        (
            "binary",
            format!(
                "{}: it is not UTF-8 text: byte 19 begins no",
                at("binary/key")
            ),
        ),
        (
            "large",
            format!("{}: the secret is larger than 1 MiB", at("large/key")),
        ),
    ] {
        let error = source.read("metal3", name).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&expected), "{text}\n{expected}");
        assert!(
            !text.contains(CANARY) && !format!("{error:?}").contains(CANARY),
            "{text}"
        );
    }
    let text = SecretsFolder::new(None)
        .read("metal3", "bmc")
        .unwrap_err()
        .to_string();
    assert!(text.contains("--secrets DIR"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let (dir, source) = folder(&[("bmc/password", CANARY)]);
    let path = dir.path().join("bmc/password");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o0)).unwrap();
    // Root reads everything; then there is nothing to see.
    if std::fs::read(&path).is_err() {
        let text = source.read("metal3", "bmc").unwrap_err().to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
}

#[test]
fn does_not_leave_the_folder() {
    let (_dir, source) = folder(&[("bmc/username", "admin"), ("in/side/username", "admin")]);
    for name in ["../bmc", "..", ".", "", "in/side", "in\\side", "/etc"] {
        let error = source.read("metal3", name).unwrap_err();
        assert_eq!(error.code(), "SecretUnreadable", "{name}");
    }
}

#[test]
fn nothing_shows_content() {
    let sealed = || Sealed::new(CANARY);
    let secret = Secret::new([("password".to_owned(), sealed())].into());
    let job = JobSecrets {
        bmc: Some((sealed(), sealed())),
        user_data: Some(sealed()),
        network_data: Some(sealed()),
        meta_data: Some(sealed()),
        preprovisioning_network_data: Some(sealed()),
        image_pull: Some(sealed()),
    };
    struct Fixed(Secret);
    impl Secrets for Fixed {
        fn read(&self, _: &str, _: &str) -> Result<Secret, SecretError> {
            Ok(self.0.clone())
        }
    }
    let host = host(json!({"online": true, "bmc": {"address": "x", "credentialsName": "bmc"}}));
    let source = Fixed(secret.clone());
    let credentials = credentials(&host, &source, &salt());
    let shown = [
        format!("{:?} {:#?}", sealed(), secret),
        format!("{job:?} {job:#?}"),
        format!("{credentials:?}"),
        format!("{:?}", job_secrets(&host, &Effect::Deploy, &source)),
    ];
    for text in shown {
        assert!(!text.contains(CANARY), "{text}");
    }
    // There is no other way to show one: this does not compile with a `Display` or `Serialize`.
    trait Shown {
        const IS: bool = false;
    }
    impl<T: ?Sized> Shown for T {}
    struct Ask<T: ?Sized>(std::marker::PhantomData<T>);
    #[expect(dead_code, reason = "only there if the bound holds")]
    impl<T: std::fmt::Display + ?Sized> Ask<T> {
        const IS: bool = true;
    }
    const { assert!(!<Ask<Sealed>>::IS, "Sealed must not have a Display") };
}

fn salt() -> Salt {
    Salt::new([1; 32])
}

#[test]
fn cache_answers_until_told_to_forget() {
    let (dir, source) = folder(&[("bmc/username", "old")]);
    let cache = CachedSecrets::new(source);
    let name = || {
        cache.read("m", "bmc").unwrap().data["username"]
            .reveal()
            .to_owned()
    };
    assert_eq!(name(), "old");
    write(dir.path(), "bmc/username", b"new");
    assert_eq!(name(), "old");
    assert!(cache.read("m", "late").is_err());
    write(dir.path(), "late/username", b"x");
    assert!(cache.read("m", "late").is_err());
    cache.forget();
    assert_eq!(name(), "new");
    assert!(cache.read("m", "late").is_ok());
}

#[test]
fn credentials_change_with_user_and_password_alone() {
    let (dir, source) = folder(&[("bmc/username", " admin\n"), ("bmc/password", "pw\n")]);
    let host = host(json!({"online": true, "bmc": {"address": "x", "credentialsName": "bmc"}}));
    let first = credentials(&host, &source, &salt());
    assert!(matches!(first, Credentials::Present { .. }));
    write(dir.path(), "bmc/note", b"hello");
    write(dir.path(), "bmc/password", b"pw");
    assert_eq!(credentials(&host, &source, &salt()), first);
    let elsewhere = credentials(&host, &source, &Salt::new([2; 32]));
    assert_ne!(elsewhere, first, "another store tells another version");
    write(dir.path(), "bmc/password", b"other");
    assert_ne!(credentials(&host, &source, &salt()), first);
    write(dir.path(), "bmc/password", b" \n");
    let Credentials::Invalid(text) = credentials(&host, &source, &salt()) else {
        panic!("usable")
    };
    assert_eq!(text, "secret `bmc`, key `password`: it is empty");
    std::fs::remove_file(dir.path().join("bmc/password")).unwrap();
    let Credentials::Invalid(text) = credentials(&host, &source, &salt()) else {
        panic!("usable")
    };
    let tried = dir.path().join("bmc/password");
    let tried = tried.display();
    assert_eq!(
        text,
        format!("secret `bmc`, key `password`: it is not there: tried {tried}")
    );
    std::fs::remove_dir_all(dir.path().join("bmc")).unwrap();
    assert!(matches!(
        credentials(&host, &source, &salt()),
        Credentials::Missing(_)
    ));
}

fn full() -> serde_json::Value {
    json!({
        "online": true,
        "bmc": {"address": "x", "credentialsName": "bmc"},
        "image": {"url": "oci://r.io/os", "ociAuthSecretName": "pull"},
        "userData": {"name": "user"},
        "metaData": {"name": "meta"},
        "preprovisioningNetworkDataName": "ramdisk",
    })
}

#[test]
fn an_effect_gets_what_it_needs_and_no_more() {
    let (_dir, source) = folder(&[
        ("bmc/username", "u"),
        ("bmc/password", "p"),
        (
            "pull/.dockerconfigjson",
            r#"{"auths":{"r.io":{"username":"a","password":"b"}}}"#,
        ),
        ("user/userData", "#cloud-config"),
        ("user/value", "not this"),
        ("meta/value", "m: 1"),
        ("ramdisk/networkData", "links: []"),
    ]);
    let host = host(full());
    assert_eq!(missing(&host, &source), Missing::default());
    let text = |sealed: &Option<Sealed>| {
        sealed
            .as_ref()
            .map(|sealed| sealed.reveal().to_owned())
            .unwrap_or_default()
    };
    let all = job_secrets(&host, &Effect::Deploy, &source).unwrap();
    assert_eq!(text(&all.user_data), "#cloud-config");
    assert_eq!(text(&all.meta_data), "m: 1");
    assert_eq!(
        text(&all.network_data),
        "links: []",
        "the ramdisk's stands in"
    );
    assert_eq!(text(&all.image_pull), "a:b");
    let some = job_secrets(&host, &Effect::Amend { credentials: None }, &source).unwrap();
    assert!(some.bmc.is_some() && some.preprovisioning_network_data.is_some());
    assert!(some.user_data.is_none() && some.image_pull.is_none());
    let none = job_secrets(&host, &Effect::Adopt, &source).unwrap();
    assert!(none.bmc.is_none() && none.preprovisioning_network_data.is_none());
    for boots in [
        Effect::Inspect,
        Effect::Clean { firmware: None },
        Effect::Provide,
        Effect::Deploy,
        Effect::Undeploy,
    ] {
        let job = job_secrets(&host, &boots, &source).unwrap();
        assert!(job.preprovisioning_network_data.is_some(), "{boots:?}");
        assert!(job.bmc.is_none(), "{boots:?}");
    }
}

/// Whoever may write hosts in one namespace is not to read Secrets of another.
#[test]
fn a_secret_of_another_namespace_is_not_read_nor_one_of_its_name_in_its_place() {
    let (_dir, source) = folder(&[("user/userData", "#cloud-config")]);
    let of = |namespace: &str| {
        let mut host = host(json!({ "userData": { "name": "user", "namespace": namespace } }));
        host.metadata.namespace = Some("metal3".into());
        host
    };
    for own in ["", "metal3"] {
        assert_eq!(missing(&of(own), &source), Missing::default());
        assert!(named(&of(own)).contains(&("user", Use::Deployment)));
    }
    let host = of("kube-system");
    assert_eq!(
        missing(&host, &source).all,
        [
            "secret `user` of the namespace `kube-system` is not read: a host has those of its own \
             namespace only; put it there, and leave out the namespace"
        ]
    );
    assert!(job_secrets(&host, &Effect::Deploy, &source).is_err());
    assert!(named(&host).iter().all(|(name, _)| *name != "user"));
}

/// What is on the machine is taken off, and what it has of a network stays.
#[test]
fn a_missing_network_of_the_ramdisk_fails_no_effect_but_those_that_write_it_first() {
    let (_dir, source) = folder(&[("bmc/username", "u"), ("bmc/password", "p")]);
    let host = host(full());
    for effect in [Effect::Inspect, Effect::Undeploy, Effect::Adopt] {
        let job = job_secrets(&host, &effect, &source).unwrap();
        assert!(job.preprovisioning_network_data.is_none());
    }
    let amend = Effect::Amend { credentials: None };
    assert!(job_secrets(&host, &amend, &source).is_err());
}

#[test]
fn what_a_deployment_waits_for_is_told_once_each() {
    let (dir, source) = folder(&[("user/other", "x"), ("pull/.dockerconfigjson", "{}")]);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let missing = missing(&host(full()), &source);
    let ramdisk = format!("secret `ramdisk` not found: tried {}", at("ramdisk"));
    assert_eq!(missing.registering.as_ref(), Some(&ramdisk));
    assert_eq!(
        missing.all,
        [
            "secret `user` has neither key `userData` nor `value`".to_owned(),
            format!("secret `meta` not found: tried {}", at("meta")),
            ramdisk,
            "secret `pull`, key `.dockerconfigjson`: it has no `auths` with registries".to_owned(),
        ]
    );
    let error = job_secrets(&host(full()), &Effect::Deploy, &source).unwrap_err();
    assert_eq!(error.code(), "SecretWithoutKey");
}
