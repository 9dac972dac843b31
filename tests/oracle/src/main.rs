//! Runs a table of calls on pallet-contracts and writes what they do, for the replay in enclave/contract. See README.md.

mod cases;
mod host;
mod run;
mod runtime;
mod script;
mod table;
mod vector;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufWriter, Write},
};
use table::Group;

fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).expect("the path of the file to write");
    let groups = cases::all();
    assert_whole(&groups);
    let codes = all_codes(&groups);
    let mut recorded = Vec::new();
    for group in &groups {
        for case in &group.cases {
            let steps = run::run(case, &codes, group.replaced);
            recorded.push(vector::Case { name: case.name.clone(), steps });
        }
    }
    let used = used_codes(&recorded);
    let file = vector::File {
        oracle: "pallet-contracts 51.0.0".to_string(),
        block: runtime::BLOCK,
        time_millis: runtime::TIME_MILLIS,
        fee_per_gas: runtime::FEE_PER_GAS,
        minimum_balance: runtime::EXISTENTIAL_DEPOSIT,
        depth: runtime::DEPTH,
        codes: codes
            .into_iter()
            .filter(|(name, _)| used.contains(name))
            .map(|(name, code)| (name, hex::encode(code)))
            .collect(),
        cases: recorded,
    };
    write(&file, File::create(path)?)
}

/// Every function of the pallet is called somewhere, and no two cases share a name.
fn assert_whole(groups: &[Group]) {
    let called: BTreeSet<_> = groups.iter().flat_map(|group| group.used()).collect();
    for (number, function) in host::functions().iter().enumerate() {
        assert!(called.contains(&number), "no case calls {}.{}", function.module, function.name);
    }
    let mut names = BTreeSet::new();
    for case in groups.iter().flat_map(|group| &group.cases) {
        assert!(names.insert(&case.name), "two cases are called {}", case.name);
    }
}

/// All code by name.
fn all_codes(groups: &[Group]) -> BTreeMap<String, Vec<u8>> {
    let mut codes = BTreeMap::new();
    for group in groups {
        let name = format!("script-{}", group.name);
        let whole = host::script_contract(&group.used());
        if group.replaced {
            codes.insert(format!("{name}-deprecated"), whole);
            codes.insert(name, host::script_contract(&BTreeSet::new()));
        } else {
            codes.insert(name, whole);
        }
        codes.extend(group.codes.iter().cloned());
    }
    codes
}

fn used_codes(cases: &[vector::Case]) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for step in cases.iter().flat_map(|case| &case.steps) {
        used.extend(step.deploy.iter().chain(&step.replace).cloned());
        used.extend(run::mentioned(&step.input).map(str::to_string));
    }
    used
}

/// Writes the file with a code and a case on each line, so that a change of one is a change of one line.
fn write(file: &vector::File, to: File) -> std::io::Result<()> {
    let mut to = BufWriter::new(to);
    write!(to, "{{\n\"oracle\":{},\n", text(&file.oracle))?;
    write!(to, "\"block\":{},\n\"time_millis\":{},\n", file.block, file.time_millis)?;
    write!(to, "\"fee_per_gas\":{},\n\"minimum_balance\":{},\n", file.fee_per_gas, file.minimum_balance)?;
    write!(to, "\"depth\":{},\n\"codes\":{{\n", file.depth)?;
    let codes: Vec<_> = file.codes.iter().map(|(name, code)| format!("{}:{}", text(name), text(code))).collect();
    write!(to, "{}\n}},\n\"cases\":[\n", codes.join(",\n"))?;
    let cases: Vec<_> = file.cases.iter().map(text).collect();
    write!(to, "{}\n]\n}}\n", cases.join(",\n"))?;
    to.flush()
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("vectors are plain data")
}
