package pink

// function is one function of the extension.
type function struct {
	name string
	// base is what a call costs besides priceDispatch, byte what each byte of its input does, in the gas of the engine
	// (about 0.4 ns of a 2024 server core). Both are charged before anything is decoded.
	base, byte uint64
	run        func(*call) (uint32, []byte, error)
}

// priceDispatch is charged for any call, also of an unknown function.
const priceDispatch = 300

// Charged by length once that is known, for each byte: of an HTTP response, of a value found in the cache, and of
// randomness.
const (
	priceResponseByte = 4
	priceCachedByte   = 2
	priceRandomByte   = 16
)

// functions are indexed by id. Like the prices of host functions these are constants of the execution version.
// Signatures are priced for the slowest scheme, secp256k1.
var functions = [...]function{
	1:  {"http_request", 500_000, 8, (*call).httpRequest},
	2:  {"sign", 400_000, 16, (*call).sign},
	3:  {"verify", 500_000, 16, (*call).verify},
	4:  {"derive_sr25519_key", 100_000, 8, (*call).deriveSr25519Key},
	5:  {"get_public_key", 150_000, 2, (*call).getPublicKey},
	6:  {"cache_set", 4_000, 24, (*call).cacheSet},
	7:  {"cache_set_expiration", 4_000, 8, (*call).cacheSetExpiration},
	8:  {"cache_get", 4_000, 4, (*call).cacheGet},
	9:  {"cache_remove", 4_000, 8, (*call).cacheRemove},
	10: {"log", 1_000, 8, (*call).log},
	11: {"getrandom", 2_000, 2, (*call).getrandom},
	12: {"is_in_transaction", 200, 2, (*call).isInTransaction},
	13: {"ecdsa_sign_prehashed", 400_000, 2, (*call).ecdsaSignPrehashed},
	14: {"ecdsa_verify_prehashed", 500_000, 2, (*call).ecdsaVerifyPrehashed},
	15: {"system_contract_id", 200, 2, (*call).systemContractID},
	16: {"balance_of", 4_000, 2, (*call).balanceOf},
	17: {"worker_pubkey", 500, 2, (*call).workerPubkey},
	18: {"untrusted_millis_since_unix_epoch", 500, 2, (*call).untrustedMillis},
	19: {"code_exists", 4_000, 2, (*call).codeExists},
	20: {"import_latest_system_code", 200, 2, (*call).importLatestSystemCode},
	21: {"runtime_version", 200, 2, (*call).runtimeVersion},
	22: {"batch_http_request", 2_500_000, 8, (*call).batchHTTPRequest},
	23: {"current_event_chain_head", 1_000, 2, (*call).currentEventChainHead},
	24: {"js_eval", 2_000, 80, (*call).jsEval}, // an empty argument is one byte, and takes 30 ns to decode
	25: {"worker_sgx_quote", 2_500_000, 2, (*call).workerSgxQuote},
}
