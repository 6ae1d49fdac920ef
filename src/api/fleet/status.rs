//! The status of a fleet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FleetCondition;
use crate::api::Timestamp;
use crate::api::text::text_enum;
use crate::api::wire::{self, Extra, is_zero};

text_enum! {
    schema: closed;
    /// How bad a finding is.
    pub enum FindingSeverity {
        /// Nothing is changed before it is mended.
        Error = "error",
        /// Probably not what was meant.
        Warning = "warning",
    }
}

/// What came of the files, and how the machines are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetStatus {
    /// The generation of the object that this status was written for; 0 when not told.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub observed_generation: i64,
    /// The files as they were last read, valid or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<FleetSource>,
    /// Digest of the fleet that was applied last: the one of `lastGood`, once all of its changes are
    /// written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The last fleet without errors, which is the one that is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// How the hosts are.
    // This and the next two are always written, so that the columns show 0.
    pub hosts: HostCounts,
    /// Errors in the files, those beyond the end of `findings` too.
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub errors: i64,
    /// Warnings about the files, those beyond the end of `findings` too.
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub warnings: i64,
    /// What is wrong with the files, errors first; at most [`MOST_FINDINGS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        description = "What is wrong with the files, errors first; the first hundred.",
        extend("maxItems" = MOST_FINDINGS, "x-kubernetes-list-type" = "atomic")
    )]
    pub findings: Vec<Finding>,
    /// Conditions, one of a type: Valid, Synced, Ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "x-kubernetes-list-map-keys" = ["type"],
        "x-kubernetes-list-type" = "map"
    ))]
    pub conditions: Vec<FleetCondition>,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// The most findings that a status has: an object has to fit into a server's store (1.5 MB), and
/// nobody reads more. A server refuses a status with more.
pub const MOST_FINDINGS: usize = 100;

/// Files at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["path"] }))]
pub struct FleetSource {
    /// The root file, as the process sees it.
    pub path: String,
    /// Digest of the texts of all files that were read; absent when they cannot be read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// A fleet without errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-go" = { "required": ["digest", "time"] }))]
pub struct LastGood {
    /// Its digest.
    #[serde(default)]
    pub digest: String,
    /// When it was first read.
    #[serde(with = "wire::time")]
    #[schemars(schema_with = "wire::time_schema")]
    pub time: Timestamp,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// How many hosts are how. Each counts under the first of failed, held, progressing and ready that
/// it is, and so the four add up to the total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["failed", "held", "progressing", "ready", "total"] }))]
pub struct HostCounts {
    /// All hosts of the fleet, those that are on their way out of it too.
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub total: i64,
    /// Are as the files say, with nothing left to do.
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub ready: i64,
    /// Are on their way, or wait for their turn.
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub progressing: i64,
    /// Have an error in their status.
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub failed: i64,
    /// Wait for a person: for a word that allows a destruction, for a Secret, for an error in the
    /// files to be mended.
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub held: i64,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// Something that is wrong with the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-go" = { "required": ["code", "message", "severity"] }))]
pub struct Finding {
    /// The rule, as MF2400; `metalform explain` has a page on it.
    #[serde(default)]
    pub code: String,
    /// How bad it is.
    pub severity: FindingSeverity,
    /// What is wrong, in words.
    #[serde(default)]
    pub message: String,
    /// The file, below the root of the spec; absent when it is about no place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The line, from 1; absent when it is about no place.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("minimum" = 1, "x-go" = { "format": "int64" }))]
    pub line: i64,
    /// The column, from 1; absent when it is about no place.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("minimum" = 1, "x-go" = { "format": "int64" }))]
    pub column: i64,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}
