package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// protect reads a protect statement. A key that would have no effect is a fault: nobody should believe in it.
func (b *builder) protect(i int, v *value) {
	r, path := b.begin(kindProtect, i, v)
	p := &protection{vectors: v.get("vectors").str(), mask: access.Mask(v.get("mask").str()), record: access.Level(v.get("record").str())}
	r.protect = p
	r.who = b.who(path+".who", v.get("who"), p.gives())
	if e := v.get("except"); e != nil {
		r.except = b.who(path+".except", e, !p.gives())
	}
	for _, item := range listed(v, "fields") {
		if text := item.str(); fieldPattern.MatchString(text) {
			resource, _ := splitField(access.FieldPattern(text))
			b.pattern(path+".fields", resource, item.line)
			p.fields = append(p.fields, access.FieldPattern(text))
		}
	}
	if l := v.get("limit"); l != nil {
		p.rows, _ = strconv.ParseInt(l.get("rows").str(), 10, 64)
		p.topK, _ = strconv.ParseInt(l.get("top_k").str(), 10, 64)
		if l.form == formMap && len(l.keys) == 0 {
			b.faults.add(l.line, path+".limit", "says nothing; write top_k or rows")
		}
	}
	if f := v.get("filter"); f != nil && f.form == formMap {
		p.filter = b.filter(path+".filter", f)
	}
	if x := v.get("budget"); x != nil {
		b.faults.add(x.line, path+".budget", "budgets are not available in this version; nothing would be counted, so remove it")
	}
	b.protectMakesSense(path, v, p)
	hides := len(p.fields) > 0 || p.vectors == "withhold"
	p.treat = access.Treatment{
		Mask: p.mask, Rule: r.name, Predicates: v.get("predicates").str(), Derived: v.get("derived").str(), Distance: v.get("distance").str(),
	}
	if hides && p.mask == "" {
		p.treat.Mask = access.MaskRedact
	}
	b.protects = append(b.protects, r)
}

// filter reads what a filter compares with what.
func (b *builder) filter(path string, v *value) *filter {
	f := &filter{field: v.get("field").str()}
	values := v.get("values")
	switch {
	case values == nil:
	case values.form == formList:
		for _, item := range values.items {
			text := item.str()
			if strings.ContainsAny(text, "\n\t") {
				b.faults.add(item.line, path+".values", "holds a control character")
			}
			if !slices.Contains(f.literal, text) {
				f.literal = append(f.literal, text)
			}
		}
	case values.str() != "":
		prog, err := b.conditions.compileValues(values.str())
		if err != nil {
			b.faults.add(values.line, path+".values", "%v", err)
		}
		f.text, f.prog = values.str(), prog
	}
	return f
}

func (b *builder) protectMakesSense(path string, v *value, p *protection) {
	hides := v.has("fields") || p.vectors == "withhold"
	switch {
	case !hides && p.vectors == "" && !v.has("limit") && !v.has("filter") && !v.has("record") && !v.has("budget"):
		b.faults.add(v.line, path, "protects nothing; write fields, vectors, limit, filter or record")
	case p.gives() && (v.has("fields") || v.has("limit") || v.has("filter") || v.has("record")):
		b.faults.add(v.get("vectors").line, path+".vectors", "allow gives something, the rest of the statement hides something; write two statements")
	}
	if !hides {
		for _, key := range []string{"mask", "predicates", "derived", "distance"} {
			if k := v.get(key); k != nil {
				b.faults.add(k.line, path+"."+key, "has no effect without fields or vectors: withhold")
			}
		}
	}
	if on := v.get("on"); on != nil && p.vectors == "" && !v.has("limit") && !v.has("filter") && !v.has("record") {
		b.faults.add(on.line, path+".on", "has no effect on fields, whose patterns say where they are; remove it")
	}
	if p.vectors == "withhold" && (p.mask == access.MaskPartial || p.mask == access.MaskHash) {
		b.faults.add(v.get("mask").line, path+".mask", "a vector cannot be shown in part; write null, drop or redact")
	}
}
