// Package phalanx is the root of Phalanx, a network that runs confidential smart contracts: clients encrypt and sign
// their calls, workers execute them inside trusted execution environments, gatekeepers hold and hand out the keys, and
// a blockchain orders the encrypted messages and registers who is who.
//
// The root package holds no code, only the test of the import rules that docs/spec/architecture.md gives. To use
// Phalanx from Go start with package client; to read it start with package wire.
package phalanx
