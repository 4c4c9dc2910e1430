package gate

import (
	"context"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// SignIn is an attempt to prove who one is.
type SignIn struct {
	Target  string
	Client  string // remote address
	Method  string // token, scram, oauthbearer, certificate, console, api
	Claimed string // the name the client gave, if any; recorded only when it cannot be a credential
}

// RefuseSignIn writes down a failed sign-in and counts it. The front end tells the client.
func (g *Gate) RefuseSignIn(ctx context.Context, in SignIn, refusal *access.Refusal) {
	r := &audit.Record{
		Type: audit.TypeSignIn, Target: in.Target, Client: in.Client, Method: in.Method, Name: claimed(in.Claimed),
		Effect: access.Deny, Code: refusal.Code, Rule: refusal.Rule,
	}
	if err := g.Journal.Append(r).Wait(ctx); err != nil {
		g.Log.ErrorContext(ctx, "failed sign-in not recorded", "client", in.Client, "error", err)
	}
	g.Log.WarnContext(ctx, "sign-in refused", "client", in.Client, "method", in.Method, "target", in.Target, "code", refusal.Code, "error", refusal.Err)
	if g.Meter != nil {
		g.Meter.Served(in.Target, access.Deny, refusal.Code, 0)
	}
}

// claimed returns a name that is fit for the record: people paste tokens into the wrong field.
func claimed(name string) string {
	if len(name) > 64 || strings.HasPrefix(name, "eyJ") || strings.HasPrefix(name, "vg_") || strings.Count(name, ".") == 2 && len(name) > 40 {
		return "[withheld: looks like a credential]"
	}
	return name
}
