package ticket

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// serviceNow reads change requests and their approvers through ServiceNow's Table API
// (GET /api/now/table/change_request and /api/now/table/sysapproval_approver).
type serviceNow struct{ base string }

// The states of a change request in which it may be carried out: Scheduled and Implement.
var implementable = []string{"-2", "-1"}

func newServiceNow(c Config) (*serviceNow, error) {
	if slices.Contains(c.States, "") {
		return nil, errors.New("states: one is empty")
	}
	return &serviceNow{base: strings.TrimSuffix(c.URL, "/")}, nil
}

// What is asked for. A dot leads into the record that a field refers to.
const (
	changeFields   = "sys_id,number,type,state,approval,active,on_hold,start_date,end_date,short_description,description,cmdb_ci,cmdb_ci.name,requested_by.user_name,requested_by.email,opened_by.user_name,opened_by.email,assigned_to.user_name,assigned_to.email,sys_updated_on"
	approverFields = "sys_id,state,approver.user_name,approver.email,approver.active,sysapproval.sys_id,sys_updated_on"
	maxApprovers   = 100
)

// The forms of what goes into a query, where ^ would begin another condition.
var (
	changeNumber = regexp.MustCompile(`^[A-Za-z0-9]{1,40}$`)
	sysID        = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// get implements source.
func (n *serviceNow) get(ctx context.Context, s *system, name string, _ []string) (review, map[string]any, error) {
	if !changeNumber.MatchString(name) {
		return review{}, nil, &access.Refusal{Message: "it is not the number of a change request", Hint: "attach the ticket by its number, such as CHG0030007"}
	}
	found, err := n.table(ctx, s, "change_request", "number="+name, changeFields, 2)
	if err != nil {
		return review{}, nil, err
	}
	switch {
	case len(found) == 0:
		return review{}, nil, s.status(404)
	case len(found) > 1:
		return review{}, nil, &access.Refusal{Message: fmt.Sprintf("%s has two change requests of this number", s.Name), Hint: operator}
	}
	request := found[0]
	id := text(request, "sys_id")
	if !strings.EqualFold(text(request, "number"), name) || !sysID.MatchString(id) {
		return review{}, nil, odd(s, errors.New("another change request was returned than was asked for"))
	}
	approvers, err := n.table(ctx, s, "sysapproval_approver", "sysapproval="+id+"^state=approved", approverFields, maxApprovers)
	if err != nil {
		return review{}, nil, err
	}
	if len(approvers) == maxApprovers {
		return review{}, nil, &access.Refusal{Message: fmt.Sprintf("it has %d approvers or more in %s", maxApprovers, s.Name), Hint: operator}
	}
	list := make([]any, len(approvers))
	for i, a := range approvers {
		list[i] = a
	}
	document := map[string]any{"change_request": request, "approvals": list}
	r, err := n.read(s, request, approvers)
	return r, document, err
}

// read maps a change request and the rows of its approvers.
func (n *serviceNow) read(s *system, request map[string]any, approvers []map[string]any) (review, error) {
	states := s.States
	if len(states) == 0 {
		states = implementable
	}
	r := review{}
	switch approval, state := text(request, "approval"), text(request, "state"); {
	case approval != "approved":
		r.standing = fmt.Sprintf("its approval is %.40q", approval)
	case !slices.Contains(states, state):
		r.standing = fmt.Sprintf("its state is %.40q, and changes are made in %s", state, strings.Join(states, ", "))
	case text(request, "active") == "false" || request["active"] == false:
		r.standing = "it is not active"
	case text(request, "on_hold") == "true" || request["on_hold"] == true:
		r.standing = "it is on hold"
	default:
		r.approved = true
	}
	var err error
	if r.opens, err = serviceNowTime(text(request, "start_date")); err != nil {
		return r, odd(s, fmt.Errorf("start_date: %w", err))
	}
	if r.closes, err = serviceNowTime(text(request, "end_date")); err != nil {
		return r, odd(s, fmt.Errorf("end_date: %w", err))
	}
	for _, role := range []string{"requested_by", "opened_by", "assigned_to"} {
		if a := serviceNowUser(request, role); a.name != "" {
			r.authors = append(r.authors, a)
		}
	}
	for _, row := range approvers {
		if text(row, "state") != "approved" || text(row, "sysapproval.sys_id") != text(request, "sys_id") {
			return r, odd(s, errors.New("an approval was returned that was not asked for"))
		}
		a := serviceNowUser(row, "approver")
		if active := text(row, "approver.active"); a.name == "" || active == "false" || row["approver.active"] == false {
			continue // whoever has left does not vouch for anything
		}
		if a.at, err = serviceNowTime(text(row, "sys_updated_on")); err != nil {
			return r, odd(s, fmt.Errorf("sys_updated_on: %w", err))
		}
		r.by = append(r.by, a)
	}
	return r, nil
}

func serviceNowUser(row map[string]any, role string) account {
	name, email := text(row, role+".user_name"), text(row, role+".email")
	return account{name: name, claims: map[string]any{"account": name, "user_name": name, "email": email}}
}

// serviceNowTime reads a time as the Table API gives it without display values: UTC.
func serviceNowTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation("2006-01-02 15:04:05", s, time.UTC)
}

// table asks for rows.
func (n *serviceNow) table(ctx context.Context, s *system, table, query, fields string, limit int) ([]map[string]any, error) {
	q := url.Values{
		"sysparm_query": {query}, "sysparm_fields": {fields}, "sysparm_limit": {fmt.Sprint(limit)},
		"sysparm_display_value": {"false"}, "sysparm_exclude_reference_link": {"true"},
	}
	found, err := s.fetch(ctx, n.base+"/api/now/table/"+table+"?"+q.Encode(), "application/json")
	if err != nil {
		return nil, err
	}
	answer, _ := found.(map[string]any)
	list, ok := answer["result"].([]any)
	if !ok || len(list) > limit {
		return nil, odd(s, errors.New("there is no result, or more than was asked for"))
	}
	rows := make([]map[string]any, 0, len(list))
	for _, item := range list {
		row, ok := item.(map[string]any)
		if !ok {
			return nil, odd(s, errors.New("a row is not an object"))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// odd is an answer that is not what the system's documentation says.
func odd(s *system, why error) *access.Refusal {
	return &access.Refusal{Message: fmt.Sprintf("what %s says of it is not understood", s.Name), Hint: operator, Err: why}
}
