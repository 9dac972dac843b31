package contract

import "github.com/phalanx-network/phalanx/enclave/contract/instrument"

// price is what a host function costs: base for each call, and byte for each byte it reads, writes or hashes
// (the length that the contract states, charged before anything is read).
type price struct{ base, byte uint64 }

// The price list of host functions, in the gas of instrument.Weights (about 0.4 ns of a 2024 server core). Like the
// weights it is a constant of the execution version. Crossing into the host alone is worth about 150; storage is
// priced for a search in a large tree and, when written, for what every worker must log, hash and keep.
var (
	priceStart    = price{50_000, 1} // a fresh instance: bytes are data segments and input
	pricePage     = uint64(16384)    // initial memory page
	priceTable    = uint64(16)       // table entry
	priceFunction = uint64(8)        // function or global of the module

	priceRead     = price{300, 1} // facts about the call: input, caller, address, now, …
	priceReturn   = price{300, 1}
	priceLookup   = price{3_000, 1} // of a contract
	priceBalance  = price{2_000, 1}
	priceTransfer = price{6_000, 0}

	priceGet      = price{3_000, 2} // key, and the value that is found
	priceContains = price{3_000, 2}
	priceSet      = price{6_000, 24} // key and value
	priceDelete   = price{5_000, 2}
	priceTake     = price{8_000, 4}

	priceTransientGet = price{600, 2} // key, and the value that is found
	priceTransientSet = price{1_200, 4}

	priceCall        = price{8_000, 1}  // input and output; what the callee needs is its own
	priceLoad        = uint64(150)      // byte of code that is called the first time in a call tree
	priceInstantiate = price{30_000, 2} // input, output and salt
	priceMoney       = uint64(6_000)    // value sent with either
	priceTerminate   = price{20_000, 0}
	priceSetCode     = price{12_000, 0}
	priceExtension   = price{500, 1} // input and output; what the function needs is the extension's to charge

	priceEvent      = price{2_000, 16}
	priceTopic      = uint64(1_000)
	priceLog        = uint64(300_000) // first log of a contract in a call tree: a key agreement and an encryption
	priceDebug      = price{300, 5}   // must be looked through for what is not UTF-8
	priceSha256     = price{800, 8}
	priceKeccak256  = price{1_600, 12}
	priceBlake2     = price{1_000, 5}
	priceRandom     = price{1_500, 5}
	priceEcdsa      = price{750_000, 0}
	priceEthAddress = price{60_000, 0}
	priceSr25519    = price{250_000, 8}
)

// startGas is the price of a fresh instance of a module.
func startGas(i instrument.Info, input int) uint64 {
	return priceStart.base + priceStart.byte*(uint64(i.DataBytes)+uint64(input)) + pricePage*uint64(i.MinPages) +
		priceTable*uint64(i.TableEntries) + priceFunction*(uint64(i.Functions)+uint64(i.Globals))
}
