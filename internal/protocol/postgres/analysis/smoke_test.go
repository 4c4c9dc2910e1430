package analysis

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestSmoke(t *testing.T) {
	file := os.Getenv("SMOKE")
	if file == "" {
		t.SkipNow()
	}
	cat, _ := catalogOf(t)
	a := New(Options{Target: "products"})
	b, _ := os.ReadFile(file)
	for _, q := range strings.Split(string(b), "\n;;\n") {
		q = strings.TrimSpace(q)
		if q == "" {
			continue
		}
		p := a.Analyze(q, cat)
		fmt.Println("--", q)
		if p.Refused != nil {
			fmt.Printf("   REFUSED %+v\n", *p.Refused)
		}
		for _, s := range p.Statements {
			fmt.Printf("   %v cap=%d param=%d/%d unclear=%q %s opaque=%q rows=%v\n", s.Kind, s.RowCap, s.LimitParam, s.BoundParam, s.Unclear, s.Missing, s.Opaque, s.ReturnsRows)
			for _, acc := range s.Accesses {
				fmt.Printf("     %s %s %+v\n", acc.Action, acc.Resource, acc.Attributes)
			}
			for _, o := range s.Outputs {
				cp, d := "", ""
				if o.Copy != nil {
					cp = o.Copy.Resource.Collection + "." + o.Copy.Name
				}
				if o.Distance != nil {
					d = o.Distance.Name
				}
				var src []string
				for _, c := range o.Sources {
					src = append(src, c.Resource.Collection+"."+c.Name)
				}
				fmt.Printf("     > %s copy=%s dist=%s from=%v\n", o.Name, cp, d, src)
			}
			tr, ref := s.Oblige(protection())
			if ref != nil {
				fmt.Println("     NO:", ref.Message, "|", ref.Hint)
			} else {
				var ms []string
				for _, c := range tr.Columns {
					ms = append(ms, string(c.Mask))
				}
				fmt.Printf("     OK masks=%q redact=%v forbidden=%d\n", ms, tr.Redact, len(tr.Forbidden))
			}
		}
	}
}
