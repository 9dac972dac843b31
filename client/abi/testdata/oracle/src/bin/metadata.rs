//! Writes the metadata of one contract, a ledger, as ink! 3, 4 or 5 would: `metadata 3`. The crates of those versions lay
//! it out; what they describe is declared here alike for all. README.md says how it is run.

use std::collections::BTreeMap;

use scale_info::{build::Fields, Path, Type, TypeInfo};
use serde_json::{json, Value};

/// An account as ink! 3 names it; the later versions have it in their crates.
struct Account3;

impl TypeInfo for Account3 {
    type Identity = Self;
    fn type_info() -> Type {
        let path = Path::from_segments(["ink_env", "types", "AccountId"]).expect("the segments are identifiers");
        Type::builder().path(path).composite(Fields::unnamed().field(|f| f.ty::<[u8; 32]>().type_name("[u8; 32]")))
    }
}

#[derive(TypeInfo)]
#[allow(dead_code)]
struct Entry<A> {
    who: A,
    amounts: Vec<u128>,
}

#[derive(TypeInfo)]
#[allow(dead_code)]
enum Error {
    TooPoor { least: u128 },
    Closed,
}

/// NoExtension is the chain extension of a contract that has none.
#[derive(TypeInfo)]
enum NoExtension {}

/// A type with the name that stands before its parameters.
macro_rules! ty {
    ($ink:ident, $t:ty) => {
        $ink::TypeSpec::with_name_segs::<$t, _>(stringify!($t).split(['<', ' ']).take(1))
    };
}

macro_rules! param {
    ($ink:ident, $label:expr, $t:ty) => {
        $ink::MessageParamSpec::new($label).of_type(ty!($ink, $t)).done()
    };
}

macro_rules! message {
    ($ink:ident, $label:expr, $selector:expr, $mutates:expr, $payable:expr, [$($arg:expr),*], $returns:expr) => {
        $ink::MessageSpec::from_label($label).selector($selector).mutates($mutates).payable($payable)
            .args(vec![$($arg),*]).returns($ink::ReturnTypeSpec::new($returns)).docs(vec![concat!("The message ", $label, ".")]).done()
    };
}

macro_rules! field {
    ($ink:ident, $label:expr, $indexed:expr, $t:ty) => {
        $ink::EventParamSpec::new($label).indexed($indexed).of_type(ty!($ink, $t)).docs(vec![]).done()
    };
}

macro_rules! events {
    ($ink:ident, $account:ty $(, $built:ident: $label:expr => $extra:expr)*) => {
        vec![$({
            // Paid has three fields, two of them topics; every other event has a text.
            let $built = $ink::EventSpec::new($label).args(if $label == "Paid" {
                vec![field!($ink, "from", true, Option<$account>), field!($ink, "to", true, $account), field!($ink, "value", false, u128)]
            } else {
                vec![field!($ink, "text", false, String)]
            }).docs(vec!["Something happened."]);
            $extra.done()
        }),*]
    };
}

/// messages are the same in every version but for their wrapper and, in version 3, the missing type of nothing.
macro_rules! messages {
    ($ink:ident, $account:ty, $nothing:expr, $wrap:ident) => {
        vec![
            message!($ink, "pay", [1, 2, 3, 4], true, false,
                [param!($ink, "to", $account), param!($ink, "value", u128)], ty!($ink, $wrap<Result<(), Error>>)),
            message!($ink, "deposit", [0xde, 0xb0, 0x51, 0x70], true, true, [], $nothing),
            message!($ink, "balance_of", [0x0f, 0x75, 0x5a, 0x56], false, false, [param!($ink, "who", $account)], ty!($ink, $wrap<u128>)),
            message!($ink, "Ledger::history", [0xff, 0, 0, 1], false, false,
                [param!($ink, "of", Vec<Entry<$account>>)], ty!($ink, $wrap<BTreeMap<$account, Vec<u128>>>)),
        ]
    };
}

type Bare<T> = T;

fn ledger3() -> Value {
    use ink3::layout::{CellLayout, FieldLayout, LayoutKey, StructLayout};
    let spec = ink3::ContractSpec::new()
        .constructors(vec![ink3::ConstructorSpec::from_label("new").selector([0x9b, 0xae, 0x9d, 0x5e]).payable(true)
            .args(vec![param!(ink3, "limit", Option<u128>)]).docs(vec!["The constructor new."]).done()])
        .messages(messages!(ink3, Account3, None, Bare))
        .events(events!(ink3, Account3, e: "Paid" => e, e: "Noted" => e))
        .docs(vec![]).done();
    let limit = FieldLayout::new("limit", CellLayout::new::<Option<u128>>(LayoutKey::from(ink3_key())));
    serde_json::to_value(ink3::MetadataVersioned::from(ink3::InkProject::new(StructLayout::new(vec![limit]), spec))).unwrap()
}

fn ink3_key() -> ink3_primitives::Key { ink3_primitives::Key::from([0; 32]) }

macro_rules! later {
    ($ink:ident, $primitives:ident, $environment:expr, $events:expr) => {{
        use $primitives::{AccountId, ConstructorResult, Hash, LangError, MessageResult};
        use $ink::layout::{FieldLayout, LayoutKey, LeafLayout, StructLayout};
        let environment = $environment.account_id(ty!($ink, AccountId)).balance(ty!($ink, u128)).hash(ty!($ink, Hash))
            .timestamp(ty!($ink, u64)).block_number(ty!($ink, u32)).chain_extension(ty!($ink, NoExtension)).max_event_topics(4).done();
        let spec = $ink::ContractSpec::new()
            .constructors(vec![$ink::ConstructorSpec::from_label("new").selector([0x9b, 0xae, 0x9d, 0x5e]).payable(true)
                .args(vec![param!($ink, "limit", Option<u128>)]).default(true)
                .returns($ink::ReturnTypeSpec::new(ty!($ink, ConstructorResult<Result<(), Error>>))).docs(vec!["The constructor new."]).done()])
            .messages(messages!($ink, AccountId, ty!($ink, MessageResult<()>), MessageResult))
            .events($events).lang_error(ty!($ink, LangError)).environment(environment).docs(vec![]).done();
        let limit = FieldLayout::new("limit", LeafLayout::from_key::<Option<u128>>(LayoutKey::new(0u32)));
        let fields = StructLayout::new("Ledger", vec![limit]);
        (LayoutKey::new(0u32), fields, spec)
    }};
}

fn ledger4() -> Value {
    let (key, fields, spec) = later!(ink4, ink4_primitives, ink4::EnvironmentSpec::new(),
        events!(ink4, AccountId, e: "Paid" => e, e: "Noted" => e));
    serde_json::to_value(ink4::InkProject::new(ink4::layout::RootLayout::new(key, fields), spec)).unwrap()
}

fn ledger5() -> Value {
    let (key, fields, spec) = later!(ink5, ink5_primitives, ink5::EnvironmentSpec::new().static_buffer_size(1 << 14),
        events!(ink5, AccountId, e: "Paid" => e.module_path("ledger::ledger").signature_topic(Some([0x70; 32])),
            e: "Noted" => e.module_path("ledger::ledger").signature_topic(None::<[u8; 32]>)));
    serde_json::to_value(ink5::InkProject::new(ink5::layout::RootLayout::new_empty(key, fields), spec)).unwrap()
}

fn main() {
    let version = std::env::args().nth(1).unwrap_or_default();
    let (metadata, language) = match version.as_str() {
        "3" => (ledger3(), "ink! 3.4.0"),
        "4" => (ledger4(), "ink! 4.3.0"),
        "5" => (ledger5(), "ink! 5.1.1"),
        _ => panic!("usage: metadata 3|4|5"),
    };
    // cargo-contract puts these beside the metadata.
    let mut file = json!({
        "source": {"hash": format!("0x{}", "00".repeat(32)), "language": language, "compiler": "rustc 1.81.0"},
        "contract": {"name": "ledger", "version": "0.3.0", "authors": ["nobody"]},
    });
    file.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    println!("{}", serde_json::to_string_pretty(&file).unwrap());
}
