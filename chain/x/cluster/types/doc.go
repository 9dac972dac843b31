// Package types holds what x/cluster and its clients share: Msg, Query, events and genesis (generated from
// chain/proto/phalanx/cluster), the module's errors, and the small interfaces of what its keeper needs from other
// modules.
package types
