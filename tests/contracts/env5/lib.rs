//! Asks for everything that the environment offers besides calls: hashes, signatures, accounts, blocks, every kind of
//! storage, every kind of event. Each message gives what it got.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[ink::contract]
pub mod env5 {
    use ink::{
        env::hash::{Blake2x128, Blake2x256, Keccak256, Sha2x256},
        prelude::{string::String, vec::Vec},
        storage::{Lazy, Mapping, StorageVec},
    };

    /// One of each kind of storage.
    #[ink(storage)]
    pub struct Env5 {
        number: u32,
        lazy: Lazy<String>,
        notes: Mapping<String, Vec<u8>>,
        list: StorageVec<u64>,
    }

    /// Without topics but its signature.
    #[ink(event)]
    pub struct Plain {
        number: u32,
    }

    /// With all topics that ink! allows.
    #[ink(event)]
    pub struct Indexed {
        #[ink(topic)]
        who: AccountId,
        #[ink(topic)]
        number: u32,
        #[ink(topic)]
        text: Option<String>,
        data: Vec<u8>,
    }

    /// Without its signature as a topic.
    #[ink(event, anonymous)]
    pub struct Anonymous {
        #[ink(topic)]
        number: u32,
    }

    /// What the environment says of the call.
    #[derive(Debug, PartialEq, Eq)]
    #[ink::scale_derive(Encode, Decode, TypeInfo)]
    pub struct Call {
        caller: AccountId,
        caller_is_origin: bool,
        account: AccountId,
        code_hash: Hash,
        balance: Balance,
        minimum_balance: Balance,
        transferred: Balance,
        block: BlockNumber,
        timestamp: Timestamp,
    }

    /// The hashes of one input.
    #[derive(Debug, PartialEq, Eq)]
    #[ink::scale_derive(Encode, Decode, TypeInfo)]
    pub struct Hashes {
        blake2_128: [u8; 16],
        blake2_256: [u8; 32],
        sha2_256: [u8; 32],
        keccak_256: [u8; 32],
    }

    impl Env5 {
        /// Everything empty.
        #[ink(constructor, payable)]
        pub fn new() -> Self {
            let mut lazy = Lazy::new();
            lazy.set(&String::new());
            Self { number: 0, lazy, notes: Mapping::new(), list: StorageVec::new() }
        }

        /// What the environment says of this call.
        #[ink(message, payable)]
        pub fn call(&self) -> Call {
            Call {
                caller: self.env().caller(),
                caller_is_origin: self.env().caller_is_origin(),
                account: self.env().account_id(),
                code_hash: self.env().own_code_hash().expect("a running contract has code"),
                balance: self.env().balance(),
                minimum_balance: self.env().minimum_balance(),
                transferred: self.env().transferred_value(),
                block: self.env().block_number(),
                timestamp: self.env().block_timestamp(),
            }
        }

        /// Gas before and after some work, and what that much gas costs.
        #[ink(message)]
        pub fn gas(&self) -> (u64, u64, Balance) {
            let before = self.env().gas_left();
            let hash = self.env().hash_bytes::<Sha2x256>(&[0; 1000]);
            let after = self.env().gas_left().saturating_sub(u64::from(hash[0] & 0));
            (before, after, self.env().weight_to_fee(before.saturating_sub(after)))
        }

        /// Every hash of `input`.
        #[ink(message)]
        pub fn hashes(&self, input: Vec<u8>) -> Hashes {
            Hashes {
                blake2_128: self.env().hash_bytes::<Blake2x128>(&input),
                blake2_256: self.env().hash_bytes::<Blake2x256>(&input),
                sha2_256: self.env().hash_bytes::<Sha2x256>(&input),
                keccak_256: self.env().hash_bytes::<Keccak256>(&input),
            }
        }

        /// The compressed public key that made `signature` (its recovery id last) for `hash`, if there is one.
        #[ink(message)]
        pub fn ecdsa_recover(&self, signature: [u8; 65], hash: [u8; 32]) -> Option<[u8; 33]> {
            self.env().ecdsa_recover(&signature, &hash).ok()
        }

        /// The Ethereum address of a compressed public key, if that is on the curve.
        #[ink(message)]
        pub fn ecdsa_to_eth_address(&self, public_key: [u8; 33]) -> Option<[u8; 20]> {
            self.env().ecdsa_to_eth_address(&public_key).ok()
        }

        /// Whether `signature` is `message`'s by `public_key`.
        #[ink(message)]
        pub fn sr25519_verify(&self, signature: [u8; 64], message: Vec<u8>, public_key: [u8; 32]) -> bool {
            self.env().sr25519_verify(&signature, &message, &public_key).is_ok()
        }

        /// Whether `account` is a contract, and its code's hash.
        #[ink(message)]
        pub fn contract_of(&self, account: AccountId) -> (bool, Option<Hash>) {
            (self.env().is_contract(&account), self.env().code_hash(&account).ok())
        }

        /// Writes a debug message.
        #[ink(message)]
        pub fn debug(&self, message: String) {
            ink::env::debug_message(&message)
        }

        /// Sets the number under the root key and the text in a cell of its own.
        #[ink(message)]
        pub fn set(&mut self, number: u32, text: String) {
            self.number = number;
            self.lazy.set(&text);
        }

        /// What `set` has set.
        #[ink(message)]
        pub fn get(&self) -> (u32, String) {
            (self.number, self.lazy.get_or_default())
        }

        /// Puts a note and gives the encoded length of the one before.
        #[ink(message)]
        pub fn put_note(&mut self, key: String, note: Vec<u8>) -> Option<u32> {
            self.notes.insert(key, &note)
        }

        /// The note, whether there is one, and its encoded length.
        #[ink(message)]
        pub fn note(&self, key: String) -> (Option<Vec<u8>>, bool, Option<u32>) {
            (self.notes.get(&key), self.notes.contains(&key), self.notes.size(&key))
        }

        /// Takes a note away and gives it.
        #[ink(message)]
        pub fn take_note(&mut self, key: String) -> Option<Vec<u8>> {
            self.notes.take(key)
        }

        /// Removes a note.
        #[ink(message)]
        pub fn remove_note(&mut self, key: String) {
            self.notes.remove(key)
        }

        /// Appends to the list and gives its length.
        #[ink(message)]
        pub fn push(&mut self, item: u64) -> u32 {
            self.list.push(&item);
            self.list.len()
        }

        /// Takes the last of the list.
        #[ink(message)]
        pub fn pop(&mut self) -> Option<u64> {
            self.list.pop()
        }

        /// The whole list.
        #[ink(message)]
        pub fn list(&self) -> Vec<u64> {
            (0..self.list.len()).filter_map(|index| self.list.get(index)).collect()
        }

        /// Reads and writes storage under a key of the caller's choice: what was there before.
        #[ink(message)]
        pub fn swap_raw(&mut self, key: Vec<u8>, value: Vec<u8>) -> Option<Vec<u8>> {
            let before = ink::env::get_contract_storage(&key).expect("what is there decodes");
            ink::env::set_contract_storage(&key, &value);
            before
        }

        /// Emits one event of each kind.
        #[ink(message)]
        pub fn emit(&mut self, number: u32, text: Option<String>, data: Vec<u8>) {
            self.env().emit_event(Plain { number });
            self.env().emit_event(Indexed { who: self.env().caller(), number, text, data });
            self.env().emit_event(Anonymous { number });
        }

        /// Reverts with `data`'s length as its error, after it has emitted and stored.
        #[ink(message)]
        pub fn emit_and_fail(&mut self, data: Vec<u8>) -> Result<(), u32> {
            let length = data.len() as u32;
            self.number = length;
            self.emit(length, None, data);
            Err(length)
        }
    }
}
