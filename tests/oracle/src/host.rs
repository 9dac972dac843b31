//! The host functions of the pallet, and the contract that can call any of them.

use std::collections::BTreeSet;

/// A host function: its module and name, and its type in letters, `i` for i32 and `I` for i64, with the result after
/// `>`. `alias` says that it is also there under its name with `seal_` before it.
struct Signature(&'static str, &'static str, &'static str, bool);

const fn plain(module: &'static str, name: &'static str, kind: &'static str) -> Signature {
    Signature(module, name, kind, false)
}

const fn alias(module: &'static str, name: &'static str, kind: &'static str) -> Signature {
    Signature(module, name, kind, true)
}

/// All host functions of pallet-contracts 51.0.0 without its benchmarks, aliases left out.
const SIGNATURES: &[Signature] = &[
    alias("seal0", "set_storage", "iii"),
    alias("seal1", "set_storage", "iii>i"),
    alias("seal2", "set_storage", "iiii>i"),
    alias("seal0", "clear_storage", "i"),
    alias("seal1", "clear_storage", "ii>i"),
    alias("seal0", "get_storage", "iii>i"),
    alias("seal1", "get_storage", "iiii>i"),
    alias("seal0", "contains_storage", "i>i"),
    alias("seal1", "contains_storage", "ii>i"),
    alias("seal0", "take_storage", "iiii>i"),
    plain("seal0", "set_transient_storage", "iiii>i"),
    plain("seal0", "clear_transient_storage", "ii>i"),
    plain("seal0", "get_transient_storage", "iiii>i"),
    plain("seal0", "contains_transient_storage", "ii>i"),
    plain("seal0", "take_transient_storage", "iiii>i"),
    alias("seal0", "transfer", "iiii>i"),
    alias("seal0", "call", "iiIiiiiii>i"),
    alias("seal1", "call", "iiIiiiii>i"),
    plain("seal2", "call", "iiIIiiiiii>i"),
    alias("seal0", "delegate_call", "iiiiii>i"),
    alias("seal0", "instantiate", "iiIiiiiiiiiii>i"),
    alias("seal1", "instantiate", "iIiiiiiiiii>i"),
    plain("seal2", "instantiate", "iIIiiiiiiiiii>i"),
    alias("seal0", "terminate", "ii"),
    alias("seal1", "terminate", "i"),
    alias("seal0", "input", "ii"),
    plain("seal0", "seal_return", "iii"),
    alias("seal0", "caller", "ii"),
    alias("seal0", "is_contract", "i>i"),
    alias("seal0", "code_hash", "iii>i"),
    alias("seal0", "own_code_hash", "ii"),
    alias("seal0", "caller_is_origin", ">i"),
    plain("seal0", "caller_is_root", ">i"),
    alias("seal0", "address", "ii"),
    alias("seal0", "weight_to_fee", "Iii"),
    plain("seal1", "weight_to_fee", "IIii"),
    alias("seal0", "gas_left", "ii"),
    plain("seal1", "gas_left", "ii"),
    alias("seal0", "balance", "ii"),
    alias("seal0", "value_transferred", "ii"),
    alias("seal0", "random", "iiii"),
    alias("seal1", "random", "iiii"),
    alias("seal0", "now", "ii"),
    alias("seal0", "minimum_balance", "ii"),
    alias("seal0", "tombstone_deposit", "ii"),
    alias("seal0", "restore_to", "iiiiiiii"),
    alias("seal1", "restore_to", "iiiii"),
    alias("seal0", "set_rent_allowance", "ii"),
    alias("seal1", "set_rent_allowance", "i"),
    alias("seal0", "rent_allowance", "ii"),
    alias("seal0", "deposit_event", "iiii"),
    alias("seal0", "block_number", "ii"),
    alias("seal0", "hash_sha2_256", "iii"),
    alias("seal0", "hash_keccak_256", "iii"),
    alias("seal0", "hash_blake2_256", "iii"),
    alias("seal0", "hash_blake2_128", "iii"),
    alias("seal0", "call_chain_extension", "iiiii>i"),
    alias("seal0", "debug_message", "ii>i"),
    plain("seal0", "call_runtime", "ii>i"),
    plain("seal0", "xcm_execute", "ii>i"),
    plain("seal0", "xcm_send", "iiii>i"),
    alias("seal0", "ecdsa_recover", "iii>i"),
    plain("seal0", "sr25519_verify", "iiii>i"),
    alias("seal0", "set_code_hash", "i>i"),
    alias("seal0", "ecdsa_to_eth_address", "ii>i"),
    plain("seal0", "reentrance_count", ">i"),
    plain("seal0", "account_reentrance_count", "i>i"),
    plain("seal0", "instantiation_nonce", ">I"),
    plain("seal0", "lock_delegate_dependency", "i"),
    plain("seal0", "unlock_delegate_dependency", "i"),
];

/// One importable function.
pub struct Function {
    pub module: &'static str,
    pub name: String,
    pub parameters: Vec<char>,
    pub result: Option<char>,
}

/// Everything that a contract can import, aliases too. The index plus 16 is the operation in scripts.
pub fn functions() -> Vec<Function> {
    let with_aliases = SIGNATURES.iter().flat_map(|signature| {
        let aliased = signature.3.then(|| format!("seal_{}", signature.1));
        std::iter::once(signature.1.to_string()).chain(aliased).map(move |name| (signature, name))
    });
    with_aliases
        .map(|(Signature(module, _, kind, _), name)| {
            let (parameters, result) = kind.split_once('>').unwrap_or((kind, ""));
            Function { module, name, parameters: parameters.chars().collect(), result: result.chars().next() }
        })
        .collect()
}

/// Finds a function by `module.name`.
pub fn index(name: &str) -> usize {
    functions()
        .iter()
        .position(|function| format!("{}.{}", function.module, function.name) == name)
        .unwrap_or_else(|| panic!("the pallet has no function {name}"))
}

fn wasm_type(letter: char) -> &'static str {
    if letter == 'I' {
        "i64"
    } else {
        "i32"
    }
}

fn import(number: usize, function: &Function) -> String {
    let parameters: Vec<_> = function.parameters.iter().map(|p| wasm_type(*p)).collect();
    let result = function.result.map_or(String::new(), |r| format!(" (result {})", wasm_type(r)));
    format!(
        "(import \"{}\" \"{}\" (func $f{number} (param {}){result}))\n",
        function.module,
        function.name,
        parameters.join(" ")
    )
}

/// The branch of `$host` that calls one function.
fn branch(number: usize, function: &Function) -> String {
    let mut arguments = String::new();
    let mut offset = 0;
    for parameter in &function.parameters {
        arguments += &format!(" ({}.load offset={offset} (local.get $at))", wasm_type(*parameter));
        offset += if *parameter == 'I' { 8 } else { 4 };
    }
    let call = format!("(call $f{number}{arguments})");
    let logged = match function.result {
        None => call,
        Some('I') => format!("(call $log64 {call})"),
        Some(_) => format!("(call $log32 {call})"),
    };
    format!(
        "(if (i32.eq (local.get $op) (i32.const {})) (then {logged} (return (i32.add (local.get $at) (i32.const {offset})))))\n",
        number + 16
    )
}

/// The contract that runs scripts and imports some of the functions.
pub fn script_contract(used: &BTreeSet<usize>) -> Vec<u8> {
    let functions = functions();
    let imports: String = used.iter().map(|n| import(*n, &functions[*n])).collect();
    let branches: String = used.iter().map(|n| branch(*n, &functions[*n])).collect();
    let text =
        include_str!("../contracts/script.wat").replace(";; IMPORTS", &imports).replace(";; DISPATCH", &branches);
    wat::parse_str(&text).expect("the script contract is valid text")
}

/// A contract of the directory `contracts`, by its text.
pub fn compile(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the contract is valid text")
}
