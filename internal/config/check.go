package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/vault"
)

// check judges what was read as a whole, fills the defaults that depend on other values, and reports what cannot work.
func check(c *Config, r *report) {
	checkGateway(c, r)
	checkAddresses(c, r)
	for i := range c.Listeners {
		checkListener(c, &c.Listeners[i], fmt.Sprintf("listeners[%d]", i), r)
	}
	unique(r, "listeners", "name", c.Listeners, func(l Listener) string { return l.Name })
	checkConsole(c, r)
	checkIdentity(c, r)
	for i := range c.Targets {
		checkTarget(c, &c.Targets[i], fmt.Sprintf("targets[%d]", i), r)
	}
	unique(r, "targets", "name", c.Targets, func(t Target) string { return t.Name })
	checkTickets(c, r)
	checkAudit(c, r)
	checkFiles(c, r)
}

// nameForm is what names look like that appear in subject IDs, resources and metrics.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)

func checkName(r *report, path, name string) {
	if name != "" && !nameForm.MatchString(name) {
		r.at(path, "%s is not a name; names are up to 63 of a-z, 0-9, dot, dash and underscore, and begin and end with a letter or digit", r.shown(path, name))
	}
}

func unique[T any](r *report, list, key string, items []T, of func(T) string) {
	seen := map[string]int{}
	for i, item := range items {
		value := of(item)
		if value == "" {
			continue
		}
		if first, ok := seen[value]; ok {
			path := fmt.Sprintf("%s[%d].%s", list, i, key)
			r.at(path, "%s is already %s[%d]", r.shown(path, value), list, first)
			continue
		}
		seen[value] = i
	}
}

func checkGateway(c *Config, r *report) {
	checkName(r, "gateway.name", c.Gateway.Name)
	if c.Gateway.URL == "" {
		if c.Console == nil || c.Console.Address == "" {
			return
		}
		c.Gateway.URL = "http://" + c.Console.Address
		if c.Console.TLS != nil {
			c.Gateway.URL = "https://" + c.Console.Address
		}
	}
	c.Gateway.URL = strings.TrimSuffix(c.Gateway.URL, "/")
	checkURL(r, "gateway.url", c.Gateway.URL, false)
}

// checkURL wants https, or http on this machine.
func checkURL(r *report, path, text string, mayHavePath bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		r.at(path, "%s is not an address such as https://vecgate.example.com", r.shown(path, text))
		return
	}
	if !mayHavePath && u.Path != "" {
		r.at(path, "%s has a path; the gateway answers at the root", r.shown(path, text))
	}
	if u.Scheme == "http" && !loopbackHost(u.Hostname()) {
		r.at(path, "%s is not https; only an address of this machine may go without", r.shown(path, text))
	}
}

func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// checkAddresses wants every listener on a well-formed address of its own, on loopback unless it has TLS.
func checkAddresses(c *Config, r *report) {
	taken := map[string]string{}
	one := func(path, address string, hasTLS bool) {
		if address == "" {
			return
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			r.at(path, "%s is not host:port", r.shown(path, address))
			return
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil {
			r.at(path, "%s has no port number from 0 to 65535", r.shown(path, address))
			return
		} else if n != 0 {
			if other, ok := taken[address]; ok {
				r.at(path, "%s is already the address of %s", r.shown(path, address), other)
			}
			taken[address] = strings.TrimSuffix(path, ".address")
		}
		if !hasTLS && !loopbackHost(host) {
			r.at(path, "%s can be reached from other machines, and that needs tls; listen on 127.0.0.1 or add tls: {cert: …, key: …}", r.shown(path, address))
		}
	}
	for i, l := range c.Listeners {
		one(fmt.Sprintf("listeners[%d].address", i), l.Address, l.TLS != nil)
	}
	if c.Console != nil {
		one("console.address", c.Console.Address, c.Console.TLS != nil)
	}
	if c.Ops != nil {
		one("ops.address", c.Ops.Address, c.Ops.TLS != nil)
	}
}

func checkListener(c *Config, l *Listener, path string, r *report) {
	checkName(r, path+".name", l.Name)
	checkReach(c, l, path, r)
	clientCA := l.TLS != nil && !l.TLS.ClientCA.IsZero()
	if l.H2C && (l.Protocol != ProtocolHTTP || l.TLS != nil) {
		r.at(path+".h2c", "has no use: it is for a listener for http without tls")
	}
	if l.Protocol == ProtocolHTTP || l.Protocol == ProtocolGRPC {
		for i, method := range l.Auth {
			if method != AuthToken {
				r.at(fmt.Sprintf("%s.auth[%d]", path, i), "%s is not taken by a listener for %s; token is", method, l.Protocol)
			}
		}
		if clientCA {
			r.at(path+".tls.client_ca", "has no use: a listener for %s takes no certificates", l.Protocol)
		}
		l.Auth = []string{AuthToken}
		return
	}
	if len(l.Auth) == 0 {
		l.Auth = []string{AuthToken, AuthOAuthBearer, AuthSCRAM}
		if clientCA {
			l.Auth = append(l.Auth, AuthCertificate)
		}
	} else if i := slices.Index(l.Auth, AuthCertificate); i >= 0 && !clientCA {
		r.at(fmt.Sprintf("%s.auth[%d]", path, i), "certificate needs tls.client_ca, the authorities of the certificates")
	}
	if clientCA && slices.Contains(l.Auth, AuthCertificate) && len(c.Identity.Certificates) == 0 {
		r.at(path+".tls.client_ca", "no rule of identity.certificates says who the certificates stand for")
	}
}

// checkReach wants every pattern to name a target, and one target at least that speaks the listener's protocol.
func checkReach(c *Config, l *Listener, path string, r *report) {
	for i, pattern := range l.Targets {
		if len(c.Targets) > 0 && !slices.ContainsFunc(c.Targets, func(t Target) bool { return access.Glob(pattern, t.Name) }) {
			at := fmt.Sprintf("%s.targets[%d]", path, i)
			r.at(at, "%s", oneOf(r.shown(at, pattern), pattern, names(c.Targets, func(t Target) string { return t.Name })))
			return
		}
	}
	if len(c.Targets) > 0 && l.Protocol != "" && !slices.ContainsFunc(c.Targets, func(t Target) bool { return t.Engine == "" || l.Reaches(&t) }) {
		r.at(path+".targets", "reaches no target that speaks %s", l.Protocol)
	}
}

// Reaches reports whether the target can be reached through the listener: it is named, and speaks its protocol.
func (l *Listener) Reaches(t *Target) bool {
	return t.Speaks(l.Protocol) && slices.ContainsFunc(l.Targets, func(p string) bool { return access.Glob(p, t.Name) })
}

func names[T any](items []T, of func(T) string) []string {
	list := make([]string, 0, len(items))
	for _, item := range items {
		if n := of(item); n != "" {
			list = append(list, n)
		}
	}
	return list
}

func checkConsole(c *Config, r *report) {
	if c.Console == nil {
		r.warn("console", "there is none: what policy holds cannot be released")
		return
	}
	var people []string
	for _, p := range c.Identity.Providers {
		if p.Kind == access.Person {
			people = append(people, p.Name)
		}
	}
	switch {
	case c.Console.SignIn != "":
		if !slices.Contains(people, c.Console.SignIn) {
			r.at("console.sign_in", "%s; providers of kind person are meant", oneOf(r.shown("console.sign_in", c.Console.SignIn), c.Console.SignIn, people))
		}
	case len(people) == 1:
		c.Console.SignIn = people[0]
	case len(people) == 0:
		r.at("console", "nobody can sign in: identity.providers names none of kind person")
	default:
		r.at("console.sign_in", "is missing; choose one of %s", strings.Join(people, ", "))
	}
}

func checkAudit(c *Config, r *report) {
	if len(c.Audit.Recipients) == 0 && !c.Audit.Self {
		r.at("audit.recipients", "recordings would be sealed to nobody: name the auditors' age keys (age1…), or set self: true to let the gateway itself read them")
	}
	for i, text := range c.Audit.Recipients {
		path := fmt.Sprintf("audit.recipients[%d]", i)
		if strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-") {
			r.at(path, "this is a secret key; write its public key, which begins with age1, and treat this one as known to others from now on")
			continue
		}
		if _, err := age.ParseRecipients(strings.NewReader(text)); err != nil {
			r.at(path, "%s is not an age public key (age1…)", r.shown(path, text))
		}
	}
	checkOrigin(c, r)
	checkArchive(c.Audit.Archive, c.Audit.Dir, c.Audit.Retention, "audit.archive", r)
	if c.Audit.Bodies > c.Audit.Retention {
		r.at("audit.bodies", "%s is longer than audit.retention", r.shown("audit.bodies", c.Audit.Bodies.String()))
	}
}

// source is what Secret and PEM have in common.
type source interface {
	IsZero() bool
	Read() (vault.Secret, error)
	Files() []string
	Exposure() string
	String() string
}

// eachSource calls f with every reference that is set.
func eachSource(v reflect.Value, path string, f func(path string, s source)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachSource(v.Elem(), path, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachSource(v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
		}
	case reflect.Struct:
		if isSource(v.Type()) {
			if s := v.Interface().(source); !s.IsZero() {
				f(path, s)
			}
			return
		}
		for fd := range fields(v.Type()) {
			eachSource(v.Field(fd.index), join(path, fd.key), f)
		}
	}
}

// checkWriters refuses to believe what everybody on the machine could have written.
func checkWriters(r *report, path, file string) {
	if file == "" {
		return
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
		r.at(path, "everybody on this machine can change %s: chmod o-w it", r.shown(path, file))
	}
}

// checkFiles wants every file and variable that is referred to, and certificates that fit their keys.
func checkFiles(c *Config, r *report) {
	if c.Policy != "" {
		if info, err := os.Stat(string(c.Policy)); err != nil {
			r.at("policy", "%s cannot be found", r.shown("policy", string(c.Policy)))
		} else if !info.Mode().IsRegular() {
			r.at("policy", "%s is not a file", r.shown("policy", string(c.Policy)))
		}
	}
	for path, file := range map[string]string{
		"policy": string(c.Policy), "gateway": c.File, "gateway.data": string(c.Gateway.Data), "audit.dir": string(c.Audit.Dir),
	} {
		checkWriters(r, path, file)
	}
	found := map[string]vault.Secret{}
	eachSource(reflect.ValueOf(c).Elem(), "", func(path string, s source) {
		secret, err := s.Read()
		if err != nil {
			r.at(path, "%v", err)
			return
		}
		if why := s.Exposure(); why != "" {
			r.warn(path, "%s", why)
		}
		found[path] = secret
		if strings.HasSuffix(path, "ca") {
			checkCertificates(r, path, secret)
		}
	})
	for _, path := range slices.Sorted(maps.Keys(found)) {
		cert := found[path]
		section, ok := strings.CutSuffix(path, ".cert")
		if !ok {
			continue
		}
		key, ok := found[section+".key"]
		if !ok {
			continue
		}
		if _, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal())); err != nil {
			r.at(path, "this certificate and %s.key do not work together: %v", section, err)
		}
	}
	if c.Secrets.Identity != "" {
		if _, err := os.Stat(string(c.Secrets.Identity)); err != nil {
			r.at("secrets.identity", "%s cannot be found", r.shown("secrets.identity", string(c.Secrets.Identity)))
		}
	}
	if dir := string(c.Audit.Dir); dir != "" && dir == filepath.Clean(string(c.Gateway.Data)) {
		r.at("audit.dir", "%s is gateway.data itself; the log needs a directory of its own", r.shown("audit.dir", dir))
	}
}

func checkCertificates(r *report, path string, bundle vault.Secret) {
	rest := []byte(bundle.Reveal())
	n := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			r.at(path, "holds a private key; certificates only")
			return
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			r.at(path, "holds a certificate that cannot be read: %v", err)
			return
		}
		n++
	}
	if n == 0 {
		r.at(path, "holds no certificate in PEM")
	}
}
