//! Functions that nobody can upload code with any more, but that contracts of old still call.

use crate::{
    script::{Script, DATA, END, LENGTH, NONE, OUTPUT},
    table::Group,
};

const D: u64 = DATA as u64;
const O: u64 = OUTPUT as u64;
const L: u64 = LENGTH as u64;
const BEYOND: u64 = END as u64;

pub fn group() -> Group {
    let mut group = Group { replaced: true, ..Group::new("deprecated") };
    // Random values differ between engines, so that only their length can be compared.
    for (name, bytes) in [("random", 32), ("seal_random", 32)] {
        for (module, bytes) in [("seal0", bytes), ("seal1", bytes + 4)] {
            let name = format!("{module}.{name}");
            let host = |script: Script, subject: u64, out: u64| script.host(&name, &[D, subject, out, L]);
            group = group
                .script(&name, host(Script::new().capacity(64), 32, O).emit(LENGTH, 4))
                .script(&format!("{name} without a subject"), host(Script::new().capacity(bytes), 0, O).emit(LENGTH, 4))
                .script(&format!("{name}, subject too long"), host(Script::new().capacity(64), 33, O))
                .script(
                    &format!("{name}, subject beyond the memory"),
                    Script::new().capacity(64).host(&name, &[BEYOND, 1, O, L]),
                )
                .script(&format!("{name}, buffer too small"), host(Script::new().capacity(bytes - 1), 1, O))
                .script(&format!("{name}, no pointer"), host(Script::new().capacity(64), 1, NONE.into()));
        }
    }
    let height = Script::new().capacity(64).host("seal1.random", &[D, 0, O, L]).emit(OUTPUT + 32, 4);
    group = group.script("the block of a random value", height);
    for name in
        ["seal0.tombstone_deposit", "seal0.seal_tombstone_deposit", "seal0.rent_allowance", "seal0.seal_rent_allowance"]
    {
        group = group
            .script(name, Script::new().read(name, &[], 16))
            .script(&format!("{name}, buffer too small"), Script::new().capacity(15).host(name, &[O, L]))
            .script(&format!("{name}, no pointer"), Script::new().capacity(16).host(name, &[NONE.into(), L]));
    }
    let far = u64::from(NONE);
    let nothing = |prefix: &str, script: Script| {
        script
            .host(&format!("seal0.{prefix}restore_to"), &[far; 8])
            .host(&format!("seal1.{prefix}restore_to"), &[far; 5])
            .host(&format!("seal0.{prefix}set_rent_allowance"), &[far; 2])
            .host(&format!("seal1.{prefix}set_rent_allowance"), &[far])
    };
    let all = nothing("seal_", nothing("", Script::new().write(DATA, "0c"))).emit(DATA, 1);
    group.script("functions that do nothing, whatever their arguments", all)
}
