package contract

// hostFunction is one function that contracts may import. Its base price is charged before it runs; run gets the
// parameters, of which every u32 is taken by converting, and gives the result if there is one.
type hostFunction struct {
	module, name string
	params       string // i for i32, l for i64
	result       byte   // i or l, 0 for none
	flags        hostFlags
	price        price
	run          func(x *execution, a []uint64) uint64
}

type hostFlags uint8

const (
	aliased  hostFlags = 1 << iota // also offered as "seal_" + name
	mutating                       // refused in a call that may not change anything
	unstable                       // also offered in the module of functions that are not final, as older releases did
)

// unstableModule is where older releases of pallet-contracts offered functions that were not final.
const unstableModule = "__unstable__"

// hostFunctions is the whole host interface, in the versions that pallet-contracts has released.
var hostFunctions = []hostFunction{
	{"seal0", "set_storage", "iii", 0, aliased | mutating, priceSet, (*execution).setStorage0},
	{"seal1", "set_storage", "iii", 'i', aliased | mutating, priceSet, (*execution).setStorage0},
	{"seal2", "set_storage", "iiii", 'i', aliased | mutating | unstable, priceSet, (*execution).setStorage},
	{"seal0", "clear_storage", "i", 0, aliased | mutating, priceDelete, (*execution).clearStorage0},
	{"seal1", "clear_storage", "ii", 'i', aliased | mutating | unstable, priceDelete, (*execution).clearStorage},
	{"seal0", "get_storage", "iii", 'i', aliased, priceGet, (*execution).getStorage0},
	{"seal1", "get_storage", "iiii", 'i', aliased | unstable, priceGet, (*execution).getStorage},
	{"seal0", "contains_storage", "i", 'i', aliased, priceContains, (*execution).containsStorage0},
	{"seal1", "contains_storage", "ii", 'i', aliased | unstable, priceContains, (*execution).containsStorage},
	{"seal0", "take_storage", "iiii", 'i', aliased | mutating | unstable, priceTake, (*execution).takeStorage},

	{"seal0", "set_transient_storage", "iiii", 'i', unstable, priceTransientSet, (*execution).setTransient},
	{"seal0", "clear_transient_storage", "ii", 'i', unstable, priceTransientSet, (*execution).clearTransient},
	{"seal0", "get_transient_storage", "iiii", 'i', unstable, priceTransientGet, (*execution).getTransient},
	{"seal0", "contains_transient_storage", "ii", 'i', unstable, priceTransientGet, (*execution).containsTransient},
	{"seal0", "take_transient_storage", "iiii", 'i', unstable, priceTransientSet, (*execution).takeTransient},

	{"seal0", "call", "iiliiiiii", 'i', aliased, priceCall, (*execution).call0},
	{"seal1", "call", "iiliiiii", 'i', aliased, priceCall, (*execution).call1},
	{"seal2", "call", "iilliiiiii", 'i', unstable, priceCall, (*execution).call2},
	{"seal0", "delegate_call", "iiiiii", 'i', aliased, priceCall, (*execution).delegateCall},
	{"seal0", "instantiate", "iiliiiiiiiiii", 'i', aliased | mutating, priceInstantiate, (*execution).instantiate0},
	{"seal1", "instantiate", "iliiiiiiiii", 'i', aliased | mutating, priceInstantiate, (*execution).instantiate1},
	{"seal2", "instantiate", "illiiiiiiiiii", 'i', mutating | unstable, priceInstantiate, (*execution).instantiate2},
	{"seal0", "terminate", "ii", 0, aliased | mutating, priceTerminate, (*execution).terminate},
	{"seal1", "terminate", "i", 0, aliased | mutating, priceTerminate, (*execution).terminate},
	{"seal0", "set_code_hash", "i", 'i', aliased | mutating | unstable, priceSetCode, (*execution).setCodeHash},
	{"seal0", "lock_delegate_dependency", "i", 0, mutating | unstable, priceSet, (*execution).lockDependency},
	{"seal0", "unlock_delegate_dependency", "i", 0, mutating | unstable, priceSet, (*execution).unlockDependency},
	{"seal0", "add_delegate_dependency", "i", 0, mutating | unstable, priceSet, (*execution).lockDependency},
	{"seal0", "remove_delegate_dependency", "i", 0, mutating | unstable, priceSet, (*execution).unlockDependency},
	{"seal0", "transfer", "iiii", 'i', aliased | mutating, priceTransfer, (*execution).transfer},
	{"seal0", "call_chain_extension", "iiiii", 'i', aliased, priceExtension, (*execution).callExtension},
	{"seal0", "call_runtime", "ii", 'i', mutating | unstable, priceRead, (*execution).callRuntime},
	{"seal0", "xcm_execute", "ii", 'i', mutating | unstable, priceRead, (*execution).xcmExecute},
	{"seal0", "xcm_send", "iiii", 'i', mutating | unstable, priceRead, (*execution).xcmSend},

	{"seal0", "input", "ii", 0, aliased, priceRead, (*execution).inputData},
	{"seal0", "seal_return", "iii", 0, 0, priceReturn, (*execution).sealReturn},
	{"seal0", "caller", "ii", 0, aliased, priceRead, (*execution).callerAccount},
	{"seal0", "address", "ii", 0, aliased, priceRead, (*execution).address},
	{"seal0", "balance", "ii", 0, aliased, priceBalance, (*execution).balance},
	{"seal0", "value_transferred", "ii", 0, aliased, priceRead, (*execution).valueTransferred},
	{"seal0", "minimum_balance", "ii", 0, aliased, priceRead, (*execution).minimumBalance},
	{"seal0", "now", "ii", 0, aliased, priceRead, (*execution).now},
	{"seal0", "block_number", "ii", 0, aliased, priceRead, (*execution).blockNumber},
	{"seal0", "gas_left", "ii", 0, aliased, priceRead, (*execution).gasLeft0},
	{"seal1", "gas_left", "ii", 0, unstable, priceRead, (*execution).gasLeft1},
	{"seal0", "weight_to_fee", "lii", 0, aliased, priceRead, (*execution).weightToFee0},
	{"seal1", "weight_to_fee", "llii", 0, unstable, priceRead, (*execution).weightToFee1},
	{"seal0", "gas_price", "lii", 0, aliased, priceRead, (*execution).weightToFee0}, // its name before weights
	{"seal0", "own_code_hash", "ii", 0, aliased | unstable, priceLookup, (*execution).ownCodeHash},
	{"seal0", "code_hash", "iii", 'i', aliased | unstable, priceLookup, (*execution).codeHash},
	{"seal0", "is_contract", "i", 'i', aliased | unstable, priceLookup, (*execution).isContract},
	{"seal0", "caller_is_origin", "", 'i', aliased | unstable, priceRead, (*execution).callerIsOrigin},
	{"seal0", "caller_is_root", "", 'i', unstable, priceRead, (*execution).callerIsRoot},
	{"seal0", "reentrance_count", "", 'i', unstable, priceRead, (*execution).reentranceCount},
	{"seal0", "account_reentrance_count", "i", 'i', unstable, priceRead, (*execution).accountReentranceCount},
	{"seal0", "instantiation_nonce", "", 'l', unstable, priceLookup, (*execution).instantiationNonce},
	{"seal0", "random", "iiii", 0, aliased, priceRandom, (*execution).random0},
	{"seal1", "random", "iiii", 0, aliased, priceRandom, (*execution).random1},
	{"seal0", "deposit_event", "iiii", 0, aliased | mutating, priceEvent, (*execution).depositEvent},
	{"seal0", "debug_message", "ii", 'i', aliased | unstable, priceDebug, (*execution).debugMessage},

	{"seal0", "hash_sha2_256", "iii", 0, aliased, priceSha256, (*execution).hashSha256},
	{"seal0", "hash_keccak_256", "iii", 0, aliased, priceKeccak256, (*execution).hashKeccak256},
	{"seal0", "hash_blake2_256", "iii", 0, aliased, priceBlake2, (*execution).hashBlake256},
	{"seal0", "hash_blake2_128", "iii", 0, aliased, priceBlake2, (*execution).hashBlake128},
	{"seal0", "ecdsa_recover", "iii", 'i', aliased, priceEcdsa, (*execution).ecdsaRecover},
	{"seal0", "ecdsa_to_eth_address", "ii", 'i', aliased | unstable, priceEthAddress, (*execution).ecdsaToEthAddress},
	{"seal0", "sr25519_verify", "iiii", 'i', unstable, priceSr25519, (*execution).sr25519Verify},

	// What is left of storage rent, which ink! 3 still imports: nothing happens.
	{"seal0", "tombstone_deposit", "ii", 0, aliased, priceRead, (*execution).tombstoneDeposit},
	{"seal0", "rent_allowance", "ii", 0, aliased, priceRead, (*execution).rentAllowance},
	{"seal0", "set_rent_allowance", "ii", 0, aliased, priceRead, (*execution).nothing},
	{"seal1", "set_rent_allowance", "i", 0, aliased, priceRead, (*execution).nothing},
	{"seal0", "restore_to", "iiiiiiii", 0, aliased, priceRead, (*execution).nothing},
	{"seal1", "restore_to", "iiiii", 0, aliased, priceRead, (*execution).nothing},
}
