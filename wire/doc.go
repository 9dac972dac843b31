// Package wire defines every record that two sides of the network parse: what clients sign, what enclaves post, what
// the chain stores and proves, and what workers answer. It holds data and its canonical SCALE layout, the texts that
// are signed, and the rules that every side must apply alike; it performs no I/O and knows no Cosmos type.
//
// Start with the record you need and [scale.Marshal] or [scale.Unmarshal]; the layout of each is its Scale method, in
// order. What is stored in the chain's state is found under the keys that this package's Key functions give, in the
// store that the constants StoreRegistry, StoreQueue and StoreCluster name, and is proven there by ICS23.
//
// What is promised: decoding then encoding gives the same bytes, or decoding fails; every length has a bound; public
// keys are checked when parsed. Signed texts begin with a domain and the chain's uid, so that no signature is valid
// as two records ([SigningText]).
package wire
