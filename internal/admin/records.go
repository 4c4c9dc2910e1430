package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Records are the audit log.
type Records interface {
	// State says how the log stands.
	State(context.Context) (LogState, error)
	// List returns the envelopes of records, newest first, each exactly as the log has it.
	List(context.Context, RecordFilter) ([]json.RawMessage, error)
	// Get returns one envelope, or ErrNotFound.
	Get(ctx context.Context, seq uint64) (json.RawMessage, error)
	// Proof returns a proof that the record is in the log (C2SP tlog-proof), to be checked without trusting the gateway.
	Proof(ctx context.Context, seq uint64) ([]byte, error)
}

// LogState is how the log stands.
type LogState struct {
	Origin     string      `json:"origin"`
	Size       uint64      `json:"size"` // records in it
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	// Verified is up to which record, exclusive, the gateway has itself checked what is on the disk against the signed
	// checkpoints since it started; Fault is what it found wrong.
	Verified uint64     `json:"verified,omitempty"`
	Checked  *time.Time `json:"checked,omitempty"`
	Fault    string     `json:"fault,omitempty"`
	// Writable is false while records cannot be made durable; nothing passes the gate then.
	Writable bool `json:"writable"`
	// Replayable says that the gateway holds a key to what it recorded.
	Replayable bool   `json:"replayable"`
	Key        string `json:"key,omitempty"` // the public key of the checkpoints, for vecgate audit verify --key
	// Archived is how the second copy of the log stands; nil when none is configured.
	Archived *Archived `json:"archived,omitempty"`
}

// Archived is how the archive of the log stands.
type Archived struct {
	Size     uint64     `json:"size"`           // records in it
	Time     *time.Time `json:"time,omitempty"` // when its newest checkpoint was put there
	Lag      string     `json:"lag"`            // for how long records have waited for it
	Failing  bool       `json:"failing,omitempty"`
	Incident bool       `json:"incident,omitempty"` // it does not hold what the gateway put there, or something else
	Closed   bool       `json:"closed,omitempty"`   // requests are refused because of it
}

// Checkpoint is the newest signed statement of the log's size and root.
type Checkpoint struct {
	Size uint64    `json:"size"`
	Root string    `json:"root"` // base64
	Time time.Time `json:"time"`
	Note string    `json:"note"` // as signed
}

// RecordFilter chooses records.
type RecordFilter struct {
	Subject string
	Target  string
	Session string
	Request string
	Types   []string
	Effect  access.Effect
	Since   time.Time
	Until   time.Time
	Before  uint64 // sequence number, exclusive; 0 means from the newest
	Limit   int
}

// Record is what pages show of an envelope; the envelope itself says more.
type Record struct {
	Seq        uint64          `json:"seq"`
	Time       time.Time       `json:"time"`
	Type       string          `json:"type"`
	Session    string          `json:"session"`
	Request    string          `json:"request"`
	Subject    string          `json:"subject"`
	Name       string          `json:"name"`
	Kind       access.Kind     `json:"kind"`
	Person     string          `json:"person"`
	Instance   string          `json:"instance"`
	Actor      string          `json:"actor"`
	Credential string          `json:"credential"`
	Method     string          `json:"method"`
	Client     string          `json:"client"`
	Target     string          `json:"target"`
	Accesses   []access.Access `json:"accesses"`
	Unclear    string          `json:"unclear"`
	Effect     access.Effect   `json:"effect"`
	Rule       string          `json:"rule"`
	Code       access.Code     `json:"code"`
	Policy     string          `json:"policy"`
	Grant      string          `json:"grant"`
	Ticket     string          `json:"ticket"`
	TicketHash string          `json:"ticket_sha256"`
	Rows       int64           `json:"rows"`
	Bytes      int64           `json:"bytes"`
	Micros     int64           `json:"micros"`
	Error      string          `json:"error"`
	Detail     string          `json:"detail"`
	State      string          `json:"state"`
	Sealed     int64           `json:"sealed"`

	Leaf json.RawMessage `json:"-"` // the bytes that are the leaf of the tree
}

// readRecord reads an envelope for showing it. What is odd about it is no reason not to show the rest.
func readRecord(leaf json.RawMessage) Record {
	var r Record
	if err := json.Unmarshal(leaf, &r); err != nil {
		r.Detail = "this envelope cannot be read: " + err.Error()
	}
	r.Leaf = leaf
	return r
}

// LogState says how the log stands. Everybody who is signed in may know.
func (s *Service) LogState(ctx context.Context, c Caller) (LogState, error) {
	if r := s.signedIn(c); r != nil {
		return LogState{}, r
	}
	return s.Records.State(ctx)
}

// ListRecords returns records, newest first; more says that there are older ones.
func (s *Service) ListRecords(ctx context.Context, c Caller, f RecordFilter) (list []Record, more bool, err error) {
	if err := s.auditor(c, "read the audit log"); err != nil {
		return nil, false, err
	}
	limit := page(f.Limit)
	f.Limit = limit + 1
	leaves, err := s.Records.List(ctx, f)
	if err != nil {
		return nil, false, err
	}
	if len(leaves) > limit {
		leaves, more = leaves[:limit], true
	}
	list = make([]Record, len(leaves))
	for i, leaf := range leaves {
		list[i] = readRecord(leaf)
	}
	return list, more, nil
}

// Record returns one record.
func (s *Service) Record(ctx context.Context, c Caller, seq uint64) (Record, error) {
	if err := s.auditor(c, "read the audit log"); err != nil {
		return Record{}, err
	}
	leaf, err := s.Records.Get(ctx, seq)
	if err != nil {
		return Record{}, err
	}
	return readRecord(leaf), nil
}

// Proof returns the proof that a record is in the log.
func (s *Service) Proof(ctx context.Context, c Caller, seq uint64) ([]byte, error) {
	if err := s.auditor(c, "read the audit log"); err != nil {
		return nil, err
	}
	return s.Records.Proof(ctx, seq)
}
