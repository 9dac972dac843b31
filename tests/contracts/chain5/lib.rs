//! Asks the engine for what belongs to a chain rather than to contracts: calls of its runtime, and code that is to be
//! kept because this contract delegates to it. No published contract is known to do so, but ink! 5 offers it.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[ink::contract]
pub mod chain5 {
    use ink::prelude::{format, string::String};

    /// Nothing.
    #[ink(storage)]
    pub struct Chain5 {}

    impl Chain5 {
        /// Does nothing.
        #[ink(constructor)]
        pub fn new() -> Self {
            Self {}
        }

        /// Locks code that this contract delegates to, so that it is kept; traps where there is no such code.
        #[ink(message)]
        pub fn lock_dependency(&mut self, code_hash: Hash) {
            self.env().lock_delegate_dependency(&code_hash)
        }

        /// Unlocks it; traps where it is not locked.
        #[ink(message)]
        pub fn unlock_dependency(&mut self, code_hash: Hash) {
            self.env().unlock_delegate_dependency(&code_hash)
        }

        /// Calls the chain with `call` as it is encoded: what came of it, which is nothing in a network that refuses.
        #[ink(message)]
        pub fn call_runtime(&mut self, call: u32) -> Result<(), String> {
            self.env().call_runtime(&call).map_err(|error| format!("{error:?}"))
        }
    }
}
