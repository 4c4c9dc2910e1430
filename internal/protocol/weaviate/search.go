package weaviate

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

// reference is where the objects of a reference are that was asked for, by their collections, and what was asked of them.
type reference map[string]*shownObject

// shownObject is an object as an answer shows it.
type shownObject struct {
	stored
	references map[string]reference
}

func readSearch(m *message) error {
	request := proto.CloneOf(m.Message.(*pb.SearchRequest))
	if !request.GetUses_127Api() {
		return unclear("its client is of a version that is too old: answers would have a form that is not understood")
	}
	found, err := m.collection(request.GetCollection(), request.GetTenant())
	if err != nil {
		return err
	}
	request.Collection = found.name
	q := &query{class: found, tenant: request.GetTenant(), at: m.of(found, request.GetTenant())}
	if q.where, err = m.filters(request.GetFilters(), found, q.tenant); err != nil {
		return err
	}
	if request.GetLimit() == 0 {
		request.Limit = usualLimit
	}
	q.limit = int64(request.GetLimit())
	q.rows = q.limit
	at := access.Attributes{Offset: int64(request.GetOffset()), Cursor: request.GetAfter() != ""}
	if after := request.GetAfter(); after != "" {
		if _, ok := uuid(after); !ok {
			return unclear("its after is not a UUID in the usual form")
		}
	}
	if err := m.compares(q, &at, searches{
		request.GetHybridSearch(), request.GetBm25Search(), request.GetNearVector(), request.GetNearObject(), request.GetNearText(),
		[]proto.Message{request.GetNearImage(), request.GetNearAudio(), request.GetNearVideo(), request.GetNearDepth(), request.GetNearThermal(), request.GetNearImu()},
	}); err != nil {
		return err
	}
	if q.near || q.keyword {
		q.k = q.limit
	}
	for _, by := range request.GetSortBy() {
		place, err := m.path(found, q.tenant, by.GetPath())
		if err != nil {
			return err
		}
		q.orders = append(q.orders, place)
	}
	if by := request.GetGroupBy(); by != nil {
		if len(by.GetPath()) != 1 || by.GetNumberOfGroups() < 1 || by.GetObjectsPerGroup() < 1 {
			return unclear("its group_by does not say how many groups of how many objects, or by which property")
		}
		place, err := m.path(found, q.tenant, by.GetPath())
		if err != nil {
			return err
		}
		q.groups = append(q.groups, place)
		q.rows = int64(by.GetNumberOfGroups()) * int64(by.GetObjectsPerGroup())
	}
	if err := m.boosts(q, request.GetBoost()); err != nil {
		return err
	}
	if g := request.GetGenerative(); g != nil {
		if redirects(g.ProtoReflect()) {
			return unclear("its generative search says which service the server is to ask, and where")
		}
		q.generates, at.Egress = true, true
	}
	if r := request.GetRerank(); r != nil {
		q.computed, at.Egress = append(q.computed, lower(r.GetProperty())), true
	}
	shown := &shownObject{stored: stored{q.at, found}}
	if at.Fields, err = m.selects(shown, request.GetProperties(), q.tenant, 0); err != nil {
		return err
	}
	at.Fields = append([]string{fieldID}, at.Fields...)
	at.Vectors = request.GetMetadata().GetVector() || len(request.GetMetadata().GetVectors()) > 0
	action, at := q.list(at)
	m.does(action, q.at, at)
	m.out.Message = request
	m.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		if err := q.oblige(o); err != nil {
			return nil, err
		}
		rules, err := narrow(o, q.at, found)
		if err != nil {
			return nil, err
		}
		sent := proto.CloneOf(request)
		sent.Filters = confinedFilters(rules, sent.GetFilters())
		if seen := q.seen(o.Protection); seen != nil && sent.HybridSearch != nil {
			sent.HybridSearch.Properties = seen
		} else if seen != nil {
			sent.Bm25Search.Properties = seen
		}
		withhold(o.Protection, shown.stored, sent.GetMetadata())
		withholdReferences(o.Protection, shown, sent.GetProperties())
		hide := &reply{p: o.Protection, q: q}
		return &grpcwire.Obliged{
			Message: sent, Filtered: m.filtered(o, q.at), Rows: o.Rows, Mute: !o.Protection.Empty(),
			Mask: func(h *mask.Hider, answer proto.Message) (int64, error) {
				return hide.with(h).search(answer.(*pb.SearchReply), shown), nil
			},
		}, nil
	}
	return nil
}

// withhold does not ask for what would be hidden.
func withhold(p *access.Protection, s stored, m *pb.MetadataRequest) {
	if m == nil {
		return
	}
	if vectorsOf(p, s.at, s.class).Mask != access.MaskNone {
		m.Vector = false
	}
	var seen []string
	for _, name := range m.GetVectors() {
		if vectorTreatment(p, s.at, name).Mask == access.MaskNone {
			seen = append(seen, name)
		}
	}
	m.Vectors = seen
	if protects(p, s.at, s.class) {
		m.ExplainScore, m.QueryProfile = false, false
	}
}

func withholdReferences(p *access.Protection, s *shownObject, request *pb.PropertiesRequest) {
	for _, r := range request.GetRefProperties() {
		for _, to := range s.references[lower(r.GetReferenceProperty())] {
			withhold(p, to.stored, r.GetMetadata())
			withholdReferences(p, to, r.GetProperties())
		}
	}
}

// searches are what objects can be compared with.
type searches struct {
	hybrid *pb.Hybrid
	words  *pb.BM25
	vector *pb.NearVector
	object *pb.NearObject
	text   *pb.NearTextSearch
	media  []proto.Message
}

// compares reads what objects are compared with; no more than one thing.
func (r *reading) compares(q *query, at *access.Attributes, s searches) error {
	n := 0
	for _, m := range append([]proto.Message{s.hybrid, s.hybrid.GetNearText(), s.hybrid.GetNearVector(), s.vector, s.object, s.text}, s.media...) {
		q.bounded = q.bounded || bounds(m.ProtoReflect())
	}
	if s.hybrid != nil {
		n++
		q.near, q.keyword = true, true
		if err := q.searched(s.hybrid.GetProperties()); err != nil {
			return err
		}
		at.Egress = q.class.egress && s.hybrid.GetNearVector() == nil && len(s.hybrid.GetVectorBytes())+len(s.hybrid.GetVectors()) == 0
		q.moves(s.hybrid.GetNearText())
	}
	if s.words != nil {
		n++
		q.keyword = true
		if err := q.searched(s.words.GetProperties()); err != nil {
			return err
		}
	}
	if s.vector != nil {
		n++
		q.near = true
	}
	if s.object != nil {
		n++
		q.near, q.nearObject = true, true
	}
	if s.text != nil {
		n++
		q.near, at.Egress = true, q.class.egress
		q.moves(s.text)
	}
	for _, m := range s.media {
		if m.ProtoReflect().IsValid() {
			n++
			q.near, at.Egress = true, q.class.egress
		}
	}
	if n > 1 {
		return unclear("it compares with more than one thing at once")
	}
	return nil
}

// bounds says whether a message says how near objects must be.
func bounds(m protoreflect.Message) bool {
	for _, name := range []protoreflect.Name{"certainty", "distance", "vector_distance"} {
		if f := m.Descriptor().Fields().ByName(name); f != nil && m.Has(f) {
			return true
		}
	}
	return false
}

// searched are the properties that are searched for words.
func (q *query) searched(names []string) (err error) {
	if len(names) == 0 {
		return nil
	}
	q.words, err = unweighted(names)
	return err
}

// moves says whether vectors of stored objects take part in a search near a text.
func (q *query) moves(t *pb.NearTextSearch) {
	if len(t.GetMoveTo().GetUuids())+len(t.GetMoveAway().GetUuids()) > 0 {
		q.nearObject = true
	}
}

// boosts reads by which properties what is found is ordered anew.
func (r *reading) boosts(q *query, b *pb.Boost) error {
	for _, c := range b.GetConditions() {
		var property string
		switch c := c.GetCondition().(type) {
		case *pb.Boost_Condition_Filter:
			w, err := r.filters(c.Filter, q.class, q.tenant)
			if err != nil {
				return err
			}
			for _, condition := range w.all {
				q.orders = append(q.orders, condition.place)
			}
			continue
		case *pb.Boost_Condition_TimeDecay:
			property = c.TimeDecay.GetProperty()
		case *pb.Boost_Condition_PropertyValue:
			property = c.PropertyValue.GetProperty()
		case *pb.Boost_Condition_NumericDecay:
			property = c.NumericDecay.GetProperty()
		}
		place, err := r.path(q.class, q.tenant, []string{property})
		if err != nil {
			return err
		}
		q.orders = append(q.orders, place)
	}
	return nil
}

// selects reads which properties are asked for, and where the objects of references are.
func (r *reading) selects(s *shownObject, p *pb.PropertiesRequest, tenant string, depth int) (names []string, err error) {
	if depth > refers {
		return nil, unclear("it follows references too far")
	}
	if p == nil || p.GetReturnAllNonrefProperties() {
		names = append(names, "*")
	}
	for _, name := range p.GetNonRefProperties() {
		if !propertyForm.MatchString(name) {
			return nil, unclear("it asks for a property whose name is none")
		}
		names = append(names, lower(name))
	}
	for _, o := range p.GetObjectProperties() {
		names = append(names, lower(o.GetPropName()))
	}
	s.references = map[string]reference{}
	for _, ref := range p.GetRefProperties() {
		name := lower(ref.GetReferenceProperty())
		if s.class, err = r.with(s.class, name); err != nil {
			return nil, err
		}
		property, ok := s.class.properties[name]
		if !ok || len(property.targets) == 0 {
			return nil, unclear("it asks for a reference that is none")
		}
		to := ref.GetTargetCollection()
		if len(property.targets) == 1 {
			to = property.targets[0]
		}
		target, err := r.class(to)
		if err != nil {
			return nil, err
		}
		if target.alias() != "" {
			return nil, unclear("it follows a reference to a collection by another name than its own")
		}
		r.join(target, tenant)
		inner := &shownObject{stored: stored{r.of(target, tenant), target}}
		if _, err := r.selects(inner, ref.GetProperties(), tenant, depth+1); err != nil {
			return nil, err
		}
		if s.references[name] == nil {
			s.references[name] = reference{}
		}
		if _, twice := s.references[name][target.name]; twice {
			return nil, unclear("it asks for a reference twice")
		}
		s.references[name][target.name] = inner
		names = append(names, name)
	}
	return names, nil
}
