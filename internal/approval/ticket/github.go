package ticket

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// gitHub reads pull requests and their reviews through GitHub's REST API (GET /repos/{owner}/{repo}/pulls/{number}, and
// /reviews, /commits and /files below it).
type gitHub struct{ base string }

// Limits of what is read of a pull request.
const (
	perPage  = 100
	maxPages = 3
)

var (
	repositoryForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)
	pullNumber     = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)
)

func newGitHub(c Config) (*gitHub, error) {
	if !repositoryForm.MatchString(c.Repository) || strings.HasSuffix(c.Repository, "/.") || strings.HasSuffix(c.Repository, "/..") {
		return nil, fmt.Errorf("repository: %q is not owner/name", c.Repository)
	}
	if re, err := regexp.Compile(c.Match); err == nil && re.NumSubexp() != 1 {
		return nil, errors.New("match: needs one group, which fits the number of the pull request: ^OPS-([0-9]+)$")
	}
	return &gitHub{base: strings.TrimSuffix(c.URL, "/") + "/repos/" + c.Repository + "/pulls/"}, nil
}

// get implements source.
func (g *gitHub) get(ctx context.Context, s *system, _ string, groups []string) (review, map[string]any, error) {
	number := groups[1]
	if !pullNumber.MatchString(number) {
		return review{}, nil, &access.Refusal{Message: fmt.Sprintf("%.20q is not the number of a pull request", number), Hint: "attach the ticket by its number, without zeros before it"}
	}
	found, err := s.fetch(ctx, g.base+number, accept)
	if err != nil {
		return review{}, nil, err
	}
	full, ok := found.(map[string]any)
	if !ok || text(full, "number") != number {
		return review{}, nil, odd(s, errors.New("another pull request was returned than was asked for"))
	}
	document := map[string]any{"pull": pull(full)}
	parts := []struct {
		name string
		keep func(map[string]any) any
	}{
		{"reviews", func(r map[string]any) any {
			user := object(r, "user")
			return map[string]any{
				"login": text(user, "login"), "id": user["id"], "type": text(user, "type"), "state": text(r, "state"), "commit_id": text(r, "commit_id"),
				"submitted_at": text(r, "submitted_at"), "author_association": text(r, "author_association"),
			}
		}},
		{"commits", func(c map[string]any) any {
			return map[string]any{"sha": text(c, "sha"), "author": text(object(c, "author"), "login"), "committer": text(object(c, "committer"), "login")}
		}},
		{"files", func(f map[string]any) any { return text(f, "filename") }},
	}
	if s.covers == nil {
		parts = parts[:2]
	}
	for _, part := range parts {
		if document[part.name], err = g.list(ctx, s, number, part.name, part.keep); err != nil {
			return review{}, nil, err
		}
	}
	r, err := g.read(s, document)
	return r, document, err
}

const accept = "application/vnd.github+json"

// pull is what of a pull request is kept.
func pull(full map[string]any) map[string]any {
	labels := []any{}
	list, _ := full["labels"].([]any)
	for _, l := range list {
		if l, ok := l.(map[string]any); ok {
			labels = append(labels, text(l, "name"))
		}
	}
	return map[string]any{
		"number": full["number"], "title": text(full, "title"), "body": text(full, "body"), "state": text(full, "state"), "draft": full["draft"],
		"merged_at": text(full, "merged_at"), "head": text(object(full, "head"), "sha"), "base": text(object(full, "base"), "ref"),
		"author": text(object(full, "user"), "login"), "labels": labels, "html_url": text(full, "html_url"),
	}
}

// list reads all pages of a list below the pull request.
func (g *gitHub) list(ctx context.Context, s *system, number, what string, keep func(map[string]any) any) ([]any, error) {
	all := []any{}
	for page := 1; page <= maxPages; page++ {
		found, err := s.fetch(ctx, fmt.Sprintf("%s%s/%s?per_page=%d&page=%d", g.base, number, what, perPage, page), accept)
		if err != nil {
			return nil, err
		}
		list, ok := found.([]any)
		if !ok || len(list) > perPage {
			return nil, odd(s, fmt.Errorf("%s are not a list", what))
		}
		for _, item := range list {
			o, ok := item.(map[string]any)
			if !ok {
				return nil, odd(s, fmt.Errorf("one of %s is not an object", what))
			}
			all = append(all, keep(o))
		}
		if len(list) < perPage {
			return all, nil
		}
	}
	return nil, &access.Refusal{Message: fmt.Sprintf("it has %d %s or more in %s", maxPages*perPage, what, s.Name), Hint: "split the change into smaller ones"}
}

// mayReview are those whose approval counts. On a public repository anybody can approve.
var mayReview = []string{"OWNER", "MEMBER", "COLLABORATOR"}

// read maps a document of pull, reviews and commits.
func (g *gitHub) read(s *system, document map[string]any) (review, error) {
	p := object(document, "pull")
	head, author := text(p, "head"), text(p, "author")
	if head == "" || author == "" {
		return review{}, odd(s, errors.New("it has no author, or no head"))
	}
	r := review{authors: []account{gitHubUser(author, nil)}}
	commits, _ := document["commits"].([]any)
	for _, c := range commits {
		c, _ := c.(map[string]any)
		for _, role := range []string{"author", "committer"} {
			login := text(c, role)
			if login != "" && login != "web-flow" && !slices.ContainsFunc(r.authors, func(a account) bool { return a.name == login }) {
				r.authors = append(r.authors, gitHubUser(login, nil))
			}
		}
	}
	// The last word of each counts; a comment is none. GitHub lists reviews in the order in which they were given.
	last := map[string]map[string]any{}
	var order []string
	reviews, _ := document["reviews"].([]any)
	for _, item := range reviews {
		v, _ := item.(map[string]any)
		login := text(v, "login")
		switch text(v, "state") {
		case "APPROVED", "CHANGES_REQUESTED", "DISMISSED":
		default:
			continue
		}
		if login == "" || !slices.Contains(mayReview, text(v, "author_association")) {
			continue
		}
		if last[login] == nil {
			order = append(order, login)
		}
		last[login] = v
	}
	old, against := 0, ""
	for _, login := range order {
		v := last[login]
		switch state := text(v, "state"); {
		case state == "CHANGES_REQUESTED":
			against = login
		case state != "APPROVED":
		case text(v, "commit_id") != head:
			old++
		default:
			at, err := time.Parse(time.RFC3339, text(v, "submitted_at"))
			if err != nil {
				return r, odd(s, fmt.Errorf("submitted_at: %w", err))
			}
			a := gitHubUser(login, v["id"])
			a.machine, a.at = text(v, "type") != "User", at
			r.by = append(r.by, a)
		}
	}
	draft, said := p["draft"].(bool)
	switch {
	case draft || !said:
		r.standing = "it is a draft"
	case text(p, "state") != "open" && text(p, "merged_at") == "":
		r.standing = "it was closed without being merged"
	case against != "":
		r.standing = fmt.Sprintf("%.40q asks for changes", against)
	case len(r.by) == 0 && old > 0:
		r.standing = "it was approved before its newest commit"
	default:
		r.approved = true // by those in r.by, who are counted for each subject
	}
	return r, nil
}

func gitHubUser(login string, id any) account {
	return account{name: login, claims: map[string]any{"account": login, "login": login, "id": id}}
}
