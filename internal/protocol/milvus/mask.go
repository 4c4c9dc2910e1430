package milvus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

// masker hides in one answer what a view does not show. Answers come column by column: a hidden column keeps its rows and
// its type, or goes altogether.
type masker struct {
	*view
	hider    *mask.Hider
	computed bool // the answer holds numbers that were computed, not columns
	below    *hidden.Fields
	looked   bool // below is known
}

// withheld stands in the place of an error message of the database.
const withheld = "the database refused the request; its message is withheld because it could quote protected values"

// status hides the words of an error, unless it says that there is no such collection.
func (k *masker) status(s *commonpb.Status) {
	if s == nil || !failed(s) || absent(s) || !k.any() {
		return
	}
	said := withheld
	if mask.WrongLength(s.GetReason()) {
		said = mask.OfLengths
	}
	s.Reason, s.Detail, s.ExtraInfo = said, "", nil
}

// searched masks the answer of a search. groups are the fields that it is grouped by.
func (k *masker) searched(answer *milvuspb.SearchResults, groups []string, distance access.Treatment) (int64, error) {
	k.status(answer.GetStatus())
	r := answer.GetResults()
	if r == nil {
		return 0, nil
	}
	_, rows := idTexts(r.GetIds())
	if err := k.columns(&r.FieldsData, &r.OutputFields); err != nil {
		return 0, err
	}
	if g := r.GetGroupByFieldValue(); g != nil {
		path := k.nameOf(g)
		if len(groups) > 0 {
			path = groups[0]
		}
		keep, err := k.column(g, path)
		if err != nil {
			return 0, err
		}
		if !keep {
			r.GroupByFieldValue = nil
		}
	}
	if err := k.ids(r.GetIds()); err != nil {
		return 0, err
	}
	for _, list := range [][]float32{r.GetScores(), r.GetDistances()} {
		for i := range list {
			list[i] = distant(list[i], distance)
		}
	}
	if next := r.GetSearchIteratorV2Results(); next != nil {
		next.LastBound = distant(next.GetLastBound(), distance)
	}
	if k.any() {
		r.HighlightResults = nil // never asked for then
	}
	return rows, nil
}

// distant is what is shown of a distance.
func distant(d float32, t access.Treatment) float32 {
	switch t.Mask {
	case access.MaskNone:
		return d
	case access.MaskRound:
		return float32(mask.Round(float64(d)))
	}
	return 0
}

// queried masks the answer of a query.
func (k *masker) queried(answer *milvuspb.QueryResults) (int64, error) {
	k.status(answer.GetStatus())
	rows := int64(0)
	for _, col := range answer.GetFieldsData() {
		rows = max(rows, int64(length(col)))
	}
	if k.computed {
		return rows, k.numbers(answer.GetFieldsData())
	}
	return rows, k.columns(&answer.FieldsData, &answer.OutputFields)
}

// numbers masks what was computed: a group's key is a column, and of what is hidden nothing is computed.
func (k *masker) numbers(columns []*schemapb.FieldData) error {
	for _, col := range columns {
		path, err := outputPath(col.GetFieldName())
		if err != nil || path == "*" {
			continue
		}
		keep, err := k.column(col, path)
		if err != nil {
			return err
		}
		if !keep {
			return fmt.Errorf("milvus: an answer holds something of %s that is computed of a hidden field", k.at)
		}
	}
	return nil
}

// columns masks columns, and leaves those out that go altogether, by name too.
func (k *masker) columns(columns *[]*schemapb.FieldData, names *[]string) error {
	if !k.any() {
		return nil
	}
	kept := (*columns)[:0]
	for _, col := range *columns {
		name := k.nameOf(col)
		path := name
		if parsed, err := outputPath(name); err == nil {
			path = parsed // a key inside of a column
		}
		keep, err := k.column(col, path)
		if err != nil {
			return err
		}
		if keep {
			kept = append(kept, col)
			continue
		}
		*names = slices.DeleteFunc(*names, func(n string) bool { return n == name })
	}
	*columns = kept
	return nil
}

// nameOf is a column's name; a column without one is known by its number.
func (k *masker) nameOf(col *schemapb.FieldData) string {
	if col.GetIsDynamic() {
		return expr.Meta
	}
	if name := col.GetFieldName(); name != "" {
		return name
	}
	for name, known := range k.schema.columns {
		if known.id == col.GetFieldId() {
			return name
		}
	}
	return ""
}

// column masks one column, or says that it goes.
func (k *masker) column(col *schemapb.FieldData, path string) (keep bool, err error) {
	t := k.field(path)
	switch f := col.GetField().(type) {
	case *schemapb.FieldData_Vectors:
		if t.Mask == access.MaskNone {
			t = k.p.Field(k.at, path, true)
		}
		return t.Mask == access.MaskNone, nil
	case *schemapb.FieldData_StructArrays:
		if t.Mask != access.MaskNone {
			return false, nil
		}
		kept := f.StructArrays.GetFields()[:0]
		for _, part := range f.StructArrays.GetFields() {
			name := part.GetFieldName()
			if m := structForm.FindStringSubmatch(name); m != nil {
				name = m[2]
			}
			inner := k.field(path + "." + name)
			if inner.Mask == access.MaskNone && part.GetVectors() != nil {
				inner = k.p.Field(k.at, path+"."+name, true)
			}
			if inner.Mask == access.MaskNone {
				k.texts(part.GetScalars(), path+"."+name)
				kept = append(kept, part)
			}
		}
		f.StructArrays.Fields = kept
		return true, nil
	case *schemapb.FieldData_Scalars:
		if t.Mask == access.MaskDrop {
			return false, nil
		}
		return true, k.scalars(col, f.Scalars, path, t)
	}
	return true, nil
}

// scalars masks a column of values.
func (k *masker) scalars(col *schemapb.FieldData, s *schemapb.ScalarField, path string, t access.Treatment) error {
	if docs := s.GetJsonData(); docs != nil && t.Mask == access.MaskNone {
		if path == expr.Meta {
			path = ""
		}
		return k.documents(docs.GetData(), path)
	}
	if t.Mask == access.MaskNone {
		k.texts(s, path)
		return nil
	}
	texts, binaries := s.GetStringData().GetData(), s.GetBytesData().GetData()
	if list := s.GetGeometryWktData().GetData(); len(list) > 0 {
		texts = list
	}
	if list := s.GetGeometryData().GetData(); len(list) > 0 {
		binaries = list
	}
	shown := len(texts)+len(binaries) > 0
	for i, value := range texts {
		out, kind := k.hider.Append(nil, t, mask.Text, []byte(value))
		shown = shown && kind == mask.Text
		texts[i] = string(out)
	}
	for i, value := range binaries {
		out, kind := k.hider.Append(nil, t, mask.Bytes, value)
		shown = shown && kind == mask.Bytes
		binaries[i] = out
	}
	if !shown {
		nothing(col, s)
	}
	return nil
}

// nothing makes every value of a column null. The rows stay, with empty values for clients that do not look whether one is
// there.
func nothing(col *schemapb.FieldData, s *schemapb.ScalarField) {
	n := length(col)
	col.ValidData = make([]bool, n)
	switch d := s.GetData().(type) {
	case *schemapb.ScalarField_BoolData:
		d.BoolData.Data = make([]bool, n)
	case *schemapb.ScalarField_IntData:
		d.IntData.Data = make([]int32, n)
	case *schemapb.ScalarField_LongData:
		d.LongData.Data = make([]int64, n)
	case *schemapb.ScalarField_FloatData:
		d.FloatData.Data = make([]float32, n)
	case *schemapb.ScalarField_DoubleData:
		d.DoubleData.Data = make([]float64, n)
	case *schemapb.ScalarField_StringData:
		d.StringData.Data = make([]string, n)
	case *schemapb.ScalarField_BytesData:
		d.BytesData.Data = make([][]byte, n)
	case *schemapb.ScalarField_ArrayData:
		d.ArrayData.Data = make([]*schemapb.ScalarField, n)
		for i := range d.ArrayData.Data {
			d.ArrayData.Data[i] = &schemapb.ScalarField{}
		}
	case *schemapb.ScalarField_JsonData:
		d.JsonData.Data = slices.Repeat([][]byte{[]byte("null")}, n)
		if col.GetIsDynamic() {
			d.JsonData.Data = slices.Repeat([][]byte{[]byte("{}")}, n)
			col.ValidData = nil
		}
	case *schemapb.ScalarField_GeometryData:
		d.GeometryData.Data = make([][]byte, n)
	case *schemapb.ScalarField_TimestamptzData:
		d.TimestamptzData.Data = make([]int64, n)
	case *schemapb.ScalarField_GeometryWktData:
		d.GeometryWktData.Data = make([]string, n)
	default:
		s.Data = nil
	}
}

// documents masks JSON values by the paths of what is in them.
func (k *masker) documents(docs [][]byte, path string) error {
	root := k.inside().Node(path)
	if root == nil {
		return nil
	}
	for i, doc := range docs {
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		var out bytes.Buffer
		m := jsonstream.NewMasker(&out, root, k.hider)
		if _, err := m.Write(doc); err != nil {
			return fmt.Errorf("milvus: a document of %s: %w", k.at, err)
		}
		if err := m.Close(); err != nil {
			return fmt.Errorf("milvus: a document of %s: %w", k.at, err)
		}
		docs[i] = out.Bytes()
	}
	return nil
}

// inside are the fields below columns, for all columns of an answer.
func (k *masker) inside() *hidden.Fields {
	if !k.looked {
		k.below, k.looked = k.fields(), true
	}
	return k.below
}

// texts hides in texts that are documents of their own.
func (k *masker) texts(s *schemapb.ScalarField, path string) {
	f := k.inside()
	if f == nil {
		return
	}
	for i, text := range s.GetStringData().GetData() {
		s.GetStringData().Data[i] = f.Text(k.hider, path, text)
	}
	for _, list := range s.GetArrayData().GetData() {
		k.texts(list, path)
	}
}

// length is how many rows a column has.
func length(col *schemapb.FieldData) int {
	if n := len(col.GetValidData()); n > 0 {
		return n
	}
	switch f := col.GetField().(type) {
	case *schemapb.FieldData_Scalars:
		switch d := f.Scalars.GetData().(type) {
		case *schemapb.ScalarField_BoolData:
			return len(d.BoolData.GetData())
		case *schemapb.ScalarField_IntData:
			return len(d.IntData.GetData())
		case *schemapb.ScalarField_LongData:
			return len(d.LongData.GetData())
		case *schemapb.ScalarField_FloatData:
			return len(d.FloatData.GetData())
		case *schemapb.ScalarField_DoubleData:
			return len(d.DoubleData.GetData())
		case *schemapb.ScalarField_StringData:
			return len(d.StringData.GetData())
		case *schemapb.ScalarField_BytesData:
			return len(d.BytesData.GetData())
		case *schemapb.ScalarField_ArrayData:
			return len(d.ArrayData.GetData())
		case *schemapb.ScalarField_JsonData:
			return len(d.JsonData.GetData())
		case *schemapb.ScalarField_GeometryData:
			return len(d.GeometryData.GetData())
		case *schemapb.ScalarField_TimestamptzData:
			return len(d.TimestamptzData.GetData())
		case *schemapb.ScalarField_GeometryWktData:
			return len(d.GeometryWktData.GetData())
		}
	case *schemapb.FieldData_Vectors:
		dim := int(f.Vectors.GetDim())
		switch d := f.Vectors.GetData().(type) {
		case *schemapb.VectorField_FloatVector:
			return quotient(len(d.FloatVector.GetData()), dim)
		case *schemapb.VectorField_BinaryVector:
			return quotient(len(d.BinaryVector), dim/8)
		case *schemapb.VectorField_Float16Vector:
			return quotient(len(d.Float16Vector), 2*dim)
		case *schemapb.VectorField_Bfloat16Vector:
			return quotient(len(d.Bfloat16Vector), 2*dim)
		case *schemapb.VectorField_Int8Vector:
			return quotient(len(d.Int8Vector), dim)
		case *schemapb.VectorField_SparseFloatVector:
			return len(d.SparseFloatVector.GetContents())
		case *schemapb.VectorField_VectorArray:
			return len(d.VectorArray.GetData())
		}
	case *schemapb.FieldData_StructArrays:
		n := 0
		for _, part := range f.StructArrays.GetFields() {
			n = max(n, length(part))
		}
		return n
	}
	return 0
}

func quotient(a, b int) int {
	if b <= 0 {
		return a
	}
	return a / b
}

// ids masks keys. They keep their number and their type, because clients tell points by them.
func (k *masker) ids(ids *schemapb.IDs) error {
	if _, n := idTexts(ids); n == 0 || !k.any() {
		return nil
	}
	if !k.schema.exists {
		return fmt.Errorf("milvus: the answer has keys of %s, of which nothing is known", k.at)
	}
	t := k.field(k.schema.key)
	if t.Mask == access.MaskNone {
		return nil
	}
	if t.Mask == access.MaskNull || t.Mask == access.MaskDrop {
		t.Mask = access.MaskRedact
	}
	texts := ids.GetStrId().GetData()
	for i, id := range texts {
		out, kind := k.hider.Append(nil, t, mask.Text, []byte(id))
		if texts[i] = string(out); kind != mask.Text {
			texts[i] = mask.Redacted
		}
	}
	numbers := ids.GetIntId().GetData()
	for i, id := range numbers {
		numbers[i] = 0
		if t.Mask == access.MaskHash {
			digest := k.hider.Digest(nil, t.Rule, binary.BigEndian.AppendUint64(nil, uint64(id)))
			numbers[i] = int64(binary.BigEndian.Uint64(digest) >> 1)
		}
	}
	return nil
}
