package weaviate

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

// withheldMessage stands where the target's own words could quote what is hidden.
const withheldMessage = "the database's message is withheld because it could quote protected values"

func readBatchObjects(m *message) error {
	request := proto.CloneOf(m.Message.(*pb.BatchObjectsRequest))
	b := &writing{message: m}
	if err := b.objects(request.GetObjects()); err != nil {
		return err
	}
	m.out.Message = request
	b.oblige(func(p *access.Protection, answer proto.Message) {
		for _, e := range answer.(*pb.BatchObjectsReply).GetErrors() {
			e.Error = told(p, e.GetError())
		}
	})
	return nil
}

func readBatchReferences(m *message) error {
	request := proto.CloneOf(m.Message.(*pb.BatchReferencesRequest))
	b := &writing{message: m}
	if err := b.references(request.GetReferences()); err != nil {
		return err
	}
	m.out.Message = request
	b.oblige(func(p *access.Protection, answer proto.Message) {
		for _, e := range answer.(*pb.BatchReferencesReply).GetErrors() {
			e.Error = told(p, e.GetError())
		}
	})
	return nil
}

// readBatchStream reads one message of a stream of writes.
func readBatchStream(m *message) error {
	request := proto.CloneOf(m.Message.(*pb.BatchStreamRequest))
	if (request.GetStart() != nil) == m.Later {
		return unclear("a stream of writes begins with start, once")
	}
	data := request.GetData()
	if data == nil {
		if request.GetMessage() == nil {
			return unclear("a message of a stream of writes is empty")
		}
		m.out.Free = true
		return nil
	}
	b := &writing{message: m}
	if len(data.GetObjects().GetValues()) > 0 {
		if err := b.objects(data.GetObjects().GetValues()); err != nil {
			return err
		}
	}
	if len(data.GetReferences().GetValues()) > 0 || len(b.order) == 0 {
		if err := b.references(data.GetReferences().GetValues()); err != nil {
			return err
		}
	}
	m.out.Message = request
	b.oblige(func(p *access.Protection, answer proto.Message) {
		for _, e := range answer.(*pb.BatchStreamReply).GetResults().GetErrors() {
			e.Error = told(p, e.GetError())
		}
	})
	return nil
}

// told is what is passed on of the target's own words.
func told(p *access.Protection, words string) string {
	if p.Empty() || words == "" {
		return words
	}
	if mask.WrongLength(words) {
		return mask.OfLengths
	}
	return withheldMessage
}

// writing is objects and references of any collections that are to be stored.
type writing struct {
	*message
	all   []*sent
	order []access.Resource // of objects
	where map[access.Resource]*access.Attributes
}

// sent is an object that is to be stored.
type sent struct {
	written
	properties *structpb.Struct
}

// objects reads objects, and puts their collections' own names into them.
func (b *writing) objects(list []*pb.BatchObject) error {
	if len(list) == 0 {
		return unclear("its list of objects is empty")
	}
	b.where = map[access.Resource]*access.Attributes{}
	for _, o := range list {
		s, err := b.object(o)
		if err != nil {
			return err
		}
		b.all = append(b.all, s)
		at, ok := b.where[s.at]
		if !ok {
			at = &access.Attributes{Filter: access.FilterKey, Batch: len(b.order), Alias: s.class.alias()}
			b.where[s.at] = at
			b.order = append(b.order, s.at)
		}
		at.Points++
		at.Vectors = at.Vectors || s.vectors
		if s.id != "" && len(at.IDs) < mostIDs {
			at.IDs = append(at.IDs, s.id)
		}
		b.grow(&s.written)
		if s.grows != "" {
			b.out.Done = b.reading.catalog.forget
		}
	}
	for _, place := range b.order {
		b.does(access.Upsert, place, *b.where[place])
	}
	return nil
}

func (b *writing) object(o *pb.BatchObject) (*sent, error) {
	found, err := b.collection(o.GetCollection(), o.GetTenant())
	if err != nil {
		return nil, err
	}
	o.Collection = found.name
	s := &sent{properties: o.GetProperties().GetNonRefProperties()}
	s.class, s.tenant, s.at = found, o.GetTenant(), b.of(found, o.GetTenant())
	s.vectors = len(o.GetVector())+len(o.GetVectorBytes())+len(o.GetVectors()) > 0
	if o.GetUuid() != "" {
		var ok bool
		if s.id, ok = uuid(o.GetUuid()); !ok {
			return nil, unclear("an object's uuid is not one in the usual form")
		}
		o.Uuid = s.id
	}
	names := propertyNames(o.GetProperties())
	if s.class, err = b.with(found, names...); err != nil {
		return nil, err
	}
	if s.class.missing {
		s.grows = access.SchemaCreate
	}
	seen := map[string]bool{}
	for _, name := range names {
		if !propertyForm.MatchString(name) || seen[lower(name)] {
			return nil, unclear("an object has a property whose name is none, or two that Weaviate takes for one")
		}
		seen[lower(name)] = true
		if _, known := s.class.properties[lower(name)]; !known && s.grows == "" {
			s.grows = access.SchemaAlter
		}
	}
	return s, nil
}

// propertyNames are all of an object's properties, whatever their types.
func propertyNames(p *pb.BatchObject_Properties) []string {
	names := slices.Clone(p.GetEmptyListProps())
	for name := range p.GetNonRefProperties().GetFields() {
		names = append(names, name)
	}
	for _, x := range p.GetNumberArrayProperties() {
		names = append(names, x.GetPropName())
	}
	for _, x := range p.GetIntArrayProperties() {
		names = append(names, x.GetPropName())
	}
	for _, x := range p.GetTextArrayProperties() {
		names = append(names, x.GetPropName())
	}
	for _, x := range p.GetBooleanArrayProperties() {
		names = append(names, x.GetPropName())
	}
	for _, x := range p.GetObjectProperties() {
		names = append(names, x.GetPropName())
	}
	for _, x := range p.GetObjectArrayProperties() {
		names = append(names, x.GetPropName())
	}
	linked := map[string]bool{} // a reference may be given once for every collection that it leads to
	for _, x := range p.GetSingleTargetRefProps() {
		linked[x.GetPropName()] = true
	}
	for _, x := range p.GetMultiTargetRefProps() {
		linked[x.GetPropName()] = true
	}
	for name := range linked {
		names = append(names, name)
	}
	return names
}

// references reads references between objects.
func (b *writing) references(list []*pb.BatchReference) error {
	if len(list) == 0 {
		return unclear("its list of references is empty")
	}
	at := map[access.Resource]int{}
	for _, r := range list {
		found, err := b.collection(r.GetFromCollection(), r.GetTenant())
		if err != nil {
			return err
		}
		if found.alias() != "" {
			return unclear("the collection of a reference is an alias; name the collection itself")
		}
		r.FromCollection = found.name
		from, ok := uuid(r.GetFromUuid())
		_, isID := uuid(r.GetToUuid())
		if !ok || !isID || !propertyForm.MatchString(r.GetName()) {
			return unclear("a reference does not go from the property of one object to another object")
		}
		if to := r.GetToCollection(); to != "" && !classForm.MatchString(to) {
			return unclear("the collection that a reference leads to is not a name")
		}
		b.tally(at, access.Update, b.of(found, r.GetTenant()), from, lower(r.GetName()))
	}
	return nil
}

// oblige takes on obligations: what is stored must stay where its writer may reach.
func (b *writing) oblige(hide func(*access.Protection, proto.Message)) {
	b.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		rules, named := map[access.Resource][]access.FilterRule{}, map[access.Resource][]string{}
		for _, s := range b.all {
			on, err := narrow(o, s.at, s.class)
			if err != nil {
				return nil, err
			}
			if f := within(on, s.properties.GetFields()); f != nil {
				return nil, astray(f, s.at)
			}
			rules[s.at] = on
			if s.id != "" {
				named[s.at] = append(named[s.at], s.id)
			}
		}
		var checks []func(context.Context) error
		for _, s := range b.all {
			if len(rules[s.at]) > 0 && len(named[s.at]) > 0 {
				checks = append(checks, b.reaching(rules[s.at], s.class, s.tenant, named[s.at]))
				delete(named, s.at)
			}
		}
		obliged := &grpcwire.Obliged{Filtered: b.confined(o), Check: every(checks), Mute: !o.Protection.Empty()}
		obliged.Mask = func(_ *mask.Hider, answer proto.Message) (int64, error) {
			hide(o.Protection, answer)
			return 0, nil
		}
		return obliged, nil
	}
}

// confined says whether no filter concerns the references: that an object may be changed is known of objects only that are
// written as a whole.
func (b *writing) confined(o *access.Obligations) bool {
	for _, a := range b.accesses {
		if a.Action == access.Update && len(o.FiltersOn(a.Resource)) > 0 {
			return false
		}
	}
	return b.filtered(o, append(b.order, b.schemas()...)...)
}

// schemas are the collections as wholes that Weaviate would change on its own account.
func (b *writing) schemas() []access.Resource {
	var all []access.Resource
	for _, s := range b.all {
		if s.grows != "" {
			all = append(all, b.of(s.class, ""))
		}
	}
	return all
}

// within says which of the filters an object's properties do not pass.
func within(rules []access.FilterRule, properties map[string]*structpb.Value) *access.FilterRule {
	for i := range rules {
		text, ok := properties[rules[i].Field].GetKind().(*structpb.Value_StringValue)
		if !ok || !slices.Contains(rules[i].Values, text.StringValue) {
			return &rules[i]
		}
	}
	return nil
}

// reaching is call.reaching for gRPC: none of the objects that there are already may be of somebody else.
func (m *message) reaching(rules []access.FilterRule, found *class, tenant string, ids []string) func(context.Context) error {
	return func(ctx context.Context) error {
		if len(ids) > mostLookups {
			return tooManyNamed(found, rules[0])
		}
		ask := &pb.SearchRequest{
			Collection: found.name, Tenant: tenant, Limit: uint32(len(ids)), Uses_127Api: true, Metadata: &pb.MetadataRequest{Uuid: true},
			Properties: &pb.PropertiesRequest{},
			Filters: &pb.Filters{
				Operator:  pb.Filters_OPERATOR_CONTAINS_ANY,
				Target:    &pb.FilterTarget{Target: &pb.FilterTarget_Property{Property: "_id"}},
				TestValue: &pb.Filters_ValueTextArray{ValueTextArray: &pb.TextArray{Values: ids}},
			},
		}
		for _, f := range rules {
			ask.Properties.NonRefProperties = append(ask.Properties.NonRefProperties, f.Field)
		}
		answer := &pb.SearchReply{}
		if err := m.Ask(ctx, service+"Search", ask, answer); err != nil {
			return err
		}
		met := map[string]bool{}
		for _, result := range answer.GetResults() {
			stored := map[string]*structpb.Value{}
			for name, v := range result.GetProperties().GetNonRefProps().GetFields() {
				switch kind := v.GetKind().(type) {
				case *pb.Value_TextValue:
					stored[name] = structpb.NewStringValue(kind.TextValue)
				case *pb.Value_UuidValue:
					stored[name] = structpb.NewStringValue(kind.UuidValue)
				}
			}
			met[result.GetMetadata().GetId()] = within(rules, stored) == nil
		}
		return unmet(met, ids, true, rules[0], m.of(found, tenant))
	}
}

func readDeletion(m *message) error {
	request := proto.CloneOf(m.Message.(*pb.BatchDeleteRequest))
	found, err := m.collection(request.GetCollection(), request.GetTenant())
	if err != nil {
		return err
	}
	if found.alias() != "" {
		return unclear("its collection is an alias; name the collection itself")
	}
	request.Collection = found.name
	place := m.of(found, request.GetTenant())
	w, err := m.filters(request.GetFilters(), found, request.GetTenant())
	if err != nil {
		return err
	}
	action, at := w.deletes(request.GetDryRun())
	m.does(action, place, at)
	m.out.Message = request
	m.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		if err := w.oblige(o.Protection); err != nil {
			return nil, err
		}
		if request.GetDryRun() && o.Rows > 0 {
			return nil, dryRun()
		}
		rules, err := narrow(o, place, found)
		if err != nil {
			return nil, err
		}
		sent := proto.CloneOf(request)
		sent.Filters = confinedFilters(rules, sent.GetFilters())
		return &grpcwire.Obliged{
			Message: sent, Filtered: m.filtered(o, place), Mute: !o.Protection.Empty(),
			Mask: func(_ *mask.Hider, answer proto.Message) (int64, error) {
				hidden := o.Protection.Field(place, fieldID, false).Mask != access.MaskNone
				for _, object := range answer.(*pb.BatchDeleteReply).GetObjects() {
					if hidden {
						object.Uuid = make([]byte, 16)
					}
					if object.Error != nil {
						object.Error = proto.String(told(o.Protection, object.GetError()))
					}
				}
				return 0, nil
			},
		}, nil
	}
	return nil
}

func readTenantsGet(m *message) error {
	request := proto.CloneOf(m.Message.(*pb.TenantsGetRequest))
	found, err := m.collection(request.GetCollection(), "")
	if err != nil {
		return err
	}
	request.Collection = found.name
	for i, name := range request.GetNames().GetValues() {
		if !tenantForm.MatchString(name) {
			return unclear("its tenant is not a name")
		}
		m.does(access.TenantRead, resource(m.target, name, found.name), access.Attributes{Batch: i})
	}
	if len(m.accesses) == 0 {
		m.does(access.TenantRead, m.of(found, ""), access.Attributes{})
	}
	m.out.Message = request
	return nil
}
