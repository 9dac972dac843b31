//! Calls every function of the pink extension, as Phat Contracts in ink! 4 do, and gives back what it gets. A message
//! that takes `&self` is asked by query; `record` and `record_http` call in a command what a command may not have and
//! keep the answers for `recorded` and `recorded_http`.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

extern crate alloc;

use pink::PinkEnvironment;

#[pink::contract(env = PinkEnvironment)]
#[pink(inner = ink::contract)]
pub mod pink4 {
    use super::*;
    use alloc::{string::String, vec::Vec};
    use ink::{env::chain_extension::ChainExtensionMethod, prelude::format};
    use pink::{
        chain_extension::{
            signing, HttpRequest, HttpRequestError, HttpResponse, JsCode, JsValue, SigType,
        },
        system::SystemRef,
        types::sgx::SgxQuote,
        EcdhPublicKey, EcdsaPublicKey, EcdsaSignature,
    };

    /// What the extension gave in commands.
    #[ink(storage)]
    #[derive(Default)]
    pub struct Pink4 {
        recorded: Option<Answers>,
        recorded_http: Option<HttpAnswers>,
    }

    /// What the extension gives to a command besides network. A system contract, which not every cluster has, is asked
    /// for by a message of its own.
    #[derive(Debug, Clone, scale::Encode, scale::Decode)]
    #[cfg_attr(feature = "std", derive(scale_info::TypeInfo, ink::storage::traits::StorageLayout))]
    pub struct Answers {
        in_transaction: bool,
        random: Vec<u8>,
        millis: u64,
        worker: EcdhPublicKey,
        cached: Option<Vec<u8>>,
        derived_public_key: Vec<u8>,
        runtime_version: (u32, u32),
        chain_head: (u64, [u8; 32]),
        quote: bool,
    }

    /// What network gives to a command: the response's status and reason, the batch's error or the number of its parts.
    #[derive(Debug, Clone, scale::Encode, scale::Decode)]
    #[cfg_attr(feature = "std", derive(scale_info::TypeInfo, ink::storage::traits::StorageLayout))]
    pub struct HttpAnswers {
        status: u16,
        reason: String,
        batch: u32,
        batch_error: Option<String>,
    }

    /// Which signatures of a message verified, and which of them for another message.
    #[derive(Debug, PartialEq, Eq, scale::Encode, scale::Decode)]
    #[cfg_attr(feature = "std", derive(scale_info::TypeInfo))]
    pub struct Verified {
        sr25519: (bool, bool),
        ed25519: (bool, bool),
        ecdsa: (bool, bool),
        ecdsa_prehashed: (bool, bool),
    }

    /// Bytes that stand for themselves, without a length before them.
    struct Raw(Vec<u8>);

    impl scale::Encode for Raw {
        fn encode_to<O: scale::Output + ?Sized>(&self, out: &mut O) {
            out.write(&self.0);
        }
    }

    impl scale::Decode for Raw {
        fn decode<I: scale::Input>(input: &mut I) -> Result<Self, scale::Error> {
            let length = input.remaining_len()?.ok_or("length is not known")?;
            let mut bytes = alloc::vec![0; length];
            input.read(&mut bytes)?;
            Ok(Self(bytes))
        }
    }

    impl Pink4 {
        /// With nothing recorded.
        #[ink(constructor)]
        pub fn new() -> Self {
            Self::default()
        }

        /// The response to GET `url`.
        #[ink(message)]
        pub fn http_get(&self, url: String) -> HttpResponse {
            pink::http_get!(url)
        }

        /// The response to any request.
        #[ink(message)]
        pub fn http_request(
            &self,
            method: String,
            url: String,
            headers: Vec<(String, String)>,
            body: Vec<u8>,
        ) -> HttpResponse {
            pink::http_req!(method, url, body, headers)
        }

        /// The responses to GET each of `urls` within `timeout_ms` together. The outer error reverts.
        #[ink(message)]
        pub fn batch_http_get(
            &self,
            urls: Vec<String>,
            timeout_ms: u64,
        ) -> Result<Vec<Result<HttpResponse, HttpRequestError>>, HttpRequestError> {
            pink::ext().batch_http_request(gets(urls), timeout_ms)
        }

        /// The sr25519 secret key of 64 bytes that `salt` gives this contract.
        #[ink(message)]
        pub fn derive_key(&self, salt: Vec<u8>) -> Vec<u8> {
            signing::derive_sr25519_key(&salt)
        }

        /// The verifiable random value for `salt`.
        #[ink(message)]
        pub fn vrf(&self, salt: Vec<u8>) -> Vec<u8> {
            pink::vrf(&salt)
        }

        /// The public key to the secret `key`.
        #[ink(message)]
        pub fn public_key(&self, sigtype: SigType, key: Vec<u8>) -> Vec<u8> {
            signing::get_public_key(&key, sigtype)
        }

        /// `message` signed with the secret `key`.
        #[ink(message)]
        pub fn sign(&self, sigtype: SigType, key: Vec<u8>, message: Vec<u8>) -> Vec<u8> {
            signing::sign(&message, &key, sigtype)
        }

        /// Whether `signature` is `message`'s by `public_key`.
        #[ink(message)]
        pub fn verify(
            &self,
            sigtype: SigType,
            public_key: Vec<u8>,
            message: Vec<u8>,
            signature: Vec<u8>,
        ) -> bool {
            signing::verify(&message, &public_key, &signature, sigtype)
        }

        /// `hash` signed with the secret ECDSA `key`.
        #[ink(message)]
        pub fn ecdsa_sign_prehashed(&self, key: Vec<u8>, hash: [u8; 32]) -> EcdsaSignature {
            signing::ecdsa_sign_prehashed(&key, hash)
        }

        /// Whether `signature` is `hash`'s by `public_key`.
        #[ink(message)]
        pub fn ecdsa_verify_prehashed(
            &self,
            signature: EcdsaSignature,
            hash: [u8; 32],
            public_key: EcdsaPublicKey,
        ) -> bool {
            signing::ecdsa_verify_prehashed(signature, hash, public_key)
        }

        /// Signs `message` in every way with keys from `salt` and verifies each signature for it and for another
        /// message: every pair is to be `(true, false)`.
        #[ink(message)]
        pub fn sign_and_verify(&self, salt: Vec<u8>, message: Vec<u8>) -> Verified {
            let sr25519 = signing::derive_sr25519_key(&salt);
            let seed = &sr25519[..32];
            let hash = self.env().hash_bytes::<ink::env::hash::Blake2x256>(&message);
            let mut other_hash = hash;
            other_hash[0] ^= 1;
            let public_key = EcdsaPublicKey::try_from(signing::get_public_key(seed, SigType::Ecdsa));
            let prehashed = signing::ecdsa_sign_prehashed(seed, hash);
            Verified {
                sr25519: round_trip(&sr25519, &message, || SigType::Sr25519),
                ed25519: round_trip(seed, &message, || SigType::Ed25519),
                ecdsa: round_trip(seed, &message, || SigType::Ecdsa),
                ecdsa_prehashed: public_key.map_or((false, false), |key| {
                    (
                        signing::ecdsa_verify_prehashed(prehashed, hash, key),
                        signing::ecdsa_verify_prehashed(prehashed, other_hash, key),
                    )
                }),
            }
        }

        /// Keeps `value` in the worker's cache; false if it is too large.
        #[ink(message)]
        pub fn cache_set(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
            pink::ext().cache_set(&key, &value).is_ok()
        }

        /// The same in a command.
        #[ink(message)]
        pub fn cache_set_in_command(&mut self, key: Vec<u8>, value: Vec<u8>) -> bool {
            self.cache_set(key, value)
        }

        /// What the worker's cache has under `key`.
        #[ink(message)]
        pub fn cache_get(&self, key: Vec<u8>) -> Option<Vec<u8>> {
            pink::ext().cache_get(&key)
        }

        /// Removes `key` and gives what was under it.
        #[ink(message)]
        pub fn cache_remove(&self, key: Vec<u8>) -> Option<Vec<u8>> {
            pink::ext().cache_remove(&key)
        }

        /// Lets `key` expire in `seconds`; 0 removes it.
        #[ink(message)]
        pub fn cache_set_expiration(&self, key: Vec<u8>, seconds: u64) {
            pink::ext().cache_set_expiration(&key, seconds)
        }

        /// Logs `message` at a level: 1 error, 2 warning, 3 info, 4 debug, 5 trace, others unknown.
        #[ink(message)]
        pub fn log(&self, level: u8, message: String) {
            pink::ext().log(level, &message)
        }

        /// Logs `message` at info level in a command.
        #[ink(message)]
        pub fn log_in_command(&mut self, message: String) {
            pink::info!("{message}");
        }

        /// True randomness; empty in a command.
        #[ink(message)]
        pub fn random(&self, length: u8) -> Vec<u8> {
            pink::ext().getrandom(length)
        }

        /// Whether this is a command; false in a query.
        #[ink(message)]
        pub fn is_in_transaction(&self) -> bool {
            pink::ext().is_in_transaction()
        }

        /// The cluster's system contract.
        #[ink(message)]
        pub fn system_contract_id(&self) -> AccountId {
            pink::ext().system_contract_id()
        }

        /// What `account` has: in total, and free.
        #[ink(message)]
        pub fn balance_of(&self, account: AccountId) -> (Balance, Balance) {
            pink::ext().balance_of(account)
        }

        /// The worker's key-agreement public key; zero in a command.
        #[ink(message)]
        pub fn worker_pubkey(&self) -> EcdhPublicKey {
            pink::ext().worker_pubkey()
        }

        /// The worker's clock in milliseconds; zero in a command.
        #[ink(message)]
        pub fn millis(&self) -> u64 {
            pink::ext().untrusted_millis_since_unix_epoch()
        }

        /// Whether the cluster has the code.
        #[ink(message)]
        pub fn code_exists(&self, code_hash: [u8; 32], sidevm: bool) -> bool {
            pink::ext().code_exists(code_hash, sidevm)
        }

        /// The hash of the newest system code, which `payer` pays for to be stored; only the system contract may.
        #[ink(message)]
        pub fn import_latest_system_code(&self, payer: AccountId) -> Option<[u8; 32]> {
            pink::ext().import_latest_system_code(payer)
        }

        /// The version of the runtime that runs contracts.
        #[ink(message)]
        pub fn runtime_version(&self) -> (u32, u32) {
            pink::ext().runtime_version()
        }

        /// The number of the next event and the hash of the last one.
        #[ink(message)]
        pub fn current_event_chain_head(&self) -> (u64, [u8; 32]) {
            pink::ext().current_event_chain_head()
        }

        /// What the worker's JavaScript runtime makes of `codes`.
        #[ink(message)]
        pub fn js_eval(&self, codes: Vec<JsCode>, args: Vec<String>) -> JsValue {
            pink::ext().js_eval(codes, args)
        }

        /// The worker's attestation; none in a command or without an enclave.
        #[ink(message)]
        pub fn worker_sgx_quote(&self) -> Option<SgxQuote> {
            pink::ext().worker_sgx_quote()
        }

        /// Calls the extension's function `id` with `input` as it is and gives the output as it is: for functions that
        /// do not exist and inputs that do not decode.
        #[ink(message)]
        pub fn call_function(&self, id: u32, input: Vec<u8>) -> Vec<u8> {
            ChainExtensionMethod::build(id)
                .input::<Raw>()
                .output::<Raw, false>()
                .ignore_error_code()
                .call(&Raw(input))
                .0
        }

        /// Asks the system contract for its driver called `name`.
        #[ink(message)]
        pub fn driver(&self, name: String) -> Option<AccountId> {
            SystemRef::instance().get_driver(name)
        }

        /// Emits a pink event, which tells the worker something; this one is for a side program that is not there.
        #[ink(message)]
        pub fn emit_pink_event(&mut self, message: Vec<u8>) {
            pink::push_sidevm_message(message)
        }

        /// Records what this command gets.
        #[ink(message)]
        pub fn record(&mut self) {
            let key = signing::derive_sr25519_key(b"record");
            self.recorded = Some(Answers {
                in_transaction: pink::ext().is_in_transaction(),
                random: pink::ext().getrandom(8),
                millis: pink::ext().untrusted_millis_since_unix_epoch(),
                worker: pink::ext().worker_pubkey(),
                cached: pink::ext().cache_get(b"record"),
                derived_public_key: signing::get_public_key(&key, SigType::Sr25519),
                runtime_version: pink::ext().runtime_version(),
                chain_head: pink::ext().current_event_chain_head(),
                quote: pink::ext().worker_sgx_quote().is_some(),
            });
        }

        /// What `record` got last.
        #[ink(message)]
        pub fn recorded(&self) -> Option<Answers> {
            self.recorded.clone()
        }

        /// Records what this command gets for GET `url`, alone and in a batch.
        #[ink(message)]
        pub fn record_http(&mut self, url: String) {
            let response = pink::http_get!(url.clone());
            let batch = pink::ext().batch_http_request(gets(alloc::vec![url]), 1000);
            self.recorded_http = Some(HttpAnswers {
                status: response.status_code,
                reason: response.reason_phrase,
                batch: batch.as_ref().map_or(0, |parts| parts.len() as u32),
                batch_error: batch.err().map(|error| format!("{error:?}")),
            });
        }

        /// What `record_http` got last.
        #[ink(message)]
        pub fn recorded_http(&self) -> Option<HttpAnswers> {
            self.recorded_http.clone()
        }
    }

    fn gets(urls: Vec<String>) -> Vec<HttpRequest> {
        let get = |url| HttpRequest::new(url, "GET", Vec::new(), Vec::new());
        urls.into_iter().map(get).collect()
    }

    fn round_trip(key: &[u8], message: &[u8], sigtype: fn() -> SigType) -> (bool, bool) {
        let public_key = signing::get_public_key(key, sigtype());
        let signature = signing::sign(message, key, sigtype());
        let other = [message, b"!"].concat();
        (
            signing::verify(message, &public_key, &signature, sigtype()),
            signing::verify(&other, &public_key, &signature, sigtype()),
        )
    }
}
