//! What a real Ironic does on its own, and what is not to be lost by it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::fleet::Fleet;
use crate::lab;

/// Where everything is somewhere else. Serves until the process ends.
fn redirector(to: &str) -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let to = to.trim_end_matches('/').to_owned();
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let (mut stream, to) = (stream, to.clone());
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                let mut bytes = [0; 1024];
                while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut bytes) {
                        Ok(some @ 1..) => seen.extend_from_slice(&bytes[..some]),
                        _ => return,
                    }
                }
                let first = String::from_utf8_lossy(&seen);
                let path = first.split(' ').nth(1).unwrap_or("/");
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nLocation: {to}{path}\r\nContent-Length: 0\r\n\
                     Connection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).ok();
            });
        }
    });
    url
}

/// Ironic 39 writes the last URL of a redirect into `instance_info`: that is no other image.
#[test]
fn an_image_that_is_somewhere_else_is_deployed_once() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "led", 21, 1);
    fleet.image = Some(0);
    fleet.save();
    let real = fleet.image_url(0);
    let files = lab.about["files_url"].as_str().unwrap();
    let led = real.replace(files.trim_end_matches('/'), &redirector(files));
    assert_ne!(led, real);
    fleet.project.edit("fleet.kdl", &real, &led);
    let from = lab.mark();
    fleet.settle(&[]);
    let node = &lab.nodes()["led-1"];
    assert_eq!(
        (node.state.as_str(), node.image.as_str()),
        ("active", real.as_str())
    );
    let hosts = fleet.project.hosts();
    assert_eq!(
        hosts[0]["status"]["provisioning"]["image"]["url"],
        led.as_str()
    );
    // Nor is it for whoever starts anew.
    fleet.settle(&[]);
    let done = lab.done("led", from);
    assert_eq!(done.get("led-1 active"), Some(&1), "{done:?}");
    assert_eq!(done.get("led-1 deleted"), None, "{done:?}");
    fleet.remove();
}

/// Whatever else cannot be written of a host that goes, that its disks are to be kept can.
#[test]
fn disks_that_are_to_be_kept_are_kept_also_without_credentials() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "kept", 22, 1);
    fleet.image = Some(0);
    fleet.save();
    fleet.settle(&[]);
    let uuid = lab.nodes()["kept-1"].uuid.clone();
    let path = format!("/v1/nodes/{uuid}");
    assert_eq!(lab.get(&path)["automated_clean"], true);
    // The wish comes with the loss of the credentials, so nothing is amended.
    fleet.machines[0].more = "cleaning disabled".into();
    fleet.save();
    let secret = fleet.project.path("secrets/bmc");
    let away = fleet.project.path("secrets/away");
    std::fs::rename(&secret, &away).unwrap();
    let running = fleet.run();
    fleet.until("its credentials are missed", |hosts| {
        let status = &hosts[0]["status"];
        hosts[0]["spec"]["automatedCleaningMode"] == "disabled"
            && status["errorType"] == "registration error"
    });
    running.interrupt().code(0);
    assert_eq!(lab.get(&path)["automated_clean"], true);
    let from = lab.mark();
    fleet.remove();
    let asked = lab.asked(from);
    let of_it = asked
        .iter()
        .filter(|asked| asked.path.contains(&uuid) && asked.is_done());
    let what: Vec<_> = of_it
        .filter(|asked| asked.method == "PATCH" || !asked.target.is_empty())
        .map(|asked| format!("{} {}", asked.method, asked.target))
        .collect();
    assert_eq!(what[..2], ["PATCH ", "PUT deleted"], "{what:?}");
    assert!(
        !what.iter().any(|what| what.contains("provide")),
        "{what:?}"
    );
}
