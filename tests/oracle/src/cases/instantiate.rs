//! Contracts that make contracts.

use crate::{
    host::compile,
    script::{
        account, code, le128, length, Script, ACCOUNT, DATA, DEPOSIT, END, HASH, KEY, LENGTH, NONE, OUTPUT, SALT, VALUE,
    },
    table::{Case, Group},
};

const A: u64 = ACCOUNT as u64;
const V: u64 = VALUE as u64;
const H: u64 = HASH as u64;
const O: u64 = OUTPUT as u64;
const L: u64 = LENGTH as u64;
const S: u64 = SALT as u64;
const BEYOND: u64 = END as u64;
const INPUT: u32 = 0x800;
const I: u64 = INPUT as u64;
/// Where the new contract's address and its length go.
const NEW: u32 = 0x600;
const N: u64 = NEW as u64;
const NEW_LENGTH: u32 = 0x640;
const NL: u64 = NEW_LENGTH as u64;
const SELF: &str = "script-instantiate";

fn prepared(script: Script, name: &str, value: u128, inner: &Script) -> Script {
    script
        .with(inner)
        .write(HASH, &code(name))
        .write(VALUE, &le128(value))
        .write(INPUT, &inner.text)
        .write(SALT, "5a17")
        .write(NEW_LENGTH, "20000000")
        .capacity(0x1000)
}

/// Makes a contract and logs the code.
fn make(script: Script, name: &str, value: u128, inner: &Script) -> Script {
    let bytes = length(&inner.text).into();
    prepared(script, name, value, inner).host("seal1.instantiate", &[H, 0, V, I, bytes, N, NL, O, L, S, 2])
}

/// Logs the address, its length, and the output's length and so many of its bytes.
fn logged(script: Script, bytes: u32) -> Script {
    script.emit(NEW_LENGTH, 4).emit(NEW, 32).emit(LENGTH, 4).emit(OUTPUT, bytes)
}

fn say(text: &str) -> Script {
    Script::new().write(DATA, &hex::encode(text)).emit(DATA, text.len() as u32)
}

/// Calls whatever address is at the pointer, with a script, and logs the code and output.
fn call_at(script: Script, pointer: u32, flags: u64, inner: &Script, bytes: u32) -> Script {
    let size = length(&inner.text).into();
    script
        .with(inner)
        .write(INPUT, &inner.text)
        .write(VALUE, &le128(0))
        .capacity(0x1000)
        .host("seal1.call", &[flags, pointer.into(), 0, V, I, size, O, L])
        .emit(OUTPUT, bytes)
}

fn case(group: &Group, name: &str) -> Case {
    group.case(name).deploy_with("a", 100, Script::new()).deploy_code("e", "echo", 0, "")
}

pub fn group() -> Group {
    let mut group = Group::new("instantiate");
    group.codes.push(("echo".to_string(), compile(include_str!("../../contracts/echo.wat"))));
    let cases: Vec<Case> =
        [good(&group), rollback(&group), wrong(&group), nonces(&group), locks(&group)].into_iter().flatten().collect();
    cases.into_iter().fold(group, Group::add)
}

fn good(group: &Group) -> Vec<Case> {
    let facts = say("made")
        .read("seal0.caller", &[], 32)
        .read("seal0.address", &[], 32)
        .host("seal0.is_contract", &[O])
        .read("seal0.value_transferred", &[], 16)
        .read("seal0.balance", &[], 16)
        .host("seal0.caller_is_origin", &[]);
    let bytes = u64::from(length(&facts.text));
    let start = || prepared(Script::new(), SELF, 30, &facts);
    let zero = start().host("seal0.instantiate", &[H, 32, 0, V, 16, I, bytes, N, NL, O, L, S, 2]);
    let two = |deposit: u64| {
        start()
            .write(DEPOSIT, &le128(10_000))
            .host("seal2.instantiate", &[H, 0, 0, deposit, V, I, bytes, N, NL, O, L, S, 2])
    };
    let aliases = start()
        .host("seal0.seal_instantiate", &[H, 0, 0, V, 0, I, bytes, N, NL, O, L, S, 2])
        .write(SALT, "ff")
        .host("seal1.seal_instantiate", &[H, 0, V, I, bytes, N, NL, O, L, S, 1]);
    let one =
        |name: &str, script: Script| case(group, name).call("a", logged(script, 140).read("seal0.balance", &[], 16));
    let used = make(Script::new(), SELF, 5, &say("x")).host("seal0.is_contract", &[N]);
    let used = call_at(used, NEW, 0, &Script::new().read("seal0.caller", &[], 32).read("seal0.balance", &[], 16), 60);
    let stored = Script::new()
        .write(KEY, "0102")
        .host("seal2.set_storage", &[KEY.into(), 2, KEY.into(), 2])
        .host("seal0.deposit_event", &[0, 0, KEY.into(), 2]);
    vec![
        one("version 0", zero),
        one("version 1", make(Script::new(), SELF, 30, &facts)),
        one("version 2", two(NONE.into())),
        one("version 2 with a deposit limit", two(DEPOSIT.into())),
        one("aliases", aliases),
        case(group, "the new contract can be called")
            .call("a", used)
            .call(&format!("{SELF}#1"), say("again").read("seal0.address", &[], 32)),
        case(group, "what a constructor stores and emits").call("a", make(Script::new(), SELF, 0, &stored)),
        case(group, "other code")
            .call("a", make(Script::new(), "echo", 0, &Script::new().write(DATA, "61")).emit(OUTPUT, 10)),
        case(group, "without a salt").call(
            "a",
            prepared(Script::new(), "echo", 0, &Script::new())
                .host("seal1.instantiate", &[H, 0, V, I, 0, N, NL, O, L, NONE.into(), 0])
                .trap(),
        ),
        case(group, "an empty salt").call(
            "a",
            prepared(Script::new(), "echo", 0, &Script::new())
                .host("seal1.instantiate", &[H, 0, V, I, 0, N, NL, O, L, S, 0]),
        ),
        case(group, "with all gas and more").call(
            "a",
            prepared(Script::new(), "echo", 0, &Script::new())
                .host("seal1.instantiate", &[H, u64::MAX, V, I, 0, N, NL, O, L, S, 0]),
        ),
    ]
}

fn rollback(group: &Group) -> Vec<Case> {
    let one = |name: &str, script: Script| case(group, name).call("a", script);
    let after = |name: &str, value: u128, inner: &Script| {
        one(name, logged(make(Script::new(), SELF, value, inner), 6).read("seal0.balance", &[], 16))
    };
    let twice = |second: &str| {
        let first = make(Script::new(), SELF, 0, &say("x")).write(SALT, second);
        let bytes = length(&say("x").text).into();
        first.host("seal1.instantiate", &[H, 0, V, I, bytes, N, NL, O, L, S, 2])
    };
    let maker = || make(Script::new(), "echo", 0, &Script::new());
    let through = |script: &Script| call_at(Script::new().write(ACCOUNT, &account("a")), ACCOUNT, 8, script, 0);
    // Each constructor makes the next contract and logs the code and what that one's constructor logged.
    let nest = |made: u32| {
        (0..made).fold(Script::new(), |inner, below| make(Script::new(), SELF, 0, &inner).emit(OUTPUT, 4 * below))
    };
    let limit = crate::runtime::DEPTH as u32;
    let own = Script::new().read("seal0.address", &[], 32);
    vec![
        after("a constructor that reverts", 30, &say("no").finish(1)),
        after("a constructor that traps", 30, &say("no").trap()),
        after("a constructor that returns unknown flags", 30, &say("no").finish(4)),
        after("more value than there is", 101, &say("no")),
        one(
            "a constructor that terminates",
            make(
                Script::new(),
                SELF,
                5,
                &Script::new().write(ACCOUNT, &account("carol")).host("seal1.terminate", &[A]),
            ),
        ),
        one("constructors one deeper than can be", nest(limit)),
        one("another salt", twice("5a18").trap()),
        one("the same salt", twice("5a17")),
        one("the same salt traps only its caller", through(&twice("5a17")).read("seal0.balance", &[], 16)),
        one("undone by a revert", maker().finish(1)),
        one("undone by a trap", maker().trap()),
        one("undone by a caller's revert, then made", make(through(&maker().finish(1)), "echo", 0, &Script::new())),
        one(
            "a constructor cannot call its contract",
            make(Script::new(), SELF, 0, &call_at(own.clone(), OUTPUT, 8, &say("x"), 1)).emit(OUTPUT, 40),
        ),
        one(
            "a constructor calls its maker",
            make(
                Script::new(),
                SELF,
                0,
                &call_at(Script::new().write(ACCOUNT, &account("a")), ACCOUNT, 8, &say("x"), 1),
            )
            .emit(OUTPUT, 5),
        ),
        one(
            "a constructor without gas",
            prepared(Script::new(), SELF, 0, &Script::new())
                .host("seal1.instantiate", &[H, 1, V, I, 0, N, NL, O, L, S, 2]),
        ),
    ]
}

fn wrong(group: &Group) -> Vec<Case> {
    let one = |name: &str, script: Script| case(group, name).call("a", script);
    let inner = Script::new().write(DATA, "61");
    let bytes = u64::from(length(&inner.text));
    let start = || prepared(Script::new(), "echo", 1, &inner);
    let all = [H, 0, V, I, bytes, N, NL, O, L, S, 2];
    let with = |at: usize, value: u64| {
        let mut arguments = all;
        arguments[at] = value;
        start().host("seal1.instantiate", &arguments)
    };
    let second = |deposit: u64| start().host("seal2.instantiate", &[H, 0, 0, deposit, V, I, bytes, N, NL, O, L, S, 2]);
    vec![
        one("unknown code", logged(make(Script::new(), "unknown", 0, &inner), 4)),
        one("hash beyond the memory", with(0, BEYOND - 31)),
        one(
            "hash beyond the memory, version 0",
            start().host("seal0.instantiate", &[BEYOND - 31, 32, 0, V, 16, I, bytes, N, NL, O, L, S, 2]),
        ),
        one("value beyond the memory", with(2, BEYOND - 15)),
        one("input beyond the memory", with(3, BEYOND - 2)),
        one("salt beyond the memory", with(9, BEYOND - 1)),
        one("deposit limit beyond the memory", second(BEYOND - 15)),
        one("address not wanted", logged(with(5, NONE.into()), 4)),
        one(
            "address and its length not wanted",
            start().host("seal1.instantiate", &[H, 0, V, I, bytes, NONE.into(), NONE.into(), O, L, S, 2]),
        ),
        one("address buffer too small", start().write(NEW_LENGTH, "1f000000").host("seal1.instantiate", &all)),
        one("address beyond the memory", with(5, BEYOND - 31)),
        one("output not wanted", with(7, NONE.into())),
        one("output larger than the buffer", start().capacity(3).host("seal1.instantiate", &all)),
        one("output beyond the memory", with(7, BEYOND)),
        one("address buffer too small, constructor reverts", {
            let reverting =
                prepared(Script::new(), "echo", 1, &Script::new()).write(INPUT, "0162").write(NEW_LENGTH, "00000000");
            logged(reverting.host("seal1.instantiate", &[H, 0, V, I, 2, N, NL, O, L, S, 2]), 2)
        }),
    ]
}

fn nonces(group: &Group) -> Vec<Case> {
    let nonce = |script: Script| script.host("seal0.instantiation_nonce", &[]);
    let inner = nonce(Script::new());
    let one = |name: &str, script: Script| group.case(name).deploy_with("a", 0, nonce(Script::new())).call("a", script);
    vec![
        one("instantiation_nonce", nonce(Script::new())),
        one(
            "instantiation_nonce after one was made",
            nonce(make(nonce(Script::new()), SELF, 0, &inner).emit(OUTPUT, 8)),
        ),
        one(
            "instantiation_nonce after a constructor reverted",
            nonce(make(Script::new(), SELF, 0, &nonce(Script::new()).finish(1)).emit(OUTPUT, 8)),
        ),
        one(
            "instantiation_nonce after a constructor trapped",
            nonce(make(Script::new(), SELF, 0, &Script::new().trap())),
        ),
        one("instantiation_nonce after unknown code", nonce(make(Script::new(), "unknown", 0, &inner))),
        one(
            "instantiation_nonce after a call that made one reverted",
            nonce(call_at(
                Script::new().write(ACCOUNT, &account("a")),
                ACCOUNT,
                8,
                &make(Script::new(), SELF, 0, &inner).finish(1),
                0,
            )),
        ),
    ]
}

fn locks(group: &Group) -> Vec<Case> {
    let lock =
        |script: Script, name: &str| script.write(HASH, &code(name)).host("seal0.lock_delegate_dependency", &[H]);
    let unlock =
        |script: Script, name: &str| script.write(HASH, &code(name)).host("seal0.unlock_delegate_dependency", &[H]);
    let one = |name: &str, script: Script| case(group, &format!("lock_delegate_dependency, {name}")).call("a", script);
    vec![
        one("and unlock", unlock(lock(Script::new(), "echo"), "echo").host("seal0.instantiation_nonce", &[])),
        one("in two calls", lock(Script::new(), "echo"))
            .call("a", unlock(Script::new(), "echo"))
            .call("a", unlock(Script::new(), "echo")),
        one("own code", lock(Script::new(), SELF)),
        one("unknown code", lock(Script::new(), "unknown")),
        one("twice", lock(lock(Script::new(), "echo"), "echo")),
        one("again after unlock", lock(unlock(lock(Script::new(), "echo"), "echo"), "echo")),
        one("unlock what is not locked", unlock(Script::new(), "echo")),
        one("undone by a revert", lock(Script::new(), "echo").finish(1)).call("a", unlock(Script::new(), "echo")),
        one("beyond the memory", Script::new().host("seal0.lock_delegate_dependency", &[BEYOND - 31])),
        one("unlock beyond the memory", Script::new().host("seal0.unlock_delegate_dependency", &[BEYOND - 31])),
    ]
}
