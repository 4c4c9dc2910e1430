package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

func readInsert(c *call) error {
	m, ok := c.Message.(*milvuspb.InsertRequest)
	if !ok {
		return unclear("it is no insert")
	}
	return c.write(m.GetFieldsData(), int64(m.GetNumRows()), access.Insert)
}

func readUpsert(c *call) error {
	m, ok := c.Message.(*milvuspb.UpsertRequest)
	if !ok {
		return unclear("it is no upsert")
	}
	actions := []access.Action{access.Upsert}
	if m.GetPartialUpdate() || len(m.GetFieldOps()) > 0 {
		actions = append(actions, access.Update)
	}
	return c.write(m.GetFieldsData(), int64(m.GetNumRows()), actions...)
}

// write reads points that are written, column by column.
func (c *call) write(columns []*schemapb.FieldData, rows int64, actions ...access.Action) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	attributes := access.Attributes{Points: rows, Filter: access.FilterKey}
	seen := map[string]bool{}
	for _, col := range columns {
		name := col.GetFieldName()
		if col.GetIsDynamic() {
			name = expr.Meta
		}
		if name == "" || seen[name] {
			return unclear("its points have a column twice, or one without a name")
		}
		seen[name] = true
		attributes.Fields = append(attributes.Fields, name)
		attributes.Vectors = attributes.Vectors || col.GetVectors() != nil
		if name == schema.key {
			attributes.IDs, _ = columnTexts(col, mostIDs)
		}
	}
	for _, a := range actions {
		c.does(a, at, attributes)
	}
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		obliged := &grpcwire.Obliged{Filtered: true, Mute: v.any(), Mask: v.written()}
		filters := o.FiltersOn(at)
		if len(filters) == 0 {
			return obliged, nil
		}
		for _, f := range filters {
			if err := v.carries(columns, rows, f); err != nil {
				return nil, err
			}
		}
		obliged.Check = func(ctx context.Context) error { return c.unowned(ctx, v, columns, filters) }
		return obliged, nil
	}
	return nil
}

// columnTexts are the texts of a column of texts or whole numbers, at most so many; ok says that it is such a column and
// that every row of it has a value.
func columnTexts(col *schemapb.FieldData, most int) (all []string, ok bool) {
	if slices.Contains(col.GetValidData(), false) {
		return nil, false
	}
	s := col.GetScalars()
	switch {
	case s.GetStringData() != nil:
		list := s.GetStringData().GetData()
		return list[:min(len(list), most)], true
	case s.GetLongData() != nil:
		for _, n := range s.GetLongData().GetData() {
			if len(all) < most {
				all = append(all, strconv.FormatInt(n, 10))
			}
		}
		return all, true
	case s.GetIntData() != nil:
		for _, n := range s.GetIntData().GetData() {
			if len(all) < most {
				all = append(all, strconv.FormatInt(int64(n), 10))
			}
		}
		return all, true
	}
	return nil, false
}

// carries refuses points that do not carry one of the values that a filter asks for.
func (v *view) carries(columns []*schemapb.FieldData, rows int64, f access.FilterRule) error {
	if _, err := v.condition(f); err != nil {
		return err
	}
	refuse, found := v.foreign(f), false
	for _, col := range columns {
		var values []string
		path := strings.Split(f.Field, ".")
		switch {
		case (col.GetIsDynamic() || col.GetFieldName() == expr.Meta) && v.schema.columns[path[0]] == nil:
		case col.GetFieldName() == path[0]:
			path = path[1:]
		default:
			continue
		}
		if len(path) == 0 {
			list, ok := columnTexts(col, int(rows))
			if !ok || int64(len(list)) != rows {
				return refuse
			}
			values = list
		} else {
			docs := col.GetScalars().GetJsonData().GetData()
			if int64(len(docs)) != rows || slices.Contains(col.GetValidData(), false) {
				return refuse
			}
			for _, doc := range docs {
				value, err := jsonstream.Read(doc)
				if err != nil {
					return refuse
				}
				for _, key := range path {
					value = value.Get(key)
				}
				text, ok := value.Text()
				if !ok {
					return refuse
				}
				values = append(values, text)
			}
		}
		if slices.ContainsFunc(values, func(value string) bool { return !slices.Contains(f.Values, value) }) {
			return refuse
		}
		found = true // and every other column that could hold the field must agree
	}
	if !found {
		return refuse
	}
	return nil
}

// foreign refuses points without a value that a filter asks for.
func (v *view) foreign(f access.FilterRule) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeObligation, Rule: f.Rule, Message: fmt.Sprintf("rule %s lets you write only points to %s whose %s is one of %s", f.Rule, v.at, f.Field, strings.Join(f.Values, ", ")),
		Hint: "set " + f.Field + " on every point",
	}
}

// taken refuses to write over points of others.
func (v *view) taken(f access.FilterRule) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeObligation, Rule: f.Rule, Message: fmt.Sprintf("rule %s lets you write only points of your own to %s, and some of the keys are taken by points of others", f.Rule, v.at),
		Hint: "use keys of your own",
	}
}

// unowned refuses to write points under keys that stored points have which the filters would not let through. It asks how
// many of the keys are taken, and how many of those pass.
func (c *call) unowned(ctx context.Context, v *view, columns []*schemapb.FieldData, filters []access.FilterRule) error {
	var ids []string
	for _, col := range columns {
		if col.GetFieldName() != v.schema.key || v.schema.key == "" {
			continue
		}
		list, ok := columnTexts(col, 1<<31-1)
		if !ok {
			return &access.Refusal{Code: access.CodeObligation, Rule: filters[0].Rule, Message: "the keys of the points could not be read"}
		}
		for _, id := range list {
			if col.GetScalars().GetStringData() != nil {
				id = expr.Quote(id)
			}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil // the server draws new keys
	}
	named, err := where(v.schema.key + " in [" + strings.Join(ids, ", ") + "]")
	if err != nil {
		return &access.Refusal{Code: access.CodeObligation, Rule: filters[0].Rule, Message: "the keys of the points cannot stand in a filter"}
	}
	passing, err := v.narrowed(named, filters)
	if err != nil {
		return err
	}
	taken, err := c.count(ctx, v, named.String())
	if err != nil || taken == 0 {
		return err
	}
	mine, err := c.count(ctx, v, passing)
	if err != nil {
		return err
	}
	if taken != mine {
		return v.taken(filters[0])
	}
	return nil
}

// count asks on the gateway's own account how many points a filter finds.
func (c *call) count(ctx context.Context, v *view, filter string) (int64, error) {
	answer := &milvuspb.QueryResults{}
	err := c.Ask(ctx, "/"+service+"/Query", &milvuspb.QueryRequest{
		DbName: c.db, CollectionName: v.schema.name, Expr: filter, OutputFields: []string{"count(*)"}, ConsistencyLevel: commonpb.ConsistencyLevel_Strong,
	}, answer)
	if err != nil {
		return 0, err
	}
	if failed(answer.GetStatus()) {
		return 0, errors.New(answer.GetStatus().GetReason())
	}
	for _, col := range answer.GetFieldsData() {
		if list := col.GetScalars().GetLongData().GetData(); col.GetFieldName() == "count(*)" && len(list) == 1 {
			return list[0], nil
		}
	}
	return 0, errors.New("the target does not say how many there are")
}

// readDelete tells points that are named by their keys from those that a filter finds, and from all.
func readDelete(c *call) error {
	m, ok := c.Message.(*milvuspb.DeleteRequest)
	if !ok {
		return unclear("it is no delete")
	}
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	w, err := where(m.GetExpr())
	if err != nil {
		return err
	}
	m.Expr = w.String()
	attributes := access.Attributes{Points: access.Unbounded}
	named, n, byKey := keys(w, schema.key, m.GetExprTemplateValues())
	describe(&attributes, w, schema.key, byKey)
	action := access.DeleteAll
	switch {
	case byKey:
		action, attributes.IDs, attributes.Points = access.Delete, named, n
	case w.Narrows(schema.key):
		action = access.DeleteByFilter
	}
	c.does(action, at, attributes)
	c.out.Oblige = func(o *access.Obligations) (*grpcwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		if err := v.conditions(w); err != nil {
			return nil, err
		}
		sent := shallow(m)
		if sent.Expr, err = v.narrowed(w, o.FiltersOn(at)); err != nil {
			return nil, err
		}
		return &grpcwire.Obliged{Message: sent, Filtered: true, Mute: v.any(), Mask: v.written()}, nil
	}
	return nil
}

// written masks the answer to a write.
func (v *view) written() func(*mask.Hider, proto.Message) (int64, error) {
	return func(h *mask.Hider, m proto.Message) (int64, error) {
		answer, ok := m.(*milvuspb.MutationResult)
		if !ok {
			return 0, fmt.Errorf("milvus: the answer of a write is a %T", m)
		}
		k := &masker{view: v, hider: h}
		k.status(answer.GetStatus())
		return 0, k.ids(answer.GetIDs())
	}
}
