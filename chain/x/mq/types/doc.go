// Package types holds what x/mq and its clients share: Msg, Query, events and genesis (generated from
// chain/proto/phalanx/mq), the module's errors, and the small interfaces of what its keeper needs from other modules.
package types
