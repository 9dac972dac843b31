// Package e2e holds the tests of whole networks: validators, a gatekeeper, workers and relays as the programs that
// users run, each a process of its own, on this machine.
//
// The programs are built once for all tests. Tests that leave a network as they found it share one; each that does
// something to a process or a file checks afterwards that every command was executed once on every worker. What a test
// needs beyond Go, git and a Unix is named when it is skipped; with CI=true in the environment that is a failure.
//
// All are skipped with -short. PHALANX_E2E_BIN names a folder with programs that are built already.
package e2e
