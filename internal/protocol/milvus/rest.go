package milvus

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// REST is Milvus over HTTP (v2). It implements httpwire.Dialect.
type REST struct {
	names names
}

// NewREST makes a dialect for one target. Now tells how old a schema is.
func NewREST(now func() time.Time) *REST {
	return &REST{names: names{now: now, known: map[string]known{}}}
}

// Health implements httpwire.Dialect. Milvus tells its health at another port only.
func (d *REST) Health() string { return "" }

// Routes implements httpwire.Dialect.
func (d *REST) Routes() []httpwire.Route { return Routes() }

// Error implements httpwire.Dialect. The codes are those that Milvus has for these cases.
func (d *REST) Error(r *access.Refusal) (int, []byte) {
	status, code := httpwire.Status(r.Code), int64(65535)
	if status == http.StatusUnauthorized {
		code = 1800
	}
	body := jsonstream.Int(code).Raw()
	body = append([]byte(`{"code":`), body...)
	body = jsonstream.AppendString(append(body, `,"message":`...), httpwire.Sentence(r))
	return status, append(body, '}')
}

// codeForm is how an answer begins that is too long to be read for its code alone: members stand in the order of their names.
var codeForm = regexp.MustCompile(`^\s*\{\s*"code"\s*:\s*([0-9]{1,10})\s*[,}]`)

// restFailure is the code of an answer that is a no: Milvus says it with status 200.
func restFailure(beginning []byte) string {
	code, ok := int64(0), false
	if v, err := jsonstream.Read(beginning); err == nil {
		code, ok = v.Get("code").Int()
	} else if m := codeForm.FindSubmatch(beginning); m != nil {
		code, err = strconv.ParseInt(string(m[1]), 10, 64)
		ok = err == nil
	}
	if !ok || code == 0 || code == http.StatusOK { // which version 2.3 says
		return ""
	}
	return strconv.FormatInt(code, 10)
}

// restCall is a request that is being read.
type restCall struct {
	*httpwire.Request
	ctx     context.Context
	dialect *REST
	entry   *restEntry
	db      string
	out     httpwire.Call
}

// Read implements httpwire.Dialect.
func (d *REST) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	for i := range restTable {
		e := &restTable[i]
		if e.name != r.Route.Name {
			continue
		}
		c := &restCall{Request: r, ctx: ctx, dialect: d, entry: e, out: httpwire.Call{Method: http.MethodPost, Path: r.Route.Path, Query: r.Query, Headers: r.Headers, Body: r.Body, Failure: restFailure}}
		err := c.closed(e.members)
		if err == nil {
			err = c.database()
		}
		if err == nil {
			err = e.read(c)
		}
		if fault, ok := errors.AsType[*grpcwire.Unclear](err); ok {
			err = &httpwire.Unclear{Why: fault.Why}
		}
		if err != nil {
			return nil, err
		}
		return &c.out, nil
	}
	return nil, &httpwire.Unclear{Why: "the operation is not known"}
}

// closed refuses members that the operation does not have: a server that ignores them reads another request than we do.
// Members that are known in another spelling are refused wherever they stand.
func (c *restCall) closed(members string) error {
	if c.Body.Kind() != jsonstream.Object {
		return unclear("its document is not an object")
	}
	for name := range c.Body.Members() {
		switch {
		case members == "*" && !slices.ContainsFunc(naming, func(n string) bool { return n != name && strings.EqualFold(n, name) }):
		case members != "*" && !strings.Contains(name, " ") && strings.Contains(" dbName "+members+" ", " "+name+" "):
		default:
			return unclear("its document has a member that " + c.Route.Name + " does not have")
		}
	}
	return nil
}

// naming are the members that say what a request is about; Milvus reads them whatever the case of their letters.
var naming = []string{"dbName", "collectionName", "aliasName", "newCollectionName", "newDbName", "functions", "schema"}

// text is a member that is a text; "" when it is not there.
func (c *restCall) text(member string) (string, error) {
	v := c.Body.Get(member)
	if !present(v) {
		return "", nil
	}
	text, ok := v.Text()
	if !ok {
		return "", unclear("its " + member + " is not a text")
	}
	return text, nil
}

func present(v jsonstream.Value) bool {
	return v.Kind() != jsonstream.None && v.Kind() != jsonstream.Null
}

// database finds out which database is meant, and says so.
func (c *restCall) database() error {
	var err error
	if c.db, err = c.text("dbName"); err != nil {
		return err
	}
	if c.db == "" {
		c.db = defaultDatabase
	}
	if !nameForm.MatchString(c.db) {
		return unclear("the name of its database has characters that a name cannot have")
	}
	if c.entry.kind == inDatabase {
		c.out.Body = c.out.Body.With("dbName", jsonstream.String(c.db))
	}
	return nil
}

func (c *restCall) does(a access.Action, r access.Resource, at access.Attributes) {
	c.out.Accesses = append(c.out.Accesses, access.Access{Action: a, Resource: r, Attributes: at})
	slices.SortStableFunc(c.out.Accesses, func(a, b access.Access) int { return b.Action.Weight() - a.Action.Weight() })
}

func (c *restCall) action() access.Action { return c.entry.actions[0] }

func (c *restCall) forgets() {
	if c.action().Writes() {
		c.out.Done = c.dialect.names.forget
	}
}

func (c *restCall) target() access.Resource { return access.Resource{Target: c.Target} }

func (c *restCall) namespace() access.Resource {
	return access.Resource{Target: c.Target, Namespace: c.db}
}

func (c *restCall) collection(name string) access.Resource {
	return access.Resource{Target: c.Target, Namespace: c.db, Collection: name}
}

// describe asks what a collection is like, under its own name or an alias.
func (c *restCall) describe(name string) (*schema, error) {
	return c.dialect.names.describe(c.db, name, func() (*schema, error) {
		document, err := jsonstream.Read([]byte("{}"))
		if err != nil {
			return nil, err
		}
		document = document.With("dbName", jsonstream.String(c.db)).With("collectionName", jsonstream.String(name))
		status, answer, err := c.Post(c.ctx, restPrefix+"collections/describe", document)
		if err != nil {
			return nil, err
		}
		code, ok := answer.Get("code").Int()
		switch {
		case status == http.StatusOK && ok && (code == 100 || code == 800):
			return nil, nil
		case status != http.StatusOK || !ok || code != 0 && code != http.StatusOK:
			return nil, untold("an answer that describes no collection")
		}
		told := restSchema(answer.Get("data"))
		if len(told.columns) == 0 || told.key == "" {
			return nil, untold("a description without a key")
		}
		return told, nil
	})
}

// restSchema reads a description as the REST interface tells it.
func restSchema(told jsonstream.Value) *schema {
	s := &schema{exists: true, columns: map[string]*column{}}
	s.name, _ = told.Get("collectionName").Text()
	s.id, _ = told.Get("collectionID").Int()
	s.dynamic, _ = told.Get("enableDynamicField").Bool()
	for f := range told.Get("fields").Items() {
		name, _ := f.Get("name").Text()
		kind, _ := f.Get("type").Text()
		if dynamic, _ := f.Get("isDynamic").Bool(); dynamic || name == "" {
			continue
		}
		known, ok := schemapb.DataType_value[kind]
		if !ok {
			known = int32(unheardOf)
		}
		s.add(name, 0, schemapb.DataType(known))
		if key, _ := f.Get("primaryKey").Bool(); key {
			s.key = name
			s.autoID, _ = f.Get("autoId").Bool()
		}
	}
	for f := range told.Get("structFields").Items() {
		if name, _ := f.Get("name").Text(); name != "" {
			s.add(name, 0, schemapb.DataType_ArrayOfStruct)
		}
	}
	for f := range told.Get("functions").Items() {
		kind, _ := f.Get("type").Text()
		from, _ := textsOf(f.Get("inputFieldNames"), "")
		for name := range f.Get("outputFieldNames").Items() {
			text, _ := name.Text()
			if col := s.columns[text]; col != nil {
				col.filled(kind != "BM25", kind == "TextEmbedding", from)
			}
		}
	}
	return s
}

// resolve judges the collection that the document names, and addresses it by its own name.
func (c *restCall) resolve() (access.Resource, *schema, error) {
	name, err := c.text("collectionName")
	if err != nil {
		return access.Resource{}, nil, err
	}
	s, err := c.describe(name)
	if err != nil {
		return access.Resource{}, nil, err
	}
	c.out.Body = c.out.Body.With("collectionName", jsonstream.String(s.name))
	return c.collection(s.name), s, nil
}

// own resolves a name that must not be an alias.
func (c *restCall) own(member string) (access.Resource, *schema, error) {
	name, err := c.text(member)
	if err != nil {
		return access.Resource{}, nil, err
	}
	s, err := c.describe(name)
	if err != nil {
		return access.Resource{}, nil, err
	}
	if s.name != name {
		return access.Resource{}, nil, unclear("its collection is named by an alias")
	}
	return c.collection(name), s, nil
}
