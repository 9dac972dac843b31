// Package examples holds the built example contracts, for programs that show or test the network. Each is a .contract
// file, which package client/abi parses; the sources lie beside them.
package examples

import _ "embed"

// Auction is a sealed-bid, first-price auction.
//
//go:embed auction/auction.contract
var Auction []byte

// Counter is a counter that also keeps deposits.
//
//go:embed counter/counter.contract
var Counter []byte
