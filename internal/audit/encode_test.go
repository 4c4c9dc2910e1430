package audit

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

func sample() *Record {
	return &Record{
		Seq: 7, Time: time.Date(2026, 5, 4, 3, 2, 1, 120_000_000, time.UTC), Type: TypeIntent, Session: "s1", Request: "s1.4",
		Subject: "corp:alice", Name: `Al "the <b>" & \ice` + "\n\u2028é\xff\x01", Kind: access.Person, Person: "alice", Target: "products",
		Accesses: []access.Access{
			{
				Action: access.Search, Resource: access.Resource{Target: "products", Namespace: "public", Collection: "items"},
				Attributes: access.Attributes{Limit: -1, Fields: []string{"a", "b\t"}, Vectors: true, Filter: access.FilterKey, Batch: 2},
			},
			{Action: access.Count, Resource: access.Resource{Target: "products"}, Attributes: access.Attributes{IDs: []string{}}},
			{Action: access.Count, Resource: access.Resource{Target: "products"}},
		},
		Effect: access.Allow, Policy: "sha256:1", Rows: 3, Micros: 99, Sealed: 10, SealedHash: "ab",
	}
}

func TestRecordIsEncodedAsEncodingJSONDoes(t *testing.T) {
	check := func(r *Record) {
		t.Helper()
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendRecord(nil, r); string(got) != string(want) {
			t.Fatalf("appendRecord\n got %s\nwant %s", got, want)
		}
	}
	check(sample())
	check(&Record{})
	// Every field, one at a time and all at once, so that a field that is added to Record is not forgotten here.
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var r Record
		fill(random, reflect.ValueOf(&r).Elem())
		check(&r)
	}
}

func fill(random *rand.Rand, v reflect.Value) {
	if random.IntN(3) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		var b strings.Builder
		for range random.IntN(9) {
			switch random.IntN(3) {
			case 0:
				b.WriteByte(byte(random.IntN(256)))
			case 1:
				b.WriteRune(rune(random.IntN(0x3000)))
			case 2:
				b.WriteByte(byte(random.IntN(128)))
			}
		}
		v.SetString(b.String())
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64N(100) - 50)
	case reflect.Uint64:
		v.SetUint(random.Uint64())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 3))
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMicro(random.Int64N(4e15)).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(random, v.Field(i))
		}
	default:
		panic(v.Kind())
	}
}

func TestRecordThatIsTooLongIsShortenedUntilItFits(t *testing.T) {
	long := strings.Repeat("\x01", 1<<20)
	r := sample()
	r.Unclear, r.Client, r.Detail, r.Ticket, r.Target = long, long, long, long, long
	for range 3000 {
		r.Accesses = append(r.Accesses, access.Access{Action: access.Search, Resource: access.Resource{Target: long[:5000], Namespace: long, Collection: long}, Attributes: access.Attributes{Alias: long, IDs: []string{long}}})
	}
	for _, accesses := range [][]access.Access{r.Accesses, r.Accesses[:40], nil} {
		r.Accesses = accesses
		b := appendFitting(nil, r)
		var back Record
		if err := json.Unmarshal(b, &back); err != nil || len(b) > maxRecord || !back.Shortened || back.Subject != r.Subject {
			t.Errorf("%d accesses become %d bytes, error %v, %q", len(accesses), len(b), err, back.Subject)
		}
	}
	if len(r.Unclear) != 1<<20 || r.Shortened {
		t.Error("the caller's record was changed")
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	r := sample()
	r.Name = "Alice Example"
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendRecord(buf[:0], r)
	}
	b.SetBytes(int64(len(buf)))
}
