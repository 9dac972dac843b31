//! Events and debug messages.

use crate::{
    script::{Script, DATA, END, NONE},
    table::Group,
};

const D: u64 = DATA as u64;
const BEYOND: u64 = END as u64;
const TOPICS: u32 = 0x1000;
const T: u64 = TOPICS as u64;

/// Topics as the function takes them: their number in compact SCALE, then 32 bytes each.
fn topics(bytes: &[u8]) -> Script {
    let mut text = hex::encode([bytes.len() as u8 * 4]);
    for byte in bytes {
        text += &hex::encode([*byte; 32]);
    }
    Script::new().write(TOPICS, &text).write(DATA, &hex::encode("event data"))
}

fn raw(text: &str) -> Script {
    Script::new().write(TOPICS, text).write(DATA, &hex::encode("event data"))
}

fn emit(script: Script, topics: u64, bytes: u64) -> Script {
    script.host("seal0.deposit_event", &[T, topics, D, bytes])
}

pub fn group() -> Group {
    let mut group = Group::new("events");
    for count in 0..=4u8 {
        let list: Vec<u8> = (1..=count).collect();
        group = group.script(&format!("{count} topics"), emit(topics(&list), 1 + 32 * u64::from(count), 10));
    }
    group = group
        .script("in order", emit(emit(topics(&[1]), 33, 5), 0, 3))
        .script("alias", topics(&[7]).host("seal0.seal_deposit_event", &[T, 33, D, 4]))
        .script("without data", emit(topics(&[1]), 33, 0))
        .script("a topic twice", emit(topics(&[9, 9]), 65, 4))
        .script("five topics", emit(topics(&[1, 2, 3, 4, 5]), 161, 4))
        .script("topics shorter than announced", emit(topics(&[1, 2]), 64, 4))
        .script("topics longer than announced", emit(topics(&[1, 2]), 66, 4))
        .script("topics announced in a longer form", emit(raw(&["0200", "0000", &"11".repeat(32)].concat()), 36, 4))
        .script("an empty list without a topic", emit(raw("00"), 1, 4))
        .script("an empty list followed by a byte", emit(raw("0000"), 2, 4))
        .script("no topics and no pointer", Script::new().host("seal0.deposit_event", &[NONE.into(), 0, D, 4]))
        .script("topics beyond the memory", Script::new().host("seal0.deposit_event", &[BEYOND, 33, D, 4]))
        .script("the most data", topics(&[1]).host("seal0.deposit_event", &[T, 33, 0x3000, 16384]))
        .script("too much data", topics(&[1]).host("seal0.deposit_event", &[T, 33, 0x3000, 16385]))
        .script("data beyond the memory", topics(&[1]).host("seal0.deposit_event", &[T, 33, BEYOND - 3, 4]))
        .script("no data at the end of the memory", topics(&[1]).host("seal0.deposit_event", &[T, 33, BEYOND, 0]))
        .script(
            "too many topics and data beyond the memory",
            topics(&[1, 2, 3, 4, 5]).host("seal0.deposit_event", &[T, 161, BEYOND, 4]),
        )
        .script("of a call that reverts", emit(topics(&[1]), 33, 5).finish(1))
        .script("of a call that traps", emit(topics(&[1]), 33, 5).trap());
    let constructor = group.case("of a constructor").deploy_with("a", 0, emit(topics(&[1]), 33, 5));
    debug(group.add(constructor))
}

fn debug(group: Group) -> Group {
    let say = |text: &[u8]| {
        let bytes = text.len() as u64;
        Script::new().write(DATA, &hex::encode(text)).host("seal0.debug_message", &[D, bytes])
    };
    group
        .script("debug message", say(b"hello, ").host("seal0.seal_debug_message", &[D, 5]))
        .script("an empty debug message", say(b""))
        .script("a debug message of several bytes a letter", say("a\u{e9}\u{20ac}\u{1d11e}".as_bytes()))
        .script("a debug message that is not UTF-8", say(b"ab\xff"))
        .script("a debug message that ends inside a letter", say(b"ab\xc3"))
        .script("a debug message beyond the memory", Script::new().host("seal0.debug_message", &[BEYOND - 3, 4]))
        .script("a debug message at the end of the memory", Script::new().host("seal0.debug_message", &[BEYOND - 3, 3]))
        .script("a debug message of a call that reverts", say(b"kept").finish(1))
        .script("a debug message of a call that traps", say(b"kept").trap())
}
