package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

// recordTypes are the kinds of records, in the order of the filter.
var recordTypes = []string{
	"intent", "outcome", "refusal", "session.open", "session.close", "signin", "request", "vote", "ticket", "policy", "admin", "start", "stop", "recovered", "gap",
}

type logData struct {
	frame
	State   admin.LogState
	Filter  admin.RecordFilter
	Type    string
	Types   []string
	On      string // a day, when the filter names one
	Records []admin.Record
	Next    string
}

// log shows the records, newest first, and how the log stands.
func (s *Console) log(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	q := r.URL.Query()
	d := logData{frame: s.frame(r, c, "Log", "log"), Types: recordTypes, Type: field(q, "type"), On: field(q, "on")}
	d.Filter = admin.RecordFilter{
		Subject: field(q, "subject"), Target: field(q, "target"), Session: field(q, "session"), Request: field(q, "request"),
		Effect: access.Effect(field(q, "effect")), Limit: 60,
	}
	if d.Type != "" {
		d.Filter.Types = []string{d.Type}
	}
	if d.On != "" {
		if day, err := time.Parse("2006-01-02", d.On); err == nil {
			d.Filter.Since, d.Filter.Until = day, day.AddDate(0, 0, 1)
		}
	}
	d.Filter.Before, _ = strconv.ParseUint(q.Get("before"), 10, 63) // what is no number begins at the newest
	records, more, err := s.Service.ListRecords(r.Context(), c, d.Filter)
	if err != nil {
		return err
	}
	d.Records = records
	if d.State, err = s.Service.LogState(r.Context(), c); err != nil {
		return err
	}
	if more && len(records) > 0 {
		keep := url.Values{}
		for name, v := range map[string]string{
			"subject": d.Filter.Subject, "target": d.Filter.Target, "session": d.Filter.Session, "request": d.Filter.Request,
			"effect": string(d.Filter.Effect), "type": d.Type, "on": d.On,
		} {
			if v != "" {
				keep.Set(name, v)
			}
		}
		keep.Set("before", strconv.FormatUint(records[len(records)-1].Seq, 10))
		d.Next = "/log?" + keep.Encode()
	}
	s.render(w, r, http.StatusOK, "log", d)
	return nil
}

type recordData struct {
	frame
	admin.Record
	Pretty  string
	State   admin.LogState
	Proof   string
	Pending string // why there is no proof yet
	Older   string
	Newer   string
	Link    string // to the ticket
}

// record shows one record and the proof that it is in the log.
func (s *Console) record(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil {
		return admin.ErrNotFound
	}
	rec, err := s.Service.Record(r.Context(), c, seq)
	if err != nil {
		return err
	}
	d := recordData{frame: s.frame(r, c, "Record "+strconv.FormatUint(seq, 10), "log"), Record: rec, Link: s.Service.LinkTo(rec.Ticket)}
	var b bytes.Buffer
	if json.Indent(&b, rec.Leaf, "", "  ") == nil {
		d.Pretty = b.String()
	} else {
		d.Pretty = string(rec.Leaf)
	}
	if d.State, err = s.Service.LogState(r.Context(), c); err != nil {
		return err
	}
	if proof, err := s.Service.Proof(r.Context(), c, seq); err == nil {
		d.Proof = string(proof)
	} else {
		d.Pending = admin.FaultOf(r.Context(), s.Log, err).Message
	}
	if seq > 0 {
		d.Older = "/log/" + strconv.FormatUint(seq-1, 10)
	}
	if seq+1 < d.State.Size {
		d.Newer = "/log/" + strconv.FormatUint(seq+1, 10)
	}
	s.render(w, r, http.StatusOK, "record", d)
	return nil
}

// proof is the proof of a record as a file.
func (s *Console) proof(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil {
		return admin.ErrNotFound
	}
	proof, err := s.Service.Proof(r.Context(), c, seq)
	if err != nil {
		return err
	}
	download(w, "record-"+strconv.FormatUint(seq, 10)+".tlog-proof", proof)
	return nil
}

// checkpoint is the newest signed checkpoint as a file, to be kept elsewhere.
func (s *Console) checkpoint(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	state, err := s.Service.LogState(r.Context(), c)
	if err != nil {
		return err
	}
	if state.Checkpoint == nil {
		return admin.ErrNotFound
	}
	download(w, "checkpoint-"+strconv.FormatUint(state.Checkpoint.Size, 10)+".txt", []byte(state.Checkpoint.Note))
	return nil
}

// download sends text as a file; name is ours, never a client's.
func download(w http.ResponseWriter, name string, body []byte) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(body) // the browser may have gone
}
