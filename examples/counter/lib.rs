//! A counter that also keeps deposits: small, and still with one message of every kind, so that a network or a client
//! can be tried on it. `inc` traps on overflow, `inc_by` reports it as an error, `deposit` is payable and `withdraw`
//! pays out; an increment emits an event with a topic.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[ink::contract]
pub mod counter {
    use ink::storage::Mapping;

    /// The counter and what each account has deposited and not yet withdrawn.
    #[ink(storage)]
    pub struct Counter {
        value: i32,
        deposits: Mapping<AccountId, Balance>,
    }

    /// The counter has changed.
    #[ink(event)]
    pub struct Incremented {
        /// What was added; negative for a decrement.
        #[ink(topic)]
        pub by: i32,
        /// The value after it.
        pub value: i32,
    }

    /// Why a message changed nothing.
    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    #[ink::scale_derive(Encode, Decode, TypeInfo)]
    pub enum Error {
        /// The sum does not fit into the counter, or a deposit into its account.
        Overflow,
        /// The caller has deposited less than it asks for.
        Insufficient,
        /// The chain refused the transfer.
        TransferFailed,
    }

    impl Counter {
        /// A counter that starts at `init`.
        #[ink(constructor)]
        pub fn new(init: i32) -> Self {
            Self {
                value: init,
                deposits: Mapping::default(),
            }
        }

        /// A counter that starts at 0.
        #[ink(constructor)]
        pub fn default() -> Self {
            Self::new(0)
        }

        /// Adds 1. Traps on overflow.
        #[ink(message)]
        pub fn inc(&mut self) {
            self.add(1).expect("the counter is at its maximum");
        }

        /// Adds `by` and returns the new value.
        #[ink(message)]
        pub fn inc_by(&mut self, by: i32) -> Result<i32, Error> {
            self.add(by)
        }

        /// The counter's value.
        #[ink(message)]
        pub fn get(&self) -> i32 {
            self.value
        }

        /// Credits the transferred value to the caller's deposit, which it returns.
        #[ink(message, payable)]
        pub fn deposit(&mut self) -> Result<Balance, Error> {
            let caller = self.env().caller();
            let sum = self
                .deposited_by(caller)
                .checked_add(self.env().transferred_value())
                .ok_or(Error::Overflow)?;
            self.deposits.insert(caller, &sum);
            Ok(sum)
        }

        /// What the caller has deposited and not withdrawn.
        #[ink(message)]
        pub fn deposited(&self) -> Balance {
            self.deposited_by(self.env().caller())
        }

        /// Pays `amount` of the caller's deposit to the caller and returns what is left of it.
        #[ink(message)]
        pub fn withdraw(&mut self, amount: Balance) -> Result<Balance, Error> {
            let caller = self.env().caller();
            let left = self
                .deposited_by(caller)
                .checked_sub(amount)
                .ok_or(Error::Insufficient)?;
            // The book first, then the transfer: a receiver that calls back finds nothing more to take. An error
            // reverts both.
            self.deposits.insert(caller, &left);
            self.env()
                .transfer(caller, amount)
                .map_err(|_| Error::TransferFailed)?;
            Ok(left)
        }

        /// The contract's whole balance.
        #[ink(message)]
        pub fn balance(&self) -> Balance {
            self.env().balance()
        }

        fn add(&mut self, by: i32) -> Result<i32, Error> {
            self.value = self.value.checked_add(by).ok_or(Error::Overflow)?;
            self.env().emit_event(Incremented {
                by,
                value: self.value,
            });
            Ok(self.value)
        }

        fn deposited_by(&self, account: AccountId) -> Balance {
            self.deposits.get(account).unwrap_or(0)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use ink::env::{test, DefaultEnvironment};

        #[ink::test]
        fn counts() {
            let mut counter = Counter::default();
            counter.inc();
            assert_eq!(counter.inc_by(41), Ok(42));
            assert_eq!(counter.inc_by(-2), Ok(40));
            assert_eq!(counter.get(), 40);
            assert_eq!(test::recorded_events().count(), 3);
        }

        #[ink::test]
        fn reports_overflow_and_keeps_its_value() {
            let mut counter = Counter::new(i32::MAX - 1);
            assert_eq!(counter.inc_by(2), Err(Error::Overflow));
            assert_eq!(counter.get(), i32::MAX - 1);
            assert_eq!(test::recorded_events().count(), 0);
        }

        #[ink::test]
        #[should_panic(expected = "maximum")]
        fn inc_traps_on_overflow() {
            Counter::new(i32::MAX).inc();
        }

        /// The test environment's existential deposit.
        const UNIT: Balance = 1_000_000;

        #[ink::test]
        fn pays_out_only_what_the_caller_deposited() {
            let accounts = test::default_accounts::<DefaultEnvironment>();
            let contract = AccountId::from([0xcc; 32]);
            test::set_callee::<DefaultEnvironment>(contract);
            let mut counter = Counter::default();

            test::set_caller::<DefaultEnvironment>(accounts.charlie);
            test::set_account_balance::<DefaultEnvironment>(contract, 100 * UNIT);
            test::set_value_transferred::<DefaultEnvironment>(70 * UNIT);
            assert_eq!(counter.deposit(), Ok(70 * UNIT));

            test::set_caller::<DefaultEnvironment>(accounts.bob);
            assert_eq!(counter.withdraw(1), Err(Error::Insufficient));
            assert_eq!(counter.deposited(), 0);

            test::set_account_balance::<DefaultEnvironment>(accounts.charlie, 5 * UNIT);
            test::set_caller::<DefaultEnvironment>(accounts.charlie);
            assert_eq!(counter.withdraw(71 * UNIT), Err(Error::Insufficient));
            assert_eq!(counter.withdraw(30 * UNIT), Ok(40 * UNIT));
            assert_eq!(counter.deposited(), 40 * UNIT);
            assert_eq!(counter.balance(), 70 * UNIT);
            let charlie = test::get_account_balance::<DefaultEnvironment>(accounts.charlie);
            assert_eq!(charlie, Ok(35 * UNIT));
        }
    }
}
