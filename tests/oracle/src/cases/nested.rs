//! Contracts that call contracts.

use crate::{
    host::compile,
    script::{account, le128, length, Script, ACCOUNT, DATA, DEPOSIT, END, KEY, LENGTH, NONE, OUTPUT, VALUE},
    table::{Case, Group},
};

const A: u64 = ACCOUNT as u64;
const V: u64 = VALUE as u64;
const O: u64 = OUTPUT as u64;
const L: u64 = LENGTH as u64;
const K: u64 = KEY as u64;
const D: u64 = DATA as u64;
const BEYOND: u64 = END as u64;
/// Where the callee's input lies.
const INPUT: u32 = 0x800;
const I: u64 = INPUT as u64;

const FORWARD: u64 = 1;
const CLONE: u64 = 2;
const TAIL: u64 = 4;
const REENTRY: u64 = 8;
const READ_ONLY: u64 = 16;

/// What `call_of` puts into memory: the callee, the value and its input.
fn prepared(script: Script, label: &str, value: u128, inner: &Script) -> Script {
    script
        .with(inner)
        .write(ACCOUNT, &account(label))
        .write(VALUE, &le128(value))
        .write(INPUT, &inner.text)
        .capacity(0x1000)
}

/// Calls a contract and logs the code.
fn call_of(script: Script, flags: u64, label: &str, value: u128, inner: &Script) -> Script {
    let bytes = length(&inner.text).into();
    prepared(script, label, value, inner).host("seal1.call", &[flags, A, 0, V, I, bytes, O, L])
}

fn call(flags: u64, label: &str, inner: &Script) -> Script {
    call_of(Script::new(), flags, label, 0, inner)
}

/// Logs the length of the callee's output and so many bytes of it.
fn logged(script: Script, bytes: u32) -> Script {
    script.emit(LENGTH, 4).emit(OUTPUT, bytes)
}

fn say(text: &str) -> Script {
    Script::new().write(DATA, &hex::encode(text)).emit(DATA, text.len() as u32)
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

/// Two script contracts, of which `a` holds 100, a contract that echoes and one that never ends.
fn case(group: &Group, name: &str) -> Case {
    group
        .case(name)
        .deploy_with("a", 100, Script::new())
        .deploy("b")
        .deploy_code("e", "echo", 0, "")
        .deploy_code("s", "spin", 0, "")
}

pub fn group() -> Group {
    let mut group = Group::new("call");
    for (name, text) in
        [("echo", include_str!("../../contracts/echo.wat")), ("spin", include_str!("../../contracts/spin.wat"))]
    {
        group.codes.push((name.to_string(), compile(text)));
    }
    let mut cases = versions(&group);
    cases.extend(outcomes(&group));
    cases.extend(inputs(&group));
    cases.extend(values(&group));
    cases.extend(rollback(&group));
    cases.extend(reentrance(&group));
    cases.extend(depth(&group));
    cases.extend(termination(&group));
    cases.extend(wrong(&group));
    cases.into_iter().fold(group, Group::add)
}

fn versions(group: &Group) -> Vec<Case> {
    let inner = say("hello")
        .read("seal0.caller", &[], 32)
        .host("seal0.caller_is_origin", &[])
        .host("seal0.caller_is_root", &[]);
    let bytes = u64::from(length(&inner.text));
    let start = || prepared(Script::new(), "b", 3, &inner);
    let first = start().host("seal0.call", &[A, 32, 0, V, 16, I, bytes, O, L]);
    let second = start().host("seal1.call", &[0, A, 0, V, I, bytes, O, L]);
    let third = |deposit: u64| {
        start().write(DEPOSIT, &le128(1000)).host("seal2.call", &[0, A, 0, 0, deposit, V, I, bytes, O, L])
    };
    let aliases = start()
        .host("seal0.seal_call", &[A, 0, 0, V, 0, I, bytes, O, L])
        .host("seal1.seal_call", &[0, A, 0, V, I, bytes, O, L]);
    let all = |name: &str, script: Script| case(group, name).call("a", logged(script, 49));
    vec![
        all("version 0", first),
        all("version 1", second),
        all("version 2", third(NONE.into())),
        all("version 2 with a deposit limit", third(DEPOSIT.into())),
        all("version 2, deposit limit beyond the memory", third(BEYOND - 15)),
        all("aliases", aliases),
        case(group, "gas of more than there is")
            .call("a", logged(start().host("seal1.call", &[0, A, u64::MAX, V, I, bytes, O, L]), 5)),
    ]
}

fn outcomes(group: &Group) -> Vec<Case> {
    let spinning = |gas: u64| {
        prepared(Script::new(), "s", 0, &Script::new())
            .write(OUTPUT, "abcd")
            .host("seal1.call", &[0, A, gas, V, I, 0, O, L])
    };
    let after = |name: &str, script: Script, bytes: u32| {
        case(group, name).call("a", logged(script, bytes).read("seal0.address", &[], 32))
    };
    vec![
        after("a callee that returns", call(0, "b", &say("done")), 4),
        after("a callee that returns nothing", call(0, "b", &Script::new().leave()), 4),
        after("a callee that reverts", call(0, "b", &say("no").finish(1)), 4),
        after("a callee that traps", call(0, "b", &say("no").trap()), 4),
        after("a callee that returns unknown flags", call(0, "b", &say("no").finish(2)), 4),
        after("a callee that runs out of gas", spinning(10_000_000), 4),
        after(
            "a callee without gas",
            prepared(Script::new(), "e", 0, &Script::new()).host("seal1.call", &[0, A, 1, V, I, 0, O, L]),
            4,
        ),
        after("an account that is no contract", call(0, "bob", &say("x")), 4),
        after("nobody", call(0, "carol", &say("x")), 4),
        after("a callee whose callee traps", call(0, "b", &logged(call(0, "e", &Script::new().finish(0)), 1)), 30),
        after("a tail call", call(TAIL, "b", &say("tail")).trap(), 4),
        after("a tail call that reverts", store(call(TAIL, "b", &say("tail").finish(1)), 1), 4),
        after("a tail call that traps", call(TAIL, "b", &say("tail").trap()), 4),
        after("a tail call of nobody", call(TAIL, "bob", &say("tail")), 4),
        after("a tail call loses the log", call_of(say("log"), TAIL, "b", 0, &say("tail")), 4),
        after("two calls", call_of(call(0, "b", &say("one")), 0, "e", 0, &say("two")), 8),
    ]
}

fn inputs(group: &Group) -> Vec<Case> {
    // The first operation's byte is what the echo takes for flags: 0 for a write.
    let start = || prepared(Script::new().write(DATA, "77"), "e", 0, &Script::new());
    let host =
        |script: Script, flags: u64| script.host("seal1.call", &[flags, A, 0, V, NONE.into(), NONE.into(), O, L]);
    let one = |name: &str, script: Script| case(group, name).call("a", script);
    vec![
        one("forwarded input", logged(host(start(), FORWARD), 16)),
        one("cloned input", logged(host(start(), CLONE), 16)),
        one(
            "cloned and forwarded input is cloned",
            logged(host(start(), CLONE | FORWARD), 16).read("seal0.input", &[], 8),
        ),
        one("input after it was cloned", host(start(), CLONE).read("seal0.input", &[], 8)),
        one("input after it was forwarded", host(start(), FORWARD).read("seal0.input", &[], 8)),
        one("input forwarded twice", host(host(start(), FORWARD), FORWARD)),
        one("input cloned after it was forwarded", host(host(start(), FORWARD), CLONE)),
        one(
            "input is gone when the call it was forwarded to failed",
            host(start().write(ACCOUNT, &account("carol")), FORWARD).read("seal0.input", &[], 8),
        ),
        one("input forwarded by a tail call", host(start(), FORWARD | TAIL).trap()),
        one("an input beyond the memory", start().host("seal1.call", &[0, A, 0, V, BEYOND - 1, 2, O, L])),
        one(
            "an empty input at the end of the memory",
            logged(start().host("seal1.call", &[0, A, 0, V, BEYOND, 0, O, L]), 1),
        ),
        one("an unknown flag", host(start(), 32)),
        one("an unknown flag beside known ones", host(start(), 0x8000_0003)),
        one("an unknown flag of version 2", start().host("seal2.call", &[32, A, 0, 0, NONE.into(), V, I, 0, O, L])),
    ]
}

fn values(group: &Group) -> Vec<Case> {
    let facts = || Script::new().read("seal0.value_transferred", &[], 16).read("seal0.balance", &[], 16);
    let one =
        |name: &str, script: Script| case(group, name).call("a", logged(script, 40).read("seal0.balance", &[], 16));
    vec![
        one("with a value", call_of(Script::new(), 0, "b", 30, &facts())),
        one("with the whole balance", call_of(Script::new(), 0, "b", 100, &facts())),
        one("with more than the balance", call_of(Script::new(), 0, "b", 101, &facts())),
        one("with the largest value", call_of(Script::new(), 0, "b", u128::MAX, &facts())),
        one("with a value for nobody", call_of(Script::new(), 0, "carol", 30, &facts())),
        one("with too high a value for nobody", call_of(Script::new(), 0, "carol", 101, &facts())),
        one("value goes back when the callee reverts", call_of(Script::new(), 0, "b", 30, &facts().finish(1))),
        one("value goes back when the callee traps", call_of(Script::new(), 0, "b", 30, &facts().trap())),
        one("to itself with a value", call_of(Script::new(), REENTRY, "a", 30, &facts())),
        one("to itself with more than the balance", call_of(Script::new(), REENTRY, "a", 101, &facts())),
    ]
}

fn rollback(group: &Group) -> Vec<Case> {
    let event = |script: Script| script.write(DATA, &hex::encode("event")).host("seal0.deposit_event", &[0, 0, D, 5]);
    let transfer = |script: Script| {
        script.write(ACCOUNT, &account("carol")).write(VALUE, &le128(7)).host("seal0.transfer", &[A, 32, V, 16])
    };
    let busy = || event(store(transfer(Script::new()), 1));
    let say = || Script::new().write(DATA, &hex::encode("said")).host("seal0.debug_message", &[D, 4]);
    let mut cases = Vec::new();
    for (name, ending) in [("keeps", busy()), ("reverts", busy().finish(1)), ("traps", busy().trap())] {
        let outer = call_of(event(store(Script::new(), 2)), 0, "b", 20, &ending);
        cases.push(case(group, &format!("effects of a callee that {name}")).call("a", event(has(outer, 2))));
        let deep = call_of(
            event(Script::new()),
            REENTRY,
            "b",
            20,
            &call_of(event(store(Script::new(), 3)), REENTRY, "a", 10, &ending),
        );
        cases.push(
            case(group, &format!("effects of a callee's callee that {name}, re-entered"))
                .call("a", event(has(has(deep, 1), 2))),
        );
    }
    let middle = call_of(event(store(Script::new(), 3)), 0, "e", 5, &Script::new()).finish(1);
    cases.push(
        case(group, "effects of a callee that reverts after a good call")
            .call("a", call_of(Script::new(), 0, "b", 20, &middle)),
    );
    cases.push(
        case(group, "debug messages of callees")
            .call("a", call_of(say(), 0, "b", 0, &say().trap()).host("seal0.debug_message", &[D, 2])),
    );
    let inner = store(Script::new(), 4);
    cases.push(
        case(group, "a re-entered contract's own writes")
            .call("a", has(call_of(store(Script::new(), 5), REENTRY, "a", 0, &has(inner, 5)), 4)),
    );
    cases
}

fn reentrance(group: &Group) -> Vec<Case> {
    let count = || {
        Script::new()
            .host("seal0.reentrance_count", &[])
            .write(ACCOUNT, &account("a"))
            .host("seal0.account_reentrance_count", &[A])
            .write(ACCOUNT, &account("b"))
            .host("seal0.account_reentrance_count", &[A])
            .write(ACCOUNT, &account("bob"))
            .host("seal0.account_reentrance_count", &[A])
            .host("seal0.caller_is_origin", &[])
    };
    let through_b = |outer: u64, inner: u64| {
        logged(call_of(count(), outer, "b", 0, &logged(call_of(count(), inner, "a", 0, &count()), 20)), 48)
    };
    let one = |name: &str, script: Script| case(group, name).call("a", script);
    let after = call_of(logged(call(0, "b", &say("x")), 1), REENTRY, "a", 0, &say("y"));
    vec![
        one("itself without leave", logged(call(0, "a", &count()), 20)),
        one("itself with leave", logged(call(REENTRY, "a", &count()), 20)),
        one("itself through another without leave", through_b(0, 0)),
        one("itself through another with leave", through_b(REENTRY, 0)),
        one("itself through another with leave of both", through_b(REENTRY, REENTRY)),
        one(
            "version 0 gives leave",
            logged(
                prepared(Script::new(), "a", 0, &count())
                    .host("seal0.call", &[A, 32, 0, V, 16, I, length(&count().text).into(), O, L]),
                20,
            ),
        ),
        one("leave is for one call", logged(after, 1)),
        one("a refusal ends only the refused caller", logged(call(0, "b", &call(REENTRY, "a", &say("x"))), 1)),
        one("counts without a call", count()),
        one(
            "account_reentrance_count beyond the memory",
            Script::new().host("seal0.account_reentrance_count", &[BEYOND - 31]),
        ),
    ]
}

/// The contract calls itself so often; each call logs the next one's code and what that logged.
fn nest(calls: u32) -> Script {
    (0..calls).fold(Script::new(), |inner, below| call(REENTRY, "a", &inner).emit(OUTPUT, 4 * below))
}

fn depth(group: &Group) -> Vec<Case> {
    let limit = crate::runtime::DEPTH as u32;
    vec![
        case(group, "as deep as can be").call("a", nest(limit - 1)),
        case(group, "one deeper").call("a", nest(limit)),
        case(group, "two deeper").call("a", nest(limit + 1)),
    ]
}

fn termination(group: &Group) -> Vec<Case> {
    let end = |label: &str| Script::new().write(ACCOUNT, &account(label)).host("seal1.terminate", &[A]);
    let ask = |script: Script, label: &str| script.write(ACCOUNT, &account(label)).host("seal0.is_contract", &[A]);
    let one = |name: &str, script: Script| case(group, name).call("a", script);
    vec![
        one(
            "a callee that terminates",
            ask(call_of(logged(call(0, "b", &end("carol")), 1), 0, "b", 0, &say("x")), "b"),
        ),
        one("a callee that terminates and gets a value", call_of(Script::new(), 0, "b", 30, &end("carol"))),
        one("a callee that terminates for its caller", call_of(Script::new(), 0, "b", 30, &end("a"))),
        one("a callee that terminates for itself", call_of(Script::new(), 0, "b", 30, &end("b"))),
        one("a callee that terminates, then all reverts", call_of(Script::new(), 0, "b", 30, &end("carol")).finish(1)),
        one("a callee that terminates, then gets money", {
            let money = call(0, "b", &end("carol")).write(ACCOUNT, &account("b")).write(VALUE, &le128(10));
            money.host("seal0.transfer", &[A, 32, V, 16])
        }),
        case(group, "a callee that terminates, then its caller reverts")
            .deploy_with("c", 3, Script::new())
            .call("a", ask(call(0, "b", &call(0, "c", &end("carol")).finish(1)), "c")),
        one("termination while re-entered", call(REENTRY, "a", &end("carol"))),
        one(
            "termination while re-entered through another",
            logged(call(REENTRY, "b", &logged(call(0, "a", &end("carol")), 1)), 9),
        ),
        one(
            "termination after a re-entrant call",
            call_of(Script::new(), REENTRY, "a", 0, &say("x"))
                .write(ACCOUNT, &account("carol"))
                .host("seal1.terminate", &[A]),
        ),
        one("a tail call of a callee that terminates", call(TAIL, "b", &end("carol")).trap()),
    ]
}

fn wrong(group: &Group) -> Vec<Case> {
    let start = || prepared(Script::new(), "e", 0, &Script::new()).write(INPUT, "00616263");
    let host = |script: Script, out: u64, size: u64| script.host("seal1.call", &[0, A, 0, V, I, 4, out, size]);
    let one = |name: &str, script: Script| case(group, name).call("a", script);
    let reverting = |script: Script| script.write(INPUT, "01616263");
    vec![
        one("output of the size of the buffer", logged(host(start().capacity(4), O, L), 5)),
        one("output larger than the buffer", host(start().capacity(3), O, L)),
        one("output of a revert larger than the buffer", host(reverting(start()).capacity(3), O, L)),
        one("output not wanted", host(start().capacity(3), NONE.into(), L).emit(LENGTH, 4)),
        one("output and length not wanted", host(start(), NONE.into(), NONE.into())),
        one("length not wanted", host(start(), O, NONE.into())),
        one("output beyond the memory", host(start(), BEYOND - 3, L)),
        one("length over the end of the memory", host(start(), O, BEYOND - 3)),
        one(
            "bad buffer for a callee that traps",
            call(0, "b", &say("x").trap()).host("seal1.call", &[0, A, 0, V, I, 0, BEYOND, BEYOND]),
        ),
        one(
            "bad buffer for nobody",
            start().write(ACCOUNT, &account("carol")).host("seal1.call", &[0, A, 0, V, I, 4, BEYOND, BEYOND]),
        ),
        one("account beyond the memory", start().host("seal1.call", &[0, BEYOND - 31, 0, V, I, 4, O, L])),
        one(
            "account beyond the memory, version 0",
            start().host("seal0.call", &[BEYOND - 31, 32, 0, V, 16, I, 4, O, L]),
        ),
        one("value beyond the memory", start().host("seal1.call", &[0, A, 0, BEYOND - 15, I, 4, O, L])),
        one(
            "value beyond the memory, version 2",
            start().host("seal2.call", &[0, A, 0, 0, NONE.into(), BEYOND - 15, I, 4, O, L]),
        ),
    ]
}

/// Read-only calls.
pub fn read_only() -> Group {
    let mut group = Group::new("read-only");
    group.codes.push(("echo".to_string(), compile(include_str!("../../contracts/echo.wat"))));
    let start = || Script::new().write(KEY, &"11".repeat(32)).write(ACCOUNT, &account("carol")).write(VALUE, &le128(1));
    let writes: [(&str, &[u64]); 19] = [
        ("seal0.set_storage", &[K, D, 1]),
        ("seal1.set_storage", &[K, D, 1]),
        ("seal2.set_storage", &[K, 1, D, 1]),
        ("seal0.clear_storage", &[K]),
        ("seal1.clear_storage", &[K, 1]),
        ("seal0.take_storage", &[K, 1, O, L]),
        ("seal0.transfer", &[A, 32, V, 16]),
        ("seal0.deposit_event", &[0, 0, D, 1]),
        ("seal0.instantiate", &[K, 32, 0, V, 16, I, 0, O, L, O, L, I, 0]),
        ("seal1.instantiate", &[K, 0, V, I, 0, O, L, O, L, I, 0]),
        ("seal2.instantiate", &[K, 0, 0, NONE as u64, V, I, 0, O, L, O, L, I, 0]),
        ("seal0.terminate", &[A, 32]),
        ("seal1.terminate", &[A]),
        ("seal0.set_code_hash", &[K]),
        ("seal0.clear_storage", &[BEYOND]),
        ("seal0.lock_delegate_dependency", &[K]),
        ("seal0.unlock_delegate_dependency", &[K]),
        ("seal1.call", &[0, A, 0, V, I, 0, O, L]),
        ("seal0.call", &[A, 32, 0, V, 16, I, 0, O, L]),
    ];
    let reads = Script::new()
        .write(KEY, &"11".repeat(32))
        .host("seal1.contains_storage", &[K, 1])
        .capacity(8)
        .host("seal1.get_storage", &[K, 1, O, L])
        .host("seal0.set_transient_storage", &[K, 1, D, 1])
        .host("seal0.contains_transient_storage", &[K, 1])
        .host("seal0.debug_message", &[D, 1])
        .read("seal0.balance", &[], 16);
    let read_only = |script: &Script| logged(call(READ_ONLY, "b", script), 28);
    let case = |group: &Group, name: &str| {
        group
            .case(name)
            .deploy_with("a", 50, Script::new())
            .deploy_with("b", 50, Script::new())
            .deploy_code("e", "echo", 0, "")
    };
    let mut cases = Vec::new();
    for (number, (name, arguments)) in writes.iter().enumerate() {
        let script = start().host(name, arguments);
        cases.push(case(&group, &format!("{name}, {number}")).call("a", read_only(&script)));
    }
    cases.push(case(&group, "reads, transient writes and messages").call("a", read_only(&reads)));
    cases.push(case(&group, "a call in a read-only call").call("a", read_only(&call(0, "e", &Script::new()))));
    cases.push(
        case(&group, "a write in a call in a read-only call")
            .call("a", read_only(&call(REENTRY, "a", &store(Script::new(), 1)))),
    );
    cases.push(
        case(&group, "a write in a re-entrant call in a read-only call")
            .call("a", logged(call(READ_ONLY | REENTRY, "b", &logged(call(0, "a", &store(Script::new(), 1)), 4)), 12)),
    );
    cases.push(case(&group, "with a value").call("a", call_of(Script::new(), READ_ONLY, "b", 1, &Script::new())));
    cases.push(case(&group, "a write after a read-only call").call("a", store(read_only(&say("x")), 1)));
    cases.push(case(&group, "a tail call").call("a", call(READ_ONLY | TAIL, "b", &say("x"))));
    cases.push(case(&group, "a trap is not for the caller").call("a", store(read_only(&store(Script::new(), 1)), 2)));
    cases.into_iter().fold(group, Group::add)
}
