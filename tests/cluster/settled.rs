//! Hosts of the Bare Metal Operator's that rest: in every state in which they do.

use serde_json::{Value, json};

use crate::other_operator::Change;
use crate::recording::Moment;

/// A host of the Bare Metal Operator's: its name, when in which recording, what is other about it.
pub struct Taken {
    pub name: &'static str,
    pub moment: Moment,
    pub change: Change,
}

/// Those of them whose status is completed by whoever takes them over, once: one of a release that
/// wrote no conditions, one in an error, which gets the one that says when it is tried again, and one
/// whose service has ended meanwhile.
pub const TOLD: [&str; 3] = ["older", "refused", "serviced"];

const fn moment(scenario: &'static str, sent: (&'static str, usize), seen: usize) -> Moment {
    Moment {
        scenario,
        sent,
        seen,
    }
}

/// What the recordings tell of hosts that rest.
pub fn taken() -> Vec<Taken> {
    let usual = Change::default();
    let offline = || json!({ "online": false });
    let host = |name, moment, change| Taken {
        name,
        moment,
        change,
    };
    vec![
        host("available", moment("s01-life", ("inspect", 1), 9), usual),
        host(
            "available-off",
            moment("s02-liveiso", ("PATCH", 1), 7),
            Change {
                spec: Some(offline),
                ..usual
            },
        ),
        host(
            "sharing",
            moment("s02-liveiso", ("PATCH", 1), 7),
            Change {
                spec: Some(offline),
                shares: Some("available-off-bmc"),
                ..usual
            },
        ),
        // Releases before the recorded one wrote no conditions.
        host(
            "older",
            moment("s02-liveiso", ("PATCH", 1), 7),
            Change {
                spec: Some(offline),
                status: Some(|| json!({ "conditions": null })),
                ..usual
            },
        ),
        host("used", moment("s02-liveiso", ("deleted", 1), 14), usual),
        host("provisioned", moment("s01-life", ("active", 1), 13), usual),
        host(
            "provisioned-off",
            moment("s01-life", ("soft power off", 1), 16),
            usual,
        ),
        host(
            "serviced",
            moment("s01-life", ("active", 1), 13),
            Change {
                status: Some(servicing),
                ..usual
            },
        ),
        // Somebody is at it, and has nothing else be done to it meanwhile.
        host(
            "upkeep",
            moment("s02-liveiso", ("PATCH", 1), 7),
            Change {
                spec: Some(offline),
                upkeep: true,
                ..usual
            },
        ),
        host("live", moment("s02-liveiso", ("active", 1), 10), usual),
        host("external", moment("s13-external", ("adopt", 1), 6), usual),
        host("detached", moment("s17-detach", ("DELETE", 1), 12), usual),
        host(
            "paused",
            moment("s02-liveiso", ("PATCH", 1), 7),
            Change {
                annotation: Some("baremetalhost.metal3.io/paused"),
                powerless: true,
                ..usual
            },
        ),
        host(
            "refused",
            moment("s02-liveiso", ("manage", 1), 4),
            Change {
                status: Some(refused),
                password: Some("wrong"),
                powerless: true,
                ..usual
            },
        ),
    ]
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": 1,
    })
}

/// After the reference: that operator has the machine's firmware changed, or had when it was stopped.
fn servicing() -> Value {
    json!({
        "operationalStatus": "servicing",
        "conditions": [
            condition("Ready", "False", "Servicing"),
            condition("AvailableForProvisioning", "False", "NotAvailable"),
            condition("Healthy", "Unknown", "Unknown"),
            condition("Manageable", "True", "Manageable"),
            condition("Progressing", "True", "Servicing"),
            condition("Provisioned", "True", "Provisioned"),
        ],
    })
}

/// No recording has one of these: after the reference, a host whose BMC refused the password seven
/// times.
fn refused() -> Value {
    json!({
        "operationalStatus": "error", "errorType": "registration error", "errorCount": 7,
        // Tried again an hour or two after this, however slowly the stage is set: after three errors it
        // was a matter of minutes, and a busy machine took them.
        "lastUpdated": jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
        "conditions": [
            condition("Ready", "False", "Error"),
            condition("AvailableForProvisioning", "False", "NotAvailable"),
            condition("Healthy", "Unknown", "Unknown"),
            condition("Manageable", "False", "RegistrationFailed"),
            condition("Progressing", "True", "Registering"),
            condition("Provisioned", "False", "NotProvisioned"),
        ],
    })
}

/// Nor of these: a host without a BMC.
pub fn unmanaged() -> Value {
    let never = json!({ "start": null, "end": null });
    json!({
        "conditions": [
            condition("Ready", "False", "NotProvisioned"),
            condition("AvailableForProvisioning", "False", "NotAvailable"),
            condition("Healthy", "Unknown", "Unknown"),
            condition("Manageable", "False", "NotManaged"),
            condition("Progressing", "False", "NotProgressing"),
            condition("Provisioned", "False", "NotProvisioned"),
        ],
        "errorCount": 0, "errorMessage": "", "goodCredentials": {}, "triedCredentials": {},
        "operationHistory": {
            "register": never, "inspect": never, "provision": never, "deprovision": never,
        },
        "operationalStatus": "discovered", "poweredOn": false, "provisioningFailCount": 0,
        "provisioning": { "ID": "", "image": { "url": "" }, "state": "unmanaged" },
    })
}
