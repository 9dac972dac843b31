//! Scripts drawn at random: mostly right, so that they get far, and wrong in a place now and then. The draws follow from the
//! number of the case alone.

use crate::{
    script::{account, code, le128, length, Script, ACCOUNT, DATA, END, HASH, KEY, LENGTH, NONE, OUTPUT, VALUE},
    table::Group,
};

const CASES: u64 = 250;
const SELF: &str = "script-random";
const TOPICS: u32 = 0x1000;
/// Where the account of a callee and its input are.
const CALLEE: u32 = 0x700;
const INPUT: u32 = 0x800;

/// Functions with what their parameters are: `k` a key and `n` its length, `d` data and `m` its length, `o` a buffer
/// and `l` the word of its length, `a` an account, `v` an amount, `h` a code hash, `t` topics and their length, `g`
/// gas, `x` what is ignored.
const FUNCTIONS: [(&str, &str); 44] = [
    ("seal0.set_storage", "kdm"),
    ("seal1.set_storage", "kdm"),
    ("seal2.set_storage", "kndm"),
    ("seal2.set_storage", "kndm"),
    ("seal0.clear_storage", "k"),
    ("seal1.clear_storage", "kn"),
    ("seal0.get_storage", "kol"),
    ("seal1.get_storage", "knol"),
    ("seal1.get_storage", "knol"),
    ("seal0.contains_storage", "k"),
    ("seal1.contains_storage", "kn"),
    ("seal0.take_storage", "knol"),
    ("seal0.set_transient_storage", "kndm"),
    ("seal0.set_transient_storage", "kndm"),
    ("seal0.clear_transient_storage", "kn"),
    ("seal0.get_transient_storage", "knol"),
    ("seal0.contains_transient_storage", "kn"),
    ("seal0.take_transient_storage", "knol"),
    ("seal0.transfer", "axvx"),
    ("seal0.transfer", "axvx"),
    ("seal0.deposit_event", "tdm"),
    ("seal0.deposit_event", "tdm"),
    ("seal0.debug_message", "dm"),
    ("seal0.balance", "ol"),
    ("seal0.value_transferred", "ol"),
    ("seal0.minimum_balance", "ol"),
    ("seal0.now", "ol"),
    ("seal0.block_number", "ol"),
    ("seal0.own_code_hash", "ol"),
    ("seal0.weight_to_fee", "gol"),
    ("seal0.is_contract", "a"),
    ("seal0.code_hash", "aol"),
    ("seal0.caller_is_origin", ""),
    ("seal0.caller_is_root", ""),
    ("seal0.reentrance_count", ""),
    ("seal0.account_reentrance_count", "a"),
    ("seal0.instantiation_nonce", ""),
    ("seal0.hash_sha2_256", "dmo"),
    ("seal0.hash_keccak_256", "dmo"),
    ("seal0.hash_blake2_256", "dmo"),
    ("seal0.hash_blake2_128", "dmo"),
    ("seal0.ecdsa_to_eth_address", "do"),
    ("seal0.ecdsa_recover", "ddo"),
    ("seal0.set_code_hash", "h"),
];

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// True once in so many draws.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

pub fn group() -> Group {
    let mut group = Group::new("random");
    for number in 0..CASES {
        let mut draw = Draw(number);
        let case = group
            .case(&number.to_string())
            .deploy_with("a", 100, Script::new())
            .deploy_with("b", 20, Script::new())
            .call("a", script(&mut draw, 2));
        group = group.add(case);
    }
    group
}

/// A script that calls others `depth` deep.
fn script(draw: &mut Draw, depth: u32) -> Script {
    let mut script = Script::new();
    if depth == 2 || draw.once_in(2) {
        script = prepared(draw, script);
    }
    for _ in 0..2 + 2 * u64::from(depth) + draw.below(3) {
        script = if depth > 0 && draw.once_in(4) { call(draw, script, depth - 1) } else { host(draw, script) };
        script = script.emit(LENGTH, 4).emit(OUTPUT, 16);
    }
    match draw.below(10) {
        0 => script.finish(1),
        1 => script.trap(),
        2 => script.host("seal1.terminate", &[ACCOUNT.into()]),
        _ => script,
    }
}

/// Puts something sensible wherever functions look. Without it there are zeros.
fn prepared(draw: &mut Draw, script: Script) -> Script {
    let topics = [vec![0x08], vec![0x22; 32], vec![0x33; 32]].concat();
    script
        .write(KEY, &"11".repeat(64))
        .write(DATA, &hex::encode("some data"))
        .write(ACCOUNT, &account(draw.one(&["bob", "carol", "alice"])))
        .write(VALUE, &le128(u128::from(draw.one(&[0u64, 1, 7, 30, 200]))))
        .write(HASH, &code(draw.one(&[SELF, SELF, SELF, "unknown"])))
        .write(TOPICS, &hex::encode(topics))
}

fn host(draw: &mut Draw, script: Script) -> Script {
    let (name, parameters) = draw.one(&FUNCTIONS);
    let capacity = if draw.once_in(12) { draw.one(&[0, 1, 4, 15, 31]) } else { 64 };
    let mut arguments = Vec::new();
    for parameter in parameters.chars() {
        let wrong = draw.once_in(40);
        let (pointers, lengths) = ([END - 1, END - 31, END, END + 1, NONE], [129, 16_384, 16_385, 0x2_0001, NONE]);
        match parameter {
            't' => arguments.extend(match draw.below(12) {
                0 => [TOPICS, 64],
                1 => [NONE, 65],
                2..=5 => [NONE, 0],
                _ => [TOPICS, 65],
            }),
            'n' | 'm' if wrong => arguments.push(draw.one(&lengths)),
            'n' => arguments.push(draw.one(&[0, 1, 4, 7, 32])),
            'm' => arguments.push(draw.one(&[0, 1, 5, 9, 40])),
            'g' | 'x' => arguments.push(draw.below(1000) as u32),
            _ if wrong => arguments.push(draw.one(&pointers)),
            'k' => arguments.push(KEY + draw.below(8) as u32),
            'd' => arguments.push(draw.one(&[DATA, KEY])),
            'o' => arguments.push(OUTPUT),
            'l' => arguments.push(LENGTH),
            'a' => arguments.push(ACCOUNT),
            'v' => arguments.push(VALUE),
            'h' => arguments.push(HASH),
            other => unreachable!("parameter {other}"),
        }
    }
    let arguments: Vec<u64> = arguments.into_iter().map(u64::from).collect();
    script.capacity(capacity).host(name, &arguments)
}

/// A call of either contract, or a delegate call.
fn call(draw: &mut Draw, script: Script, depth: u32) -> Script {
    let inner = self::script(draw, depth);
    let bytes = u64::from(length(&inner.text));
    let script = script.with(&inner).write(INPUT, &inner.text).capacity(0x1000);
    let (input, output) = (u64::from(INPUT), [u64::from(OUTPUT), u64::from(LENGTH)]);
    if draw.once_in(4) {
        let flags = draw.one(&[0, 0, 0, 0, 4, 8]);
        return script.host("seal0.delegate_call", &[flags, HASH.into(), input, bytes, output[0], output[1]]);
    }
    let flags = draw.one(&[0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8, 8, 16, 24, 4, 12, 12, 32]);
    let callee = draw.one(&["a", "b", "b", "carol"]);
    script
        .write(CALLEE, &account(callee))
        .host("seal1.call", &[flags, CALLEE.into(), 0, VALUE.into(), input, bytes, output[0], output[1]])
}
