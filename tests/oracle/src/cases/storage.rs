//! Storage with fixed and variable keys.

use crate::{
    script::{le32, Script, DATA, END, KEY, LENGTH, NONE, OUTPUT},
    table::Group,
};

const K: u64 = KEY as u64;
const D: u64 = DATA as u64;
const O: u64 = OUTPUT as u64;
const L: u64 = LENGTH as u64;
const BEYOND: u64 = END as u64;
/// Longest key, largest value.
const MAX_KEY: u64 = 128;
const MAX_VALUE: u64 = 16 * 1024;

/// A script with a key of equal bytes and the value "value".
fn start() -> Script {
    Script::new().write(KEY, &"11".repeat(160)).write(DATA, &hex::encode("value"))
}

pub fn group() -> Group {
    let group = limits(buffers(keys(versions(Group::new("storage")))));
    let kept = group
        .case("values are kept between calls and a revert or a trap keeps none")
        .deploy_with("a", 0, start().host("seal2.set_storage", &[K, 7, D, 5]))
        .call("a", start().host("seal2.set_storage", &[K, 7, D, 3]).finish(1))
        .call("a", start().host("seal2.set_storage", &[K, 7, D, 2]).host("seal2.set_storage", &[K, 9, D, 2]).trap())
        .call("a", start().read("seal1.get_storage", &[K, 7], 5))
        .call("a", start().host("seal1.clear_storage", &[K, 7]).trap())
        .call("a", start().host("seal1.clear_storage", &[K, 7]));
    let apart = group
        .case("contracts do not see each other's values")
        .deploy("a")
        .deploy("b")
        .call("a", start().host("seal2.set_storage", &[K, 7, D, 5]))
        .call("b", start().host("seal1.contains_storage", &[K, 7]));
    group.add(kept).add(apart)
}

fn versions(group: Group) -> Group {
    let fixed = start()
        .host("seal0.contains_storage", &[K])
        .capacity(16)
        .host("seal0.get_storage", &[K, O, L])
        .emit(LENGTH, 4)
        .host("seal0.set_storage", &[K, D, 5])
        .host("seal0.contains_storage", &[K])
        .read("seal0.get_storage", &[K], 5)
        .host("seal1.set_storage", &[K, D, 2])
        .host("seal1.set_storage", &[K, D, 0])
        .host("seal0.contains_storage", &[K])
        .read("seal0.get_storage", &[K], 1)
        .host("seal0.clear_storage", &[K])
        .host("seal0.clear_storage", &[K])
        .host("seal0.contains_storage", &[K])
        .host("seal1.set_storage", &[K, D, 4]);
    let variable = start()
        .host("seal1.contains_storage", &[K, 7])
        .capacity(16)
        .host("seal1.get_storage", &[K, 7, O, L])
        .host("seal0.take_storage", &[K, 7, O, L])
        .emit(LENGTH, 4)
        .host("seal2.set_storage", &[K, 7, D, 5])
        .host("seal2.set_storage", &[K, 7, D, 4])
        .host("seal1.contains_storage", &[K, 7])
        .read("seal1.get_storage", &[K, 7], 5)
        .read("seal0.take_storage", &[K, 7], 5)
        .host("seal1.contains_storage", &[K, 7])
        .host("seal1.clear_storage", &[K, 7])
        .host("seal2.set_storage", &[K, 7, D, 0])
        .host("seal1.clear_storage", &[K, 7])
        .host("seal2.set_storage", &[K, 7, D, 3]);
    let aliases = start()
        .host("seal0.seal_set_storage", &[K, D, 5])
        .host("seal1.seal_set_storage", &[K, D, 4])
        .host("seal0.seal_contains_storage", &[K])
        .read("seal0.seal_get_storage", &[K], 4)
        .host("seal0.seal_clear_storage", &[K])
        .host("seal2.seal_set_storage", &[K, 5, D, 5])
        .host("seal1.seal_contains_storage", &[K, 5])
        .read("seal1.seal_get_storage", &[K, 5], 5)
        .read("seal0.seal_take_storage", &[K, 5], 5)
        .host("seal2.set_storage", &[K, 6, D, 5])
        .host("seal1.seal_clear_storage", &[K, 6]);
    group.script("fixed keys", fixed).script("variable keys", variable).script("aliases", aliases).script(
        "a fixed key and a variable one of the same 32 bytes",
        start().host("seal1.set_storage", &[K, D, 5]).host("seal1.contains_storage", &[K, 32]),
    )
}

fn keys(mut group: Group) -> Group {
    for bytes in [0, 1, 31, 32, 33, MAX_KEY] {
        let script = start()
            .host("seal2.set_storage", &[K, bytes, D, 5])
            .host("seal1.contains_storage", &[K, bytes])
            .read("seal1.get_storage", &[K, bytes], 5);
        group = group.script(&format!("a key of {bytes} bytes"), script);
    }
    let long = MAX_KEY + 1;
    group
        .script("set, key too long", start().host("seal2.set_storage", &[K, long, D, 5]))
        .script("get, key too long", start().capacity(9).host("seal1.get_storage", &[K, long, O, L]))
        .script("contains, key too long", start().host("seal1.contains_storage", &[K, long]))
        .script("clear, key too long", start().host("seal1.clear_storage", &[K, long]))
        .script("take, key too long", start().capacity(9).host("seal0.take_storage", &[K, long, O, L]))
        .script("set, key of 4 GiB", start().host("seal2.set_storage", &[K, NONE.into(), D, 5]))
        .script("set, key beyond the memory", start().host("seal2.set_storage", &[BEYOND - 6, 7, D, 5]))
        .script("set, key at the end of the memory", start().host("seal2.set_storage", &[BEYOND - 7, 7, D, 5]))
        .script("set fixed, key beyond the memory", start().host("seal0.set_storage", &[BEYOND - 31, D, 5]))
        .script("set fixed with result, key beyond the memory", start().host("seal1.set_storage", &[BEYOND - 31, D, 5]))
        .script("get fixed, key beyond the memory", start().capacity(9).host("seal0.get_storage", &[BEYOND - 31, O, L]))
        .script("get, key beyond the memory", start().capacity(9).host("seal1.get_storage", &[BEYOND, 1, O, L]))
        .script("contains fixed, key beyond the memory", start().host("seal0.contains_storage", &[BEYOND - 31]))
        .script("contains, key beyond the memory", start().host("seal1.contains_storage", &[NONE.into(), 1]))
        .script("clear fixed, key beyond the memory", start().host("seal0.clear_storage", &[BEYOND - 31]))
        .script("clear, key beyond the memory", start().host("seal1.clear_storage", &[BEYOND, 1]))
        .script("take, key beyond the memory", start().capacity(9).host("seal0.take_storage", &[BEYOND, 1, O, L]))
        .script("an empty key at the end of the memory", start().host("seal2.set_storage", &[BEYOND, 0, D, 5]))
        .script("an empty key beyond the memory", start().host("seal2.set_storage", &[BEYOND + 1, 0, D, 5]))
}

fn buffers(mut group: Group) -> Group {
    let stored = || start().host("seal2.set_storage", &[K, 7, D, 5]).host("seal1.set_storage", &[K, D, 5]);
    let readers: [(&str, &[u64]); 3] =
        [("seal0.get_storage", &[K]), ("seal1.get_storage", &[K, 7]), ("seal0.take_storage", &[K, 7])];
    for (name, key) in readers {
        let call = |out: u64, length: u64| [key, &[out, length]].concat();
        group = group
            .script(
                &format!("{name}, buffer of the size"),
                stored().capacity(5).host(name, &call(O, L)).emit(OUTPUT, 6),
            )
            .script(&format!("{name}, buffer too small"), stored().capacity(4).host(name, &call(O, L)))
            .script(&format!("{name}, no pointer"), stored().capacity(5).host(name, &call(NONE.into(), L)))
            .script(&format!("{name}, data beyond the memory"), stored().capacity(5).host(name, &call(BEYOND - 4, L)))
            .script(&format!("{name}, length beyond the memory"), stored().host(name, &call(O, BEYOND - 3)))
            .script(
                &format!("{name}, length over the data"),
                stored().write(OUTPUT, &le32(9)).host(name, &call(O, O)).emit(OUTPUT, 6),
            );
    }
    group.script("get, key not there, no buffer", start().host("seal1.get_storage", &[K, 7, NONE.into(), NONE.into()]))
}

fn limits(group: Group) -> Group {
    let large = start()
        .host("seal2.set_storage", &[K, 7, 0x3000, MAX_VALUE])
        .host("seal1.contains_storage", &[K, 7])
        .host("seal2.set_storage", &[K, 7, 0x3000, 1]);
    group
        .script("the largest value", large)
        .script("set, value too large", start().host("seal2.set_storage", &[K, 7, 0x3000, MAX_VALUE + 1]))
        .script("set fixed, value too large", start().host("seal0.set_storage", &[K, 0x3000, MAX_VALUE + 1]))
        .script(
            "set fixed with result, value too large",
            start().host("seal1.set_storage", &[K, 0x3000, MAX_VALUE + 1]),
        )
        .script("set, value of 4 GiB", start().host("seal2.set_storage", &[K, 7, 0, NONE.into()]))
        .script("set, value beyond the memory", start().host("seal2.set_storage", &[K, 7, BEYOND - 4, 5]))
        .script("set, an empty value beyond the memory", start().host("seal2.set_storage", &[K, 7, BEYOND + 1, 0]))
}
