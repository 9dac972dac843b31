//! Delegate calls and replaced code.

use crate::{
    host::compile,
    script::{account, code, length, Script, ACCOUNT, DATA, END, HASH, KEY, LENGTH, NONE, OUTPUT, VALUE},
    table::{Case, Group},
};

const A: u64 = ACCOUNT as u64;
const V: u64 = VALUE as u64;
const H: u64 = HASH as u64;
const O: u64 = OUTPUT as u64;
const L: u64 = LENGTH as u64;
const K: u64 = KEY as u64;
const D: u64 = DATA as u64;
const BEYOND: u64 = END as u64;
const INPUT: u32 = 0x800;
const I: u64 = INPUT as u64;
const SELF: &str = "script-delegate";

/// Runs the script with the code of a hash and logs the code.
fn delegate(script: Script, flags: u64, name: &str, inner: &Script) -> Script {
    let bytes = length(&inner.text).into();
    script
        .with(inner)
        .write(HASH, &code(name))
        .write(INPUT, &inner.text)
        .capacity(0x1000)
        .host("seal0.delegate_call", &[flags, H, I, bytes, O, L])
}

fn logged(script: Script, bytes: u32) -> Script {
    script.emit(LENGTH, 4).emit(OUTPUT, bytes)
}

fn call(script: Script, label: &str, inner: &Script) -> Script {
    let bytes = length(&inner.text).into();
    script
        .with(inner)
        .write(ACCOUNT, &account(label))
        .write(INPUT, &inner.text)
        .capacity(0x1000)
        .host("seal1.call", &[8, A, 0, V, I, bytes, O, L])
}

fn store(script: Script, byte: u8) -> Script {
    script
        .write(KEY, &hex::encode([byte; 4]))
        .write(DATA, &hex::encode("value"))
        .host("seal2.set_storage", &[K, 4, D, 5])
}

fn has(script: Script, byte: u8) -> Script {
    script.write(KEY, &hex::encode([byte; 4])).host("seal1.contains_storage", &[K, 4])
}

fn case(group: &Group, name: &str) -> Case {
    group.case(name).deploy_with("a", 100, Script::new()).deploy_code("e", "echo", 0, "")
}

pub fn group() -> Group {
    let mut group = Group::new("delegate");
    for (name, text) in
        [("echo", include_str!("../../contracts/echo.wat")), ("machine", include_str!("../../contracts/machine.wat"))]
    {
        group.codes.push((name.to_string(), compile(text)));
    }
    let cases: Vec<Case> = [context(&group), wrong(&group), replaced(&group)].into_iter().flatten().collect();
    cases.into_iter().fold(group, Group::add)
}

fn context(group: &Group) -> Vec<Case> {
    let facts = Script::new()
        .read("seal0.caller", &[], 32)
        .read("seal0.address", &[], 32)
        .read("seal0.own_code_hash", &[], 32)
        .read("seal0.value_transferred", &[], 16)
        .read("seal0.balance", &[], 16)
        .host("seal0.caller_is_origin", &[])
        .host("seal0.reentrance_count", &[])
        .write(ACCOUNT, &account("a"))
        .host("seal0.account_reentrance_count", &[A]);
    let one = |name: &str, script: Script| case(group, name).call_as("bob", "a", 6, script);
    let transfer = Script::new()
        .write(ACCOUNT, &account("carol"))
        .write(VALUE, &crate::script::le128(7))
        .host("seal0.transfer", &[A, 32, V, 16])
        .host("seal0.deposit_event", &[0, 0, V, 4]);
    let transient = |script: Script| script.host("seal0.set_transient_storage", &[K, 4, D, 5]);
    let through = group
        .case("context when a contract called the caller")
        .deploy_with("a", 100, Script::new())
        .deploy("b")
        .call("b", logged(call(Script::new(), "a", &logged(delegate(Script::new(), 0, SELF, &facts), 160)), 170));
    // The contract runs its own code so often; each run logs the next one's code and what that logged.
    let nest = |runs: u32| {
        (0..runs).fold(Script::new(), |inner, below| delegate(Script::new(), 0, SELF, &inner).emit(OUTPUT, 4 * below))
    };
    let limit = crate::runtime::DEPTH as u32;
    vec![
        one("as deep as can be", nest(limit - 1)),
        one("one deeper", nest(limit)),
        one("context", logged(delegate(Script::new(), 0, SELF, &facts), 160)),
        through,
        one(
            "storage is the caller's",
            has(delegate(store(Script::new(), 1), 0, SELF, &store(has(Script::new(), 1), 2)), 2),
        ),
        one(
            "a delegate that reverts",
            logged(has(delegate(store(Script::new(), 1), 0, SELF, &store(has(Script::new(), 1), 2).finish(1)), 2), 12),
        ),
        one(
            "a delegate that traps",
            has(delegate(store(Script::new(), 1), 0, SELF, &store(Script::new(), 2).trap()), 2),
        ),
        one("a delegate that transfers and emits", delegate(Script::new(), 0, SELF, &transfer)),
        one(
            "a delegate's transient storage",
            transient(delegate(transient(Script::new()), 0, SELF, &transient(Script::new()))),
        ),
        one(
            "a delegate in a delegate",
            logged(delegate(Script::new(), 0, SELF, &logged(delegate(Script::new(), 0, SELF, &facts), 160)), 168),
        ),
        one(
            "a delegate calls the contract",
            logged(delegate(Script::new(), 0, SELF, &logged(call(Script::new(), "a", &facts), 160)), 168),
        ),
        one(
            "a delegate that terminates",
            logged(
                delegate(
                    Script::new(),
                    0,
                    SELF,
                    &Script::new().write(ACCOUNT, &account("bob")).host("seal1.terminate", &[A]),
                ),
                1,
            ),
        ),
        one(
            "alias",
            Script::new()
                .write(HASH, &code("echo"))
                .write(INPUT, "0061")
                .capacity(9)
                .host("seal0.seal_delegate_call", &[0, H, I, 2, O, L])
                .emit(OUTPUT, 2),
        ),
        one("a tail delegate", delegate(store(Script::new(), 1), 4, "echo", &Script::new().write(DATA, "61")).trap()),
        one(
            "a tail delegate that reverts",
            delegate(store(Script::new(), 1), 4, SELF, &Script::new().finish(1)).trap(),
        ),
        one("forwarded input", delegate(Script::new().write(DATA, "61"), 1, "echo", &Script::new()).emit(OUTPUT, 12)),
        one(
            "cloned input",
            delegate(Script::new().write(DATA, "61"), 2, "echo", &Script::new()).emit(OUTPUT, 12).read(
                "seal0.input",
                &[],
                8,
            ),
        ),
    ]
}

fn wrong(group: &Group) -> Vec<Case> {
    let start = || Script::new().write(HASH, &code("echo")).write(INPUT, "00616263").capacity(0x100);
    let host = |script: Script, flags: u64, hash: u64| script.host("seal0.delegate_call", &[flags, hash, I, 4, O, L]);
    let one = |name: &str, script: Script| case(group, name).call("a", script);
    vec![
        one("unknown code", delegate(Script::new(), 0, "unknown", &Script::new()).emit(LENGTH, 4)),
        one("a tail delegate of unknown code", delegate(Script::new(), 4, "unknown", &Script::new())),
        one("leave to re-enter", host(start(), 8, H)),
        one("read-only", host(start(), 16, H)),
        one("unknown flag", host(start(), 32, H)),
        one(
            "leave to re-enter, input beyond the memory",
            start().host("seal0.delegate_call", &[8, H, BEYOND, 4, O, L]),
        ),
        one("hash beyond the memory", host(start(), 0, BEYOND - 31)),
        one("input beyond the memory", start().host("seal0.delegate_call", &[0, H, BEYOND - 3, 4, O, L])),
        one("output larger than the buffer", host(start().capacity(3), 0, H)),
        one("output not wanted", start().host("seal0.delegate_call", &[0, H, I, 4, NONE.into(), NONE.into()])),
        one("output beyond the memory", start().host("seal0.delegate_call", &[0, H, I, 4, BEYOND, L])),
        one(
            "forwarded input twice",
            delegate(delegate(Script::new().write(DATA, "61"), 1, "echo", &Script::new()), 1, "echo", &Script::new()),
        ),
    ]
}

fn replaced(group: &Group) -> Vec<Case> {
    let set = |script: Script, name: &str| script.write(HASH, &code(name)).host("seal0.set_code_hash", &[H]);
    let own = |script: Script| script.read("seal0.own_code_hash", &[], 32);
    let echo = || Script::new().write(DATA, "61");
    let one = |name: &str| case(group, &format!("set_code_hash, {name}"));
    vec![
        one("good").call("a", own(set(own(Script::new()), "echo"))).send("alice", "a", 0, "006162"),
        one("alias")
            .call("a", Script::new().write(HASH, &code("echo")).host("seal0.seal_set_code_hash", &[H]))
            .send("alice", "a", 0, "006162"),
        one("its own code").call("a", own(set(Script::new(), SELF))),
        one("unknown code").call("a", own(set(Script::new(), "unknown"))),
        one("beyond the memory").call("a", Script::new().host("seal0.set_code_hash", &[BEYOND - 31])),
        one("undone by a revert").call("a", set(Script::new(), "echo").finish(1)).call("a", own(Script::new())),
        one("undone by a trap").call("a", set(Script::new(), "echo").trap()).call("a", own(Script::new())),
        one("in the constructor").deploy_with("c", 0, set(Script::new(), "echo")).send("alice", "c", 0, "0063"),
        one("seen by a re-entrant call").call("a", logged(call(set(Script::new(), "echo"), "a", &echo()), 10)),
        one("by a re-entrant call").call("a", own(call(own(Script::new()), "a", &set(Script::new(), "echo")))),
        one("by a re-entrant call that reverts")
            .call("a", own(call(own(Script::new()), "a", &set(Script::new(), "echo").finish(1)))),
        one("by a delegate").call("a", own(delegate(Script::new(), 0, SELF, &own(set(Script::new(), "echo"))))),
        one("twice").call("a", own(set(set(Script::new(), "echo"), SELF))).call("a", own(Script::new())),
        one("to code that traps").call("a", set(Script::new(), "machine")).send("alice", "a", 0, "00"),
    ]
}
