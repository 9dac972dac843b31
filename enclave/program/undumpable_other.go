//go:build !linux

package program

// undumpable does nothing where the system has no such switch; no TEE runs there.
func undumpable() error { return nil }
