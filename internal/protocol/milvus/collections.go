//lint:file-ignore SA1019 some fields are deprecated: clients still send and read them.

package milvus

import (
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
)

// action is what a call does that always does the same.
func (c *call) action() access.Action { return c.entry.actions[0] }

func free(c *call) error {
	c.out.Free = true
	return nil
}

func ofTarget(c *call) error {
	c.does(c.action(), c.target(), access.Attributes{})
	return nil
}

// ofNamed is for calls about a database that they name.
func ofNamed(c *call) error {
	if _, named := c.field("db_name"); named == "" {
		return unclear("it names no database")
	}
	c.does(c.action(), c.namespace(), access.Attributes{})
	c.forgets()
	return nil
}

// forgets lets schemas be asked for anew once the call was carried out, when it may have changed one.
func (c *call) forgets() {
	if c.action().Writes() {
		c.out.Done = c.dialect.names.forget
	}
}

func ofCollection(c *call) error {
	at, _, err := c.resolve()
	if err != nil {
		return err
	}
	attributes := access.Attributes{}
	if c.action() == access.Count {
		attributes.Rows = 1
	}
	c.does(c.action(), at, attributes)
	c.forgets()
	return nil
}

// ofNew is for calls that Milvus does not carry out under an alias, and that no change of an alias may turn elsewhere.
func ofNew(c *call) error {
	_, name := c.field("collection_name")
	at, _, err := c.own(name)
	if err != nil {
		return err
	}
	c.does(c.action(), at, access.Attributes{})
	c.forgets()
	return nil
}

// readMaybe is for calls that may name a collection.
func readMaybe(c *call) error {
	if _, name := c.field("collection_name"); name == "" {
		c.does(c.action(), c.namespace(), access.Attributes{})
		return nil
	}
	return ofCollection(c)
}

func readCreate(c *call) error {
	m, ok := c.Message.(*milvuspb.CreateCollectionRequest)
	if !ok {
		return unclear("it creates no collection")
	}
	if !nameForm.MatchString(m.GetCollectionName()) {
		return unclear("the name of its collection has characters that a name cannot have")
	}
	told := &schemapb.CollectionSchema{}
	if err := strict(m.GetSchema(), told, "schema"); err != nil {
		return err
	}
	if told.GetName() != "" && told.GetName() != m.GetCollectionName() || told.GetDbName() != "" && told.GetDbName() != c.db {
		return unclear("its schema is that of another collection")
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(told)
	if err != nil {
		return unclear("its schema could not be written")
	}
	m.Schema = text
	attributes := access.Attributes{}
	for _, f := range told.GetFunctions() {
		attributes.Egress = attributes.Egress || remote(f)
	}
	c.does(access.SchemaCreate, c.collection(m.GetCollectionName()), attributes)
	c.forgets()
	return nil
}

func readAddField(c *call) error {
	m, ok := c.Message.(*milvuspb.AddCollectionFieldRequest)
	if !ok {
		return unclear("it adds no field")
	}
	told := &schemapb.FieldSchema{}
	if err := strict(m.GetSchema(), told, "field"); err != nil {
		return err
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(told)
	if err != nil {
		return unclear("its field could not be written")
	}
	m.Schema = text
	return ofCollection(c)
}

func readFunction(c *call) error {
	at, _, err := c.resolve()
	if err != nil {
		return err
	}
	attributes := access.Attributes{}
	if m, ok := c.Message.(interface {
		GetFunctionSchema() *schemapb.FunctionSchema
	}); ok {
		attributes.Egress = remote(m.GetFunctionSchema())
	}
	c.does(access.SchemaAlter, at, attributes)
	c.forgets()
	return nil
}

func readRename(c *call) error {
	m, ok := c.Message.(*milvuspb.RenameCollectionRequest)
	if !ok {
		return unclear("it renames no collection")
	}
	at, _, err := c.own(m.GetOldName())
	if err != nil {
		return err
	}
	if m.GetNewDBName() == "" {
		m.NewDBName = c.db
	}
	to := access.Resource{Target: c.Target, Namespace: m.GetNewDBName(), Collection: m.GetNewName()}
	if !nameForm.MatchString(to.Collection) || !nameForm.MatchString(to.Namespace) {
		return unclear("its new name has characters that a name cannot have")
	}
	c.does(access.SchemaRename, at, access.Attributes{Role: "source"})
	c.does(access.SchemaRename, to, access.Attributes{Role: "destination"})
	c.forgets()
	return nil
}

func readDescribe(c *call) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	c.does(access.SchemaRead, at, access.Attributes{})
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		return &grpcwire.Obliged{Filtered: true, Mask: func(_ *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*milvuspb.DescribeCollectionResponse)
			if !ok {
				return 0, fmt.Errorf("milvus: the description of a collection is a %T", m)
			}
			v.described(answer)
			return 0, nil
		}}, nil
	}
	return nil
}

func readDescribeAll(c *call) error {
	m, ok := c.Message.(*milvuspb.BatchDescribeCollectionRequest)
	if !ok {
		return unclear("it describes no collections")
	}
	if len(m.GetCollectionID()) > 0 || len(m.GetCollectionName()) == 0 {
		return unclear("it does not name its collections")
	}
	views := map[string]*view{}
	for i, name := range m.GetCollectionName() {
		s, err := c.describe(name)
		if err != nil {
			return err
		}
		m.CollectionName[i] = s.name
		at := c.collection(s.name)
		views[s.name] = &view{at: at, schema: s}
		c.does(access.SchemaRead, at, access.Attributes{Batch: i})
	}
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		return &grpcwire.Obliged{Filtered: true, Mask: func(_ *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*milvuspb.BatchDescribeCollectionResponse)
			if !ok {
				return 0, fmt.Errorf("milvus: the description of collections is a %T", m)
			}
			for _, one := range answer.GetResponses() {
				known := views[one.GetCollectionName()]
				if known == nil {
					return 0, fmt.Errorf("milvus: a collection is described that was not asked for")
				}
				(&view{known.at, known.schema, o.Protection}).described(one)
			}
			return 0, nil
		}}, nil
	}
	return nil
}

// described takes the default values of hidden fields out of a description: points have them.
func (v *view) described(answer *milvuspb.DescribeCollectionResponse) {
	for _, f := range answer.GetSchema().GetFields() {
		if v.field(f.GetName()).Mask != access.MaskNone {
			f.DefaultValue = nil
		}
	}
}

// readShow reads a list of collections. Those that the subject may not know of are left out of it.
func readShow(c *call) error {
	m, ok := c.Message.(*milvuspb.ShowCollectionsRequest)
	if !ok {
		return unclear("it lists no collections")
	}
	for _, name := range m.GetCollectionNames() {
		if !nameForm.MatchString(name) {
			return unclear("the name of its collection has characters that a name cannot have")
		}
	}
	c.does(access.SchemaList, c.namespace(), access.Attributes{})
	c.out.Oblige = func(*access.Obligations) (*grpcwire.Obliged, error) {
		return &grpcwire.Obliged{Filtered: true, Mask: func(_ *mask.Hider, m proto.Message) (int64, error) {
			answer, ok := m.(*milvuspb.ShowCollectionsResponse)
			if !ok {
				return 0, fmt.Errorf("milvus: the list of collections is a %T", m)
			}
			c.listed(answer)
			return 0, nil
		}}, nil
	}
	return nil
}

// listed leaves the collections out of a list of which the subject may not read the schema.
func (c *call) listed(answer *milvuspb.ShowCollectionsResponse) {
	var keep []int
	for i, name := range answer.GetCollectionNames() {
		if c.May(access.Access{Action: access.SchemaRead, Resource: c.collection(name)}) {
			keep = append(keep, i)
		}
	}
	n := len(answer.GetCollectionNames())
	answer.CollectionNames = kept(answer.GetCollectionNames(), keep, n)
	answer.CollectionIds = kept(answer.GetCollectionIds(), keep, n)
	answer.CreatedTimestamps = kept(answer.GetCreatedTimestamps(), keep, n)
	answer.CreatedUtcTimestamps = kept(answer.GetCreatedUtcTimestamps(), keep, n)
	answer.InMemoryPercentages = kept(answer.GetInMemoryPercentages(), keep, n)
	answer.QueryServiceAvailable = kept(answer.GetQueryServiceAvailable(), keep, n)
	answer.ShardsNum = kept(answer.GetShardsNum(), keep, n)
}

// kept are the elements of a list that belongs to one of n names; a list of another length is left out altogether.
func kept[T any](list []T, keep []int, n int) []T {
	if len(list) != n {
		return nil
	}
	var out []T
	for _, i := range keep {
		out = append(out, list[i])
	}
	return out
}

func readAlias(c *call) error {
	m, ok := c.Message.(interface{ GetAlias() string })
	if !ok || !nameForm.MatchString(m.GetAlias()) {
		return unclear("its alias has characters that a name cannot have")
	}
	alias := m.GetAlias()
	c.does(c.action(), c.collection(alias), access.Attributes{Alias: alias})
	was, err := c.describe(alias)
	if err != nil {
		return err
	}
	if was.name != alias {
		c.does(c.action(), c.collection(was.name), access.Attributes{Alias: alias, Role: "source"})
	}
	if fd, name := c.field("collection_name"); fd != nil {
		at, _, err := c.own(name)
		if err != nil {
			return err
		}
		c.does(c.action(), at, access.Attributes{Alias: alias, Role: "destination"})
	}
	c.forgets()
	return nil
}

func readAliases(c *call) error { return readMaybe(c) }

func readFlush(c *call) error {
	m, ok := c.Message.(*milvuspb.FlushRequest)
	if !ok {
		return unclear("it flushes nothing")
	}
	if len(m.GetCollectionNames()) == 0 {
		return unclear("it names no collection")
	}
	for i, name := range m.GetCollectionNames() {
		s, err := c.describe(name)
		if err != nil {
			return err
		}
		m.CollectionNames[i] = s.name
		c.does(access.ClusterAdmin, c.collection(s.name), access.Attributes{Batch: i})
	}
	return nil
}

func readFlushAll(c *call) error {
	m, ok := c.Message.(*milvuspb.FlushAllRequest)
	if !ok {
		return unclear("it flushes nothing")
	}
	if len(m.GetFlushTargets()) == 0 {
		c.does(access.ClusterAdmin, c.target(), access.Attributes{})
		return nil
	}
	for _, t := range m.GetFlushTargets() {
		if !nameForm.MatchString(t.GetDbName()) {
			return unclear("it names no database")
		}
		at := access.Resource{Target: c.Target, Namespace: t.GetDbName()}
		if len(t.GetCollectionNames()) == 0 {
			c.does(access.ClusterAdmin, at, access.Attributes{})
		}
		for _, name := range t.GetCollectionNames() {
			if !nameForm.MatchString(name) {
				return unclear("the name of its collection has characters that a name cannot have")
			}
			at.Collection = name
			c.does(access.ClusterAdmin, at, access.Attributes{})
		}
	}
	return nil
}

func readImport(c *call) error {
	at, _, err := c.resolve()
	if err != nil {
		return err
	}
	c.does(access.Import, at, access.Attributes{Points: access.Unbounded, Egress: true})
	return nil
}

func readRaw(c *call) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	c.does(access.RawRead, at, access.Attributes{Vectors: true, Rows: access.Unbounded, Limit: access.Unbounded})
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		if (&view{at, schema, o.Protection}).any() || o.Rows > 0 {
			return nil, &access.Refusal{Code: access.CodeObligation, Message: "an index of " + at.String() + " may not be read by who may not see all of it"}
		}
		return &grpcwire.Obliged{}, nil
	}
	return nil
}

// readAnalyzer reads a cutting of texts into words. What cuts them is described by the client, and can be a program elsewhere.
func readAnalyzer(c *call) error {
	if _, name := c.field("collection_name"); name != "" {
		return ofCollection(c)
	}
	c.does(access.MetaDiagnostics, c.target(), access.Attributes{Egress: true})
	return nil
}

func readFileResource(c *call) error {
	c.does(c.action(), c.target(), access.Attributes{Egress: true})
	return nil
}

// readRowPolicy is for rules on the rows of a collection.
func readRowPolicy(c *call) error {
	at, _, err := c.resolve()
	if err != nil {
		return err
	}
	c.does(c.action(), at, access.Attributes{})
	return nil
}

// notRecorded stands in the record in the place of a secret.
const notRecorded = "[not recorded]"

// readSecret reads a call that carries secrets, which are sent on and not written down.
func readSecret(c *call) error {
	c.does(c.action(), c.target(), access.Attributes{Egress: c.action() == access.ClusterAdmin})
	shown := proto.Clone(c.Message)
	switch m := shown.(type) {
	case *milvuspb.CreateCredentialRequest:
		m.Password = notRecorded
	case *milvuspb.UpdateCredentialRequest:
		m.OldPassword, m.NewPassword = notRecorded, notRecorded
	case *milvuspb.RestoreRBACMetaRequest:
		for _, u := range m.GetRBACMeta().GetUsers() {
			u.Password = notRecorded
		}
	case *milvuspb.UpdateReplicateConfigurationRequest:
		for _, cluster := range m.GetReplicateConfiguration().GetClusters() {
			if p := cluster.GetConnectionParam(); p != nil {
				p.Token = notRecorded
			}
		}
	default:
		return unclear("its secrets are not known")
	}
	c.out.Record = shown
	return nil
}
