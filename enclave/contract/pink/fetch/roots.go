package fetch

import (
	"crypto/x509"
	"errors"
	"os"
)

// rootFiles are where Linux distributions keep the authorities of the web.
var rootFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Alpine
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora
	"/etc/ssl/cert.pem",                                 // OpenSSL
}

// SystemRoots reads the authorities of the image that the process runs in, which must be part of what is measured. Unlike
// x509.SystemCertPool it heeds no variable of the environment, for the host sets those.
func SystemRoots() (*x509.CertPool, error) {
	var failed []error
	for _, name := range rootFiles {
		pem, err := os.ReadFile(name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		pool := x509.NewCertPool()
		if pool.AppendCertsFromPEM(pem) {
			return pool, nil
		}
		failed = append(failed, errors.New(name+" holds no certificate"))
	}
	return nil, errors.Join(append([]error{errors.New("fetch: no roots of the system")}, failed...)...)
}
