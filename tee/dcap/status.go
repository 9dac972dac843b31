package dcap

import "github.com/phalanx-network/phalanx/tee"

// Combine returns the status of a platform whose quoting enclave or TDX module has the status part, as Intel's
// specification says: an UpToDate part changes nothing, an OutOfDate one takes what the platform still had of being
// up to date and keeps its need of configuration, a Revoked one revokes. Other statuses of a part do not exist and are
// as good as Revoked.
func Combine(platform, part tee.TCBStatus) tee.TCBStatus {
	switch part {
	case tee.TCBUpToDate:
		return platform
	case tee.TCBOutOfDate:
		return outOfDate(platform)
	}
	return tee.TCBRevoked
}

func outOfDate(s tee.TCBStatus) tee.TCBStatus {
	switch s {
	case tee.TCBUpToDate, tee.TCBSWHardeningNeeded:
		return tee.TCBOutOfDate
	case tee.TCBConfigurationNeeded, tee.TCBConfigurationAndHardening:
		return tee.TCBOutOfDateConfiguration
	}
	return s
}

// relaunchAdvised reports whether the domain was started by a TDX module that is out of date while the module that
// runs now, and all else, is not: to start it again would bring it up to date. Only TDX 1.5 can tell. Source: Intel's
// TDX DCAP specification, status TDRelaunchAdvised.
func (t *tcbInfo) relaunchAdvised(td *TDReport, level, sgx *platformLevel, module, qe *isvLevel) bool {
	if !td.V15 || module == nil || module.status != tee.TCBOutOfDate || qe.status != tee.TCBUpToDate {
		return false
	}
	if outOfDate(sgx.status) == sgx.status || level.status == tee.TCBRevoked {
		return false
	}
	svn, latest := &td.TEETCBSVN2, &t.levels[0]
	if !latest.hasTDX || svn[2] < latest.tdx[2] {
		return false
	}
	if svn[1] == 0 {
		return svn[0] >= latest.tdx[0]
	}
	m := t.identity(svn[1])
	return m != nil && len(m.levels) > 0 && uint16(svn[0]) >= m.levels[0].isvSVN
}
