//! Calls and instantiates other contracts in every way that ink! 5 has. Most messages give what came of it as a
//! `Result`, whose outermost error is the engine's in words; ink! reverts the message itself with such an error, while
//! what fails further inside leaves it done. The state is laid out as `callee5`'s, whose code can run on it.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[ink::contract]
pub mod caller5 {
    use callee5_ref::{Callee5Ref, Error};
    use ink::{
        env::{
            call::{build_call, build_create, ExecutionInput, FromAccountId, Selector},
            CallFlags, DefaultEnvironment,
        },
        prelude::{format, string::String, vec::Vec},
        selector_bytes,
        storage::{traits::ManualKey, Lazy},
        LangError, MessageResult, ToAccountId,
    };

    /// A number and who made the contract, as in `callee5`; apart from them, how often `ping` was called.
    #[ink(storage)]
    pub struct Caller5 {
        value: i32,
        owner: AccountId,
        pings: Lazy<u32, ManualKey<1>>,
    }

    /// What a call gave: the callee's own result inside, then what ink! makes of it, then what the engine says, with
    /// which the message reverts.
    type Called<T> = Result<Result<T, LangError>, String>;

    impl Caller5 {
        /// Starts at `value`.
        #[ink(constructor, payable)]
        pub fn new(value: i32) -> Self {
            let mut pings = Lazy::new();
            pings.set(&0);
            Self { value, owner: Self::env().caller(), pings }
        }

        /// The number, which only delegate calls change.
        #[ink(message)]
        pub fn get(&self) -> i32 {
            self.value
        }

        /// Who made the contract.
        #[ink(message)]
        pub fn owner(&self) -> AccountId {
            self.owner
        }

        /// Adds `by` in `callee` by the call that knows only gas; `gas` 0 is all there is.
        #[ink(message)]
        pub fn call_v1(&mut self, callee: AccountId, by: i32, gas: u64) -> Called<Result<i32, Error>> {
            build_call::<DefaultEnvironment>()
                .call_v1(callee)
                .gas_limit(gas)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("add"))).push_arg(by))
                .returns::<Result<i32, Error>>()
                .try_invoke()
                .map_err(text)
        }

        /// Adds `by` in `callee` by the call that limits computation, proof and deposit; 0 and none are all there is.
        #[ink(message)]
        pub fn call_v2(
            &mut self,
            callee: AccountId,
            by: i32,
            ref_time: u64,
            proof_size: u64,
            deposit: Option<Balance>,
        ) -> Called<Result<i32, Error>> {
            let mut call = build_call::<DefaultEnvironment>()
                .call(callee)
                .ref_time_limit(ref_time)
                .proof_size_limit(proof_size);
            if let Some(deposit) = deposit {
                call = call.storage_deposit_limit(deposit);
            }
            call.exec_input(ExecutionInput::new(Selector::new(selector_bytes!("add"))).push_arg(by))
                .returns::<Result<i32, Error>>()
                .try_invoke()
                .map_err(text)
        }

        /// Adds `by` in `callee` by its typed reference: where that fails, so does this.
        #[ink(message)]
        pub fn call_by_ref(&mut self, callee: AccountId, by: i32) -> Result<i32, Error> {
            Callee5Ref::from_account_id(callee).add(by)
        }

        /// Adds `by` in `callee`, then fails, so that nothing was added there either.
        #[ink(message)]
        pub fn call_and_fail(&mut self, callee: AccountId, by: i32) -> Result<i32, Error> {
            Err(Error::Negative(Callee5Ref::from_account_id(callee).add(by)?))
        }

        /// Adds `by` in `callee` by messages that succeed, fail and trap, in this order, and gives their outcomes and
        /// what `callee` has after each: only the first adds.
        #[ink(message)]
        pub fn call_and_go_on(&mut self, callee: AccountId, by: i32) -> Vec<(String, i32)> {
            let other = Callee5Ref::from_account_id(callee);
            let add = ExecutionInput::new(Selector::new(selector_bytes!("add"))).push_arg(by);
            let fail = ExecutionInput::new(Selector::new(selector_bytes!("add_and_fail")))
                .push_arg(by)
                .push_arg(String::from("failed"));
            let trap = ExecutionInput::new(Selector::new(selector_bytes!("add_and_trap"))).push_arg(by);
            let call = || build_call::<DefaultEnvironment>().call(callee);
            let mut outcomes = Vec::new();
            let added = call().exec_input(add).returns::<Result<i32, Error>>().try_invoke();
            outcomes.push((format!("{added:?}"), other.get()));
            let failed = call().exec_input(fail).returns::<Result<i32, Error>>().try_invoke();
            outcomes.push((format!("{failed:?}"), other.get()));
            let trapped = call().exec_input(trap).returns::<()>().try_invoke();
            outcomes.push((format!("{trapped:?}"), other.get()));
            outcomes
        }

        /// Calls a message that `callee` may not have, without arguments and for a number.
        #[ink(message)]
        pub fn call_selector(&self, callee: AccountId, selector: [u8; 4]) -> Called<i32> {
            build_call::<DefaultEnvironment>()
                .call(callee)
                .exec_input(ExecutionInput::new(Selector::new(selector)))
                .returns::<i32>()
                .try_invoke()
                .map_err(text)
        }

        /// Sends `value` of what this contract has to `callee`'s payable message: what it got and has.
        #[ink(message, payable)]
        pub fn pay(&mut self, callee: AccountId, value: Balance) -> Called<(Balance, Balance)> {
            build_call::<DefaultEnvironment>()
                .call(callee)
                .transferred_value(value)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("pay"))))
                .returns::<(Balance, Balance)>()
                .try_invoke()
                .map_err(text)
        }

        /// Transfers `value` of what this contract has to `to`, without a call.
        #[ink(message, payable)]
        pub fn transfer(&mut self, to: AccountId, value: Balance) -> Result<(), String> {
            self.env().transfer(to, value).map_err(text)
        }

        /// Takes money.
        #[ink(message, payable)]
        pub fn deposit(&mut self) -> Balance {
            self.env().balance()
        }

        /// What `callee` says of who asks: this contract, `callee`, not the origin.
        #[ink(message)]
        pub fn whoami(&self, callee: AccountId) -> (AccountId, AccountId, bool) {
            Callee5Ref::from_account_id(callee).whoami()
        }

        /// Lets `callee` call `ping` here; without `allow` the engine refuses that.
        #[ink(message)]
        pub fn reenter(&self, callee: AccountId, allow: bool) -> Called<u32> {
            build_call::<DefaultEnvironment>()
                .call(callee)
                .call_flags(if allow { CallFlags::ALLOW_REENTRY } else { CallFlags::empty() })
                .exec_input(
                    ExecutionInput::new(Selector::new(selector_bytes!("call_back")))
                        .push_arg(selector_bytes!("ping")),
                )
                .returns::<u32>()
                .try_invoke()
                .map_err(text)
        }

        /// Counts how often it was called.
        #[ink(message)]
        pub fn ping(&mut self) -> u32 {
            let pings = self.pings.get_or_default().saturating_add(1);
            self.pings.set(&pings);
            pings
        }

        /// How often `ping` was called.
        #[ink(message)]
        pub fn pings(&self) -> u32 {
            self.pings.get_or_default()
        }

        /// Ends with `callee`'s number as its own result. The number 0x0bad, for which it would go on, does not come.
        #[ink(message)]
        pub fn tail_call(&self, callee: AccountId) -> i32 {
            let _: MessageResult<i32> = build_call::<DefaultEnvironment>()
                .call(callee)
                .call_flags(CallFlags::TAIL_CALL)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("get"))))
                .returns::<i32>()
                .try_invoke()
                .unwrap_or(Ok(0));
            0x0bad
        }

        /// Hands a copy of its own input on to `callee`'s message of the same selector, which doubles `number`, and adds
        /// `number`, which it can since the input was copied.
        #[ink(message, selector = 0x00000011)]
        pub fn mirror(&self, callee: AccountId, number: u32) -> u32 {
            build_call::<DefaultEnvironment>()
                .call(callee)
                .call_flags(CallFlags::CLONE_INPUT)
                .exec_input(ExecutionInput::new(Selector::new([0; 4])))
                .returns::<u32>()
                .invoke()
                .wrapping_add(number)
        }

        /// Runs the message `add` of other code on this contract's storage: `get` gives the sum afterwards.
        #[ink(message)]
        pub fn delegate_add(&self, code_hash: Hash, by: i32) -> Called<Result<i32, Error>> {
            build_call::<DefaultEnvironment>()
                .delegate(code_hash)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("add"))).push_arg(by))
                .returns::<Result<i32, Error>>()
                .try_invoke()
                .map_err(text)
        }

        /// Who asks and who answers when other code runs here: this contract's caller, this contract.
        #[ink(message)]
        pub fn delegate_whoami(&self, code_hash: Hash) -> (AccountId, AccountId, bool) {
            build_call::<DefaultEnvironment>()
                .delegate(code_hash)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("whoami"))))
                .returns::<(AccountId, AccountId, bool)>()
                .invoke()
        }

        /// Makes a `callee5` by the instantiation that knows only gas.
        #[ink(message, payable)]
        pub fn create_v1(
            &mut self,
            code_hash: Hash,
            salt: Vec<u8>,
            value: i32,
            endowment: Balance,
            gas: u64,
        ) -> Result<AccountId, String> {
            let made = build_create::<Callee5Ref>()
                .code_hash(code_hash)
                .instantiate_v1()
                .gas_limit(gas)
                .endowment(endowment)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("new"))).push_arg(value))
                .salt_bytes(&salt)
                .returns::<Callee5Ref>()
                .try_instantiate();
            address(made)
        }

        /// Makes a `callee5` by the instantiation that limits computation, proof and deposit.
        #[ink(message, payable)]
        pub fn create_v2(
            &mut self,
            code_hash: Hash,
            salt: Vec<u8>,
            value: i32,
            endowment: Balance,
            limits: (u64, u64, Balance),
        ) -> Result<AccountId, String> {
            let made = build_create::<Callee5Ref>()
                .code_hash(code_hash)
                .ref_time_limit(limits.0)
                .proof_size_limit(limits.1)
                .storage_deposit_limit(limits.2)
                .endowment(endowment)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("new"))).push_arg(value))
                .salt_bytes(&salt)
                .returns::<Callee5Ref>()
                .try_instantiate();
            address(made)
        }

        /// Makes a `callee5` by its constructor that fails for a negative `value`.
        #[ink(message, payable)]
        pub fn try_create(&mut self, code_hash: Hash, salt: Vec<u8>, value: i32) -> Result<AccountId, String> {
            let made = Callee5Ref::try_new(value)
                .code_hash(code_hash)
                .endowment(0)
                .salt_bytes(&salt)
                .try_instantiate()
                .map_err(text)?;
            match made {
                Ok(Ok(callee)) => Ok(callee.to_account_id()),
                Ok(Err(error)) => Err(format!("{error:?}")),
                Err(error) => Err(format!("{error:?}")),
            }
        }

        /// Calls itself `depth` times deep and gives how deep it came.
        #[ink(message)]
        pub fn dive(&self, depth: u32) -> u32 {
            if depth == 0 {
                return 0;
            }
            build_call::<DefaultEnvironment>()
                .call(self.env().account_id())
                .call_flags(CallFlags::ALLOW_REENTRY)
                .exec_input(
                    ExecutionInput::new(Selector::new(selector_bytes!("dive")))
                        .push_arg(depth.saturating_sub(1)),
                )
                .returns::<u32>()
                .try_invoke()
                .map_or(0, |result| result.map_or(0, |deeper| deeper.saturating_add(1)))
        }

        /// Lets `callee` spend gas in `rounds` rounds, of at most `gas`: what it gives, and how much was spent.
        #[ink(message)]
        pub fn spend(&self, callee: AccountId, rounds: u64, gas: u64) -> (Called<u64>, u64) {
            let before = self.env().gas_left();
            let result = build_call::<DefaultEnvironment>()
                .call_v1(callee)
                .gas_limit(gas)
                .exec_input(ExecutionInput::new(Selector::new(selector_bytes!("spin"))).push_arg(rounds))
                .returns::<u64>()
                .try_invoke()
                .map_err(text);
            (result, before.saturating_sub(self.env().gas_left()))
        }

        /// Has `callee` terminated in favour of `beneficiary`, then asks it for its number: the first ends without an
        /// answer, which does not decode, and the second finds no contract.
        #[ink(message)]
        pub fn terminate(&mut self, callee: AccountId, beneficiary: AccountId) -> (Called<()>, Called<i32>) {
            let ended = build_call::<DefaultEnvironment>()
                .call(callee)
                .exec_input(
                    ExecutionInput::new(Selector::new(selector_bytes!("terminate"))).push_arg(beneficiary),
                )
                .returns::<()>()
                .try_invoke()
                .map_err(text);
            (ended, self.call_selector(callee, selector_bytes!("get")))
        }
    }

    fn text(error: ink::env::Error) -> String {
        format!("{error:?}")
    }

    fn address(
        made: Result<ink::ConstructorResult<Callee5Ref>, ink::env::Error>,
    ) -> Result<AccountId, String> {
        match made {
            Ok(Ok(callee)) => Ok(callee.to_account_id()),
            Ok(Err(error)) => Err(format!("{error:?}")),
            Err(error) => Err(text(error)),
        }
    }
}
