package weaviate

import (
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	pb "github.com/vecgate/vecgate/internal/protocol/weaviate/weaviatepb"
)

func readAggregate(m *message) error {
	request := proto.CloneOf(m.Message.(*pb.AggregateRequest))
	found, err := m.collection(request.GetCollection(), request.GetTenant())
	if err != nil {
		return err
	}
	request.Collection = found.name
	q := &query{class: found, tenant: request.GetTenant(), at: m.of(found, request.GetTenant()), limit: access.Unbounded, rows: 1}
	if q.where, err = m.filters(request.GetFilters(), found, q.tenant); err != nil {
		return err
	}
	at := access.Attributes{}
	if err := m.compares(q, &at, searches{
		request.GetHybrid(), nil, request.GetNearVector(), request.GetNearObject(), request.GetNearText(),
		[]proto.Message{request.GetNearImage(), request.GetNearAudio(), request.GetNearVideo(), request.GetNearDepth(), request.GetNearThermal(), request.GetNearImu()},
	}); err != nil {
		return err
	}
	if q.near || q.keyword {
		q.k = access.Unbounded
		if request.ObjectLimit != nil {
			q.k = int64(request.GetObjectLimit())
		}
	}
	if by := request.GetGroupBy(); by != nil {
		if name := by.GetCollection(); name != "" && upper(name) != found.name && upper(name) != found.asked {
			return unclear("it groups by a property of another collection")
		}
		by.Collection = found.name
		place, err := m.path(found, q.tenant, []string{by.GetProperty()})
		if err != nil {
			return err
		}
		q.groups = append(q.groups, place)
		q.rows = access.Unbounded
		if request.Limit != nil {
			q.limit, q.rows = int64(request.GetLimit()), int64(request.GetLimit())
		}
	}
	for _, a := range request.GetAggregations() {
		if !propertyForm.MatchString(a.GetProperty()) {
			return unclear("it computes something of a property whose name is none")
		}
		q.aggregated = append(q.aggregated, lower(a.GetProperty()))
	}
	at.Limit, at.Rows, at.Fields, at.Alias = q.limit, q.rows, q.aggregated, found.alias()
	q.where.describe(&at)
	action := access.Aggregate
	if len(q.aggregated) == 0 && len(q.groups) == 0 {
		action = access.Count
	}
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
		if seen := q.seen(o.Protection); seen != nil {
			sent.GetHybrid().Properties = seen
		}
		if o.Rows > 0 && q.limit == access.Unbounded && len(q.groups) > 0 {
			sent.Limit = proto.Uint32(uint32(min(o.Rows+1, 1<<31)))
		}
		hide := &reply{p: o.Protection, q: q}
		return &grpcwire.Obliged{
			Message: sent, Filtered: m.filtered(o, q.at), Rows: o.Rows, Mute: !o.Protection.Empty(),
			Mask: func(h *mask.Hider, answer proto.Message) (int64, error) {
				return hide.with(h).aggregate(answer.(*pb.AggregateReply)), nil
			},
		}, nil
	}
	return nil
}

// aggregate hides in the answer of Aggregate, and counts its groups.
func (r *reply) aggregate(a *pb.AggregateReply) int64 {
	if single := a.GetSingleResult(); single != nil {
		r.computed(single.GetAggregations())
		return 1
	}
	groups := a.GetGroupedResults().GetGroups()
	for _, g := range groups {
		r.computed(g.GetAggregations())
		for _, by := range r.q.groups {
			if t := treatment(r.p, by.at, by.field); t.Mask != access.MaskNone {
				text, ok := g.GetGroupedBy().GetValue().(*pb.AggregateReply_Group_GroupedBy_Text)
				shown := ""
				if ok {
					shown = r.text(t, text.Text)
				}
				g.GroupedBy.Value = &pb.AggregateReply_Group_GroupedBy_Text{Text: shown}
			} else if text, ok := g.GetGroupedBy().GetValue().(*pb.AggregateReply_Group_GroupedBy_Text); ok {
				text.Text = r.document(by.at, by.field, text.Text)
			}
		}
	}
	return int64(len(groups))
}

// computed empties what was computed of a hidden property, which keeps its form.
func (r *reply) computed(a *pb.AggregateReply_Aggregations) {
	for _, one := range a.GetAggregations() {
		if treatment(r.p, r.q.at, lower(one.GetProperty())).Mask == access.MaskNone {
			for _, top := range one.GetText().GetTopOccurences().GetItems() {
				top.Value = r.document(r.q.at, lower(one.GetProperty()), top.GetValue())
			}
			continue
		}
		m := one.ProtoReflect()
		f := m.WhichOneof(m.Descriptor().Oneofs().ByName("aggregation"))
		if f != nil {
			m.Set(f, m.NewField(f))
		}
	}
}
