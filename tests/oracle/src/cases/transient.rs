//! Transient storage.

use crate::{
    script::{account, Script, ACCOUNT, DATA, END, KEY, LENGTH, NONE, OUTPUT, VALUE},
    table::Group,
};

const K: u64 = KEY as u64;
const D: u64 = DATA as u64;
const O: u64 = OUTPUT as u64;
const L: u64 = LENGTH as u64;
const BEYOND: u64 = END as u64;

fn start() -> Script {
    Script::new().write(KEY, &"11".repeat(160)).write(DATA, &hex::encode("value"))
}

fn set(script: Script, bytes: u64) -> Script {
    script.host("seal0.set_transient_storage", &[K, 7, D, bytes])
}

fn has(script: Script) -> Script {
    script.host("seal0.contains_transient_storage", &[K, 7])
}

/// Calls a contract, with re-entrance allowed, and logs its output of `bytes`.
fn call(script: Script, contract: &str, inner: &Script, bytes: u32) -> Script {
    const INPUT: u32 = 0x800;
    let size = crate::script::length(&inner.text).into();
    script
        .with(inner)
        .write(ACCOUNT, &account(contract))
        .write(INPUT, &inner.text)
        .capacity(0x100)
        .host("seal1.call", &[8, ACCOUNT.into(), 0, VALUE.into(), INPUT.into(), size, O, L])
        .emit(OUTPUT, bytes)
}

pub fn group() -> Group {
    let walk = has(set(set(set(has(start()), 5), 3), 3))
        .read("seal0.get_transient_storage", &[K, 7], 5)
        .read("seal0.take_transient_storage", &[K, 7], 5)
        .capacity(9)
        .host("seal0.take_transient_storage", &[K, 7, O, L])
        .host("seal0.get_transient_storage", &[K, 7, O, L])
        .host("seal0.clear_transient_storage", &[K, 7]);
    let walk = set(walk, 0).host("seal0.clear_transient_storage", &[K, 7]);
    let group = full(wrong(Group::new("transient").script("all functions", has(walk))));
    let ends = group
        .case("ends with the transaction and is not storage")
        .deploy_with("a", 0, set(start(), 5))
        .call("a", set(has(start()), 5))
        .call("a", has(start()));
    let own = group
        .case("each contract has its own, for the whole transaction")
        .deploy("a")
        .deploy("b")
        .call("a", call(call(set(start(), 5), "b", &set(has(start()), 2), 8), "b", &has(start()), 4));
    let reentered = call(start(), "a", &set(has(start()), 4), 8);
    let seen = group
        .case("a re-entered contract sees what it set")
        .deploy("a")
        .deploy("b")
        .call("a", has(call(set(start(), 5), "b", &reentered, 8)));
    let mut group = group.add(ends).add(own).add(seen);
    for (name, ending) in [("reverts", set(start(), 4).finish(1)), ("traps", set(start(), 4).trap())] {
        let case = group
            .case(&format!("what a callee that {name} set is undone"))
            .deploy("a")
            .call("a", has(call(set(start(), 5), "a", &ending, 4)))
            .call("a", has(call(start(), "a", &ending, 4)));
        group = group.add(case);
    }
    group
}

/// Sets so many of the largest values, from a key on.
fn fill(first: u8, values: u8) -> Script {
    (first..first + values).fold(start(), |script, number| {
        script.write(KEY, &hex::encode([number])).host("seal0.set_transient_storage", &[K, 1, 0x3000, 16384])
    })
}

/// The engines count differently what a value takes, so that only what is clearly within the bound or beyond it is here.
fn full(mut group: Group) -> Group {
    for (name, first, then) in [
        ("room of a callee that reverts is given back", fill(0, 40).finish(1), fill(0, 40)),
        ("room of a callee that returns is taken", fill(0, 40), fill(100, 40)),
        ("what is there already takes no room", fill(0, 40), fill(0, 40)),
    ] {
        let script = call(call(start(), "b", &first, 4), "b", &then, 4);
        let case = group.case(name).deploy("a").deploy("b").call("a", script);
        group = group.add(case);
    }
    group.script("much", fill(0, 50)).script("too much", fill(0, 80))
}

fn wrong(group: Group) -> Group {
    let stored = || set(start(), 5);
    group
        .script(
            "the empty key",
            start()
                .host("seal0.set_transient_storage", &[K, 0, D, 5])
                .host("seal0.contains_transient_storage", &[K, 0]),
        )
        .script(
            "the longest key",
            start()
                .host("seal0.set_transient_storage", &[K, 128, D, 5])
                .host("seal0.contains_transient_storage", &[K, 128]),
        )
        .script("set, key too long", start().host("seal0.set_transient_storage", &[K, 129, D, 5]))
        .script("get, key too long", start().host("seal0.get_transient_storage", &[K, 129, O, L]))
        .script("contains, key too long", start().host("seal0.contains_transient_storage", &[K, 129]))
        .script("clear, key too long", start().host("seal0.clear_transient_storage", &[K, 129]))
        .script("take, key too long", start().host("seal0.take_transient_storage", &[K, 129, O, L]))
        .script("set, key beyond the memory", start().host("seal0.set_transient_storage", &[BEYOND, 1, D, 5]))
        .script("get, key beyond the memory", start().host("seal0.get_transient_storage", &[BEYOND, 1, O, L]))
        .script("contains, key beyond the memory", start().host("seal0.contains_transient_storage", &[BEYOND, 1]))
        .script("clear, key beyond the memory", start().host("seal0.clear_transient_storage", &[BEYOND, 1]))
        .script("take, key beyond the memory", start().host("seal0.take_transient_storage", &[BEYOND, 1, O, L]))
        .script("the largest value", start().host("seal0.set_transient_storage", &[K, 7, 0x3000, 16384]))
        .script("set, value too large", start().host("seal0.set_transient_storage", &[K, 7, 0x3000, 16385]))
        .script("set, value beyond the memory", start().host("seal0.set_transient_storage", &[K, 7, BEYOND - 4, 5]))
        .script("get, buffer too small", stored().capacity(4).host("seal0.get_transient_storage", &[K, 7, O, L]))
        .script("take, buffer too small", stored().capacity(4).host("seal0.take_transient_storage", &[K, 7, O, L]))
        .script("get, no pointer", stored().capacity(5).host("seal0.get_transient_storage", &[K, 7, NONE.into(), L]))
        .script("take, no pointer", stored().capacity(5).host("seal0.take_transient_storage", &[K, 7, NONE.into(), L]))
}
