package testnet

import "syscall"

// processAttributes keeps a child out of the terminal's process group, so that Ctrl-C reaches the parent alone, and has
// the kernel kill it when its parent dies.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
