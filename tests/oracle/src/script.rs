//! Writes the scripts that `contracts/script.wat` runs.

use crate::host;
use std::collections::BTreeSet;

/// Where scripts keep things, by habit; any address below 0x7ffc would do.
pub const KEY: u32 = 0x100;
pub const ACCOUNT: u32 = 0x200;
pub const VALUE: u32 = 0x240;
pub const HASH: u32 = 0x280;
pub const SALT: u32 = 0x2c0;
pub const DEPOSIT: u32 = 0x2e0;
pub const DATA: u32 = 0x400;
pub const LENGTH: u32 = 0x2000;
pub const OUTPUT: u32 = 0x3000;
/// Memory ends here.
pub const END: u32 = 0x20000;
/// Stands for "no pointer" where the pallet takes one that may be missing.
pub const NONE: u32 = u32::MAX;

/// A script in the form in which vectors have it: hex with placeholders for addresses and hashes.
#[derive(Clone, Default)]
pub struct Script {
    pub text: String,
    pub used: BTreeSet<usize>,
}

/// The number of bytes that a text with placeholders stands for.
pub fn length(text: &str) -> u32 {
    let mut bytes = 0;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        bytes += before.len() / 2 + 32;
        rest = after.split_once('}').expect("a placeholder ends").1;
    }
    (bytes + rest.len() / 2) as u32
}

/// The placeholder of an account.
pub fn account(label: &str) -> String {
    format!("${{{label}}}")
}

/// The placeholder of a code hash.
pub fn code(label: &str) -> String {
    format!("${{code:{label}}}")
}

pub fn le32(value: u32) -> String {
    hex::encode(value.to_le_bytes())
}

pub fn le128(value: u128) -> String {
    hex::encode(value.to_le_bytes())
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    fn operation(mut self, code: u8, words: &[u32]) -> Self {
        self.text += &hex::encode([code]);
        for word in words {
            self.text += &le32(*word);
        }
        self
    }

    /// Writes bytes, given as text with placeholders.
    pub fn write(self, pointer: u32, text: &str) -> Self {
        let mut script = self.operation(0, &[pointer, length(text)]);
        script.text += text;
        script
    }

    /// Appends memory to the log.
    pub fn emit(self, pointer: u32, length: u32) -> Self {
        self.operation(1, &[pointer, length])
    }

    /// Returns the log.
    pub fn finish(self, flags: u32) -> Self {
        self.operation(2, &[flags])
    }

    pub fn trap(self) -> Self {
        self.operation(3, &[])
    }

    pub fn grow(self, pages: u32) -> Self {
        self.operation(4, &[pages])
    }

    pub fn copy(self, to: u32, from: u32, length: u32) -> Self {
        self.operation(5, &[to, from, length])
    }

    pub fn divide(self, dividend: u32, divisor: u32) -> Self {
        self.operation(6, &[dividend, divisor])
    }

    pub fn load(self, pointer: u32) -> Self {
        self.operation(7, &[pointer])
    }

    /// Leaves without a return value.
    pub fn leave(self) -> Self {
        self.operation(8, &[])
    }

    /// Calls a host function, named `module.name`.
    pub fn host(mut self, name: &str, arguments: &[u64]) -> Self {
        let index = host::index(name);
        let function = &host::functions()[index];
        assert_eq!(function.parameters.len(), arguments.len(), "arguments of {name}");
        self.used.insert(index);
        self.text += &hex::encode([index as u8 + 16]);
        for (parameter, argument) in function.parameters.iter().zip(arguments) {
            self.text += &match parameter {
                'I' => hex::encode(argument.to_le_bytes()),
                _ => le32(u32::try_from(*argument).expect("an argument of 32 bits")),
            };
        }
        self
    }

    /// Makes the length word say how large the output buffer is.
    pub fn capacity(self, bytes: u32) -> Self {
        self.write(LENGTH, &le32(bytes))
    }

    /// Calls a host function that ends in a buffer and its length, and logs both: the length and `bytes` of data.
    pub fn read(self, name: &str, arguments: &[u64], bytes: u32) -> Self {
        let arguments = [arguments, &[OUTPUT.into(), LENGTH.into()]].concat();
        self.capacity(0x1000).host(name, &arguments).emit(LENGTH, 4).emit(OUTPUT, bytes)
    }

    /// Takes note that a script inside of this one uses functions too.
    pub fn with(mut self, inner: &Script) -> Self {
        self.used.extend(&inner.used);
        self
    }
}
