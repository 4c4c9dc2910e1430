package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

func checkTarget(c *Config, t *Target, path string, r *report) {
	checkName(r, path+".name", t.Name)
	if t.Engine == EnginePostgres {
		if t.Database == "" {
			t.Database = t.Name
		}
		if t.Credential.User == "" {
			r.at(path+".credential.user", "is missing")
		}
	} else if t.Credential.Header == "basic" && t.Credential.User == "" {
		r.at(path+".credential.user", "is missing, and header: basic shows it")
	}
	checkSigning(t, path+".credential", r)
	checkMint(t, path+".credential", r)
	checkIndex(t, path, r)
	checkAPI(t, path, r)
	if t.Reads == "" {
		t.Reads = c.Audit.Reads
	}
	host, _, err := t.HostPort()
	if t.Address != "" && err != nil {
		r.notHostPort(path+".address", t.Address, err.Error())
		return
	}
	if filepath.IsAbs(host) && t.Engine != EnginePostgres {
		r.at(path+".address", "%s is not host:port", r.shown(path+".address", t.Address))
		return
	}
	checkTargetTLS(t, host, path, r)
	if t.GRPCAddress != "" {
		checkGRPCAddress(t, path, r)
	}
}

func checkSigning(t *Target, path string, r *report) {
	switch c := &t.Credential; {
	case c.Header != "sigv4":
		if c.Region != "" {
			r.at(path+".region", "has no use without header: sigv4")
		}
	case t.Engine != "opensearch" && t.Engine != "elasticsearch":
		r.at(path+".header", "sigv4 is for opensearch and elasticsearch")
	default:
		if c.User == "" {
			r.at(path+".user", "is missing, and header: sigv4 signs with that access key")
		}
		if c.Region == "" {
			r.at(path+".region", "is missing, and header: sigv4 signs for one")
		}
	}
}

func checkMint(t *Target, path string, r *report) {
	switch c := &t.Credential; {
	case c.Mint == "":
	case t.Engine != "qdrant":
		r.at(path+".mint", "jwt is for qdrant")
	case c.Header != "bearer" && c.Header != "api-key":
		r.at(path+".header", "%s does not carry what mint: jwt makes; bearer and api-key do", c.Header)
	case c.Password.IsZero():
		r.at(path+".password", "is missing, and mint: jwt signs with it")
	}
}

func checkIndex(t *Target, path string, r *report) {
	switch {
	case t.Engine != EnginePinecone && t.Index != "":
		r.at(path+".index", "has no use: only %s has indexes with hosts of their own", EnginePinecone)
	case t.Index != "" && strings.Trim(t.Index, indexLetters) != "":
		r.at(path+".index", "%s is not the name of an index", r.shown(path+".index", t.Index))
	case t.Index == "" && t.Host != "":
		r.at(path+".host", "has no use without index")
	}
}

// indexLetters are what the name of an index is made of.
const indexLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"

func checkGRPCAddress(t *Target, path string, r *report) {
	at := path + ".grpc_address"
	host, _, err := splitAddress(t.GRPCAddress)
	switch {
	case err != nil:
		r.at(at, "%s is %v", r.shown(at, t.GRPCAddress), err)
	case !t.Speaks(ProtocolGRPC):
		r.at(at, "has no use: a database of the engine %s is not reached by gRPC", t.Engine)
	case t.TLS.Mode == TLSOff && !loopbackHost(host):
		r.warn(at, "the database's credential and data travel in clear to %s", host)
	}
}

// GRPCHostPort splits the address at which the database speaks gRPC.
func (t *Target) GRPCHostPort() (host string, port uint16, err error) {
	if t.GRPCAddress == "" {
		return t.HostPort()
	}
	return splitAddress(t.GRPCAddress)
}

func checkTargetTLS(t *Target, host, path string, r *report) {
	socket := filepath.IsAbs(host)
	if t.TLS.Mode == "" {
		t.TLS.Mode = TLSVerifyFull
		if socket {
			t.TLS.Mode = TLSOff
		}
	}
	switch {
	case socket && t.TLS.Mode != TLSOff:
		r.at(path+".tls.mode", "a Unix socket has no TLS; leave tls out")
	case t.TLS.Mode == TLSOff && !t.TLS.CA.IsZero():
		r.at(path+".tls.ca", "has no use with mode: off")
	case t.TLS.Mode == TLSOff && !socket && !loopbackHost(host):
		r.warn(path+".tls.mode", "the database's credential and data travel in clear to %s", host)
	case t.TLS.Mode == TLSVerifyCA:
		r.warn(path+".tls.mode", "verify-ca lets every server with a certificate of that authority pass for this database; verify-full does not")
	}
	if t.TLS.Cert.IsZero() != t.TLS.Key.IsZero() {
		r.at(path+".tls", "cert and key belong together; one is missing")
	}
}

// HostPort splits the address: a host and a port, or the directory of a Unix socket and a port.
func (t *Target) HostPort() (host string, port uint16, err error) {
	if filepath.IsAbs(t.Address) {
		i := strings.LastIndexByte(t.Address, ':')
		if i < 0 {
			return filepath.Clean(t.Address), 5432, nil
		}
		n, err := strconv.ParseUint(t.Address[i+1:], 10, 16)
		if err != nil || n == 0 {
			return "", 0, errors.New("not /directory:port")
		}
		return filepath.Clean(t.Address[:i]), uint16(n), nil
	}
	return splitAddress(t.Address)
}

func splitAddress(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, "@/ ") {
		return "", 0, errors.New("not host:port")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("without a port from 1 to 65535")
	}
	return host, uint16(n), nil
}
