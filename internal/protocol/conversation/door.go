package conversation

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
)

// Identity says who shows a token. An error that is an *access.Refusal is told to the client.
type Identity interface {
	Token(ctx context.Context, token string, in gate.SignIn) (*access.Subject, error)
}

// Door is where requests come in. Its exported fields are set once, before the first Enter.
type Door struct {
	Gate     *gate.Gate
	Identity Identity
	Channel  string        // of the sessions: rest, grpc
	Idle     time.Duration // a session that is silent for so long ends
	Session  time.Duration // a session ends after so long
	SignIns  int           // sign-ins of one address at once
	Taking   time.Duration // a client that takes nothing of its answer for so long loses it; 0 means Taking
	Now      func() time.Time

	guests guests
	mu     sync.Mutex
	live   map[key]*Visit
}

// key is what makes requests parts of one session: the credential, the target, and where it is shown from.
type key struct {
	token   [sha256.Size]byte
	target  string
	client  string
	program string
}

// Visit is a session with those of its requests that are under way.
type Visit struct {
	door    *Door
	key     key
	ready   chan struct{} // closed once session or refusal is set
	session *gate.Session
	refusal *access.Refusal
	ctx     context.Context // ends with the session
	opened  time.Time

	// Owned by the lock of the door.
	busy int
	used time.Time
	over bool // no further request is taken; the last one that leaves closes the session
}

// Session is the session.
func (v *Visit) Session() *gate.Session { return v.session }

// Within derives the context of one of the session's requests: it ends with the session too, and its cause is the session's.
func (v *Visit) Within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(v.ctx, func() { cancel(context.Cause(v.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Refuse writes down that nobody got in, and returns the refusal.
func (d *Door) Refuse(ctx context.Context, in gate.SignIn, refusal *access.Refusal) *access.Refusal {
	d.Gate.RefuseSignIn(context.WithoutCancel(ctx), in, refusal)
	return refusal
}

// Enter joins the session of a conversation, or signs in and opens it. Leave must be called for a visit that was returned.
// A refusal has been written down.
func (d *Door) Enter(ctx context.Context, token string, target gate.Target, in gate.SignIn, program string) (*Visit, *access.Refusal) {
	k := key{token: sha256.Sum256([]byte(token)), target: target.Name, client: in.Client, program: program}
	d.mu.Lock()
	if d.live == nil {
		d.live = map[key]*Visit{}
	}
	v, ok := d.live[k]
	if ok {
		v.busy++
		d.mu.Unlock()
		select {
		case <-v.ready:
		case <-ctx.Done():
			v.Leave()
			return nil, &access.Refusal{Code: access.CodeCanceled, Message: "the client went away"}
		}
		if v.refusal != nil {
			refusal := *v.refusal
			return nil, &refusal
		}
		return v, nil
	}
	v = &Visit{door: d, key: k, ready: make(chan struct{}), busy: 1, used: d.Now(), opened: d.Now()}
	d.live[k] = v
	d.mu.Unlock()

	defer close(v.ready)
	opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute) // others may be waiting for it too
	defer cancel()
	if v.session, v.refusal = d.open(opening, token, target, in, program); v.refusal != nil {
		d.mu.Lock()
		delete(d.live, k)
		d.mu.Unlock()
		refusal := *v.refusal
		return nil, &refusal
	}
	var end context.CancelCauseFunc
	v.ctx, end = context.WithCancelCause(context.Background())
	go func() {
		// Ends when somebody cuts the session off, or when it is closed.
		<-v.session.Done()
		end(v.session.Cause())
		d.retire(v, nil)
	}()
	return v, nil
}

// open says who shows the token, and opens a session.
func (d *Door) open(ctx context.Context, token string, target gate.Target, in gate.SignIn, program string) (*gate.Session, *access.Refusal) {
	from := gate.Network(in.Client)
	if !d.guests.enter(from, d.SignIns) {
		return nil, d.Refuse(ctx, in, &access.Refusal{Code: access.CodeLimit, Message: "too many clients of this address are signing in (limits.sign_ins_per_address)"})
	}
	defer d.guests.leave(from)
	subject, err := d.Identity.Token(ctx, token, in)
	if err != nil {
		refusal, ok := errors.AsType[*access.Refusal](err)
		if !ok {
			refusal = &access.Refusal{Code: access.CodeIdentity, Message: "the credential could not be verified", Err: err}
		}
		return nil, d.Refuse(ctx, in, refusal)
	}
	return d.Gate.Open(ctx, subject, target, gate.OpenOptions{Client: in.Client, Channel: d.Channel, Program: program})
}

// Leave ends a request's part in its session.
func (v *Visit) Leave() {
	d := v.door
	d.mu.Lock()
	v.busy--
	v.used = d.Now()
	last := v.over && v.busy == 0
	d.mu.Unlock()
	if last {
		v.session.Close(nil)
	}
}

// retire takes a session out, so that the next request opens another. It is closed when its last request ends.
func (d *Door) retire(v *Visit, cause error) {
	d.mu.Lock()
	if d.live[v.key] == v {
		delete(d.live, v.key)
	}
	idle := !v.over && v.busy == 0
	v.over = true
	d.mu.Unlock()
	if idle {
		v.session.Close(cause)
	}
}

// sweep retires what is idle, old or expired; everything when all is true.
func (d *Door) sweep(all bool) {
	now := d.Now()
	var gone []*Visit
	d.mu.Lock()
	for _, v := range d.live {
		select {
		case <-v.ready:
		default:
			continue // being opened
		}
		if v.session == nil {
			continue
		}
		idle := v.busy == 0 && now.Sub(v.used) >= d.Idle
		old := now.Sub(v.opened) >= d.Session
		expires := v.session.Subject().Expires
		if all || idle || old || !expires.IsZero() && !now.Before(expires) {
			gone = append(gone, v)
		}
	}
	d.mu.Unlock()
	for _, v := range gone {
		if e := v.session.Subject().Expires; !e.IsZero() && !now.Before(e) {
			v.session.Kill(errors.New("the credential expired")) // its requests end too
		}
		d.retire(v, nil)
	}
}

// Tend ends sessions that are silent, old or expired until ctx ends; when the gate drains, sessions end as soon as their
// requests have.
func (d *Door) Tend(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	draining := false
	for {
		select {
		case <-tick.C:
		case <-d.Gate.Draining():
			draining = true
			d.sweep(true)
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		case <-ctx.Done():
			d.sweep(true)
			return
		}
		d.sweep(draining)
	}
}
