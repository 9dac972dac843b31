//! Transfers and terminations.

use crate::{
    script::{account, le128, Script, ACCOUNT, END, LENGTH, NONE, OUTPUT, VALUE},
    table::{Case, Group},
};

const A: u64 = ACCOUNT as u64;
const V: u64 = VALUE as u64;
const BEYOND: u64 = END as u64;

fn to(label: &str, value: u128) -> Script {
    Script::new().write(ACCOUNT, &account(label)).write(VALUE, &le128(value))
}

fn transfer(label: &str, value: u128) -> Script {
    to(label, value).host("seal0.transfer", &[A, 32, V, 16])
}

/// A contract with a balance of 100 runs the script.
fn rich(group: &Group, name: &str, script: Script) -> Case {
    group.case(name).deploy_with("a", 100, Script::new()).deploy("b").call("a", script.read("seal0.balance", &[], 16))
}

pub fn group() -> Group {
    let group = Group::new("transfers");
    let cases = [
        rich(&group, "to an account", transfer("bob", 30)),
        rich(&group, "to an account that holds nothing", transfer("carol", 30)),
        rich(&group, "to a contract, which does not run", transfer("b", 30)),
        rich(&group, "alias", to("bob", 1).host("seal0.seal_transfer", &[A, 32, V, 16])),
        rich(&group, "everything", transfer("bob", 100)),
        rich(&group, "more than there is", transfer("bob", 101)),
        rich(&group, "the largest amount", transfer("bob", u128::MAX)),
        rich(&group, "nothing", transfer("bob", 0)),
        rich(&group, "to itself", transfer("a", 30)),
        rich(&group, "to itself more than there is", transfer("a", 101)),
        rich(&group, "lengths are ignored", to("bob", 5).host("seal0.transfer", &[A, 0, V, 99])),
        rich(&group, "account beyond the memory", to("bob", 5).host("seal0.transfer", &[BEYOND - 31, 32, V, 16])),
        rich(&group, "amount beyond the memory", to("bob", 5).host("seal0.transfer", &[A, 32, BEYOND - 15, 16])),
        rich(&group, "account far beyond the memory", to("bob", 5).host("seal0.transfer", &[NONE.into(), 32, V, 16])),
        rich(&group, "undone by a revert", transfer("bob", 30).finish(1)),
        rich(&group, "undone by a trap", transfer("bob", 30).trap()),
        rich(&group, "value of the call is there", Script::new().read("seal0.value_transferred", &[], 16)).call_as(
            "bob",
            "a",
            50,
            transfer("carol", 150).read("seal0.balance", &[], 16),
        ),
        group.case("value of a call that reverts goes back").deploy("a").call_as(
            "bob",
            "a",
            50,
            Script::new().finish(1),
        ),
        group.case("value of a call that traps goes back").deploy("a").call_as("bob", "a", 50, Script::new().trap()),
    ];
    let group = cases.into_iter().fold(group, Group::add);
    terminate(group)
}

fn terminate(group: Group) -> Group {
    let end = |label: &str| to(label, 0).host("seal1.terminate", &[A]);
    let cases = [
        group
            .case("terminate")
            .deploy_with("a", 100, Script::new())
            .call("a", end("bob").trap())
            .call("a", Script::new()),
        group
            .case("terminate with a length")
            .deploy_with("a", 100, Script::new())
            .call("a", to("carol", 0).host("seal0.terminate", &[A, 0])),
        group
            .case("terminate, alias")
            .deploy_with("a", 9, Script::new())
            .call("a", to("bob", 0).host("seal1.seal_terminate", &[A])),
        group
            .case("terminate with a length, alias")
            .deploy_with("a", 9, Script::new())
            .call("a", to("bob", 0).host("seal0.seal_terminate", &[A, 32])),
        group.case("terminate without a balance").deploy("a").call("a", end("bob")),
        group
            .case("terminate, log is lost")
            .deploy_with("a", 5, Script::new())
            .call("a", to("bob", 0).emit(ACCOUNT, 32).host("seal1.terminate", &[A])),
        group.case("terminate for a contract").deploy_with("a", 5, Script::new()).deploy("b").call("a", end("b")),
        group
            .case("terminate, account beyond the memory")
            .deploy("a")
            .call("a", Script::new().host("seal1.terminate", &[BEYOND - 31])),
        group
            .case("terminate with a length, account beyond the memory")
            .deploy("a")
            .call("a", Script::new().host("seal0.terminate", &[BEYOND, 32])),
        group.case("terminate in the constructor").deploy_with("a", 5, end("bob")),
        group
            .case("terminate keeps what was transferred before")
            .deploy_with("a", 100, Script::new())
            .call("a", transfer("carol", 30).write(ACCOUNT, &account("bob")).host("seal1.terminate", &[A])),
        group.case("terminate with the value of the call").deploy_with("a", 100, Script::new()).call_as(
            "bob",
            "a",
            7,
            end("carol"),
        ),
        group.case("what a terminated contract emitted and stored").deploy_with("a", 1, Script::new()).call(
            "a",
            to("bob", 0)
                .host("seal0.deposit_event", &[0, 0, A, 4])
                .host("seal2.set_storage", &[A, 4, A, 4])
                .host("seal1.terminate", &[A]),
        ),
    ];
    let group = cases.into_iter().fold(group, Group::add);
    group.script(
        "balance beyond the memory",
        Script::new().capacity(16).host("seal0.balance", &[BEYOND - 15, LENGTH.into()]).emit(OUTPUT, 1),
    )
}
