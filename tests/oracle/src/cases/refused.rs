//! Functions of the chain around the pallet, each in a contract of its own: engines without such a chain refuse the code.

use crate::{
    script::{Script, DATA, END, OUTPUT},
    table::Group,
};

const D: u64 = DATA as u64;
const O: u64 = OUTPUT as u64;
const BEYOND: u64 = END as u64;

pub fn groups() -> Vec<Group> {
    // system.remark of nothing; an XCM of version 4 without instructions; the location "here" of version 4.
    let call = || Script::new().write(DATA, "000000");
    let message = || Script::new().write(DATA, "0400").write(DATA + 16, "040000");
    let xcm = Group::new("xcm_execute")
        .script("a good message", message().host("seal0.xcm_execute", &[D, 2]))
        .script("not a message", Script::new().write(DATA, "ffff").host("seal0.xcm_execute", &[D, 2]))
        .script("beyond the memory", Script::new().host("seal0.xcm_execute", &[BEYOND, 2]));
    let send = Group::new("xcm_send")
        .script("a good message", message().host("seal0.xcm_send", &[D + 16, D, 2, O]))
        .script("not a message", Script::new().write(DATA, "ffff").host("seal0.xcm_send", &[D, D, 2, O]))
        .script("beyond the memory", message().host("seal0.xcm_send", &[D + 16, BEYOND, 2, O]));
    let runtime = Group::new("call_runtime")
        .script("a call that is not allowed", call().host("seal0.call_runtime", &[D, 3]))
        .script("not a call", Script::new().write(DATA, "ffffff").host("seal0.call_runtime", &[D, 3]))
        .script("beyond the memory", Script::new().host("seal0.call_runtime", &[BEYOND - 2, 3]));
    let far = [7, BEYOND, 9, BEYOND, BEYOND];
    let extension = Group { replaced: true, ..Group::new("call_chain_extension") }
        .script("without an extension", Script::new().host("seal0.call_chain_extension", &far))
        .script("without an extension, alias", Script::new().host("seal0.seal_call_chain_extension", &far));
    vec![xcm, send, runtime, extension]
}
