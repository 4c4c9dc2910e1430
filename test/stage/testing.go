package stage

import (
	"testing"
)

// Start is Open for a test: the gateway ends with it, its log is verified, and what it printed is shown when the test failed.
func Start(t testing.TB, o Options) *Stage {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := s.Verify(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.Process.Output())
		}
	})
	return s
}

// Beside is Run for a test.
func Beside(t testing.TB, dir string, environ []string, argv ...string) *Process {
	t.Helper()
	p, err := Run(dir, environ, argv...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Log(p.Output())
		}
	})
	return p
}

// As is Token for a test.
func (s *Stage) As(t testing.TB, who string) string {
	t.Helper()
	token, err := s.Token(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
