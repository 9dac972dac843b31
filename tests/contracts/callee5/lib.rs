//! What `caller5` and `proxy5` call: messages that answer, fail in each way there is, take money, call back, spend gas,
//! and a contract that can be instantiated, given other code and terminated. Its own state is the pair of `value` and
//! `owner` under the root key, as in `caller5`, so that its code runs on that one's storage in a delegate call.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

pub use self::callee5::{Callee5, Callee5Ref, Error};

#[ink::contract]
pub mod callee5 {
    use ink::{
        env::{
            call::{build_call, ExecutionInput, Selector},
            CallFlags, DefaultEnvironment,
        },
        prelude::{string::String, vec::Vec},
    };

    /// A number and who made the contract.
    #[ink(storage)]
    pub struct Callee5 {
        value: i32,
        owner: AccountId,
    }

    /// The number has changed.
    #[ink(event)]
    pub struct Changed {
        #[ink(topic)]
        by: AccountId,
        from: i32,
        to: i32,
    }

    /// Why a message failed.
    #[derive(Debug, PartialEq, Eq, Clone)]
    #[ink::scale_derive(Encode, Decode, TypeInfo)]
    pub enum Error {
        /// The sum is out of range.
        Overflow,
        /// Numbers below zero are refused.
        Negative(i32),
        /// As the caller asked.
        Asked(String),
        /// There is no such code.
        NoCode,
    }

    impl Callee5 {
        /// Starts at `value`.
        #[ink(constructor, payable)]
        pub fn new(value: i32) -> Self {
            Self { value, owner: Self::env().caller() }
        }

        /// Starts at `value`, or fails if it is negative.
        #[ink(constructor, payable)]
        pub fn try_new(value: i32) -> Result<Self, Error> {
            if value < 0 {
                return Err(Error::Negative(value));
            }
            Ok(Self::new(value))
        }

        /// The number.
        #[ink(message)]
        pub fn get(&self) -> i32 {
            self.value
        }

        /// Who made the contract.
        #[ink(message)]
        pub fn owner(&self) -> AccountId {
            self.owner
        }

        /// Adds `by` and gives the sum.
        #[ink(message)]
        pub fn add(&mut self, by: i32) -> Result<i32, Error> {
            let to = self.value.checked_add(by).ok_or(Error::Overflow)?;
            let from = core::mem::replace(&mut self.value, to);
            self.env().emit_event(Changed { by: self.env().caller(), from, to });
            Ok(to)
        }

        /// Takes money and gives what it got and what it has now.
        #[ink(message, payable)]
        pub fn pay(&mut self) -> (Balance, Balance) {
            (self.env().transferred_value(), self.env().balance())
        }

        /// Who asks, which contract answers, whether the asker is the origin of the call.
        #[ink(message)]
        pub fn whoami(&self) -> (AccountId, AccountId, bool) {
            (self.env().caller(), self.env().account_id(), self.env().caller_is_origin())
        }

        /// Adds `by`, then fails, so that nothing was added.
        #[ink(message)]
        pub fn add_and_fail(&mut self, by: i32, text: String) -> Result<i32, Error> {
            self.add(by)?;
            Err(Error::Asked(text))
        }

        /// Adds `by`, then traps.
        #[ink(message)]
        pub fn add_and_trap(&mut self, by: i32) {
            self.value = self.value.wrapping_add(by);
            panic!("as asked");
        }

        /// Gives `data` back.
        #[ink(message)]
        pub fn echo(&self, data: Vec<u8>) -> Vec<u8> {
            data
        }

        /// Gives `length` bytes.
        #[ink(message)]
        pub fn bytes(&self, length: u32) -> Vec<u8> {
            ink::prelude::vec![0x5a; length as usize]
        }

        /// The message of `caller5` with the same selector and arguments, to which it hands on its own input.
        #[ink(message, selector = 0x00000011)]
        pub fn mirror(&self, _callee: AccountId, number: u32) -> u32 {
            number.wrapping_mul(2)
        }

        /// Calls `caller`'s message that has `selector`, no arguments, and a number as result.
        #[ink(message)]
        pub fn call_back(&mut self, selector: [u8; 4]) -> u32 {
            build_call::<DefaultEnvironment>()
                .call(self.env().caller())
                .call_flags(CallFlags::ALLOW_REENTRY)
                .exec_input(ExecutionInput::new(Selector::new(selector)))
                .returns::<u32>()
                .invoke()
        }

        /// Spends gas in `rounds` rounds.
        #[ink(message)]
        pub fn spin(&self, rounds: u64) -> u64 {
            (0..rounds).fold(1, |sum: u64, n| sum.rotate_left(7) ^ n)
        }

        /// Runs the code with `code_hash` from the next call on.
        #[ink(message)]
        pub fn upgrade(&mut self, code_hash: Hash) -> Result<(), Error> {
            self.env().set_code_hash(&code_hash).map_err(|_| Error::NoCode)
        }

        /// Ends the contract and gives what it has to `beneficiary`.
        #[ink(message)]
        pub fn terminate(&mut self, beneficiary: AccountId) {
            self.env().terminate_contract(beneficiary)
        }
    }
}
