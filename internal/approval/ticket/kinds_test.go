package ticket_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval/ticket"
	"github.com/vecgate/vecgate/test/tickettest/standin"
)

// change is a change request as the stand-in for ServiceNow keeps it.
func change(number string, other ...string) map[string]any {
	row := map[string]any{
		"sys_id": fmt.Sprintf("%032x", len(number)*1000+int(number[len(number)-1])), "number": number, "type": "normal", "state": "-1", "approval": "approved",
		"active": "true", "on_hold": "false", "start_date": "2026-11-22 00:00:00", "end_date": "2026-11-22 18:00:00", "cmdb_ci.name": "prod",
		"requested_by.user_name": "ada", "requested_by.email": "ada@example.com", "assigned_to.user_name": "olga", "assigned_to.email": "olga.ops@example.com",
		"work_notes": "not asked for",
	}
	for i := 0; i < len(other); i += 2 {
		row[other[i]] = other[i+1]
	}
	return row
}

func approver(of map[string]any, user string, other ...string) map[string]any {
	row := map[string]any{
		"sys_id": fmt.Sprintf("%032x", len(user)), "state": "approved", "approver.user_name": user, "approver.email": user + "@example.com", "approver.active": "true",
		"sysapproval.sys_id": of["sys_id"], "sys_updated_on": "2026-11-20 10:00:00",
	}
	for i := 0; i < len(other); i += 2 {
		row[other[i]] = other[i+1]
	}
	return row
}

func serviceNow(url string) []ticket.Config {
	return []ticket.Config{{
		Name: "snow", Kind: ticket.KindServiceNow, Match: `CHG[0-9A-Za-z^=]+`, URL: url, MaxAge: 30 * 24 * time.Hour, Fresh: time.Minute,
		Credential: func() (string, string, error) { return "vecgate", secret, nil },
		Covers:     `ticket.change_request["cmdb_ci.name"] == access.target`,
	}}
}

func TestServiceNowsChangeRequestsOnAStandIn(t *testing.T) {
	d := open(t, serviceNow)
	for i, c := range []struct {
		change []string
		by     [][]string
		says   string
	}{
		{nil, [][]string{{"ben"}}, ""},
		{nil, nil, "nobody reviewed it in snow"},
		{nil, [][]string{{"ada"}}, "is the change's own author"},
		{nil, [][]string{{"olga", "approver.email", "olga.ops@example.com"}}, "is the change's own author"}, // it is assigned to her
		{[]string{"assigned_to.user_name", "", "assigned_to.email", ""}, [][]string{{"olga", "approver.email", "olga.ops@example.com"}}, "is who asks"},
		{nil, [][]string{{"ben", "state", "requested"}}, "nobody reviewed it"},
		{nil, [][]string{{"ben", "approver.active", "false"}}, "nobody reviewed it"},
		{nil, [][]string{{"ben", "approver.email", ""}}, "is nobody whom the gateway knows"},
		{nil, [][]string{{"ben", "sysapproval.sys_id", strings.Repeat("0", 32)}}, "nobody reviewed it"},
		{nil, [][]string{{"ben", "sys_updated_on", "2026-10-01 10:00:00"}}, "a review counts for 30d only"},
		{nil, [][]string{{"ben"}, {"cleo", "sys_updated_on", "2026-10-01 10:00:00"}}, ""},
		{[]string{"approval", "requested"}, [][]string{{"ben"}}, `its approval is "requested"`},
		{[]string{"approval", "rejected"}, [][]string{{"ben"}}, `its approval is "rejected"`},
		{[]string{"state", "3"}, [][]string{{"ben"}}, `its state is "3"`},
		{[]string{"state", "-2"}, [][]string{{"ben"}}, ""},
		{[]string{"state", "-4"}, [][]string{{"ben"}}, `its state is "-4"`},
		{[]string{"state", ""}, [][]string{{"ben"}}, `its state is ""`},
		{[]string{"active", "false"}, [][]string{{"ben"}}, "it is not active"},
		{[]string{"on_hold", "true"}, [][]string{{"ben"}}, "it is on hold"},
		{[]string{"start_date", "2026-11-22 13:00:00"}, [][]string{{"ben"}}, "opens at 2026-11-22T13:00:00Z"},
		{[]string{"end_date", "2026-11-22 12:00:00"}, [][]string{{"ben"}}, "closed at 2026-11-22T12:00:00Z"},
		{[]string{"start_date", "", "end_date", ""}, [][]string{{"ben"}}, ""},
		{[]string{"end_date", "22.11.2026"}, [][]string{{"ben"}}, "is not understood"},
		{[]string{"cmdb_ci.name", "staging"}, [][]string{{"ben"}}, "it does not cover"},
		{[]string{"sys_id", "1^ORstate=approved"}, [][]string{{"ben"}}, "is not understood"},
		{[]string{"number", "CHG0"}, [][]string{{"ben"}}, "has no such ticket"},
	} {
		d.Clear("change_request")
		d.Clear("sysapproval_approver")
		number := fmt.Sprintf("CHG00300%02d", i)
		row := change(number, c.change...)
		d.Row("change_request", row)
		d.Row("change_request", change("CHG0999999"))
		for _, by := range c.by {
			d.Row("sysapproval_approver", approver(row, by[0], by[1:]...))
		}
		if got := d.judged(t, olga, number, items); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%v by %v: %q, want %q", c.change, c.by, got, c.says)
		}
	}
	// The fields that were not asked for are in no record.
	for _, s := range d.recorded() {
		if strings.Contains(string(s.Snapshot), "work_notes") {
			t.Errorf("recorded %s", s.Snapshot)
		}
	}
}

func TestANumberAddsNoConditionToAQuery(t *testing.T) {
	d := open(t, serviceNow)
	row := change("CHG7")
	d.Row("change_request", row)
	d.Row("sysapproval_approver", approver(row, "ben"))
	asked := len(d.Asked())
	for _, name := range []string{"CHG8^ORnumber=CHG7", "CHG8%5EORnumber=CHG7", "CHG8^NQnumber=CHG7"} {
		if says := d.judged(t, olga, name, items); says == "" {
			t.Errorf("%s is reviewed", name)
		}
	}
	if n := len(d.Asked()); n != asked {
		t.Errorf("asked for %s", d.Asked())
	}
	// Two of one number, which a table without a unique index can have, are none.
	d.Row("change_request", change("CHG7"))
	if says := d.judged(t, olga, "CHG7", items); !strings.Contains(says, "two change requests of this number") {
		t.Error(says)
	}
}

// The queries are spelled out here, apart from the stand-in, which is as forgiving as whoever wrote it. The answers have the
// Table API's form and field names; they were not taken from an instance.
func TestServiceNowIsAskedInTheFormOfItsTableAPI(t *testing.T) {
	d := open(t, serviceNow)
	d.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		switch q := r.URL.Query(); {
		case strings.HasSuffix(r.URL.Path, "/change_request") && q.Get("sysparm_query") == "number=CHG0030002":
			_, _ = w.Write([]byte(`{"result":[{"sys_id":"1c87925347c12200e0ef563dbb9a7190","number":"CHG0030002","type":"normal","state":"-1","approval":"approved","active":"true","on_hold":"false",
				"start_date":"2026-11-22 08:00:00","end_date":"2026-11-22 18:00:00","cmdb_ci":"","cmdb_ci.name":"prod","requested_by.user_name":"ada","requested_by.email":"ada@example.com"}]}`))
		case strings.HasSuffix(r.URL.Path, "/sysapproval_approver") && q.Get("sysparm_query") == "sysapproval=1c87925347c12200e0ef563dbb9a7190^state=approved":
			_, _ = w.Write([]byte(`{"result":[{"sys_id":"d0a1","state":"approved","approver.user_name":"ben","approver.email":"ben@example.com","approver.active":"true",
				"sysapproval.sys_id":"1c87925347c12200e0ef563dbb9a7190","sys_updated_on":"2026-11-21 08:00:00"}]}`))
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":{"message":"Invalid query","detail":null},"status":"failure"}`))
		}
		return true
	})
	if says := d.judged(t, olga, "CHG0030002", items); says != "" {
		t.Error(says)
	}
	if says := d.judged(t, olga, "CHG0030003", items); !strings.Contains(says, "does not take the question") {
		t.Error(says)
	}
}

func gitHub(url string) []ticket.Config {
	return []ticket.Config{{
		Name: "hub", Kind: ticket.KindGitHub, Match: `^OPS-([0-9]+)$`, URL: url + "/github", Repository: "acme/changes", MaxAge: 30 * 24 * time.Hour, Fresh: time.Minute,
		Accounts: map[string]string{"olga-gh": "corp:olga.ops@example.com", "Ben-GH": "corp:ben@example.com", "bot": "corp:bot@example.com", "ada": "corp:ada@example.com", "cleo": "corp:cleo@example.com"},
		Covers:   `("changes/" + access.target + "/" + access.collection + ".yaml") in ticket.files`,
	}}
}

const head, before = "ecdd80bb57125d7ba9641ffaa4d7d2c19d3f3091", "6dcb09b5b57875f334f61aebed695e2e4193db5e"

func TestGitHubsPullRequestsOnAStandIn(t *testing.T) {
	d := open(t, gitHub)
	good := standin.Review{Login: "ben-gh", State: "APPROVED", Commit: head}
	with := func(f func(*standin.Review)) standin.Review {
		r := good
		f(&r)
		return r
	}
	many := func(n int, r standin.Review) (all []standin.Review) {
		for range n {
			all = append(all, r)
		}
		return all
	}
	comment := with(func(r *standin.Review) { r.State = "COMMENTED" })
	for i, c := range []struct {
		pull    func(*standin.Pull)
		reviews []standin.Review
		says    string
	}{
		{nil, []standin.Review{good}, ""},
		{nil, nil, "nobody reviewed it in hub"},
		{nil, []standin.Review{comment}, "nobody reviewed it in hub"},
		{nil, []standin.Review{good, comment}, ""},
		{nil, []standin.Review{good, with(func(r *standin.Review) { r.State = "DISMISSED" })}, "nobody reviewed it"},
		{nil, []standin.Review{good, with(func(r *standin.Review) { r.State = "CHANGES_REQUESTED" })}, `"ben-gh" asks for changes`},
		{nil, []standin.Review{with(func(r *standin.Review) { r.State = "CHANGES_REQUESTED" }), good}, ""},
		{nil, []standin.Review{good, {Login: "cleo", State: "CHANGES_REQUESTED", Commit: head}}, `"cleo" asks for changes`},
		{nil, []standin.Review{with(func(r *standin.Review) { r.State = "approved" })}, "nobody reviewed it"},
		// An approval of what is no longer the newest commit.
		{nil, []standin.Review{with(func(r *standin.Review) { r.Commit = before })}, "approved before its newest commit"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.Commit = before }), good}, ""},
		// Anybody can approve on a public repository.
		{nil, []standin.Review{with(func(r *standin.Review) { r.Association = "NONE" })}, "nobody reviewed it"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.Association = "CONTRIBUTOR" })}, "nobody reviewed it"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.Login = "stranger" })}, "is nobody whom the gateway knows"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.Login = "" })}, "nobody reviewed it"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.Login, r.Type = "bot", "Bot" })}, "is not a person"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.Login = "olga-gh" })}, "is who asks"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.Login = "ada" })}, "is the change's own author"},
		// Who wrote a part of it cannot approve it.
		{func(p *standin.Pull) { p.Commits = []string{"ada", "ben-gh"} }, []standin.Review{good}, "is the change's own author"},
		{func(p *standin.Pull) { p.Draft = true }, []standin.Review{good}, "it is a draft"},
		{func(p *standin.Pull) { p.State = "closed" }, []standin.Review{good}, "closed without being merged"},
		{func(p *standin.Pull) { p.State, p.MergedAt = "closed", "2026-11-21T08:00:00Z" }, []standin.Review{good}, ""},
		{func(p *standin.Pull) { p.Author = "" }, []standin.Review{good}, "is not understood"},
		{func(p *standin.Pull) { p.Files = []string{"README.md"} }, []standin.Review{good}, "it does not cover"},
		{func(p *standin.Pull) { p.Files = append(many100(), p.Files...) }, []standin.Review{good}, ""},
		{nil, []standin.Review{with(func(r *standin.Review) { r.At = "2026-10-01T00:00:00Z" })}, "a review counts for 30d only"},
		{nil, []standin.Review{with(func(r *standin.Review) { r.At = "yesterday" })}, "is not understood"},
		// The last word may be on the second page.
		{nil, append(append([]standin.Review{good}, many(120, comment)...), with(func(r *standin.Review) { r.State = "DISMISSED" })), "nobody reviewed it"},
		{nil, append(many(300, comment), good), "300 reviews or more"},
	} {
		p := standin.Pull{Author: "ada", Head: head, Commits: []string{"ada", ""}, Reviews: c.reviews, Files: []string{"changes/prod/items.yaml"}}
		if c.pull != nil {
			c.pull(&p)
		}
		d.Pull("acme/changes", i+1, p)
		if got := d.judged(t, olga, fmt.Sprintf("OPS-%d", i+1), items); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%d: %.300v: %q, want %q", i, p, got, c.says)
		}
	}
	for name, says := range map[string]string{"OPS-007": "not the number of a pull request", "OPS-0": "not the number", "OPS-999": "no such ticket", "OPS-99999999999": "not the number"} {
		if got := d.judged(t, olga, name, items); !strings.Contains(got, says) {
			t.Errorf("%s: %q, want %q", name, got, says)
		}
	}
}

func many100() (names []string) {
	for i := range 100 {
		names = append(names, fmt.Sprintf("docs/%d.md", i))
	}
	return names
}

// After the examples in GitHub's documentation of a pull request and of its reviews, shortened, with another reviewer, commit
// and date: all the members that are not read do no harm.
func TestGitHubsAnswersAreReadAmongAllTheirMembers(t *testing.T) {
	d := open(t, gitHub)
	octocat := `{"login":"octocat","id":1,"node_id":"MDQ6VXNlcjE=","avatar_url":"https://github.com/images/error/octocat_happy.gif","gravatar_id":"","type":"User","site_admin":false}`
	d.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		body := "[]"
		switch r.URL.Path {
		case "/github/repos/acme/changes/pulls/1347":
			body = `{"url":"https://api.github.com/repos/octocat/Hello-World/pulls/1347","id":1,"number":1347,"state":"open","locked":true,"title":"Amazing new feature","user":` + octocat + `,
				"body":"Please pull these awesome changes in!","labels":[{"id":208045946,"name":"bug","color":"f29513","default":true}],"milestone":null,"active_lock_reason":"too heated",
				"created_at":"2011-01-26T19:01:12Z","closed_at":"2011-01-26T19:01:12Z","merged_at":null,"assignee":` + octocat + `,"head":{"label":"octocat:new-topic","ref":"new-topic","sha":"` + head + `"},
				"base":{"label":"octocat:master","ref":"master","sha":"` + before + `"},"author_association":"OWNER","auto_merge":null,"draft":false,"merged":false,"mergeable":true,"commits":3}`
		case "/github/repos/acme/changes/pulls/1347/reviews":
			body = `[{"id":80,"node_id":"MDE3OlB1bGxSZXF1ZXN0UmV2aWV3ODA=","user":` + strings.Replace(octocat, "octocat", "cleo", 1) + `,"body":"Here is the body for the review.","state":"APPROVED",
				"html_url":"https://github.com/octocat/Hello-World/pull/12#pullrequestreview-80","_links":{"html":{"href":"https://github.com"}},"submitted_at":"2026-11-17T17:43:43Z",
				"commit_id":"` + head + `","author_association":"COLLABORATOR"}]`
		case "/github/repos/acme/changes/pulls/1347/files":
			body = `[{"sha":"bbcd538c8e72b8c175046e27cc8f907076331401","filename":"changes/prod/items.yaml","status":"added","additions":103,"deletions":21,"changes":124,"patch":"@@ -132,7 +132,7 @@"}]`
		}
		_, _ = w.Write([]byte(body))
		return true
	})
	if says := d.judged(t, olga, "OPS-1347", items); says != "" {
		t.Error(says)
	}
}

// An approval can only be lost by what is added to a ticket.
func FuzzServiceNowsAnswers(f *testing.F) {
	fuzz(f, serviceNow, "CHG7", `{"result":[{"sys_id":"1c87925347c12200e0ef563dbb9a7190","number":"CHG7","approval":"approved","state":"-1"}]}`)
}

func FuzzGitHubsAnswers(f *testing.F) {
	fuzz(f, gitHub, "OPS-1", `{"number":1,"user":{"login":"ada"},"draft":false,"state":"open","head":{"sha":"x"}}`)
}

func FuzzDescribedAnswers(f *testing.F) {
	fuzz(f, one, "CHG-7", `{"state":"approved","approvals":[{"verdict":"yes","by":{"email":"ben@example.com"}}]}`)
}

// fuzz answers two questions in a row with arbitrary bytes: nothing that they say may break the gateway, and olga's own
// word is never enough.
func fuzz(f *testing.F, configs func(string) []ticket.Config, name, answer string) {
	f.Add([]byte(answer), []byte(`{"result":[{"state":"approved","approver.user_name":"olga.ops@example.com","approver.email":"olga.ops@example.com","sysapproval.sys_id":"1c87925347c12200e0ef563dbb9a7190"}]}`))
	f.Add([]byte(answer), []byte(`[{"user":{"login":"olga-gh","type":"User"},"state":"APPROVED","commit_id":"x","author_association":"OWNER","submitted_at":"2026-11-17T17:43:43Z"}]`))
	f.Add([]byte(`[]`), []byte(`{}`))
	f.Add([]byte(`{"a":[{}],"a":1}`), []byte("\xff"))
	var said [][]byte
	next := func() []byte {
		b := said[0]
		if len(said) > 1 {
			said = said[1:]
		}
		return b
	}
	all := configs("http://127.0.0.1:1")
	for i := range all {
		c := &all[i]
		c.Account, c.Covers, c.Fresh, c.Transport = nil, "", 0, answers(next)
		c.Accounts = map[string]string{"olga-gh": olga.ID, "olga.ops@example.com": olga.ID}
	}
	b, err := ticket.NewBook(all, ticket.Options{Recorder: forgetful{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(b.Close)
	f.Fuzz(func(t *testing.T, first, then []byte) {
		said = [][]byte{first, then}
		c := b.LookUp(t.Context(), olga, name, true)
		if err := c.Reviewed(olga, items, noon); err == nil {
			t.Errorf("reviewed by nobody but her: %q, %q", first, then)
		}
		_ = c.Reviewed(&access.Subject{}, &access.Access{}, noon)
	})
}
