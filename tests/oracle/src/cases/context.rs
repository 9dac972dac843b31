//! What a contract learns about its call and about others.

use crate::{
    script::{account, code, le32, Script, ACCOUNT, DATA, END, HASH, LENGTH, NONE, OUTPUT},
    table::Group,
};

const O: u64 = OUTPUT as u64;
const L: u64 = LENGTH as u64;
const BEYOND: u64 = END as u64;

/// Functions that write a fact of fixed size, with the arguments before the buffer.
const FACTS: [(&str, &[u64], u32); 12] = [
    ("seal0.caller", &[], 32),
    ("seal0.address", &[], 32),
    ("seal0.balance", &[], 16),
    ("seal0.value_transferred", &[], 16),
    ("seal0.minimum_balance", &[], 16),
    ("seal0.now", &[], 8),
    ("seal0.block_number", &[], 4),
    ("seal0.own_code_hash", &[], 32),
    ("seal0.weight_to_fee", &[1_000_000_007], 16),
    ("seal1.weight_to_fee", &[1_000_000_007, 0], 16),
    // Gas differs between engines, so that only its size can be compared.
    ("seal0.gas_left", &[], 8),
    ("seal0.code_hash", &[ACCOUNT as u64], 32),
];

fn start() -> Script {
    Script::new().write(ACCOUNT, &account("a"))
}

pub fn group() -> Group {
    let mut group = Group::new("context");
    for (name, arguments, bytes) in FACTS {
        let call = |out: u64, length: u64| [arguments, &[out, length]].concat();
        let alias = name.replace('.', ".seal_");
        let logged = if name == "seal0.gas_left" { 0 } else { bytes };
        let mut good = start().read(name, arguments, logged);
        if name != "seal1.weight_to_fee" {
            good = good.read(&alias, arguments, logged);
        }
        let case = group.case(name).deploy_with("a", 5, Script::new()).call_as("bob", "a", 7, good);
        group = group.add(case).script(
            &format!("{name}, buffer of the size"),
            start().capacity(bytes).host(name, &call(O, L)).emit(LENGTH, 4),
        );
        group = group
            .script(&format!("{name}, buffer too small"), start().capacity(bytes - 1).host(name, &call(O, L)))
            .script(&format!("{name}, no pointer"), start().capacity(64).host(name, &call(NONE.into(), L)))
            .script(&format!("{name}, length beyond the memory"), start().host(name, &call(O, BEYOND)));
    }
    contracts(input(flags(group)))
}

fn flags(group: Group) -> Group {
    group
        .script(
            "caller_is_origin",
            Script::new().host("seal0.caller_is_origin", &[]).host("seal0.seal_caller_is_origin", &[]),
        )
        .script("caller_is_root", Script::new().host("seal0.caller_is_root", &[]))
        .script("gas_left with proof size", Script::new().capacity(64).host("seal1.gas_left", &[O, L]))
        .script("gas_left with proof size, buffer too small", Script::new().capacity(1).host("seal1.gas_left", &[O, L]))
        .script(
            "gas_left with proof size, no pointer",
            Script::new().capacity(64).host("seal1.gas_left", &[NONE.into(), L]),
        )
        .script("weight_to_fee of the largest gas", Script::new().read("seal0.weight_to_fee", &[u64::MAX], 16))
}

fn input(group: Group) -> Group {
    let twice = Script::new().read("seal0.input", &[], 8).read("seal0.seal_input", &[], 8);
    group
        .script("input twice", twice)
        .script("input, buffer too small", Script::new().capacity(3).host("seal0.input", &[O, L]))
        .script("input, no pointer", Script::new().capacity(64).host("seal0.input", &[NONE.into(), L]))
        .script("return with the revert flag", Script::new().write(DATA, "abcd").emit(DATA, 2).finish(1))
        .script("return with an unknown flag", Script::new().finish(2))
        .script("return with known and unknown flags", Script::new().finish(0x8000_0001))
        .script("return beyond the memory", Script::new().host("seal0.seal_return", &[0, BEYOND - 1, 2]))
        .script("return of 4 GiB", Script::new().host("seal0.seal_return", &[0, 0, NONE.into()]))
        .script(
            "return beyond the memory with an unknown flag",
            Script::new().host("seal0.seal_return", &[4, BEYOND, 2]),
        )
        .script("return of nothing at the end of the memory", Script::new().host("seal0.seal_return", &[0, BEYOND, 0]))
        .script("return of nothing beyond the memory", Script::new().host("seal0.seal_return", &[0, BEYOND + 1, 0]))
        .script(
            "return is at once",
            Script::new().write(DATA, "abcd").host("seal0.seal_return", &[0, DATA.into(), 2]).trap(),
        )
        .script("no return", Script::new().write(DATA, "abcd").emit(DATA, 2).leave())
}

fn contracts(group: Group) -> Group {
    let ask = |label: &str| {
        Script::new()
            .write(ACCOUNT, &account(label))
            .host("seal0.is_contract", &[ACCOUNT.into()])
            .capacity(32)
            .host("seal0.code_hash", &[ACCOUNT.into(), O, L])
            .emit(OUTPUT, 32)
    };
    let others = group
        .case("is_contract and code_hash of others")
        .deploy("a")
        .deploy_code("e", "echo", 0, "")
        .call("a", ask("a"))
        .call("a", ask("e"))
        .call("a", ask("alice"))
        .call("a", ask("carol"));
    let constructor = Script::new()
        .read("seal0.address", &[], 32)
        .host("seal0.is_contract", &[O])
        .host("seal0.code_hash", &[O, O + 64, L])
        .read("seal0.own_code_hash", &[], 32)
        .read("seal0.value_transferred", &[], 16)
        .read("seal0.balance", &[], 16)
        .host("seal0.caller_is_origin", &[]);
    let constructor = group.case("facts in a constructor").deploy_with("a", 9, constructor);
    let failed = group.case("a constructor that reverts leaves nothing").deploy_with(
        "a",
        9,
        Script::new().write(DATA, "ab").emit(DATA, 1).finish(1),
    );
    let trapped = group.case("a constructor that traps leaves nothing").deploy_with("a", 9, Script::new().trap());
    let hash = Script::new().write(HASH, &code("echo")).emit(HASH, 32);
    let mut group = group
        .add(others)
        .add(constructor)
        .add(failed)
        .add(trapped)
        .script("a code hash is what code is called by", hash);
    group.codes.push(("echo".to_string(), crate::host::compile(include_str!("../../contracts/echo.wat"))));
    group
        .script(
            "is_contract, alias",
            Script::new().write(ACCOUNT, &account("a")).host("seal0.seal_is_contract", &[ACCOUNT.into()]),
        )
        .script("is_contract beyond the memory", Script::new().host("seal0.is_contract", &[BEYOND - 31]))
        .script("is_contract far beyond the memory", Script::new().host("seal0.is_contract", &[NONE.into()]))
        .script("code_hash beyond the memory", Script::new().capacity(32).host("seal0.code_hash", &[BEYOND - 31, O, L]))
        .script(
            "code_hash of nobody needs no buffer",
            Script::new()
                .write(ACCOUNT, &account("carol"))
                .host("seal0.code_hash", &[ACCOUNT.into(), NONE.into(), NONE.into()]),
        )
        .script(
            "length word at the end of the memory",
            Script::new().write(END - 4, &le32(32)).host("seal0.caller", &[O, BEYOND - 4]).emit(OUTPUT, 32),
        )
        .script("length word over the end of the memory", Script::new().host("seal0.caller", &[O, BEYOND - 3]))
        .script(
            "length word inside the buffer",
            Script::new().write(OUTPUT + 4, &le32(64)).host("seal0.caller", &[O, O + 4]).emit(OUTPUT + 4, 28),
        )
}
