//! A fungible token in ink! 3.4, for what that version does otherwise than later ones: imports whose names begin with
//! `seal_`, storage cells under 32-byte keys, a mapping that is set up by `initialize_contract`, messages that return
//! their value without an outer `Result`, metadata under `V3`. Every message that can fail reverts with its error.
#![cfg_attr(not(feature = "std"), no_std)]

use ink_lang as ink;

#[ink::contract]
pub mod token3 {
    use ink_lang::utils::initialize_contract;
    use ink_prelude::{format, string::String, vec::Vec};
    use ink_storage::{traits::SpreadAllocate, Mapping};

    /// The supply and who holds it.
    #[ink(storage)]
    #[derive(SpreadAllocate)]
    pub struct Token3 {
        name: String,
        supply: Balance,
        balances: Mapping<AccountId, Balance>,
        allowances: Mapping<(AccountId, AccountId), Balance>,
    }

    /// Tokens have moved; without `from` they are new, without `to` they are gone.
    #[ink(event)]
    pub struct Transfer {
        #[ink(topic)]
        from: Option<AccountId>,
        #[ink(topic)]
        to: Option<AccountId>,
        value: Balance,
    }

    /// `owner` lets `spender` move at most `value`.
    #[ink(event)]
    pub struct Approval {
        #[ink(topic)]
        owner: AccountId,
        #[ink(topic)]
        spender: AccountId,
        value: Balance,
    }

    /// Why tokens do not move.
    #[derive(Debug, PartialEq, Eq, scale::Encode, scale::Decode)]
    #[cfg_attr(feature = "std", derive(scale_info::TypeInfo))]
    pub enum Error {
        /// The account holds `balance`, which is less.
        InsufficientBalance { balance: Balance },
        /// The owner has allowed `allowance`, which is less.
        InsufficientAllowance { allowance: Balance },
        /// The memo has more than 64 bytes.
        MemoTooLong,
    }

    impl Token3 {
        /// Gives the whole supply to the caller.
        #[ink(constructor)]
        pub fn new(name: String, supply: Balance) -> Self {
            initialize_contract(|token: &mut Self| {
                let owner = Self::env().caller();
                token.name = name;
                token.supply = supply;
                token.balances.insert(owner, &supply);
                Self::env().emit_event(Transfer { from: None, to: Some(owner), value: supply });
            })
        }

        /// The token's name.
        #[ink(message)]
        pub fn name(&self) -> String {
            self.name.clone()
        }

        /// All tokens together.
        #[ink(message)]
        pub fn total_supply(&self) -> Balance {
            self.supply
        }

        /// What `owner` holds; 0 if it never held any.
        #[ink(message)]
        pub fn balance_of(&self, owner: AccountId) -> Balance {
            self.balances.get(owner).unwrap_or_default()
        }

        /// What `spender` may still move of `owner`'s.
        #[ink(message)]
        pub fn allowance(&self, owner: AccountId, spender: AccountId) -> Balance {
            self.allowances.get((owner, spender)).unwrap_or_default()
        }

        /// Moves `value` from the caller to `to`.
        #[ink(message)]
        pub fn transfer(&mut self, to: AccountId, value: Balance) -> Result<(), Error> {
            self.shift(self.env().caller(), to, value)
        }

        /// Lets `spender` move at most `value` of the caller's; 0 takes it back.
        #[ink(message)]
        pub fn approve(&mut self, spender: AccountId, value: Balance) {
            let owner = self.env().caller();
            match value {
                0 => self.allowances.remove((owner, spender)),
                _ => self.allowances.insert((owner, spender), &value),
            }
            self.env().emit_event(Approval { owner, spender, value });
        }

        /// Moves `value` from `from` to `to`, if `from` has allowed it to the caller.
        #[ink(message)]
        pub fn transfer_from(&mut self, from: AccountId, to: AccountId, value: Balance) -> Result<(), Error> {
            let caller = self.env().caller();
            let allowance = self.allowance(from, caller);
            if allowance < value {
                return Err(Error::InsufficientAllowance { allowance });
            }
            self.shift(from, to, value)?;
            self.allowances.insert((from, caller), &(allowance - value));
            Ok(())
        }

        /// Moves what `shares` says, all or nothing: the error of one is the error of all.
        #[ink(message)]
        pub fn transfer_many(&mut self, shares: Vec<(AccountId, Balance)>) -> Result<u32, Error> {
            let caller = self.env().caller();
            for (to, value) in shares.iter() {
                self.shift(caller, *to, *value)?;
            }
            Ok(shares.len() as u32)
        }

        /// Takes what was sent along and answers with it and `memo`.
        #[ink(message, payable)]
        pub fn donate(&mut self, memo: String) -> Result<String, Error> {
            if memo.len() > 64 {
                return Err(Error::MemoTooLong);
            }
            Ok(format!("{}: {}", self.env().transferred_value(), memo))
        }

        /// Where and when the message runs: the contract, its balance, the block and its time in milliseconds.
        #[ink(message, selector = 0xC0FFEE00)]
        pub fn place(&self) -> (AccountId, Balance, BlockNumber, Timestamp) {
            (self.env().account_id(), self.env().balance(), self.env().block_number(), self.env().block_timestamp())
        }

        /// Traps.
        #[ink(message)]
        pub fn fail(&self) {
            panic!("as asked");
        }

        /// Calls `balance_of` of the token at `token`, or gives nothing where that fails.
        #[ink(message)]
        pub fn balance_elsewhere(&self, token: AccountId, owner: AccountId) -> Option<Balance> {
            use ink_env::call::{build_call, Call, ExecutionInput, Selector};
            build_call::<Environment>()
                .call_type(Call::new().callee(token))
                .exec_input(ExecutionInput::new(Selector::new([0x0f, 0x75, 0x5a, 0x56])).push_arg(owner))
                .returns::<Balance>()
                .fire()
                .ok()
        }

        fn shift(&mut self, from: AccountId, to: AccountId, value: Balance) -> Result<(), Error> {
            let balance = self.balance_of(from);
            if balance < value {
                return Err(Error::InsufficientBalance { balance });
            }
            self.balances.insert(from, &(balance - value));
            let received = self.balance_of(to);
            self.balances.insert(to, &(received + value));
            self.env().emit_event(Transfer { from: Some(from), to: Some(to), value });
            Ok(())
        }
    }
}
