//lint:file-ignore SA1019 some fields are deprecated: servers still answer with them.

package milvus

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

const (
	metaDatabase    = "dbname"
	defaultDatabase = "default"
)

// nameForm is what the names of databases, collections and aliases look like.
var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]{0,254}$`)

// call is a request that is being read.
type call struct {
	*grpcwire.Request
	ctx     context.Context
	dialect *Dialect
	entry   *entry
	db      string
	out     grpcwire.Call
}

func (c *call) does(a access.Action, r access.Resource, at access.Attributes) {
	c.out.Accesses = append(c.out.Accesses, access.Access{Action: a, Resource: r, Attributes: at})
	slices.SortStableFunc(c.out.Accesses, func(a, b access.Access) int { return b.Action.Weight() - a.Action.Weight() })
}

// field is a text of the message, by the first of the names that it has.
func (c *call) field(names ...protoreflect.Name) (protoreflect.FieldDescriptor, string) {
	m := c.Message.ProtoReflect()
	for _, name := range names {
		if fd := m.Descriptor().Fields().ByName(name); fd != nil && fd.Kind() == protoreflect.StringKind && !fd.IsList() {
			return fd, m.Get(fd).String()
		}
	}
	return nil, ""
}

// base keeps of what every message begins with its kind alone: the rest is spoken between Milvus' own servers.
func (c *call) base() error {
	m := c.Message.ProtoReflect()
	fd := m.Descriptor().Fields().ByName("base")
	if fd == nil || !m.Has(fd) {
		return nil
	}
	b, ok := m.Get(fd).Message().Interface().(*commonpb.MsgBase)
	if !ok {
		return nil
	}
	if b.GetReplicateInfo() != nil {
		return unclear("it says that it comes from another cluster")
	}
	m.Set(fd, protoreflect.ValueOfMessage((&commonpb.MsgBase{MsgType: b.GetMsgType()}).ProtoReflect()))
	return nil
}

// database finds out which database is meant, and says so in both places where Milvus looks for it: the message goes
// before the metadata.
func (c *call) database() error {
	c.db = c.out.Metadata[metaDatabase]
	fd, named := c.field("db_name", "dbName")
	if named != "" {
		c.db = named
	}
	if c.db == "" {
		c.db = defaultDatabase
	}
	if !nameForm.MatchString(c.db) {
		return unclear("the name of its database has characters that a name cannot have")
	}
	if fd != nil {
		c.Message.ProtoReflect().Set(fd, protoreflect.ValueOfString(c.db))
	}
	c.out.Metadata[metaDatabase] = c.db
	return nil
}

func (c *call) target() access.Resource { return access.Resource{Target: c.Target} }

func (c *call) namespace() access.Resource { return access.Resource{Target: c.Target, Namespace: c.db} }

func (c *call) collection(name string) access.Resource {
	return access.Resource{Target: c.Target, Namespace: c.db, Collection: name}
}

// schema is what the target says of a collection.
type schema struct {
	name    string // its own, if an alias was asked for
	exists  bool
	id      int64
	key     string // its primary key
	autoID  bool
	dynamic bool
	columns map[string]*column
	order   []string // of the columns, as they were defined
}

// column is a field of a schema.
type column struct {
	name   string
	id     int64
	kind   schemapb.DataType
	vector bool
	remote bool // a function fills it by asking a model elsewhere
	// words are the columns whose texts a function other than a model's makes it of: a search of it finds words in them.
	words []string
}

// opaque says that a value can hold more values, each of which has a name of its own.
func (s *schema) opaque(name string) bool {
	col := s.columns[name]
	if col == nil {
		return true // a dynamic field, or what cannot be known
	}
	switch col.kind {
	case schemapb.DataType_JSON, schemapb.DataType_ArrayOfStruct, schemapb.DataType_Struct:
		return true
	}
	return false
}

// vectors are the columns that hold embeddings.
func (s *schema) vectors() []string {
	var all []string
	for _, name := range s.order {
		if s.columns[name].vector {
			all = append(all, name)
		}
	}
	return all
}

// isVector says whether a column of the type holds embeddings: Milvus numbers all such types from 100 on, those to come too.
func isVector(t schemapb.DataType) bool { return t >= 100 && t < schemapb.DataType_ArrayOfStruct }

// unheardOf is a type that is not known here; it could be one of embeddings.
const unheardOf = schemapb.DataType_ArrayOfStruct - 1

// names keeps schemas for a short time: somebody may change them beside the gateway.
type names struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]known // by database and name, with a slash between them
}

type known struct {
	schema *schema
	until  time.Time
}

const (
	remember  = 10 * time.Second
	mostNames = 10_000
)

func (n *names) get(key string) *schema {
	n.mu.Lock()
	defer n.mu.Unlock()
	if found, ok := n.known[key]; ok && n.now().Before(found.until) {
		return found.schema
	}
	return nil
}

func (n *names) put(key string, s *schema) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= mostNames {
		clear(n.known)
	}
	n.known[key] = known{s, n.now().Add(remember)}
}

// forget is called after a schema was changed.
func (n *names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.known)
}

// describe asks what a collection is like, under its own name or an alias.
func (c *call) describe(name string) (*schema, error) {
	return c.dialect.names.describe(c.db, name, func() (*schema, error) {
		answer := &milvuspb.DescribeCollectionResponse{}
		err := c.Ask(c.ctx, "/"+service+"/DescribeCollection", &milvuspb.DescribeCollectionRequest{DbName: c.db, CollectionName: name}, answer)
		switch {
		case err != nil:
			return nil, err
		case absent(answer.GetStatus()):
			return nil, nil
		case failed(answer.GetStatus()):
			return nil, untold(answer.GetStatus().GetReason())
		}
		told := schemaOf(answer)
		if told.key == "" {
			return nil, untold("a description without a key")
		}
		return told, nil
	})
}

func untold(why string) error {
	return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which collection is meant", Err: errors.New(why)}
}

// describe returns what is known of a collection, or asks. ask returns nil when there is none: then the target will say so
// in its own words, to who may ask about a collection of that name.
func (n *names) describe(db, name string, ask func() (*schema, error)) (*schema, error) {
	if !nameForm.MatchString(name) {
		return nil, unclear("the name of its collection has characters that a name cannot have")
	}
	key := db + "/" + name
	if s := n.get(key); s != nil {
		return s, nil
	}
	s, err := ask()
	if err != nil {
		return nil, err
	}
	if s == nil {
		return &schema{name: name, columns: map[string]*column{}}, nil
	}
	if s.name == "" {
		s.name = name
	}
	if !nameForm.MatchString(s.name) {
		return nil, untold("its name is no name")
	}
	n.put(key, s)
	return s, nil
}

// failed says that an answer is a no; old servers say it in error_code, new ones in code.
func failed(s *commonpb.Status) bool {
	return s.GetCode() != 0 || s.GetErrorCode() != commonpb.ErrorCode_Success
}

// absent says that there is no such collection, or no such database: it quotes nothing that is stored.
func absent(s *commonpb.Status) bool {
	switch s.GetCode() {
	case 100, 800:
		return true
	}
	return s.GetCode() == 0 && s.GetErrorCode() == commonpb.ErrorCode_CollectionNotExists
}

func schemaOf(answer *milvuspb.DescribeCollectionResponse) *schema {
	told := answer.GetSchema()
	s := &schema{name: answer.GetCollectionName(), exists: true, id: answer.GetCollectionID(), dynamic: told.GetEnableDynamicField(), columns: map[string]*column{}}
	if s.name == "" {
		s.name = told.GetName()
	}
	for _, f := range told.GetFields() {
		if f.GetIsDynamic() {
			s.dynamic = true
			continue
		}
		s.add(f.GetName(), f.GetFieldID(), f.GetDataType())
		if f.GetIsPrimaryKey() {
			s.key, s.autoID = f.GetName(), f.GetAutoID()
		}
	}
	for _, f := range told.GetStructArrayFields() {
		s.add(f.GetName(), f.GetFieldID(), schemapb.DataType_ArrayOfStruct)
	}
	for _, f := range told.GetFunctions() {
		for _, name := range f.GetOutputFieldNames() {
			if col := s.columns[name]; col != nil {
				col.filled(remote(f), f.GetType() == schemapb.FunctionType_TextEmbedding, f.GetInputFieldNames())
			}
		}
	}
	return s
}

// add puts a column into a schema.
func (s *schema) add(name string, id int64, kind schemapb.DataType) {
	if s.columns[name] == nil {
		s.order = append(s.order, name)
	}
	s.columns[name] = &column{name: name, id: id, kind: kind, vector: isVector(kind)}
}

// filled notes that a function fills a column from others.
func (c *column) filled(remote, model bool, from []string) {
	c.remote = c.remote || remote
	if !model {
		c.words = append(c.words, from...)
	}
}

// remote says that a function asks a model elsewhere; what is not known is taken to.
func remote(f *schemapb.FunctionSchema) bool {
	return f.GetType() != schemapb.FunctionType_BM25
}

// resolve judges the collection that the message names, and addresses it by its own name.
func (c *call) resolve() (access.Resource, *schema, error) {
	fd, name := c.field("collection_name", "collectionName")
	if fd == nil {
		return access.Resource{}, nil, unclear("it names no collection")
	}
	s, err := c.describe(name)
	if err != nil {
		return access.Resource{}, nil, err
	}
	m := c.Message.ProtoReflect()
	m.Set(fd, protoreflect.ValueOfString(s.name))
	if id := m.Descriptor().Fields().ByName("collectionID"); id != nil {
		if n := m.Get(id).Int(); n != 0 && n != s.id {
			return access.Resource{}, nil, unclear("its collection is named by a number that is not that of the name")
		}
	}
	return c.collection(s.name), s, nil
}

// own resolves a name that must not be an alias.
func (c *call) own(name string) (access.Resource, *schema, error) {
	s, err := c.describe(name)
	if err != nil {
		return access.Resource{}, nil, err
	}
	if s.name != name {
		return access.Resource{}, nil, unclear("its collection is named by an alias")
	}
	return c.collection(name), s, nil
}

// shallow copies a message whose lists, maps and parts stay shared: they may be replaced in the copy, not changed.
func shallow[M proto.Message](m M) M {
	to := m.ProtoReflect().New()
	for fd, v := range m.ProtoReflect().Range {
		to.Set(fd, v)
	}
	return to.Interface().(M)
}

// strict reads a message that another one carries as bytes, and refuses fields that are not known.
func strict(text []byte, into proto.Message, what string) error {
	if err := proto.Unmarshal(text, into); err != nil || foreign(into.ProtoReflect()) {
		return unclear("its " + what + " has fields that are not known here, or is none")
	}
	return nil
}

// foreign says whether a message, or any of its parts, holds fields that are not in its descriptor.
func foreign(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	for fd, v := range m.Range {
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() == nil {
				continue
			}
			for _, item := range v.Map().Range {
				if foreign(item.Message()) {
					return true
				}
			}
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				if foreign(v.List().Get(i).Message()) {
					return true
				}
			}
		default:
			if foreign(v.Message()) {
				return true
			}
		}
	}
	return false
}
