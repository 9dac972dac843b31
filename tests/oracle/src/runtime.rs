//! The runtime that pallet-contracts runs in: only what the pallet needs, everything else fixed.

use codec::Encode;
use frame_support::{derive_impl, parameter_types, traits::Randomness, weights::Weight};
use pallet_contracts::{DefaultAddressGenerator, Frame, Schedule};
use sp_core::H256;
use sp_runtime::{
    traits::{Convert, IdentityLookup},
    AccountId32, BuildStorage, Perbill,
};

pub type Balance = u128;

/// Facts that contracts read. The replay gives its engine the same.
pub const BLOCK: u64 = 77;
pub const TIME_MILLIS: u64 = 1_700_000_000_123;
pub const FEE_PER_GAS: Balance = 3;
pub const EXISTENTIAL_DEPOSIT: Balance = 1;
/// How many contracts can be on the call stack, the first one included.
pub const DEPTH: usize = 6;

frame_support::construct_runtime!(
    pub enum Runtime {
        System: frame_system,
        Balances: pallet_balances,
        Timestamp: pallet_timestamp,
        Contracts: pallet_contracts,
    }
);

parameter_types! {
    pub const MinimumBalance: Balance = EXISTENTIAL_DEPOSIT;
    pub DefaultSchedule: Schedule<Runtime> = Schedule::default();
    pub const DepositPerByte: Balance = 1;
    pub const DepositPerItem: Balance = 1;
    pub const DepositLimit: Balance = 1_000_000_000_000;
    // So that no deposit depends on the length of code.
    pub const LockupPercent: Perbill = Perbill::from_percent(0);
    pub const MaxDelegateDependencies: u32 = 32;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Runtime {
    type Block = frame_system::mocking::MockBlockU32<Runtime>;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Runtime {
    type Balance = Balance;
    type ExistentialDeposit = MinimumBalance;
    type AccountStore = System;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Runtime {}

/// Randomness that follows from the subject alone. Vectors never hold it: only its length can be compared.
pub struct FixedRandomness;

impl Randomness<H256, u32> for FixedRandomness {
    fn random(subject: &[u8]) -> (H256, u32) {
        (H256(sp_io::hashing::blake2_256(subject)), BLOCK as u32)
    }
}

/// The price of reference time; that of proof size is zero.
pub struct WeightPrice;

impl Convert<Weight, Balance> for WeightPrice {
    fn convert(weight: Weight) -> Balance {
        FEE_PER_GAS * Balance::from(weight.ref_time())
    }
}

#[derive_impl(pallet_contracts::config_preludes::TestDefaultConfig)]
impl pallet_contracts::Config for Runtime {
    type Time = Timestamp;
    type Randomness = FixedRandomness;
    type Currency = Balances;
    type CallFilter = frame_support::traits::Nothing;
    type WeightPrice = WeightPrice;
    type Schedule = DefaultSchedule;
    type CallStack = [Frame<Self>; DEPTH - 1];
    type DepositPerByte = DepositPerByte;
    type DepositPerItem = DepositPerItem;
    type DefaultDepositLimit = DepositLimit;
    type CodeHashLockupDepositPercent = LockupPercent;
    type MaxDelegateDependencies = MaxDelegateDependencies;
    type AddressGenerator = DefaultAddressGenerator;
}

/// Runs `f` in a fresh chain on which `endowed` accounts hold an amount each.
pub fn with_chain<R>(endowed: &[(AccountId32, Balance)], f: impl FnOnce() -> R) -> R {
    let mut storage =
        frame_system::GenesisConfig::<Runtime>::default().build_storage().expect("the genesis of an empty chain");
    pallet_balances::GenesisConfig::<Runtime> { balances: endowed.to_vec(), ..Default::default() }
        .assimilate_storage(&mut storage)
        .expect("no account is endowed twice");
    let mut externalities = sp_io::TestExternalities::new(storage);
    externalities.execute_with(|| {
        System::set_block_number(BLOCK as u32);
        pallet_timestamp::Now::<Runtime>::put(TIME_MILLIS);
        f()
    })
}

/// The key under which a map of the pallet keeps a value, for the maps that it does not show.
fn map_key(map: &str, hashed: &[u8]) -> Vec<u8> {
    let prefix = [sp_io::hashing::twox_128(b"Contracts"), sp_io::hashing::twox_128(map.as_bytes())];
    [prefix.concat().as_slice(), hashed].concat()
}

/// What the pallet knows of a contract: the id of its child trie and the hash of its code.
pub fn contract_info(account: &AccountId32) -> Option<(Vec<u8>, H256)> {
    let id = account.encode();
    let key = map_key("ContractInfoOf", &[sp_io::hashing::twox_64(&id).as_slice(), &id].concat());
    sp_io::storage::get(&key)
        .map(|raw| codec::Decode::decode(&mut &raw[..]).expect("a contract's info starts with its trie and code hash"))
}

/// Replaces stored code behind the pallet's back, as if it had been uploaded when the pallet still took it.
pub fn replace_code(hash: &H256, code: &[u8]) {
    sp_io::storage::set(&map_key("PristineCode", hash.as_bytes()), &code.encode());
}
