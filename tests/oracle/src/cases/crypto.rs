//! Hashes and signatures.

use crate::{
    script::{Script, DATA, END, NONE, OUTPUT},
    table::Group,
};
use sp_core::{ecdsa, Pair};

const D: u64 = DATA as u64;
const O: u64 = OUTPUT as u64;
const BEYOND: u64 = END as u64;
const SIGNATURE: u32 = 0x500;
const S: u64 = SIGNATURE as u64;
const PUBLIC: u32 = 0x580;
const P: u64 = PUBLIC as u64;

/// The order of secp256k1's group.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/// An sr25519 key and a signature of it over `MESSAGE`. Signing draws randomness, so that they are kept here.
const SR25519_PUBLIC: &str = "6a10be029d1ed283446587145a4f885225489b490424a0328dcce2a48ae6fe61";
const SR25519_SIGNATURE: &str = "30e5b50561898b9af346c406be1866d32f01e24239866f6078d5c674f8085129fc8f6b4c61dad90ba57c37128283ed3a5d1aaea0859ca24db14d6994ffe4ca85";
const MESSAGE: &str = "a message to sign";

const HASHES: [(&str, u32); 4] =
    [("hash_sha2_256", 32), ("hash_keccak_256", 32), ("hash_blake2_256", 32), ("hash_blake2_128", 16)];

pub fn group() -> Group {
    let mut group = Group::new("crypto");
    for (name, bytes) in HASHES {
        let host = |script: Script, pointer: u64, length: u64, out: u64| {
            script.host(&format!("seal0.{name}"), &[pointer, length, out])
        };
        let start = || Script::new().write(DATA, &hex::encode("hello"));
        let alias = format!("seal0.seal_{name}");
        group = group
            .script(name, host(start(), D, 5, O).emit(OUTPUT, bytes + 1).host(&alias, &[D, 4, O]).emit(OUTPUT, bytes))
            .script(&format!("{name} of nothing"), host(start(), D, 0, O).emit(OUTPUT, bytes))
            .script(
                &format!("{name} of 60,000 bytes"),
                host(Script::new(), 0x10000 + 2000, 60_000, O).emit(OUTPUT, bytes),
            )
            .script(&format!("{name} over its input"), host(start(), D, 40, D + 3).emit(DATA, 40))
            .script(&format!("{name}, input beyond the memory"), host(start(), BEYOND - 4, 5, O))
            .script(&format!("{name}, input of 4 GiB"), host(start(), 0, NONE.into(), O))
            .script(&format!("{name}, output beyond the memory"), host(start(), D, 5, BEYOND - u64::from(bytes) + 1))
            .script(
                &format!("{name}, output at the end of the memory"),
                host(start(), D, 5, BEYOND - u64::from(bytes)).emit(END - bytes, bytes),
            );
    }
    sr25519(address(recover(group)))
}

fn recover(mut group: Group) -> Group {
    let pair = ecdsa::Pair::from_seed(&[7; 32]);
    let digest = sp_io::hashing::blake2_256(MESSAGE.as_bytes());
    let good = hex::encode(pair.sign_prehashed(&digest).0);
    let (r, s, v) = (&good[..64], &good[64..128], u8::from_str_radix(&good[128..], 16).expect("a recovery id"));
    let start = |signature: &str| Script::new().write(DATA, &hex::encode(digest)).write(SIGNATURE, signature);
    let run = |signature: String| start(&signature).host("seal0.ecdsa_recover", &[S, D, O]).emit(OUTPUT, 33);
    let zero = "00".repeat(32);
    let cases: [(&str, String); 16] = [
        ("good", good.clone()),
        ("other recovery id", format!("{r}{s}{:02x}", v ^ 1)),
        ("recovery id of Ethereum", format!("{r}{s}{:02x}", v + 27)),
        ("other recovery id of Ethereum", format!("{r}{s}{:02x}", (v ^ 1) + 27)),
        ("recovery id 2", format!("{r}{s}02")),
        ("recovery id 3", format!("{r}{s}03")),
        ("recovery id 4", format!("{r}{s}04")),
        ("recovery id 26", format!("{r}{s}1a")),
        ("recovery id 31", format!("{r}{s}1f")),
        ("recovery id 255", format!("{r}{s}ff")),
        ("r is zero", format!("{zero}{s}{v:02x}")),
        ("s is zero", format!("{r}{zero}{v:02x}")),
        ("r is the order", format!("{ORDER}{s}{v:02x}")),
        ("s is the order", format!("{r}{ORDER}{v:02x}")),
        ("high s", format!("{r}{}{:02x}", negated(s), v ^ 1)),
        ("all ones", "ff".repeat(64) + "00"),
    ];
    for (name, signature) in cases {
        group = group.script(&format!("ecdsa_recover, {name}"), run(signature));
    }
    group
        .script(
            "ecdsa_recover, another hash",
            start(&good).write(DATA, "00").host("seal0.ecdsa_recover", &[S, D, O]).emit(OUTPUT, 33),
        )
        .script("ecdsa_recover, alias", start(&good).host("seal0.seal_ecdsa_recover", &[S, D, O]).emit(OUTPUT, 33))
        .script(
            "ecdsa_recover, signature beyond the memory",
            start(&good).host("seal0.ecdsa_recover", &[BEYOND - 64, D, O]),
        )
        .script("ecdsa_recover, hash beyond the memory", start(&good).host("seal0.ecdsa_recover", &[S, BEYOND - 31, O]))
        .script(
            "ecdsa_recover, output beyond the memory",
            start(&good).host("seal0.ecdsa_recover", &[S, D, BEYOND - 32]),
        )
        .script(
            "ecdsa_recover, bad signature needs no output",
            start(&"00".repeat(65)).host("seal0.ecdsa_recover", &[S, D, NONE.into()]),
        )
}

/// The order minus a number, both in big-endian hex.
fn negated(number: &str) -> String {
    let (order, number) = (hex::decode(ORDER).expect("hex"), hex::decode(number).expect("hex"));
    let mut borrow = 0i16;
    let mut result = vec![0u8; 32];
    for at in (0..32).rev() {
        let difference = i16::from(order[at]) - i16::from(number[at]) - borrow;
        borrow = i16::from(difference < 0);
        result[at] = difference.rem_euclid(256) as u8;
    }
    hex::encode(result)
}

fn address(mut group: Group) -> Group {
    let public = hex::encode(ecdsa::Pair::from_seed(&[7; 32]).public().0);
    let start = |key: &str| Script::new().write(PUBLIC, key);
    let run = |key: &str| start(key).host("seal0.ecdsa_to_eth_address", &[P, O]).emit(OUTPUT, 21);
    let x = &public[2..];
    let other = if public.starts_with("02") { "03" } else { "02" };
    let cases: [(&str, String); 9] = [
        ("good", public.clone()),
        ("the other point", format!("{other}{x}")),
        ("tag 4", format!("04{x}")),
        ("tag 5", format!("05{x}")),
        ("tag 0", format!("00{x}")),
        ("tag 6", format!("06{x}")),
        ("not on the curve", format!("02{}05", "00".repeat(31))),
        ("beyond the field", format!("02{}", "ff".repeat(32))),
        ("zero", "00".repeat(33)),
    ];
    for (name, key) in cases {
        group = group.script(&format!("ecdsa_to_eth_address, {name}"), run(&key));
    }
    group
        .script(
            "ecdsa_to_eth_address, alias",
            start(&public).host("seal0.seal_ecdsa_to_eth_address", &[P, O]).emit(OUTPUT, 20),
        )
        .script(
            "ecdsa_to_eth_address, key beyond the memory",
            start(&public).host("seal0.ecdsa_to_eth_address", &[BEYOND - 32, O]),
        )
        .script(
            "ecdsa_to_eth_address, output beyond the memory",
            start(&public).host("seal0.ecdsa_to_eth_address", &[P, BEYOND - 19]),
        )
        .script(
            "ecdsa_to_eth_address, bad key needs no output",
            start("00").host("seal0.ecdsa_to_eth_address", &[P, NONE.into()]),
        )
}

fn sr25519(mut group: Group) -> Group {
    let start = |signature: &str, public: &str| {
        Script::new().write(SIGNATURE, signature).write(PUBLIC, public).write(DATA, &hex::encode(MESSAGE))
    };
    let bytes = MESSAGE.len() as u64;
    let host = |script: Script, length: u64| script.host("seal0.sr25519_verify", &[S, P, length, D]);
    let flipped = |at: usize| {
        let mut signature = hex::decode(SR25519_SIGNATURE).expect("hex");
        signature[at] ^= 1;
        hex::encode(signature)
    };
    let mut unmarked = hex::decode(SR25519_SIGNATURE).expect("hex");
    unmarked[63] &= 0x7f;
    let cases: [(&str, String, &str); 9] = [
        ("good", SR25519_SIGNATURE.to_string(), SR25519_PUBLIC),
        ("first half changed", flipped(0), SR25519_PUBLIC),
        ("second half changed", flipped(32), SR25519_PUBLIC),
        ("without the mark", hex::encode(unmarked), SR25519_PUBLIC),
        ("all zeros", "00".repeat(64), SR25519_PUBLIC),
        ("all ones", "ff".repeat(64), SR25519_PUBLIC),
        (
            "another key",
            SR25519_SIGNATURE.to_string(),
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
        ),
        (
            "a key that is none",
            SR25519_SIGNATURE.to_string(),
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ),
        (
            "the key of zeros",
            SR25519_SIGNATURE.to_string(),
            "0000000000000000000000000000000000000000000000000000000000000000",
        ),
    ];
    for (name, signature, public) in cases {
        group = group.script(&format!("sr25519_verify, {name}"), host(start(&signature, public), bytes));
    }
    let good = || start(SR25519_SIGNATURE, SR25519_PUBLIC);
    group
        .script("sr25519_verify, part of the message", host(good(), bytes - 1))
        .script("sr25519_verify, no message", host(good(), 0))
        .script(
            "sr25519_verify, signature beyond the memory",
            good().host("seal0.sr25519_verify", &[BEYOND - 63, P, bytes, D]),
        )
        .script(
            "sr25519_verify, key beyond the memory",
            good().host("seal0.sr25519_verify", &[S, BEYOND - 31, bytes, D]),
        )
        .script(
            "sr25519_verify, message beyond the memory",
            good().host("seal0.sr25519_verify", &[S, P, 2, BEYOND - 1]),
        )
        .script("sr25519_verify, message of 4 GiB", good().host("seal0.sr25519_verify", &[S, P, NONE.into(), 0]))
}
