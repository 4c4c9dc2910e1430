package analysis

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

// SearchPath is the search_path that an analysed session has unless its target is configured otherwise. pg_temp is named,
// and last, so that a temporary table cannot stand in front of another.
const SearchPath = "public, pg_temp"

// Catalog is an immutable snapshot of what is defined in one database.
type Catalog struct {
	Target string
	Epoch  uint64 // from the digest of everything in the snapshot: an unchanged database has an unchanged epoch

	// Creatable are the schemas in which the gateway's role may create objects, and so could a client with code.
	Creatable []string

	database   string
	path       []string // the schemas in which clients' texts look for names, as the loading connection's search_path has them
	relations  map[name]*Relation
	byOID      map[uint32]*Relation
	indexes    map[name]*Relation // index -> its table
	functions  map[string][]function
	bodies     map[name]string // digests of all routines of the name, but for the server's own
	operators  map[string][]operator
	types      map[name]*dataType
	typeOID    map[uint32]*dataType
	schemas    map[string]bool
	extensions map[string]bool
	hooked     bool   // event triggers run when something is defined
	vectors    string // schema of the extension vector, "" when it is not there
}

// name is a schema-qualified name.
type name struct{ schema, name string }

// viewPath is the search path for definitions that the server printed: it qualifies all names but pg_catalog's.
var viewPath = []string{"pg_catalog"}

// Relation is a table, view, materialized view, foreign table, partitioned table or sequence.
type Relation struct {
	OID      uint32
	Resource access.Resource
	Columns  []*Column // by position, without dropped ones

	kind      byte // pg_class.relkind
	schema    string
	name      string
	rowType   uint32
	opaque    string // why what it returns cannot be known
	system    bool   // in pg_catalog or information_schema
	keys      [][]*Column
	primary   []*Column             // the primary key; one of keys
	reached   []*Relation           // those whose rows a change of this one's may change by itself, over foreign keys
	behind    map[*Column][]*Column // all names of one value: the column's own, its ancestors' and its descendants'
	generated map[*Column]*pg.Node  // stored expressions of generated columns
	roots     []*Relation           // the topmost ancestors; the relation itself when it has none
	family    []*Relation           // ancestors and descendants
	view      *pg.SelectStmt        // definition of a view or materialized view
	defined   string                // digest of a view's definition
	triggers  string                // digest of the triggers on it and of what they call
	speaks    bool                  // code stands on it (triggers, checks, policies …) that may say anything in notices and errors
}

func (r *Relation) isView() bool { return r.kind == 'v' || r.kind == 'm' }

func (r *Relation) column(name string) *Column {
	for _, c := range r.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// function is one overload outside of pg_catalog, or one in it whose result has named columns.
type function struct {
	schema    string
	extension string
	aggregate bool
	columns   []string // names of OUT and TABLE columns, or of the columns of a composite result
	composite bool     // more than one column
	set       bool
	args      int
}

type operator struct {
	schema   string
	function name
	trusted  bool
}

type dataType struct {
	oid    uint32
	name   name
	vector bool
	kind   byte // pg_type.typtype
	elem   uint32
	base   uint32 // of a domain
	code   bool   // making a value of it runs code that is not known: a domain's check, a cast
}

// relation finds a relation by its name as the server would.
func (c *Catalog) relation(schema, rel string, path []string) *Relation {
	if schema != "" {
		return c.relations[name{schema, rel}]
	}
	for _, s := range path {
		if r := c.relations[name{s, rel}]; r != nil {
			return r
		}
	}
	return nil
}

// typeNamed finds a type; the names in the tree are already those of pg_type ("int4", not "integer").
func (c *Catalog) typeNamed(schema, typ string, path []string) *dataType {
	if schema != "" {
		return c.types[name{schema, typ}]
	}
	for _, s := range path {
		if t := c.types[name{s, typ}]; t != nil {
			return t
		}
	}
	return nil
}

// sent is the type that a RowDescription names for a value: of a domain, what it is made of.
func (c *Catalog) sent(oid uint32) uint32 {
	for range 32 {
		t := c.typeOID[oid]
		if t == nil || t.base == 0 {
			return oid
		}
		oid = t.base
	}
	return 0
}

// creation is the schema in which an unqualified name is made.
func (c *Catalog) creation() string {
	for _, s := range c.path {
		if s != "pg_catalog" {
			return s
		}
	}
	return ""
}

// RunsCode reports whether making a value of the type runs code that is not known, such as the check of a domain. A
// parameter that a client declares to be of such a type runs it when it is bound. Of a type that somebody made and that
// this snapshot does not know nobody can say that it does not.
func (c *Catalog) RunsCode(oid uint32) bool {
	t := c.typeOID[oid]
	if t == nil {
		return oid >= firstOfUsers
	}
	return t.code
}

// firstOfUsers is the first OID that the server gives to what is not its own (FirstNormalObjectId).
const firstOfUsers = 16384

// sources are the column and all other names of its value.
func (r *Relation) sources(c *Column) []*Column {
	if s := r.behind[c]; s != nil {
		return s
	}
	return []*Column{c}
}

// unique reports whether the columns contain a unique key of the relation.
func (r *Relation) unique(has func(*Column) bool) bool {
	for _, key := range r.keys {
		if len(key) > 0 && !slices.ContainsFunc(key, func(c *Column) bool { return !has(c) }) {
			return true
		}
	}
	return false
}
