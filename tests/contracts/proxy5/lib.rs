//! A contract without messages of its own but `control`: it hands its input on to a contract, or to code that then runs
//! on the proxy's storage, whatever the selector. Upgradable contracts are made so.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[ink::contract]
pub mod proxy5 {
    use ink::{
        env::{
            call::{build_call, ExecutionInput, Selector},
            CallFlags, DefaultEnvironment,
        },
        storage::{traits::ManualKey, Lazy},
    };

    /// What messages are handed on to.
    #[derive(Debug, PartialEq, Eq, Clone)]
    #[ink::scale_derive(Encode, Decode, TypeInfo)]
    #[cfg_attr(feature = "std", derive(ink::storage::traits::StorageLayout))]
    pub enum Target {
        /// A contract, which gets the money that was sent along too.
        Contract(AccountId),
        /// Code, which runs on the proxy's storage.
        Code(Hash),
    }

    /// The number and the maker that `callee5` has under the root key, and, out of its way, the target.
    #[ink(storage)]
    pub struct Proxy5 {
        value: i32,
        owner: AccountId,
        target: Lazy<Target, ManualKey<0x7a7a7a7a>>,
    }

    impl Proxy5 {
        /// Hands on to `target`.
        #[ink(constructor, payable)]
        pub fn new(target: Target) -> Self {
            let mut lazy = Lazy::new();
            lazy.set(&target);
            Self { value: 0, owner: Self::env().caller(), target: lazy }
        }

        /// Hands on to another target; only for who made the proxy. False for others.
        #[ink(message, selector = @)]
        pub fn control(&mut self, target: Target) -> bool {
            let allowed = self.env().caller() == self.owner;
            if allowed {
                self.target.set(&target);
            }
            allowed
        }

        /// Hands its input on, and ends with the other's result.
        #[ink(message, payable, selector = _)]
        pub fn forward(&self) -> i32 {
            let flags = CallFlags::FORWARD_INPUT | CallFlags::TAIL_CALL;
            let nothing = || ExecutionInput::new(Selector::new([0; 4]));
            let target = self.target.get().expect("the constructor sets it");
            let call = build_call::<DefaultEnvironment>();
            match target {
                Target::Contract(account) => call
                    .call(account)
                    .transferred_value(self.env().transferred_value())
                    .call_flags(flags | CallFlags::ALLOW_REENTRY)
                    .exec_input(nothing())
                    .returns::<()>()
                    .invoke(),
                Target::Code(code_hash) => call
                    .delegate(code_hash)
                    .call_flags(flags)
                    .exec_input(nothing())
                    .returns::<()>()
                    .invoke(),
            }
            // A tail call does not come back.
            self.value
        }
    }
}
