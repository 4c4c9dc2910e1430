package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Tickets judges the change ticket that is attached to a request. It is asked on the road of the request, so it answers
// from the context: what the ticket's system says was looked up before (see access.Change and Decision.LookUp).
type Tickets interface {
	// Reviewed returns nil when the change is open now, covers the access, and was reviewed by a peer of the subject. Its
	// error may be an *access.Refusal, whose hint is then the way out.
	Reviewed(about *access.Context, s *access.Subject, a *access.Access) error
}

// Options are what a policy needs to know of the gateway that it is for.
type Options struct {
	// Tickets checks change tickets. Without it, no `after: {ticket: reviewed}` is ever satisfied.
	Tickets Tickets
	// Targets are the registered targets. When there are any, a pattern that names none of them is a fault.
	Targets []string
}

// Load reads the policy file at path. Faults of the file are returned as Faults.
func Load(path string, opts Options) (*Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if info.Size() > maxFile {
		return nil, Faults{{File: filepath.Base(path), Line: 1, Message: fmt.Sprintf("the file has %d bytes; a policy has at most %d", info.Size(), maxFile)}}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	p, err := Parse(filepath.Base(path), text, opts)
	if err != nil {
		return nil, err
	}
	p.path = path
	return p, nil
}

// Parse reads a policy. Its error is Faults: everything that is wrong, not the first thing only. name is how positions
// call the file.
func Parse(name string, text []byte, opts Options) (*Policy, error) {
	faults := &faultList{file: name}
	b := &builder{faults: faults, file: name, opts: opts, duties: map[string]actionSet{}, names: map[string]int{}, unknown: map[string]bool{}}
	if root := readSource(text, faults); root != nil {
		shapePolicy.check(faults, "", root)
		b.build(root)
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(text)
	p := &Policy{
		file: name, path: name, text: slices.Clone(text), digest: "sha256:" + hex.EncodeToString(digest[:]), tickets: opts.Tickets,
		duties: b.duties, allows: b.allows, denies: b.denies, protects: b.protects, separations: b.separations,
	}
	if err := p.review(); err != nil {
		return nil, err
	}
	return p, nil
}

// builder makes statements out of values that have been checked against the shapes. It is tolerant of what the shapes
// have already reported, so that one fault does not hide the others.
type builder struct {
	faults      *faultList
	file        string
	opts        Options
	conditions  conditions
	duties      map[string]actionSet
	names       map[string]int  // statement name -> line
	unknown     map[string]bool // names of targets that were told of
	allows      []*rule
	denies      []*rule
	protects    []*rule
	separations []*separation
}

func (b *builder) build(root *value) {
	if d := root.get("duties"); d != nil {
		for i := range d.keys {
			b.duty(&d.keys[i])
		}
	}
	for i, v := range listed(root, "allow") {
		b.allow(i, v)
	}
	for i, v := range listed(root, "deny") {
		b.deny(i, v)
	}
	for i, v := range listed(root, "protect") {
		b.protect(i, v)
	}
	for i, v := range listed(root, "separate") {
		b.separate(i, v)
	}
	if root.form == formMap && len(listed(root, "allow")) == 0 {
		b.faults.add(root.line, "", "there is no allow statement, so nobody may do anything; write one")
	}
}

func listed(root *value, key string) []*value {
	if v := root.get(key); v != nil {
		return v.items
	}
	return nil
}

func (b *builder) duty(k *entry) {
	path := "duties." + k.name
	if k.name == approve {
		b.faults.add(k.line, path, "approve is the duty of those who release requests and cannot be defined")
		return
	}
	set := actionSet{}
	for _, item := range k.value.items {
		if text := item.str(); text != "" && !b.addActions(set, text) {
			b.faults.add(item.line, path, "%q is not an action%s", text, suggest(text, actionNames()))
		}
	}
	if access.Action(k.name).Known() && !set[access.Action(k.name)] {
		b.faults.add(k.line, path, "%q is an action, which a duty of that name must contain; add it or choose another name", k.name)
	}
	b.duties[k.name] = set
}

// addActions adds an action, or all actions that a star stands for. A star never stands for unknown: what could not be
// read is allowed by name only.
func (b *builder) addActions(set actionSet, text string) bool {
	if access.Action(text).Known() {
		set[access.Action(text)] = true
		return true
	}
	if !strings.Contains(text, "*") {
		return false
	}
	found := false
	for _, a := range access.Actions() {
		if a != access.Unknown && access.Glob(text, string(a)) {
			set[a], found = true, true
		}
	}
	return found
}

func (b *builder) can(path string, v *value, deny bool) actionSet {
	set := actionSet{}
	if v == nil {
		for _, a := range access.Actions() {
			set[a] = true
		}
		return set
	}
	for _, item := range v.items {
		text := item.str()
		switch duty, ok := b.duties[text]; {
		case text == "":
		case ok:
			for a := range duty {
				set[a] = true
			}
		case text == approve:
			b.faults.add(item.line, path, "approve is not given by a statement; after.approval.by says who may release what")
		case deny && text == "*":
			for _, a := range access.Actions() {
				set[a] = true
			}
		case !b.addActions(set, text):
			names := actionNames()
			for d := range b.duties {
				names = append(names, d)
			}
			sort.Strings(names)
			b.faults.add(item.line, path, "%q is not an action or duty%s", text, suggest(text, names))
		}
	}
	return set
}

// begin reads what every statement has.
func (b *builder) begin(kind statementKind, i int, v *value) (*rule, string) {
	path := string(kind) + "[" + strconv.Itoa(i) + "]"
	r := &rule{
		kind: kind, index: i, line: v.line, position: b.file + ":" + strconv.Itoa(v.line),
		name: v.get("name").str(), because: strings.TrimSpace(v.get("because").str()),
	}
	b.name(path, r.name, v.get("name").lineOr(v.line))
	if w := v.get("when"); w.str() != "" {
		c, err := b.conditions.compile(w.str())
		if err != nil {
			b.faults.add(w.line, path+".when", "%v", err)
		}
		r.when = c
	}
	r.on = b.on(path, v.get("on"))
	return r, path
}

func (b *builder) name(path, name string, line int) {
	if name == "" {
		return
	}
	if first, taken := b.names[name]; taken {
		b.faults.add(line, path+".name", "%q is the name of the statement in line %d already", name, first)
		return
	}
	b.names[name] = line
}

// on reads patterns; without any the statement is about everything.
func (b *builder) on(path string, v *value) []access.Pattern {
	if v == nil {
		return []access.Pattern{"**"}
	}
	var on []access.Pattern
	for _, item := range v.items {
		text := item.str()
		b.pattern(path+".on", text, item.line)
		on = append(on, access.Pattern(text))
	}
	return on
}

// pattern reports what the shape of a pattern does not show.
func (b *builder) pattern(path, pattern string, line int) {
	if i := strings.Index(pattern, "**"); i >= 0 && (i != len(pattern)-2 || i > 0 && pattern[i-1] != '/') {
		b.faults.add(line, path, "%q: ** stands for all that follows, so it can only be the last part, alone", pattern)
	}
	if len(b.opts.Targets) == 0 || pattern == "" {
		return
	}
	name := target(pattern)
	for _, t := range b.opts.Targets {
		if access.Glob(name, t) {
			return
		}
	}
	if b.unknown[name] {
		return // told once: a policy that was written for another target names it in every line
	}
	b.unknown[name] = true
	b.faults.add(line, path, "no target is called %q; the targets are %s%s (here and wherever else the policy names it)", name, strings.Join(b.opts.Targets, ", "), suggest(name, b.opts.Targets))
}

// who reads whom a statement is about; gives says that matching gives something.
func (b *builder) who(path string, v *value, gives bool) *who {
	w := &who{gives: gives}
	if v == nil || v.form == formText {
		w.anyone = true
		return w
	}
	w.kind, w.id = access.Kind(v.get("kind").str()), v.get("id").str()
	w.groups, w.persons, w.providers = texts(v.get("groups")), texts(v.get("persons")), texts(v.get("providers"))
	if e := v.get("except"); e != nil {
		w.except = b.who(path+".except", e, !gives)
	}
	if w.kind == "" && w.id == "" && w.groups == nil && w.persons == nil && w.providers == nil {
		if v.form == formMap && len(v.keys) == 0 {
			b.faults.add(v.line, path, "says nothing; write \"anyone\", or kind, id, groups, persons or providers")
		}
		w.anyone = true
	}
	return w
}

func texts(v *value) []string {
	if v == nil {
		return nil
	}
	return v.strs()
}

func (b *builder) allow(i int, v *value) {
	r, path := b.begin(kindAllow, i, v)
	r.who = b.who(path+".who", v.get("who"), true)
	if v.has("can") {
		r.can = b.can(path+".can", v.get("can"), false)
	}
	if a := v.get("after"); a != nil && a.form == formMap {
		if len(a.keys) == 0 {
			b.faults.add(a.line, path+".after", "says nothing; write approval or ticket, or remove it")
		}
		r.after = &after{ticket: a.has("ticket")}
		if ap := a.get("approval"); ap != nil {
			r.after.approval = b.approval(ap)
		}
	}
	if r.after != nil && r.can[access.Connect] && v.has("can") && slices.Contains(texts(v.get("can")), string(access.Connect)) {
		b.faults.add(v.get("after").lineOr(v.line), path+".after", "connecting cannot wait for anybody; put connect into a statement of its own")
	}
	b.allows = append(b.allows, r)
}

func (b *builder) approval(v *value) *approval {
	a := &approval{persons: 1, within: 15 * time.Minute, grant: 10 * time.Minute}
	by := v.get("by")
	a.groups, a.exclude = texts(by.get("groups")), texts(by.get("except"))
	if n, err := strconv.Atoi(v.get("persons").str()); err == nil {
		a.persons = n
	}
	if d, err := parseDuration(v.get("within").str()); err == nil {
		a.within = d
	}
	if d, err := parseDuration(v.get("grant").str()); err == nil {
		a.grant = d
	}
	return a
}

func (b *builder) deny(i int, v *value) {
	r, path := b.begin(kindDeny, i, v)
	r.who = b.who(path+".who", v.get("who"), false)
	if e := v.get("except"); e != nil {
		r.except = b.who(path+".except", e, true)
	}
	r.can = b.can(path+".can", v.get("can"), true)
	b.denies = append(b.denies, r)
}

func (b *builder) separate(i int, v *value) {
	path := "separate[" + strconv.Itoa(i) + "]"
	s := &separation{
		name: v.get("name").str(), index: i, line: v.line, position: b.file + ":" + strconv.Itoa(v.line),
		because: strings.TrimSpace(v.get("because").str()), on: b.on(path, v.get("on")),
	}
	b.name(path, s.name, v.get("name").lineOr(v.line))
	if w := v.get("within"); w != nil {
		b.faults.add(w.line, path+".within", "separation by what was done before is not available in this version; without within, the duties are kept apart at any time")
	}
	seen := map[string]bool{}
	for _, item := range listed(v, "duties") {
		text := item.str()
		if text == "" {
			continue
		}
		if seen[text] {
			b.faults.add(item.line, path+".duties", "%q stands here twice", text)
			continue
		}
		seen[text] = true
		if text == approve {
			s.approve = true
			continue
		}
		d := duty{name: text, actions: b.duties[text]}
		if d.actions == nil {
			d.actions = actionSet{}
			if !b.addActions(d.actions, text) {
				names := append(actionNames(), approve)
				for n := range b.duties {
					names = append(names, n)
				}
				sort.Strings(names)
				b.faults.add(item.line, path+".duties", "%q is not a duty or action%s", text, suggest(text, names))
			}
		}
		for _, o := range s.duties {
			if o.actions.meets(d.actions) {
				b.faults.add(item.line, path+".duties", "%s and %s share an action, so they cannot be kept apart", o.name, d.name)
			}
		}
		s.duties = append(s.duties, d)
	}
	b.separations = append(b.separations, s)
}
