package consoletest

import (
	"fmt"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/gate"
)

// People and jobs.
var (
	Ana = access.Subject{ID: "corp:ana", Name: "Ana Petrova", Kind: access.Person, Provider: "corp", Groups: []string{"Vector-Read"}, Person: "ana", Method: "token", Credential: "tok_8Yq2"}
	Ben = access.Subject{ID: "corp:ben", Name: "Ben Okafor", Kind: access.Person, Provider: "corp", Groups: []string{"Vector-Approve", "Auditors"}, Person: "ben"}
	Cho = access.Subject{ID: "corp:cho", Name: "Cho Min-ji", Kind: access.Person, Provider: "corp", Groups: []string{"Vector-Write", "Vector-Admin", "Auditors"}, Person: "cho"}
	Dov = access.Subject{ID: "corp:dov", Name: "Dov Katz", Kind: access.Person, Provider: "corp", Groups: []string{"Vector-Approve"}, Person: "dov"}

	Train   = access.Subject{ID: "ci:acme/recommender:train", Name: "recommender train", Kind: access.Workload, Provider: "ci", Groups: []string{"Pipelines"}, Person: "ana", Owner: "ana", Instance: "run 9914", Method: "token", Credential: "tok_Kq01"}
	Nightly = access.Subject{ID: "ci:acme/recommender:nightly", Name: "recommender nightly", Kind: access.Workload, Provider: "ci", Groups: []string{"Pipelines"}, Person: "cho", Owner: "cho", Instance: "run 9871", Method: "token", Credential: "tok_Kq77"}
	// Mallory's name and statements try what text can do to a page.
	Mallory = access.Subject{ID: "corp:mallory\"><img src=x onerror=attacked()>", Name: "Mallory <script>attacked()</script>\u202egnp.exe", Kind: access.Person, Provider: "corp", Groups: []string{"<b>Vector-Read</b>"}, Person: "mallory"}
)

func subjects() []access.Subject {
	return []access.Subject{Ana, Train, Ben, Cho, Nightly, Mallory, Dov}
}

// Attack is a statement that tries to run in the page that shows it.
const Attack = "SELECT '<script>attacked()</script>', '<img src=x onerror=\"attacked()\">' -- \u202e drop table items\u2066\n/* <svg onload=attacked()> */ FROM items;" +
	"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nDELETE FROM customers"

// New returns a world in which much has happened.
func New(now func() time.Time) *World {
	w := &World{Now: now, followers: map[chan access.Request]bool{}, exchanges: map[string][]admin.Exchange{}, killed: map[string]error{}, text: policyText}
	w.fillRequests(now())
	w.fillSessions(now())
	w.fillRecords(now())
	return w
}

func on(collection string) access.Resource {
	return access.Resource{Target: "products", Namespace: "public", Collection: collection}
}

func terms(rule string, persons int) access.HoldTerms {
	return access.HoldTerms{Rule: rule, Groups: []string{"Vector-Approve"}, Persons: persons, Within: 15 * time.Minute, Window: 10 * time.Minute}
}

// Request is an access request of somebody, ready to be filed.
func Request(who access.Subject, text string, action access.Action, collection string, persons int) access.Request {
	rule := "scientists-write-after-approval"
	if persons > 1 {
		rule = "bulk-export-and-drop-are-held"
	}
	return access.Request{
		Digest: strings.Repeat("5f3a90c1", 8), Subject: who, Target: "products", Text: text, Terms: terms(rule, persons), Policy: strings.Repeat("9c41e7", 11)[:64],
		Accesses: []access.Access{{Action: action, Resource: on(collection), Attributes: access.Attributes{Points: 1}}},
	}
}

func (w *World) fillRequests(now time.Time) {
	add := func(id string, age time.Duration, r access.Request, state access.State, votes ...access.Vote) {
		r.ID, r.Created, r.Expires, r.State, r.Decisions = id, now.Add(-age), now.Add(15*time.Minute-age), state, votes
		r.Session = "0n3zk8v1t5bq2mxy4c"
		if state != access.StateOpen {
			at := now.Add(-age + 3*time.Minute)
			r.Decided = &at
		}
		w.requests = append(w.requests, r)
	}
	yes := func(s access.Subject, reason string, age time.Duration) access.Vote {
		return access.Vote{Person: s.Person, Subject: s.ID, Name: s.Name, Approve: true, Reason: reason, At: now.Add(-age)}
	}
	no := func(s access.Subject, reason string, age time.Duration) access.Vote {
		v := yes(s, reason, age)
		v.Approve = false
		return v
	}
	upsert := Request(Ana, "INSERT INTO items (id, name, embedding)\nVALUES (4711, 'libvector-dev — headers for vector search', $1)\nON CONFLICT (id) DO UPDATE\n  SET name = excluded.name,\n      embedding = excluded.embedding\nRETURNING id;\n\n-- $1 = '[0.0132,-0.0871,0.0419,0.1127,…]'", access.Upsert, "items", 1)
	upsert.Reason, upsert.Ticket = "The package was renamed upstream; search finds the old name only.", "CHG-4127"
	add("7F3K-92QX", 2*time.Minute, upsert, access.StateOpen)
	drop := Request(Cho, "DROP INDEX items_embedding_hnsw", access.IndexDrop, "items", 2)
	add("M4TD-08ZR", 6*time.Minute, drop, access.StateOpen, yes(Dov, "Agreed in the change meeting; the new index is in place.", 4*time.Minute))
	export := Request(Nightly, "COPY (SELECT id, name, embedding FROM items) TO STDOUT (FORMAT binary)", access.Export, "items", 1)
	export.Accesses[0].Attributes = access.Attributes{Rows: access.Unbounded, Vectors: true}
	export.Terms.Rule = "pipeline-exports-are-held"
	add("Q0VW-5H2N", 9*time.Minute, export, access.StateOpen)
	attack := Request(Mallory, Attack, access.Delete, "customers", 1)
	attack.Accesses = append(attack.Accesses, access.Access{Action: access.Scroll, Resource: on("items\u202e<b>"), Attributes: access.Attributes{Rows: access.Unbounded}})
	attack.Reason = "<img src=x onerror=attacked()> please"
	add("XSS0-0001", 11*time.Minute, attack, access.StateOpen)
	add("B8YJ-31CE", 3*time.Hour, Request(Train, "UPDATE items SET embedding = $1 WHERE id = $2", access.Update, "items", 1), access.StateUsed, yes(Ben, "Same change as in staging.", 3*time.Hour-time.Minute))
	add("D2PA-66KM", 5*time.Hour, Request(Nightly, "SELECT * FROM items", access.Scroll, "items", 1), access.StateDenied, no(Ben, "The nightly job has no business with all of it; ask for the delta.", 5*time.Hour-time.Minute))
	add("G9RN-T410", 26*time.Hour, Request(Ana, "DELETE FROM items WHERE id = 12", access.Delete, "items", 1), access.StateExpired)
}

func (w *World) fillSessions(now time.Time) {
	add := func(id string, who access.Subject, program string, age, lasted time.Duration, requests uint64, rows int64, cause string) {
		i := gate.SessionInfo{
			ID: id, Subject: &who, Target: "products", Client: "10.1.4.7", Channel: "sql", Program: program, Opened: now.Add(-age), FirstSeq: 3,
			Requests: requests, Rows: rows, Bytes: rows * 812, Cause: cause,
		}
		if lasted == 0 {
			w.live = append(w.live, i)
			return
		}
		i.Closed, i.LastSeq = i.Opened.Add(lasted), 11
		w.past = append(w.past, i)
	}
	add("0n3zk8v1t5bq2mxy4c", Ana, "psql 18.1", 14*time.Minute, 0, 9, 43, "")
	add("0n3zjx2d7r9g1hw8e0", Train, "psycopg 3.2", 41*time.Minute, 0, 1874, 18740, "")
	add("0n3zkc90p4ta6s5v2b", Mallory, "<script>attacked()</script>", 3*time.Minute, 0, 2, 0, "")
	add("0n3yw1m8k2c5x7z3qd", Nightly, "asyncpg", 5*time.Hour, 12*time.Minute, 310, 3100, "")
	add("0n3yt6f3b9n0v4j2rs", Cho, "psql 18.1", 7*time.Hour, 38*time.Minute, 22, 190, "")
	add("0n3xq5h7d1w8y2k6tp", Train, "psycopg 3.2", 27*time.Hour, 3*time.Minute, 12, 40, "credential-expired")

	text := func(s string) *string { return &s }
	line := func(kind, s string, cells ...*string) access.Line {
		return access.Line{Kind: kind, Text: s, Cells: cells}
	}
	acc := func(a access.Action, c string) []access.Access { return []access.Access{{Action: a, Resource: on(c)}} }
	at := func(d time.Duration) time.Time { return now.Add(-14*time.Minute + d) }
	id := "0n3zk8v1t5bq2mxy4c"
	w.exchanges[id] = []admin.Exchange{
		{Number: 1, Seq: 4, Time: at(2 * time.Second), Accesses: acc(access.Search, "items"), Effect: access.Allow, Rule: "scientists-read", Ended: true, Rows: 3, Bytes: 912, Micros: 2130, Lines: []access.Line{
			line("statement", "SELECT id, name, round((embedding <=> $1)::numeric, 2) AS distance\nFROM items\nORDER BY embedding <=> $1\nLIMIT 3"),
			line("parameters", "", text("[0.0132,-0.0871,0.0419,0.1127,0.0033,-0.0542,0.0219,0.0887,-0.0145,0.0671,0.0298,-0.0413,0.0127,0.0904,-0.0236,0.0518,0.0087,-0.0391,0.0642,0.0175]")),
			line("columns", "", text("id"), text("name"), text("distance")),
			line("row", "", text("1204"), text("libopenblas-dev"), text("0.11")),
			line("row", "", text("88"), text("python3-numpy"), text("0.18")),
			line("row", "", text("1950"), text("libeigen3-dev"), text("0.21")),
			line("done", "SELECT 3"),
		}},
		{Number: 2, Seq: 6, Time: at(31 * time.Second), Accesses: acc(access.Fetch, "customers"), Effect: access.Allow, Ticket: "CHG-4127", Rule: "scientists-read", Ended: true, Rows: 2, Bytes: 340, Micros: 880, Lines: []access.Line{
			line("statement", "SELECT id, name, email, phone, city FROM customers WHERE id IN (7, 8)"),
			line("columns", "", text("id"), text("name"), text("email"), text("phone"), text("city")),
			line("row", "", text("7"), text("Imke Vos"), text("[redacted]"), text("[redacted]"), text("Utrecht")),
			line("row", "", text("8"), text("<img src=x onerror=attacked()>"), text("[redacted]"), nil, text("\u202eoirottiV")),
			line("done", "SELECT 2"),
		}},
		{Number: 3, Seq: 8, Time: at(64 * time.Second), Accesses: acc(access.SchemaDrop, "items"), Effect: access.Deny, Code: access.CodeNoRule, Ended: true, Lines: []access.Line{
			line("statement", "DROP TABLE items"),
			line("error", "ERROR 42501: not allowed: Ana Petrova may not schema.drop on products/public/items\nHINT: ask somebody of Vector-Write with a change ticket"),
		}},
		{Number: 4, Seq: 9, Time: at(150 * time.Second), Accesses: acc(access.Upsert, "items"), Effect: access.Allow, Rule: "scientists-write-after-approval", Grant: "B8YJ-31CE", Ended: true, Micros: 1_310_000, Lines: []access.Line{
			line("statement", "INSERT INTO items (id, name) VALUES (4711, 'libvector-dev') ON CONFLICT (id) DO UPDATE SET name = excluded.name"),
			line("notice", "NOTICE: held: waits for a person of Vector-Approve\nHINT: https://gw.example.com/requests/B8YJ-31CE"),
			line("done", "INSERT 0 1"),
		}},
		{Number: 5, Seq: 11, Time: at(170 * time.Second), Accesses: acc(access.Search, "items"), Effect: access.Allow, Rule: "scientists-read", Ended: true, Error: "22000", Micros: 410, Lines: []access.Line{
			line("statement", "SELECT id FROM items ORDER BY embedding <-> '[1,2]' LIMIT 5"),
			line("error", "ERROR 22000: different vector dimensions"),
		}},
		{Number: 6, Seq: 13, Time: at(200 * time.Second), Accesses: acc(access.Scroll, "items"), Effect: access.Allow, Rule: "scientists-look", Ended: true, Rows: 260, Micros: 9400, Lines: rows(line, text)},
		{Number: 7, Seq: 15, Time: at(230 * time.Second), Effect: access.Allow, Sealed: "sealed to others"},
		{Number: 8, Seq: 17, Time: at(260 * time.Second), Effect: access.Deny, Code: access.CodeUnclear, Unclear: "a DO block can do anything", Ended: true, Lines: []access.Line{line("statement", Attack), line("error", "ERROR 42501: not allowed: the statement is unclear")}},
	}
	w.exchanges[id] = append(w.exchanges[id], admin.Exchange{
		Number: 9, Seq: 19, Time: at(290 * time.Second), Accesses: acc(access.SchemaDrop, "items"), Effect: access.Hold, Code: access.CodeCanceled, Grant: "G9RN-T410",
		Rule: "bulk-export-and-drop-are-held", Ended: true, Lines: []access.Line{line("statement", "DROP TABLE items")},
	})
	for i := range w.exchanges[id] {
		w.exchanges[id][i].Request = fmt.Sprintf("%s.%d", id, i+1)
	}
}

func rows(line func(string, string, ...*string) access.Line, text func(string) *string) []access.Line {
	list := []access.Line{line("statement", "SELECT id, name, description FROM items LIMIT 260"), line("columns", "", text("id"), text("name"), text("description"))}
	for i := range 260 {
		list = append(list, line("row", "", text(fmt.Sprint(i)), text(fmt.Sprintf("package-%d", i)), text(strings.Repeat("a description of some length ", 1+i%9))))
	}
	return append(list, line("done", "SELECT 260"))
}

func (w *World) fillRecords(now time.Time) {
	at := func(d time.Duration) time.Time { return now.Add(-d).UTC() }
	acc := func(a access.Action, c string) []access.Access { return []access.Access{{Action: a, Resource: on(c)}} }
	id := "0n3zk8v1t5bq2mxy4c"
	for _, r := range []map[string]any{
		{"time": at(9 * time.Hour), "type": "start", "detail": "vecgate dev"},
		{"time": at(9 * time.Hour), "type": "policy", "policy": strings.Repeat("9c41e7", 11)[:64], "detail": "policy.yaml"},
		{"time": at(15 * time.Minute), "type": "signin", "name": "[withheld: looks like a credential]", "client": "10.9.0.4", "method": "token", "effect": "deny", "code": "not-authenticated"},
		{"time": at(14 * time.Minute), "type": "session.open", "session": id, "subject": Ana.ID, "name": Ana.Name, "kind": "person", "target": "products", "accesses": acc(access.Connect, ""), "effect": "allow", "rule": "scientists-read", "client": "10.1.4.7", "detail": "psql 18.1"},
		{"time": at(14 * time.Minute), "type": "intent", "session": id, "request": id + ".1", "subject": Ana.ID, "name": Ana.Name, "kind": "person", "target": "products", "accesses": acc(access.Search, "items"), "effect": "allow", "rule": "scientists-read", "sealed": 412, "client": "10.1.4.7"},
		{"time": at(14 * time.Minute), "type": "outcome", "session": id, "request": id + ".1", "subject": Ana.ID, "target": "products", "rows": 3, "bytes": 912, "micros": 2130, "sealed": 1022},
		{"time": at(13 * time.Minute), "type": "intent", "session": id, "request": id + ".2", "subject": Ana.ID, "name": Ana.Name, "kind": "person", "target": "products", "accesses": acc(access.Fetch, "customers"), "effect": "allow", "rule": "scientists-read"},
		{"time": at(13 * time.Minute), "type": "outcome", "session": id, "request": id + ".2", "subject": Ana.ID, "target": "products", "rows": 2, "bytes": 340, "micros": 880},
		{"time": at(12 * time.Minute), "type": "refusal", "session": id, "request": id + ".3", "subject": Ana.ID, "name": Ana.Name, "kind": "person", "target": "products", "accesses": acc(access.SchemaDrop, "items"), "effect": "deny", "code": "no-rule"},
		{"time": at(11 * time.Minute), "type": "request", "session": id, "subject": Ana.ID, "name": Ana.Name, "kind": "person", "target": "products", "accesses": acc(access.Upsert, "items"), "effect": "hold", "rule": "scientists-write-after-approval", "grant": "B8YJ-31CE", "state": "open", "ticket": "CHG-4127", "ticket_sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"},
		{"time": at(10 * time.Minute), "type": "vote", "subject": Ben.ID, "name": Ben.Name, "kind": "person", "target": "products", "effect": "allow", "grant": "B8YJ-31CE", "state": "approved", "detail": "Same change as in staging."},
		{"time": at(9 * time.Minute), "type": "admin", "subject": Ben.ID, "name": Ben.Name, "kind": "person", "session": id, "detail": "replayed the session"},
		{"time": at(3 * time.Minute), "type": "refusal", "session": "0n3zkc90p4ta6s5v2b", "subject": Mallory.ID, "name": Mallory.Name, "kind": "person", "target": "products", "unclear": Attack, "effect": "deny", "code": "unclear"},
	} {
		w.record(r)
	}
}

const policyText = `# Who may do what with the vector database "products".
duties:
  read:  [search, fetch, count]
  write: [insert, upsert, update, delete]

allow:
  # Data scientists search and retrieve.
  - name: scientists-read
    who: {groups: [Vector-Read]}
    can: [read]
    on:  [products/**]

  # They change data once one approver has looked at exactly what will run.
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [write]
    on:  [products/**]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}

protect:
  - name: personal-data
    fields: [products/public/customers.email]
    mask: redact
  - name: embeddings-stay-inside
    vectors: withhold
`
