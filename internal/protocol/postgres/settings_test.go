package postgres

import (
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
)

func TestSettingsThatMayHaveBeenTakenBackAreBothBound(t *testing.T) {
	fresh := func() *settings {
		s := &settings{}
		s.begin([len(styles)]string{"ISO, MDY", "postgres", "UTC"}, map[string]string{"application_name": "a", "extra_float_digits": "3"},
			[]setting{{"DateStyle", "ISO, MDY"}, {"IntervalStyle", "postgres"}, {"TimeZone", "UTC"}})
		return s
	}
	ef := func(value string) analysis.Setting { return analysis.Setting{Name: "hnsw.ef_search", Value: value} }
	for _, c := range []struct {
		do   func(s *settings)
		want string
	}{
		{func(*settings) {}, `extra_float_digits = "3"`},
		{func(s *settings) { s.report("DateStyle", "ISO, DMY") }, "DateStyle = \"ISO, DMY\"\nextra_float_digits = \"3\""},
		{func(s *settings) { s.change(ef("40"), true) }, "extra_float_digits = \"3\"\nhnsw.ef_search = \"40\""},
		{func(s *settings) { s.change(ef("40"), false) }, "extra_float_digits = \"3\"\nhnsw.ef_search = the target's own or \"40\""},
		{func(s *settings) { s.change(ef("40"), true); s.change(ef("100"), false) }, "extra_float_digits = \"3\"\nhnsw.ef_search = \"100\" or \"40\""},
		{func(s *settings) { s.change(ef("40"), false); s.change(ef("100"), true) }, "extra_float_digits = \"3\"\nhnsw.ef_search = \"100\""},
		{func(s *settings) {
			s.change(ef("40"), true)
			s.change(analysis.Setting{Name: "all", Reset: true}, true)
		}, `extra_float_digits = "3"`},
		{func(s *settings) { s.change(analysis.Setting{Name: "application_name", Value: "x"}, true) }, `extra_float_digits = "3"`},
	} {
		s := fresh()
		c.do(s)
		got := strings.ReplaceAll(string(showSettings(nil, "with", s.bound)), "-- with ", "")
		if strings.TrimSpace(got) != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestSettingsOfAnApprovalStaySmall(t *testing.T) {
	s := &settings{}
	s.begin([len(styles)]string{}, nil, nil)
	seen := map[string]bool{}
	for i := range 200 {
		s.change(analysis.Setting{Name: "hnsw.ef_search", Value: strings.Repeat("1", i)}, false)
		if seen[s.bound] {
			t.Fatalf("another value is bound like one before: %q", s.bound)
		}
		seen[s.bound] = true
	}
	bound := s.bound
	for range 1000 {
		bound = after(bound, "SET datestyle = '"+strings.Repeat("x", 10_000)+"'")
	}
	if len(s.bound) > 2000 || len(bound) > 20_000 {
		t.Errorf("%d and %d bytes", len(s.bound), len(bound))
	}
}
