//! The form of the table of calls.

use crate::script::{length, Script};
use std::collections::BTreeSet;

/// Cases whose script contract, named `script-` and the group's name, imports the functions that their scripts use.
pub struct Group {
    pub name: &'static str,
    /// Further contracts that cases deploy, by name.
    pub codes: Vec<(String, Vec<u8>)>,
    pub cases: Vec<Case>,
    /// The functions are deprecated: code with them replaces the script contract after it was deployed.
    pub replaced: bool,
}

impl Group {
    pub fn new(name: &'static str) -> Self {
        Self { name, codes: Vec::new(), cases: Vec::new(), replaced: false }
    }

    /// Adds a case of one contract `a` that runs one script.
    pub fn script(mut self, name: &str, script: Script) -> Self {
        let case = self.case(name).deploy("a").call("a", script);
        self.cases.push(case);
        self
    }

    pub fn case(&self, name: &str) -> Case {
        Case {
            name: format!("{}: {name}", self.name),
            script_code: format!("script-{}", self.name),
            steps: Vec::new(),
            used: BTreeSet::new(),
        }
    }

    pub fn add(mut self, case: Case) -> Self {
        self.cases.push(case);
        self
    }

    pub fn used(&self) -> BTreeSet<usize> {
        self.cases.iter().flat_map(|case| case.used.iter().copied()).collect()
    }
}

/// A chain of its own and what is done on it, one step after the other.
pub struct Case {
    pub name: String,
    script_code: String,
    pub steps: Vec<Step>,
    pub used: BTreeSet<usize>,
}

/// A call of a contract, or its deployment.
pub struct Step {
    pub deploy: Option<String>,
    pub caller: String,
    pub contract: String,
    pub value: u128,
    pub input: String,
}

impl Case {
    /// Deploys the group's script contract with an empty script.
    pub fn deploy(self, label: &str) -> Self {
        self.deploy_with(label, 0, Script::new())
    }

    /// Deploys the group's script contract; its constructor runs the script.
    pub fn deploy_with(mut self, label: &str, value: u128, script: Script) -> Self {
        self.used.extend(&script.used);
        let code = self.script_code.clone();
        self.deploy_code(label, &code, value, &script.text)
    }

    /// Deploys any code.
    pub fn deploy_code(self, label: &str, code: &str, value: u128, input: &str) -> Self {
        self.step(Some(code.to_string()), "alice", label, value, input)
    }

    pub fn call(self, contract: &str, script: Script) -> Self {
        self.call_as("alice", contract, 0, script)
    }

    pub fn call_as(mut self, caller: &str, contract: &str, value: u128, script: Script) -> Self {
        self.used.extend(&script.used);
        self.step(None, caller, contract, value, &script.text)
    }

    /// Calls a contract with any input, in hex.
    pub fn send(self, caller: &str, contract: &str, value: u128, input: &str) -> Self {
        self.step(None, caller, contract, value, input)
    }

    fn step(mut self, deploy: Option<String>, caller: &str, contract: &str, value: u128, input: &str) -> Self {
        assert!(length(input) <= 0x10000, "{}: the input fits the script contract", self.name);
        self.steps.push(Step {
            deploy,
            caller: caller.to_string(),
            contract: contract.to_string(),
            value,
            input: input.to_string(),
        });
        self
    }
}
