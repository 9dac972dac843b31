//! The machine: its traps, its memory, start functions.

use crate::{
    host::compile,
    script::{le32, Script, DATA, END, OUTPUT},
    table::Group,
};

/// What contracts/machine.wat does for each first byte of its input.
const MACHINE: [&str; 10] = [
    "unreachable",
    "division by zero",
    "division overflow",
    "remainder by zero",
    "load beyond the memory",
    "store beyond the memory",
    "call of an empty table entry",
    "call beyond the table",
    "call of another type",
    "grow to the limit",
];

pub fn group() -> Group {
    let mut group = Group::new("machine");
    for (name, text) in [
        ("machine", include_str!("../../contracts/machine.wat")),
        ("recurse", include_str!("../../contracts/recurse.wat")),
        ("spin", include_str!("../../contracts/spin.wat")),
        ("start", include_str!("../../contracts/start.wat")),
    ] {
        group.codes.push((name.to_string(), compile(text)));
    }
    for (byte, name) in MACHINE.iter().enumerate() {
        let case = group.case(name).deploy_code("m", "machine", 0, "").send("alice", "m", 0, &format!("{byte:02x}"));
        group = group.add(case);
    }
    let recursion = group.case("endless recursion").deploy_code("r", "recurse", 0, "").send("alice", "r", 0, "");
    let start = group
        .case("start function")
        .deploy_code("s", "start", 0, "00")
        .send("alice", "s", 0, "00")
        .send("alice", "s", 0, "01")
        .send("alice", "s", 0, "02")
        .deploy_code("t", "start", 0, "01")
        .deploy_code("u", "start", 0, "02");
    let memory = Script::new()
        .load(END - 4)
        .grow(0)
        .grow(1)
        .load(END)
        .write(END, &le32(7))
        .load(END)
        .grow(13)
        .grow(1)
        .load(0xf_fffc);
    let again = group
        .case("memory is fresh for each call")
        .deploy("a")
        .call("a", Script::new().write(DATA, &le32(7)).load(DATA).grow(3))
        .call("a", Script::new().load(DATA).grow(0));
    group
        .add(recursion)
        .add(start)
        .add(again)
        .script("memory grows", memory)
        .script("memory beyond its end", Script::new().load(END - 3))
        .script("division", Script::new().divide(u32::MAX - 6, 2))
        .script("division by zero in the script contract", Script::new().divide(1, 0))
        .script(
            "host functions write to memory that grew",
            Script::new()
                .grow(1)
                .write(0x2000, &le32(32))
                .host("seal0.caller", &[0x2_0000, 0x2000])
                .copy(OUTPUT, 0x2_0000, 32)
                .emit(OUTPUT, 32),
        )
}
