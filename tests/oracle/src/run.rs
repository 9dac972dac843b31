//! Runs a case on the pallet and takes down what it does.

use crate::{
    runtime::{self, Balance, Balances, Contracts, RuntimeEvent, System, EXISTENTIAL_DEPOSIT},
    table::{self, Case},
    vector::{Event, Outcome, State, Step},
};
use codec::Encode;
use frame_support::weights::Weight;
use pallet_contracts::{Code, CollectEvents, DebugInfo, Determinism, ExecReturnValue, StorageDeposit};
use sp_core::H256;
use sp_io::hashing::{blake2_128, blake2_256};
use sp_runtime::{AccountId32, DispatchError};
use std::collections::BTreeMap;

const ENDOWMENT: Balance = 1_000_000_000_000_000_000;
const GAS: Weight = Weight::from_parts(100_000_000_000_000, 1_000_000_000_000);
/// Who has money. Everybody else has none.
const RICH: [&str; 3] = ["alice", "bob", "dave"];
/// Uploads all code, so that the deposits for it are nobody else's.
const UPLOADER: AccountId32 = AccountId32::new([0xee; 32]);

fn user(label: &str) -> AccountId32 {
    AccountId32::new(blake2_256(label.as_bytes()))
}

/// The state of a case: a chain, and the names of what is on it.
struct Recorder<'a> {
    codes: &'a BTreeMap<String, Vec<u8>>,
    replaced: bool,
    names: BTreeMap<AccountId32, String>,
    contracts: Vec<AccountId32>,
    hashes: BTreeMap<H256, String>,
    /// Deposits that each account has paid, in balance: they are not the contracts' doing.
    deposits: BTreeMap<AccountId32, i128>,
    /// Existential deposits that accounts got from contracts which ended.
    inherited: BTreeMap<AccountId32, i128>,
}

/// Runs a case. `codes` is all code by name, what the case does not use included.
pub fn run(case: &Case, codes: &BTreeMap<String, Vec<u8>>, replaced: bool) -> Vec<Step> {
    let mut endowed: Vec<_> = RICH.iter().map(|label| (user(label), ENDOWMENT)).collect();
    endowed.push((UPLOADER, ENDOWMENT));
    runtime::with_chain(&endowed, || {
        let users = ["alice", "bob", "carol", "dave"].map(|label| (user(label), label.to_string()));
        let mut recorder = Recorder {
            codes,
            replaced,
            names: users.into(),
            contracts: Vec::new(),
            hashes: BTreeMap::new(),
            deposits: BTreeMap::new(),
            inherited: BTreeMap::new(),
        };
        for step in &case.steps {
            recorder.upload(step);
        }
        case.steps.iter().map(|step| recorder.step(step)).collect()
    })
}

/// The names of code that a text mentions.
pub fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.split("${code:").skip(1).map(|rest| rest.split_once('}').expect("a placeholder ends").0)
}

impl Recorder<'_> {
    /// Uploads the code that a step needs.
    fn upload(&mut self, step: &table::Step) {
        for name in mentioned(&step.input).chain(step.deploy.as_deref()) {
            let Some(code) = self.codes.get(name) else {
                assert_eq!(name, "unknown", "a name of code");
                continue;
            };
            let hash = Contracts::bare_upload_code(UPLOADER, code.clone(), None, Determinism::Enforced)
                .unwrap_or_else(|error| panic!("the pallet refuses {name}: {error:?}"))
                .code_hash;
            self.hashes.insert(hash, name.to_string());
        }
    }

    /// Puts addresses and hashes in place of their names.
    fn resolve(&self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').expect("a placeholder ends");
            bytes.extend(hex::decode(before).expect("hex"));
            bytes.extend(self.id(name));
            rest = after;
        }
        bytes.extend(hex::decode(rest).expect("hex"));
        bytes
    }

    fn id(&self, name: &str) -> [u8; 32] {
        if name == "code:unknown" {
            return [0xdd; 32];
        }
        if let Some(code) = name.strip_prefix("code:") {
            let found = self.hashes.iter().find(|(_, label)| *label == code);
            return found.unwrap_or_else(|| panic!("code {code} is not uploaded")).0 .0;
        }
        self.account(name).into()
    }

    fn account(&self, name: &str) -> AccountId32 {
        let found = self.names.iter().find(|(_, label)| *label == name);
        found.unwrap_or_else(|| panic!("nobody is called {name}")).0.clone()
    }

    /// Puts names in place of the addresses and hashes in data.
    fn describe(&self, data: &[u8]) -> String {
        let mut text = String::new();
        let mut rest = data;
        while !rest.is_empty() {
            match rest.first_chunk::<32>().and_then(|id| self.name_of(id)) {
                Some(name) => {
                    text += &format!("${{{name}}}");
                    rest = &rest[32..];
                }
                None => {
                    text += &hex::encode(&rest[..1]);
                    rest = &rest[1..];
                }
            }
        }
        text
    }

    fn name_of(&self, id: &[u8; 32]) -> Option<String> {
        let code = self.hashes.get(&H256(*id)).map(|name| format!("code:{name}"));
        code.or_else(|| self.names.get(&AccountId32::new(*id)).cloned())
    }

    fn step(&mut self, step: &table::Step) -> Step {
        System::reset_events();
        let caller = self.account(&step.caller);
        let input = self.resolve(&step.input);
        let (result, debug, deposit) = match &step.deploy {
            Some(code) => self.deploy(step, code, caller.clone(), input),
            None => {
                let ran = Contracts::bare_call(
                    caller.clone(),
                    self.account(&step.contract),
                    step.value,
                    GAS,
                    None,
                    input,
                    DebugInfo::UnsafeDebug,
                    CollectEvents::Skip,
                    Determinism::Enforced,
                );
                (ran.result, ran.debug_message, ran.storage_deposit)
            }
        };
        let paid = match deposit {
            StorageDeposit::Charge(amount) => amount as i128,
            StorageDeposit::Refund(amount) => -(amount as i128),
        };
        *self.deposits.entry(caller).or_default() += paid;
        let (created, events) = self.events();
        let outcome = self.outcome(result, debug, created, events);
        Step {
            deploy: step.deploy.clone(),
            replace: (self.replaced && step.deploy.is_some()).then(|| self.replacement(step)),
            caller: step.caller.clone(),
            contract: step.contract.clone(),
            value: step.value,
            input: step.input.clone(),
            result: outcome,
        }
    }

    fn replacement(&self, step: &table::Step) -> String {
        format!("{}-deprecated", step.deploy.as_deref().expect("a deployment"))
    }

    /// Deploys a contract, with its name as salt.
    fn deploy(
        &mut self,
        step: &table::Step,
        code: &str,
        caller: AccountId32,
        input: Vec<u8>,
    ) -> (Result<ExecReturnValue, DispatchError>, Vec<u8>, StorageDeposit<Balance>) {
        let hash = H256(self.id(&format!("code:{code}")));
        let salt = step.contract.as_bytes();
        let address = Contracts::contract_address(&caller, &hash, &input, salt);
        self.names.insert(address.clone(), step.contract.clone());
        self.contracts.push(address);
        let ran = Contracts::bare_instantiate(
            caller,
            step.value,
            GAS,
            None,
            Code::Existing(hash),
            input,
            salt.to_vec(),
            DebugInfo::UnsafeDebug,
            CollectEvents::Skip,
        );
        if self.replaced {
            runtime::replace_code(&hash, &self.codes[&self.replacement(step)]);
        }
        (ran.result.map(|made| made.result), ran.debug_message, ran.storage_deposit)
    }

    /// Names the contracts that were made on the way, and gives those names and what contracts emitted.
    fn events(&mut self) -> (Vec<String>, Vec<Event>) {
        let mut created = Vec::new();
        let mut emitted = Vec::new();
        for record in System::events() {
            let RuntimeEvent::Contracts(event) = record.event else { continue };
            match event {
                pallet_contracts::Event::Instantiated { contract, .. } if !self.names.contains_key(&contract) => {
                    let name = self.new_name(&contract);
                    created.push(name.clone());
                    self.names.insert(contract.clone(), name);
                    self.contracts.push(contract);
                }
                pallet_contracts::Event::Terminated { beneficiary, .. } => {
                    *self.inherited.entry(beneficiary).or_default() += EXISTENTIAL_DEPOSIT as i128;
                }
                pallet_contracts::Event::ContractEmitted { contract, data } => {
                    emitted.push((contract, record.topics, data));
                }
                _ => {}
            }
        }
        let events = emitted.into_iter().map(|(contract, topics, data)| Event {
            contract: self.names[&contract].clone(),
            topics: topics.iter().map(|topic| self.describe(topic.as_bytes())).collect(),
            data: self.describe(&data),
        });
        let events = events.collect();
        created.sort();
        (created, events)
    }

    /// A contract that a contract made is called after its code.
    fn new_name(&self, contract: &AccountId32) -> String {
        let (_, hash) = runtime::contract_info(contract).expect("a contract that was just made");
        let code = &self.hashes[&hash];
        let same = self.names.values().filter(|name| name.starts_with(&format!("{code}#"))).count();
        format!("{code}#{}", same + 1)
    }

    fn outcome(
        &self,
        result: Result<ExecReturnValue, DispatchError>,
        debug: Vec<u8>,
        created: Vec<String>,
        events: Vec<Event>,
    ) -> Outcome {
        let (status, output) = match result {
            Ok(returned) if returned.did_revert() => ("reverted".to_string(), returned.data),
            Ok(returned) => ("done".to_string(), returned.data),
            Err(error) => (error_name(error), Vec::new()),
        };
        Outcome {
            status,
            output: self.describe(&output),
            events,
            debug: hex::encode(own_words(&debug)),
            created,
            contracts: self.states(),
            balances: self.balances(),
        }
    }

    fn states(&self) -> BTreeMap<String, State> {
        let mut states = BTreeMap::new();
        for contract in &self.contracts {
            if let Some((trie, hash)) = runtime::contract_info(contract) {
                let state = State { code: self.hashes[&hash].clone(), storage: self.storage(&trie) };
                states.insert(self.names[contract].clone(), state);
            }
        }
        states
    }

    fn storage(&self, trie: &[u8]) -> BTreeMap<String, String> {
        let mut entries = BTreeMap::new();
        let mut at = Vec::new();
        while let Some(next) = sp_io::default_child_storage::next_key(trie, &at) {
            let value = sp_io::default_child_storage::get(trie, &next).expect("a key that is there");
            entries.insert(self.storage_key(&next), self.describe(&value));
            at = next;
        }
        entries
    }

    /// The key of a contract's entry, from the key in its trie. Keys of variable size stand there behind their hash. Of
    /// the keys of 32 bytes that the oldest functions have there is only the hash; scripts use few of them.
    fn storage_key(&self, raw: &[u8]) -> String {
        if let Some((hash, key)) = raw.split_at_checked(16) {
            if blake2_128(key) == hash {
                return self.describe(key);
            }
        }
        let mut known = (0..=u8::MAX).map(|byte| [byte; 32]);
        let key = known.find(|key| blake2_256(key) == raw).expect("a fixed key of equal bytes");
        format!("fixed:{}", hex::encode(key))
    }

    fn balances(&self) -> BTreeMap<String, i128> {
        let gained = self.names.iter().map(|(account, name)| (name.clone(), self.gained(account, name)));
        gained.filter(|(_, amount)| *amount != 0).collect()
    }

    /// What an account gained, without endowments and deposits.
    fn gained(&self, account: &AccountId32, name: &str) -> i128 {
        let endowed = if RICH.contains(&name) { ENDOWMENT as i128 } else { 0 };
        let minimum = if runtime::contract_info(account).is_some() { EXISTENTIAL_DEPOSIT as i128 } else { 0 };
        let of = |map: &BTreeMap<AccountId32, i128>| map.get(account).copied().unwrap_or(0);
        Balances::free_balance(account) as i128 - endowed - minimum + of(&self.deposits) - of(&self.inherited)
    }
}

/// Debug messages of contracts, without what the pallet adds behind them of a call that failed.
fn own_words(debug: &[u8]) -> &[u8] {
    let remark = b"call failed with: ";
    let end = debug.windows(remark.len()).position(|window| window == remark);
    &debug[..end.unwrap_or(debug.len())]
}

fn error_name(error: DispatchError) -> String {
    match error {
        DispatchError::Module(module) => module.message.expect("errors have names outside of a runtime").to_string(),
        other => format!("{other:?}"),
    }
}

/// The SCALE encoding of bytes, in hex.
pub fn scale_bytes(bytes: &[u8]) -> String {
    hex::encode(bytes.encode())
}
