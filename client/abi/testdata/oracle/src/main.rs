//! Writes vectors.json: types as scale-info describes them, values as parity-scale-codec encodes them, and beside each
//! value the JSON form that package abi promises. README.md says how it is run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::marker::PhantomData;
use std::num::{NonZeroI16, NonZeroU32};
use std::time::Duration;

use bitvec::prelude::*;
use parity_scale_codec::{Compact, Encode};
use primitive_types::{H160, H256, U256};
use scale_info::{meta_type, PortableRegistry, Registry, TypeInfo};
use serde_json::{json, Value};

mod ink_primitives {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, parity_scale_codec::Encode, scale_info::TypeInfo)]
    pub struct AccountId(pub [u8; 32]);
    #[derive(Clone, Copy, parity_scale_codec::Encode, scale_info::TypeInfo)]
    pub struct Hash(pub [u8; 32]);
}
use ink_primitives::{AccountId, Hash};

#[derive(Encode, TypeInfo)]
struct Unit;

#[derive(Encode, TypeInfo)]
struct Newtype(u128);

#[derive(Encode, TypeInfo)]
struct Pair(u8, String);

#[derive(Clone, Encode, TypeInfo)]
struct Bid {
    who: AccountId,
    amount: u128,
    note: Option<String>,
}

#[derive(Encode, TypeInfo)]
struct Generic<T> {
    inner: Vec<T>,
    nothing: PhantomData<T>,
}

#[derive(Encode, TypeInfo)]
struct Compacts {
    #[codec(compact)]
    small: u8,
    #[codec(compact)]
    wide: u128,
    plain: u16,
}

#[derive(Encode, TypeInfo)]
#[allow(dead_code)]
enum Shape {
    Nothing,
    #[codec(index = 7)]
    Circle(u32),
    Line(u8, u8),
    #[codec(index = 42)]
    Named { top: i64, flags: [bool; 2] },
    Wrapped(Option<Option<bool>>),
}

#[derive(Clone, Encode, TypeInfo)]
enum Tree {
    Leaf(u8),
    Fork(Box<Tree>, Box<Tree>),
    Many(Vec<Tree>),
}

#[derive(Clone, Encode, TypeInfo)]
struct List {
    value: u16,
    next: Option<Box<List>>,
}

#[derive(Encode, TypeInfo)]
enum Failure {
    NotOwner,
    TooLow { least: u128 },
}

struct Book {
    registry: Registry,
    vectors: Vec<(u32, &'static str, String, Value)>,
}

impl Book {
    fn add<T: TypeInfo + Encode + 'static>(&mut self, name: &'static str, value: T, form: Value) {
        let id = self.registry.register_type(&meta_type::<T>()).id;
        let hex: String = value.encode().iter().map(|b| format!("{b:02x}")).collect();
        self.vectors.push((id, name, hex, form));
    }
}

const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

fn alice() -> AccountId {
    let hex = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    let mut out = [0; 32];
    for (i, b) in out.iter_mut().enumerate() {
        *b = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
    }
    AccountId(out)
}

macro_rules! integers {
    ($book:ident, $($t:ident)*) => {$(
        for v in [<$t>::MIN, 0, 1, 63, 100, <$t>::MAX - 1, <$t>::MAX] {
            let form = if std::mem::size_of::<$t>() <= 4 { json!(v as i64) } else { json!(v.to_string()) };
            $book.add(stringify!($t), v, form);
        }
    )*};
}

macro_rules! compacts {
    ($book:ident, $($t:ident)*) => {$(
        for v in [0u128, 1, 63, 64, 16383, 16384, (1 << 30) - 1, 1 << 30, u32::MAX as u128, u64::MAX as u128, u128::MAX] {
            let fits: Option<$t> = v.try_into().ok();
            if let Some(v) = fits {
                let form = if std::mem::size_of::<$t>() <= 4 { json!(v as u64) } else { json!(v.to_string()) };
                $book.add(concat!("Compact<", stringify!($t), ">"), Compact(v), form);
            }
        }
    )*};
}

fn main() {
    let mut b = Book { registry: Registry::new(), vectors: Vec::new() };
    integers!(b, u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);
    compacts!(b, u8 u16 u32 u64 u128);
    scalars(&mut b);
    containers(&mut b);
    own(&mut b);
    bits(&mut b);
    let types: PortableRegistry = b.registry.into();
    let vectors: Vec<Value> = b.vectors.into_iter()
        .map(|(id, name, scale, form)| json!({"type": id, "rust": name, "scale": scale, "json": form})).collect();
    let types = serde_json::to_value(&types).unwrap();
    println!("{{\"types\": [");
    lines(types["types"].as_array().unwrap());
    println!("], \"vectors\": [");
    lines(&vectors);
    println!("]}}");
}

fn lines(all: &[Value]) {
    for (i, v) in all.iter().enumerate() {
        println!("{v}{}", if i + 1 < all.len() { "," } else { "" });
    }
}

fn scalars(b: &mut Book) {
    b.add("bool", true, json!(true));
    b.add("bool", false, json!(false));
    b.add("String", "Grüße, 世界 \"\\\n".to_string(), json!("Grüße, 世界 \"\\\n"));
    b.add("String", "x".repeat(100), json!("x".repeat(100)));
    b.add("()", (), Value::Null);
    b.add("AccountId", alice(), json!(ALICE));
    b.add("Hash", Hash([0xab; 32]), json!(format!("0x{}", "ab".repeat(32))));
    b.add("H160", H160([0x12; 20]), json!(format!("0x{}", "12".repeat(20))));
    b.add("H256", H256([0x34; 32]), json!(format!("0x{}", "34".repeat(32))));
    b.add("U256", U256::zero(), json!("0"));
    for v in [U256::from(258u32) << 64, U256::MAX] {
        b.add("U256", v, json!(v.to_string()));
    }
    b.add("NonZeroU32", NonZeroU32::new(9).unwrap(), json!(9));
    b.add("NonZeroI16", NonZeroI16::new(-9).unwrap(), json!(-9));
    b.add("Duration", Duration::new(5, 6), json!(["5", 6]));
    b.add("PhantomData<u8>", PhantomData::<u8>, Value::Null);
}

fn containers(b: &mut Book) {
    b.add("Vec<u8>", vec![0u8, 255], json!("0x00ff"));
    b.add("[u8; 3]", [1u8, 2, 3], json!("0x010203"));
    b.add("[u16; 3]", [1u16, 2, 3], json!([1, 2, 3]));
    b.add("[[u8; 2]; 2]", [[1u8, 2], [3, 4]], json!(["0x0102", "0x0304"]));
    b.add("[u32; 0]", [0u32; 0], json!([]));
    b.add("Vec<String>", vec!["a".to_string(), "".into()], json!(["a", ""]));
    b.add("Vec<()>", vec![(), ()], json!([null, null]));
    b.add("VecDeque<u8>", VecDeque::from([7u8]), json!("0x07"));
    b.add("(u8, String, bool)", (1u8, "x".to_string(), true), json!([1, "x", true]));
    b.add("(u64,)", (5u64,), json!(["5"]));
    b.add("Option<u32>", None::<u32>, Value::Null);
    b.add("Option<u32>", Some(7u32), json!(7));
    b.add("Option<bool>", Some(true), json!(true));
    b.add("Option<Option<u8>>", Some(None::<u8>), json!({"Some": null}));
    b.add("Option<()>", Some(()), json!({"Some": null}));
    b.add("Option<Vec<AccountId>>", Some(vec![alice()]), json!([ALICE]));
    b.add("Result<u8, String>", Ok::<u8, String>(3), json!({"Ok": 3}));
    b.add("Result<u8, String>", Err::<u8, String>("no".into()), json!({"Err": "no"}));
    b.add("Result<(), Failure>", Err::<(), Failure>(Failure::TooLow { least: 5 }), json!({"Err": {"TooLow": {"least": "5"}}}));
    b.add("Result<(), Failure>", Err::<(), Failure>(Failure::NotOwner), json!({"Err": "NotOwner"}));
    b.add("Result<(), Failure>", Ok::<(), Failure>(()), json!({"Ok": null}));
    b.add("BTreeMap<u32, String>", BTreeMap::from([(1u32, "a".to_string()), (256, "b".into())]), json!({"1": "a", "256": "b"}));
    b.add("BTreeMap<String, u8>", BTreeMap::from([("b".to_string(), 1u8), ("a".into(), 2)]), json!({"a": 2, "b": 1}));
    b.add("BTreeMap<AccountId, u128>", BTreeMap::from([(alice(), 5u128)]), json!({ALICE: "5"}));
    b.add("BTreeMap<[u8; 2], ()>", BTreeMap::from([([1u8, 2], ())]), json!({"0x0102": null}));
    b.add("BTreeMap<(u8, u8), bool>", BTreeMap::from([((1u8, 2u8), true)]), json!([[[1, 2], true]]));
    b.add("BTreeSet<u16>", BTreeSet::from([3u16, 1]), json!([1, 3]));
    b.add("BTreeSet<AccountId>", BTreeSet::from([alice()]), json!([ALICE]));
    b.add("Range<u8>", 1u8..5, json!({"start": 1, "end": 5}));
    b.add("RangeInclusive<u64>", 1u64..=5, json!({"start": "1", "end": "5"}));
}

fn own(b: &mut Book) {
    b.add("Unit", Unit, Value::Null);
    b.add("Newtype", Newtype(5), json!("5"));
    b.add("Pair", Pair(1, "x".into()), json!([1, "x"]));
    let bid = Bid { who: alice(), amount: u128::MAX, note: Some("n".into()) };
    // A field of type PhantomData takes no bytes, and scale-info leaves it out.
    let form = json!({"who": ALICE, "amount": u128::MAX.to_string(), "note": "n"});
    b.add("Bid", bid.clone(), form.clone());
    b.add("Vec<Bid>", vec![bid.clone(), Bid { note: None, amount: 0, ..bid.clone() }], json!([form, {"who": ALICE, "amount": "0", "note": null}]));
    b.add("Generic<Bid>", Generic { inner: vec![bid], nothing: PhantomData }, json!({"inner": [form]}));
    b.add("Generic<u8>", Generic { inner: vec![1u8], nothing: PhantomData }, json!({"inner": "0x01"}));
    b.add("Compacts", Compacts { small: 64, wide: 1 << 100, plain: 2 }, json!({"small": 64, "wide": (1u128 << 100).to_string(), "plain": 2}));
    b.add("Shape", Shape::Nothing, json!("Nothing"));
    b.add("Shape", Shape::Circle(3), json!({"Circle": 3}));
    b.add("Shape", Shape::Line(1, 2), json!({"Line": [1, 2]}));
    b.add("Shape", Shape::Named { top: -1, flags: [true, false] }, json!({"Named": {"top": "-1", "flags": [true, false]}}));
    b.add("Shape", Shape::Wrapped(Some(None)), json!({"Wrapped": {"Some": null}}));
    b.add("Shape", Shape::Wrapped(None), json!({"Wrapped": null}));
    let tree = Tree::Fork(Box::new(Tree::Leaf(1)), Box::new(Tree::Many(vec![Tree::Leaf(2), Tree::Many(vec![])])));
    b.add("Tree", tree, json!({"Fork": [{"Leaf": 1}, {"Many": [{"Leaf": 2}, {"Many": []}]}]}));
    let tail = List { value: 2, next: None };
    b.add("List", List { value: 1, next: Some(Box::new(tail)) }, json!({"value": 1, "next": {"value": 2, "next": null}}));
}

fn bits(b: &mut Book) {
    b.add("BitVec<u8, Lsb0>", bitvec![u8, Lsb0; 1, 0, 1, 1], json!("0b1011"));
    b.add("BitVec<u8, Lsb0>", bitvec![u8, Lsb0;], json!("0b"));
    b.add("BitVec<u8, Msb0>", bitvec![u8, Msb0; 1, 0, 1, 1, 0, 0, 0, 0, 1], json!("0b101100001"));
    b.add("BitVec<u16, Lsb0>", bitvec![u16, Lsb0; 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], json!("0b100000000100000001"));
    b.add("BitVec<u32, Msb0>", bitvec![u32, Msb0; 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], json!("0b1000000001"));
}
