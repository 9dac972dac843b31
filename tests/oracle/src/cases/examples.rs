//! The example contracts of the repository.

use crate::{
    run::scale_bytes,
    script::{account, le128},
    table::{Case, Group},
};
use std::path::Path;

/// The code in a `.contract` file of examples/.
fn code(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/{name}/{name}.contract"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bundle: serde_json::Value = serde_json::from_slice(&text).expect("a bundle is JSON");
    let wasm = bundle["source"]["wasm"].as_str().expect("a bundle holds code");
    hex::decode(wasm.trim_start_matches("0x")).expect("hex")
}

pub fn group() -> Group {
    let mut group = Group::new("examples");
    for name in ["counter", "auction"] {
        group.codes.push((name.to_string(), code(name)));
    }
    let cases = [counter(&group), overflow(&group), deposits(&group), auction(&group), title(&group), unknown(&group)];
    cases.into_iter().fold(group, Group::add)
}

fn le(value: i32) -> String {
    hex::encode(value.to_le_bytes())
}

const NEW: &str = "9bae9d5e";
const INC: &str = "1d32619f";
const INC_BY: &str = "fe5bd8ea";
const GET: &str = "2f865bd9";

fn counter(group: &Group) -> Case {
    group
        .case("the counter counts")
        .deploy_code("c", "counter", 0, &format!("{NEW}{}", le(40)))
        .send("alice", "c", 0, INC)
        .send("bob", "c", 0, &format!("{INC_BY}{}", le(-7)))
        .send("bob", "c", 0, GET)
        .deploy_code("d", "counter", 0, "ed4b9d1b")
        .send("bob", "d", 0, GET)
}

fn overflow(group: &Group) -> Case {
    group
        .case("the counter overflows")
        .deploy_code("c", "counter", 0, &format!("{NEW}{}", le(i32::MAX)))
        .send("alice", "c", 0, INC)
        .send("alice", "c", 0, &format!("{INC_BY}{}", le(1)))
        .send("alice", "c", 0, GET)
}

fn deposits(group: &Group) -> Case {
    let (deposit, deposited, withdraw, balance) = ("2d10c9bd", "cc362564", "410fcc9d", "b48c1684");
    group
        .case("the counter keeps deposits")
        .deploy_code("c", "counter", 0, "ed4b9d1b")
        .send("alice", "c", 70, deposit)
        .send("bob", "c", 5, deposit)
        .send("alice", "c", 0, deposited)
        .send("alice", "c", 0, &format!("{withdraw}{}", le128(30)))
        .send("alice", "c", 0, &format!("{withdraw}{}", le128(41)))
        .send("dave", "c", 0, &format!("{withdraw}{}", le128(1)))
        .send("alice", "c", 1, GET)
        .send("carol", "c", 0, balance)
}

fn auction(group: &Group) -> Case {
    let (bid, close, my_bid, winner) = ("668d28a7", "3c922166", "2bf3a5e1", "4c96dafb");
    let bid = |amount: u128| format!("{bid}{}", le128(amount));
    group
        .case("the auction")
        .deploy_code("c", "auction", 0, &format!("{NEW}{}{}", le128(10), scale_bytes(b"A painting")))
        .send("bob", "c", 0, &bid(9))
        .send("bob", "c", 0, &bid(50))
        .send("dave", "c", 0, &bid(70))
        .send("bob", "c", 0, &bid(60))
        .send("bob", "c", 0, my_bid)
        .send("alice", "c", 0, my_bid)
        .send("alice", "c", 0, winner)
        .send("bob", "c", 0, close)
        .send("alice", "c", 0, close)
        .send("alice", "c", 0, winner)
        .send("bob", "c", 0, &bid(90))
        .send("bob", "c", 0, "3941e61b")
        .send("bob", "c", 0, "74bc5249")
        .send("bob", "c", 0, "c8ea869f")
        .send("bob", "c", 0, "2d98861b")
        .send("bob", "c", 0, "feaea4fa")
}

fn title(group: &Group) -> Case {
    group.case("a title too long").deploy_code(
        "c",
        "auction",
        0,
        &format!("{NEW}{}{}", le128(10), scale_bytes(&[b'x'; 129])),
    )
}

fn unknown(group: &Group) -> Case {
    group
        .case("inputs that are no message")
        .deploy_code("c", "counter", 0, "ed4b9d1b")
        .send("alice", "c", 0, "")
        .send("alice", "c", 0, "01020304")
        .send("alice", "c", 0, INC_BY)
        .send("alice", "c", 0, &account("bob"))
        .deploy_code("d", "counter", 0, "01020304")
        .deploy_code("e", "counter", 1, "ed4b9d1b")
}
