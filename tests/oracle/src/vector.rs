//! The file of vectors, as the replay reads it.
//!
//! Addresses differ between the two engines, so that none appears: `${x}` stands for the 32 bytes of the account or
//! contract named `x`, `${code:x}` for the hash of the code named `x`, in inputs, outputs and events alike. Everything else is hex.

use serde::Serialize;
use std::collections::BTreeMap;

pub struct File {
    pub oracle: String,
    pub block: u64,
    pub time_millis: u64,
    pub fee_per_gas: u128,
    pub minimum_balance: u128,
    pub depth: usize,
    pub codes: BTreeMap<String, String>,
    pub cases: Vec<Case>,
}

#[derive(Serialize)]
pub struct Case {
    pub name: String,
    pub steps: Vec<Step>,
}

/// One transaction: a call, or a deployment if `deploy` names code.
#[derive(Serialize)]
pub struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    /// Code that runs in place of what was deployed, which the pallet no longer lets anybody upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
    pub caller: String,
    pub contract: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub value: u128,
    pub input: String,
    pub result: Outcome,
}

/// What a transaction did. Maps hold what is there afterwards; balances of accounts that hold nothing are left out.
#[derive(Serialize)]
pub struct Outcome {
    /// "done", "reverted" or the name of the pallet's error.
    pub status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub output: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub debug: String,
    /// Contracts that were made on the way, by the names they have from then on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub created: Vec<String>,
    /// Live contracts, the code of each, and its storage.
    pub contracts: BTreeMap<String, State>,
    /// What each account has gained since the case began; contracts begin with nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub balances: BTreeMap<String, i128>,
}

#[derive(Serialize)]
pub struct State {
    pub code: String,
    /// Values by key; `fixed:` before a key says that it belongs to the functions with keys of 32 bytes, which see no others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub struct Event {
    pub contract: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    pub data: String,
}

fn is_zero(value: &u128) -> bool {
    *value == 0
}
