package gate

import (
	"context"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// SignIn is an attempt to prove who one is.
type SignIn struct {
	Target  string // as the client named it; recorded only when it cannot be a credential
	Client  string // remote address
	Method  string // token, scram, oauthbearer, certificate, console, api
	Claimed string // the name the client gave, if any; recorded only when it cannot be a credential
}

// RefuseSignIn writes down a failed sign-in and counts it. The front end tells the client.
//
// Whoever has no credential must not decide how fast the log grows: beyond a number of them in a minute, failed sign-ins
// of one address are counted, and one record says how many there were.
func (g *Gate) RefuseSignIn(ctx context.Context, in SignIn, refusal *access.Refusal) {
	if g.Meter != nil {
		g.Meter.Served("", access.Deny, refusal.Code, 0) // not in.Target: a stranger would choose what the metrics are called
	}
	target := claimed(in.Target)
	if !g.knocks.listed(g, in.Client, refusal.Code) {
		g.Log.DebugContext(ctx, "sign-in refused", "client", in.Client, "method", in.Method, "target", target, "code", refusal.Code, "error", whyRefused(refusal))
		return
	}
	r := &audit.Record{
		Type: audit.TypeSignIn, Target: target, Client: in.Client, Method: in.Method, Name: claimed(in.Claimed),
		Effect: access.Deny, Code: refusal.Code, Rule: refusal.Rule,
	}
	if err := g.Journal.Append(r).Wait(ctx); err != nil {
		g.Log.ErrorContext(ctx, "failed sign-in not recorded", "client", in.Client, "error", err)
	}
	g.Log.WarnContext(ctx, "sign-in refused", "client", in.Client, "method", in.Method, "target", target, "code", refusal.Code, "error", whyRefused(refusal))
}

// whyRefused is the cause of a refusal for the operator. Only what is said about a credential may stand for a cause that
// there is not: other words can quote what a stranger sent.
func whyRefused(r *access.Refusal) any {
	if r.Err == nil && (r.Code == access.CodeIdentity || r.Code == access.CodeExpired) {
		return r.Message
	}
	return r.Err
}

// claimed returns a name that is fit for the record: people paste tokens into the wrong field.
func claimed(name string) string {
	if len(name) > 64 || strings.HasPrefix(name, "eyJ") || strings.HasPrefix(name, "vg_") || strings.Count(name, ".") == 2 && len(name) > 40 {
		return "[withheld: looks like a credential]"
	}
	return name
}

// Bounds on failed sign-ins that are written down one by one within a minute, and on the addresses that are told apart.
const (
	knocksWithin    = time.Minute
	knocksPerClient = 20
	knocksInAll     = 1000
	knockers        = 4096
)

// knocks are the failed sign-ins of the minute.
type knocks struct {
	mu    sync.Mutex
	began time.Time
	all   int
	of    map[string]*knocker
	timer *time.Timer // tells of those that were only counted
}

type knocker struct {
	listed, counted int
	code            access.Code // of the last
}

// listed counts a failed sign-in and says whether it is to be written down by itself.
func (k *knocks) listed(g *Gate, client string, code access.Code) bool {
	now := g.Now()
	k.mu.Lock()
	if now.Sub(k.began) >= knocksWithin {
		defer g.tellOf(k.roll(now))
	}
	defer k.mu.Unlock()
	from := Network(client)
	who := k.of[from]
	if who == nil && len(k.of) >= knockers {
		from = ""
		who = k.of[from]
	}
	if who == nil {
		who = &knocker{}
		k.of[from] = who
	}
	who.code = code
	if from != "" && who.listed < knocksPerClient && k.all < knocksInAll {
		who.listed++
		k.all++
		return true
	}
	who.counted++
	if k.timer == nil {
		k.timer = time.AfterFunc(knocksWithin, g.tellOfKnocks)
	}
	return false
}

// roll begins a new minute and returns the one that is over. The caller holds mu.
func (k *knocks) roll(now time.Time) map[string]*knocker {
	over := k.of
	k.began, k.all, k.of = now, 0, make(map[string]*knocker)
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	return over
}

// tellOfKnocks ends the minute.
func (g *Gate) tellOfKnocks() {
	g.knocks.mu.Lock()
	over := g.knocks.roll(g.Now())
	g.knocks.mu.Unlock()
	g.tellOf(over)
}

// tellOf writes down how many failed sign-ins were not written down one by one.
func (g *Gate) tellOf(over map[string]*knocker) {
	var from []string
	for network, who := range over {
		if who.counted > 0 {
			from = append(from, network)
		}
	}
	sort.Strings(from)
	for _, network := range from {
		who := over[network]
		detail := fmt.Sprintf("%d more refused sign-ins from here within a minute", who.counted)
		if network == "" {
			detail = fmt.Sprintf("%d more refused sign-ins from other addresses within a minute", who.counted)
		}
		g.Journal.Append(&audit.Record{Type: audit.TypeSignIn, Client: network, Effect: access.Deny, Code: who.code, Detail: detail})
		g.Log.Warn("many sign-ins refused", "client", network, "code", who.code, "besides", who.counted)
	}
}

// Network is who an address is counted as: by itself, an IPv6 address with all others of its network of 64 bits, which
// one customer has to himself.
func Network(client string) string {
	a, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
