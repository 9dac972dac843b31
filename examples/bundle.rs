// Included by each contract's examples/bundle.rs: it prints the contract's bundle (the `.contract` file) as JSON, in
// the layout of cargo-contract, from the contract's own metadata and the wasm file that the first argument names.
//
//     bundle FILE.wasm RUSTC_VERSION INK_VERSION > FILE.contract
//
// The package's name, version and so on are Cargo's, at compile time. The includer brings the type that its version of
// ink! makes metadata in, as `Metadata`.

extern "Rust" {
    // The ink! macro defines it, once in each contract that is built with `std`.
    fn __ink_generate_metadata() -> Metadata;
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn code_hash(wasm: &[u8]) -> String {
    use blake2::digest::{Update, VariableOutput};
    let mut hash = [0u8; 32];
    let mut hasher = blake2::Blake2bVar::new(hash.len()).expect("32 is a valid length of BLAKE2b");
    hasher.update(wasm);
    hasher.finalize_variable(&mut hash).expect("the buffer has the hash's length");
    hex(&hash)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: bundle FILE.wasm RUSTC_VERSION INK_VERSION";
    let wasm = std::fs::read(args.next().ok_or(usage)?)?;
    let rustc = args.next().ok_or(usage)?;
    let ink = args.next().ok_or(usage)?;

    // SAFETY: the symbol is the safe function that the ink! macro generates in the contract linked above.
    let project = unsafe { __ink_generate_metadata() };
    let serde_json::Value::Object(metadata) = serde_json::to_value(project)? else {
        return Err("the contract's metadata is not an object".into());
    };

    let mut bundle = serde_json::json!({
        "source": {
            "hash": code_hash(&wasm),
            "language": format!("ink! {ink}"),
            "compiler": format!("rustc {rustc}"),
            "wasm": hex(&wasm),
            "build_info": {
                "build_mode": "Release",
                "rust_toolchain": rustc,
                "wasm_opt_settings": { "keep_debug_symbols": false, "optimization_passes": "Z" },
            },
        },
        "contract": {
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "authors": env!("CARGO_PKG_AUTHORS").split(':').collect::<Vec<_>>(),
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "license": env!("CARGO_PKG_LICENSE"),
        },
        "image": null,
    });
    bundle.as_object_mut().expect("made as an object above").extend(metadata);
    println!("{}", serde_json::to_string_pretty(&bundle)?);
    Ok(())
}
