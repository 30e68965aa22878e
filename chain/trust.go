package chain

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// maxCert caps a certificate file, in bytes.
const maxCert = 1 << 20

// trust is whom TLS believes; nil for the system's authorities.
func (o Options) trust() (*tls.Config, error) {
	if o.Cert == "" {
		return nil, nil
	}
	pem, err := readCapped(o.Cert, maxCert)
	if err != nil {
		return nil, fmt.Errorf("certificate file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the certificate file contains no certificate (PEM)")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
