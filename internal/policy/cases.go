package policy

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Suite is a file of cases that stand beside a policy: what subjects ask, and what the policy should say, reason included.
type Suite struct {
	File   string // as positions call it
	Policy string // path of the policy
	Cases  []Case

	tickets reviewedTickets
}

// Case is one question and the answer that is expected.
type Case struct {
	Name      string
	Position  string
	Subject   *access.Subject
	Approver  *access.Subject // when set, the question is whether they may decide on the subject's request
	Operation access.Operation
	Context   access.Context
	Released  []string // persons who released it; the grant is made from the hold
	expect    expectation
}

type expectation struct {
	effect   access.Effect
	code     access.Code
	rule     *string
	says     string
	masks    map[string]access.Mask // field pattern -> mask
	maskKeys []string
	vectors  string
	persons  int
	groups   []string
	rows     *int64
	topK     *int64
	record   *access.Level
	filters  map[string][]string // field -> the values that it may have
}

// Result is how a case came out.
type Result struct {
	Case        *Case
	Decision    access.Decision
	Differences []string // empty: as expected
}

// Tickets is the ticket system that the cases imagine.
func (s *Suite) Tickets() Tickets { return s.tickets }

// reviewedTickets says for each ticket what is wrong with it, nothing when it is reviewed.
type reviewedTickets map[string]string

// Reviewed implements Tickets.
func (t reviewedTickets) Reviewed(about *access.Context, _ *access.Subject, _ *access.Access) error {
	why, ok := t[about.Ticket]
	switch {
	case !ok:
		return fmt.Errorf("no such ticket")
	case why != "reviewed":
		return fmt.Errorf("%s", why)
	}
	return nil
}

var (
	shapeFreeText = &shape{kind: shapeText, max: 1024}
	shapeTexts    = listOf(shapeFreeText, "")
	shapeCount    = &shape{kind: shapeNumber, min: -1, max: math.MaxInt64}
	shapeFlag     = &shape{kind: shapeBool}

	shapeSubject = &shape{kind: shapeObject, fields: []field{
		{name: "id", shape: shapeFreeText, required: true},
		{name: "name", shape: shapeFreeText},
		{name: "kind", shape: &shape{kind: shapeText, max: 16, enum: []string{string(access.Person), string(access.Workload)}}, required: true},
		{name: "provider", shape: shapeFreeText},
		{name: "groups", shape: shapeTexts},
		{name: "person", shape: shapeFreeText},
		{name: "owner", shape: shapeFreeText},
		{name: "instance", shape: shapeFreeText},
		{name: "method", shape: shapeFreeText},
		{name: "scopes", shape: shapeTexts},
		{name: "actor", shape: shapeFreeText},
		{name: "claims", shape: &shape{kind: shapeTable, item: &shape{kind: shapeEither, text: shapeFreeText, item: shapeTexts}}},
	}}
	shapeWith = &shape{kind: shapeObject, fields: []field{
		{name: "limit", shape: shapeCount},
		{name: "offset", shape: shapeCount},
		{name: "rows", shape: shapeCount},
		{name: "points", shape: shapeCount},
		{name: "vectors", shape: shapeFlag},
		{name: "cursor", shape: shapeFlag},
		{name: "egress", shape: shapeFlag},
		{name: "lock", shape: shapeFlag},
		{name: "fields", shape: shapeTexts},
		{name: "filter_fields", shape: shapeTexts},
		{name: "ids", shape: shapeTexts},
		{name: "order_by", shape: shapeTexts},
		{name: "filter", shape: &shape{kind: shapeText, max: 16, enum: []string{string(access.FilterTrivial), string(access.FilterKey), string(access.FilterOther)}}},
		{name: "role", shape: shapeFreeText},
		{name: "alias", shape: shapeFreeText},
	}}
	shapeDoes  = &shape{kind: shapeText, max: 64}
	shapePlace = &shape{kind: shapeText, max: 512}
	shapeCase  = &shape{kind: shapeObject, fields: []field{
		{name: "name", shape: shapeFreeText, required: true},
		{name: "subject", shape: shapeFreeText, required: true},
		{name: "approver", shape: shapeFreeText},
		{name: "does", shape: shapeDoes},
		{name: "on", shape: shapePlace},
		{name: "with", shape: shapeWith},
		{name: "also", shape: statements(&shape{kind: shapeObject, fields: []field{
			{name: "does", shape: shapeDoes, required: true}, {name: "on", shape: shapePlace, required: true}, {name: "with", shape: shapeWith},
		}})},
		{name: "unclear", shape: shapeFreeText},
		{name: "context", shape: &shape{kind: shapeObject, fields: []field{
			{name: "ticket", shape: shapeFreeText},
			{name: "client", shape: shapeFreeText},
			{name: "channel", shape: shapeFreeText},
			{name: "now", shape: shapeFreeText},
			{name: "settings", shape: &shape{kind: shapeTable, item: shapeFreeText}},
			{name: "released_by", shape: shapeTexts},
		}}},
		{name: "expect", required: true, shape: &shape{kind: shapeObject, fields: []field{
			{name: "effect", shape: enumShape("", string(access.Allow), string(access.Deny), string(access.Hold)), required: true},
			{name: "code", shape: shapeFreeText},
			{name: "rule", shape: &shape{kind: shapeAny}},
			{name: "says", shape: shapeFreeText},
			{name: "masks", shape: &shape{kind: shapeTable, item: shapeFreeText}},
			{name: "vectors", shape: enumShape("", "withhold", "allow")},
			{name: "persons", shape: shapeCount},
			{name: "groups", shape: shapeTexts},
			{name: "rows", shape: shapeCount},
			{name: "top_k", shape: shapeCount},
			{name: "record", shape: shapeFreeText},
			{name: "filters", shape: &shape{kind: shapeTable, item: shapeTexts}},
		}}},
	}}
	shapeSuite = &shape{kind: shapeObject, fields: []field{
		{name: "policy", shape: shapeFreeText, required: true},
		{name: "tickets", shape: &shape{kind: shapeTable, item: shapeFreeText}},
		{name: "subjects", shape: &shape{kind: shapeTable, item: shapeSubject}, required: true},
		{name: "cases", shape: &shape{kind: shapeList, item: shapeCase, min: 1, max: 10 * maxList}, required: true},
	}}
)

// LoadSuite reads a file of cases. Faults of the file are returned as Faults.
func LoadSuite(path string) (*Suite, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	s, err := ParseSuite(filepath.Base(path), text)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(s.Policy) {
		s.Policy = filepath.Join(filepath.Dir(path), s.Policy)
	}
	return s, nil
}

// ParseSuite reads cases, as strictly as a policy.
func ParseSuite(name string, text []byte) (*Suite, error) {
	faults := &faultList{file: name}
	root := readSource(text, faults)
	if root == nil {
		return nil, faults.err()
	}
	shapeSuite.check(faults, "", root)
	if err := faults.err(); err != nil {
		return nil, err
	}
	s := &Suite{File: name, Policy: root.get("policy").str(), tickets: reviewedTickets{}}
	if t := root.get("tickets"); t != nil {
		for i := range t.keys {
			s.tickets[t.keys[i].name] = t.keys[i].value.str()
		}
	}
	r := suiteReader{faults: faults, file: name, subjects: map[string]*access.Subject{}}
	subjects := root.get("subjects")
	for i := range subjects.keys {
		k := &subjects.keys[i]
		r.subjects[k.name] = subjectOf(k.value)
	}
	for i := range subjects.keys {
		k := &subjects.keys[i]
		if actor := k.value.get("actor"); actor != nil {
			r.subjects[k.name].Actor = r.subject("subjects."+k.name+".actor", actor)
		}
	}
	for i, v := range root.get("cases").items {
		s.Cases = append(s.Cases, r.read(i, v))
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	return s, nil
}

type suiteReader struct {
	faults   *faultList
	file     string
	subjects map[string]*access.Subject
}

func subjectOf(v *value) *access.Subject {
	s := &access.Subject{
		ID: v.get("id").str(), Name: v.get("name").str(), Kind: access.Kind(v.get("kind").str()), Provider: v.get("provider").str(),
		Groups: texts(v.get("groups")), Person: v.get("person").str(), Owner: v.get("owner").str(), Instance: v.get("instance").str(),
		Method: v.get("method").str(), Scopes: texts(v.get("scopes")),
	}
	if s.Provider == "" {
		s.Provider, _, _ = strings.Cut(s.ID, ":")
	}
	if c := v.get("claims"); c != nil {
		s.Claims = map[string]any{}
		for i := range c.keys {
			s.Claims[c.keys[i].name] = claimOf(c.keys[i].value)
		}
	}
	return s
}

// claimOf is a claim as a token would carry it.
func claimOf(v *value) any {
	if v.form != formList {
		return v.str()
	}
	list := []any{}
	for _, item := range v.strs() {
		list = append(list, item)
	}
	return list
}

func (r *suiteReader) subject(path string, v *value) *access.Subject {
	if v == nil {
		return nil
	}
	if s := r.subjects[v.str()]; s != nil {
		return s
	}
	names := make([]string, 0, len(r.subjects))
	for n := range r.subjects {
		names = append(names, n)
	}
	sort.Strings(names)
	r.faults.add(v.line, path, "%q is not one of the subjects %s%s", v.str(), strings.Join(names, ", "), suggest(v.str(), names))
	return &access.Subject{}
}

func (r *suiteReader) read(i int, v *value) Case {
	path := "cases[" + strconv.Itoa(i) + "]"
	c := Case{
		Name: v.get("name").str(), Position: r.file + ":" + strconv.Itoa(v.line),
		Subject: r.subject(path+".subject", v.get("subject")), Approver: r.subject(path+".approver", v.get("approver")),
	}
	if v.has("does") != v.has("on") {
		r.faults.add(v.line, path, "does and on belong together")
	}
	if v.has("does") && v.has("on") {
		c.Operation.Accesses = append(c.Operation.Accesses, r.access(path, v))
	}
	for n, item := range listed(v, "also") {
		a := r.access(path+".also["+strconv.Itoa(n)+"]", item)
		a.Attributes.Batch = n + 1
		c.Operation.Accesses = append(c.Operation.Accesses, a)
	}
	c.Operation.Unclear = v.get("unclear").str()
	c.Operation.Free = len(c.Operation.Accesses) == 0 && c.Operation.Unclear == ""
	ctx := v.get("context")
	c.Context = access.Context{
		Now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), Client: ctx.get("client").str(), Ticket: ctx.get("ticket").str(), Channel: ctx.get("channel").str(),
	}
	if now := ctx.get("now"); now != nil {
		t, err := time.Parse(time.RFC3339, now.str())
		if err != nil {
			r.faults.add(now.line, path+".context.now", "%q is not a time; write 2026-01-31T09:00:00Z", now.str())
		}
		c.Context.Now = t
	}
	if s := ctx.get("settings"); s != nil {
		c.Context.Settings = map[string]string{}
		for i := range s.keys {
			c.Context.Settings[s.keys[i].name] = s.keys[i].value.str()
		}
	}
	c.Released = texts(ctx.get("released_by"))
	c.expect = r.expectation(path+".expect", v.get("expect"))
	return c
}

func (r *suiteReader) access(path string, v *value) access.Access {
	a := access.Access{Action: access.Action(v.get("does").str())}
	if !a.Action.Known() {
		r.faults.add(v.get("does").lineOr(v.line), path+".does", "%q is not an action%s", a.Action, suggest(string(a.Action), actionNames()))
	}
	resource, err := ParseResource(v.get("on").str())
	if err != nil {
		r.faults.add(v.get("on").lineOr(v.line), path+".on", "%v", err)
	}
	a.Resource = resource
	w := v.get("with")
	number := func(key string, absent int64) int64 {
		if n, err := strconv.ParseInt(w.get(key).str(), 10, 64); err == nil {
			return n
		}
		return absent
	}
	flag := func(key string) bool { return w.get(key).str() == "true" }
	a.Attributes = access.Attributes{
		Limit: number("limit", access.Unbounded), Offset: number("offset", 0), Points: number("points", 0),
		Vectors: flag("vectors"), Cursor: flag("cursor"), Egress: flag("egress"), Lock: flag("lock"),
		Fields: texts(w.get("fields")), FilterFields: texts(w.get("filter_fields")), IDs: texts(w.get("ids")), OrderBy: texts(w.get("order_by")),
		Filter: access.Filter(w.get("filter").str()), Role: w.get("role").str(), Alias: w.get("alias").str(),
	}
	a.Attributes.Rows = number("rows", a.Attributes.Limit)
	return a
}

func (r *suiteReader) expectation(path string, v *value) expectation {
	e := expectation{
		effect: access.Effect(v.get("effect").str()), code: access.Code(v.get("code").str()), says: v.get("says").str(),
		vectors: v.get("vectors").str(), groups: texts(v.get("groups")),
	}
	if rule := v.get("rule"); rule != nil {
		text := rule.str()
		e.rule = &text
	}
	e.persons, _ = strconv.Atoi(v.get("persons").str())
	e.rows, e.topK = count(v.get("rows")), count(v.get("top_k"))
	if l := v.get("record"); l != nil {
		level := access.Level(l.str())
		e.record = &level
	}
	if m := v.get("filters"); m != nil {
		e.filters = map[string][]string{}
		for i := range m.keys {
			e.filters[m.keys[i].name] = m.keys[i].value.strs()
		}
	}
	if m := v.get("masks"); m != nil {
		e.masks = map[string]access.Mask{}
		for i := range m.keys {
			k := &m.keys[i]
			if !fieldPattern.MatchString(k.name) {
				r.faults.add(k.line, path+".masks", "%q is not a field; write products/public/customers.email", k.name)
				continue
			}
			mask := access.Mask(k.value.str())
			if mask == "none" {
				mask = access.MaskNone
			} else if _, ok := maskRank[mask]; !ok {
				r.faults.add(k.line, path+".masks", "%q is not a mask; write drop, null, redact, hash, partial or none", k.value.str())
			}
			e.masks[k.name] = mask
			e.maskKeys = append(e.maskKeys, k.name)
		}
	}
	return e
}

func count(v *value) *int64 {
	if v == nil {
		return nil
	}
	n, _ := strconv.ParseInt(v.str(), 10, 64)
	return &n
}

// ParseResource reads target/namespace/collection; a name may not be empty or hold a slash.
func ParseResource(s string) (access.Resource, error) {
	parts := strings.Split(s, "/")
	if len(parts) > 3 {
		return access.Resource{}, fmt.Errorf("%q has more parts than target/namespace/collection", s)
	}
	for _, p := range parts {
		if p == "" {
			return access.Resource{}, fmt.Errorf("%q is not a resource; write target/namespace/collection", s)
		}
	}
	r := access.Resource{Target: parts[0]}
	if len(parts) > 1 {
		r.Namespace = parts[1]
	}
	if len(parts) > 2 {
		r.Collection = parts[2]
	}
	return r, nil
}
