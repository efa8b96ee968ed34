package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// certs writes a root (ca.pem) and, for each name, NAME.pem (chain), NAME.key and NAME.both (the two in one file, as HAProxy
// wants it). ECDSA P-256, a key each.
func certs(args []string) (any, error) {
	set := flag.NewFlagSet("certs", flag.ExitOnError)
	out := set.String("out", "", "directory")
	name := set.String("name", "localhost", "name; with %d it is counted from 0")
	count := set.Int("count", 1, "how many")
	_ = set.Parse(args)
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return nil, err
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := template(1, "Portico benchmark CA")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	rootBytes, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	rootPem := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootBytes})
	if err := os.WriteFile(filepath.Join(*out, "ca.pem"), rootPem, 0o644); err != nil {
		return nil, err
	}
	for number := range *count {
		dnsName := *name
		if *count > 1 {
			dnsName = fmt.Sprintf(*name, number)
		}
		if err := issue(*out, dnsName, int64(number)+2, root, rootKey); err != nil {
			return nil, err
		}
	}
	return map[string]int{"certificates": *count}, nil
}

func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(90 * 24 * time.Hour),
	}
}

func issue(directory, name string, serial int64, root *x509.Certificate, rootKey *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := template(serial, name)
	leaf.DNSNames = []string{name}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leafBytes, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, rootKey)
	if err != nil {
		return err
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafBytes})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBytes})
	for suffix, text := range map[string][]byte{".pem": chain, ".key": secret, ".both": append(chain[:len(chain):len(chain)], secret...)} {
		if err := os.WriteFile(filepath.Join(directory, name+suffix), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
