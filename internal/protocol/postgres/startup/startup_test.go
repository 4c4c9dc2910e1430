package startup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func packet(version uint32, pairs ...string) []byte {
	b := binary.BigEndian.AppendUint32(nil, version)
	for _, p := range pairs {
		b = append(append(b, p...), 0)
	}
	return append(b, 0)
}

func TestPacketsOfEveryKindAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want Packet
	}{
		"ssl":    {[]byte{4, 210, 22, 47}, Packet{Kind: SSL}},
		"gss":    {[]byte{4, 210, 22, 48}, Packet{Kind: GSS}},
		"cancel": {[]byte{4, 210, 22, 46, 0, 0, 0, 7, 1, 2, 3, 4}, Packet{Kind: Cancel, PID: 7, Key: []byte{1, 2, 3, 4}}},
		"start":  {packet(Version30, "user", "a", "database", "b"), Packet{Version: Version30, Params: []Param{{"user", "a"}, {"database", "b"}}}},
	} {
		got, err := Parse(c.body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestMalformedPacketsAreRefused(t *testing.T) {
	for name, body := range map[string][]byte{
		"protocol 2":           packet(0x20000, "user", "a"),
		"protocol 4":           packet(0x40000, "user", "a"),
		"no terminator":        packet(Version30, "user", "a")[:9],
		"trailing bytes":       append(packet(Version30, "user", "a"), 'x'),
		"name without a value": append(binary.BigEndian.AppendUint32(nil, Version30), "user\x00"...),
		"twice":                packet(Version30, "user", "a", "user", "b"),
		"twice in other case":  packet(Version30, "user", "a", "USER", "b"),
		"not UTF-8":            packet(Version30, "user", "\xff"),
		"ssl with a tail":      {4, 210, 22, 47, 0},
		"cancel without a key": {4, 210, 22, 46, 0, 0, 0, 7},
		"cancel, long key":     append([]byte{4, 210, 22, 46}, make([]byte, 300)...),
		"empty":                {},
	} {
		if p, err := Parse(body); err == nil {
			t.Errorf("%s: read as %+v", name, p)
		}
	}
	for _, n := range []uint32{0, 7, MaxPacket + 1, 1 << 31, 0xffffffff} {
		if _, err := Length(binary.BigEndian.AppendUint32(nil, n)); !errors.Is(err, ErrLength) {
			t.Errorf("length %d: %v", n, err)
		}
	}
}

func TestOnlyListedParametersAreTaken(t *testing.T) {
	for _, c := range []struct {
		pairs []string
		state string // of the fault; "" when taken
		want  map[string]string
	}{
		{[]string{"DateStyle", "ISO", "timezone", "UTC"}, "", map[string]string{"DateStyle": "ISO", "TimeZone": "UTC"}},
		{[]string{"client_encoding", "'utf-8'"}, "", map[string]string{}},
		{[]string{"client_encoding", "SJIS"}, "22023", nil},
		{[]string{"search_path", "evil"}, "42501", nil},
		{[]string{"role", "postgres"}, "42501", nil},
		{[]string{"session_preload_libraries", "x"}, "42501", nil},
		{[]string{"standard_conforming_strings", "off"}, "42501", nil},
		{[]string{"row_security", "off"}, "42501", nil},
		{[]string{"replication", "database"}, "0A000", nil},
		{[]string{"replication", "1"}, "0A000", nil},
		{[]string{"replication", "yes"}, "0A000", nil},
		{[]string{"replication", "off"}, "", map[string]string{}},
		{[]string{"options", "-c role=postgres"}, "42501", nil},
		{[]string{"options", "--role=postgres"}, "42501", nil},
		{[]string{"options", "-crole=postgres"}, "42501", nil},
		{[]string{"options", `-c \role=postgres`}, "42501", nil},
		{[]string{"options", "-c session-replication-role=replica"}, "42501", nil},
		{[]string{"options", "-d5"}, "42501", nil},
		{[]string{"options", "-c"}, "42601", nil},
		{[]string{"options", `-c application_name=a\ b  --timezone=UTC`}, "", map[string]string{"application_name": "a b", "TimeZone": "UTC"}},
		{[]string{"statement_timeout", "0"}, "22023", nil},
		{[]string{"statement_timeout", "2min"}, "22023", nil},
		{[]string{"statement_timeout", "1s"}, "", map[string]string{"statement_timeout": "1000"}},
		{[]string{"application_name", "a\nb"}, "22023", nil},
	} {
		p, err := Parse(packet(Version30, append([]string{"user", "u"}, c.pairs...)...))
		if err != nil {
			t.Fatalf("%q: %v", c.pairs, err)
		}
		s, err := Read(p, bound(60_000))
		if c.state == "" {
			if err != nil {
				t.Errorf("%q: %v", c.pairs, err)
			} else if diff := cmp.Diff(c.want, s.Settings); diff != "" {
				t.Errorf("%q: %s", c.pairs, diff)
			}
			continue
		}
		fault, ok := errors.AsType[*Fault](err)
		if !ok || fault.SQLSTATE != c.state {
			t.Errorf("%q: %v, want %s", c.pairs, err, c.state)
		}
	}
}

func bound(ms int64) func(string) Rules {
	return func(string) Rules { return Rules{StatementTimeout: ms} }
}

func TestBoundsAreThoseOfTheDatabaseThatIsMeant(t *testing.T) {
	for _, pairs := range [][]string{
		{"user", "u", "database", "products", "statement_timeout", "0"},
		{"statement_timeout", "0", "DataBase", "products", "user", "u"},
		{"options", "-c statement_timeout=1h", "user", "products"},
		{"user", "products", "database", "", "options", "--Statement-Timeout=1h"},
	} {
		p, err := Parse(packet(Version30, pairs...))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(p, func(database string) Rules {
			if database != "products" {
				t.Errorf("%q: the rules of %q were asked for", pairs, database)
			}
			return Rules{StatementTimeout: 2000}
		})
		if fault, ok := errors.AsType[*Fault](err); !ok || fault.SQLSTATE != "22023" {
			t.Errorf("%q: %v, want 22023", pairs, err)
		}
	}
}

func TestNewerProtocolsAreNegotiatedDown(t *testing.T) {
	for _, c := range []struct {
		asked     uint32
		pairs     []string
		version   uint32
		negotiate bool
	}{
		{Version30, nil, Version30, false},
		{196609, nil, Version30, true},
		{Version32, nil, Version32, false},
		{3<<16 | 9999, []string{"_pq_.test_protocol_negotiation", ""}, Version32, true},
		{Version30, []string{"_pq_.x", "1"}, Version30, true},
	} {
		p, err := Parse(packet(c.asked, append([]string{"user", "u"}, c.pairs...)...))
		if err != nil {
			t.Fatal(err)
		}
		s, err := Read(p, bound(0))
		if err != nil {
			t.Fatal(err)
		}
		if s.Version != c.version || s.Negotiate != c.negotiate || len(s.Unknown) != len(c.pairs)/2 {
			t.Errorf("%d %q: %+v", c.asked, c.pairs, s)
		}
		if s.Database != "u" {
			t.Errorf("database %q, want the user's name", s.Database)
		}
	}
}

func FuzzStartup(f *testing.F) {
	f.Add(packet(Version30, "user", "a", "options", `-c a\ b=c --d=e`))
	f.Add([]byte{4, 210, 22, 46, 0, 0, 0, 7, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := Parse(body)
		if err != nil || p.Kind != Start {
			return
		}
		s, err := Read(p, bound(0))
		if err != nil {
			return
		}
		for name, value := range s.Settings {
			if _, ok := allowed[strings.ToLower(name)]; !ok {
				t.Errorf("took %q", name)
			}
			if bytes.ContainsRune([]byte(value), 0) {
				t.Errorf("took a NUL in %q", name)
			}
		}
	})
}
