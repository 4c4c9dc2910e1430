package server

import (
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/recording"
)

func TestAReplayTellsInWhichWordsAnAnswerWasBrokenOff(t *testing.T) {
	l, err := audit.Open(t.Context(), audit.Options{Dir: t.TempDir(), Origin: "vecgate/test", Self: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const words = "a request may return 10 rows at most here, and the answer has more"
	for request, asked := range map[string]string{"s.1": "Q\x00\x00\x00\x0dselect 1\x00", "s.2": "POST /points/scroll\n{}", "s.3": "gRPC /qdrant.Points/Scroll\n\n"} {
		if err := l.Body(request, audit.Asked, []byte(asked)); err != nil {
			t.Fatal(err)
		}
		l.Append(&audit.Record{Type: audit.TypeIntent, Session: "s", Request: request, Effect: access.Allow})
		end := l.Append(&audit.Record{Type: audit.TypeOutcome, Session: "s", Request: request, Effect: access.Deny, Code: access.CodeLimit, Detail: words})
		if err := end.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	err = Replay(t.Context(), l.Reader(), "s", recording.Options{}, 1, func(x admin.Exchange) error {
		for _, line := range x.Lines {
			if line.Kind == "error" && strings.Contains(line.Text, words) {
				told++
			}
		}
		return nil
	})
	if err != nil || told != 3 {
		t.Errorf("told in %d of 3 exchanges; %v", told, err)
	}
}
