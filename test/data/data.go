// Package data is the data set of the tests, the demo and the benchmarks: 2,000
// real texts with real sentence embeddings, and invented people who order them.
//
// Items, Customers, Orders and Queries are the rows; Load puts them into a
// database. README.md says where they come from and how to make them again. The
// package knows nothing of vecgate.
package data

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
)

//go:embed items.jsonl.gz customers.jsonl.gz orders.jsonl.gz queries.jsonl.gz embeddings.f16.gz
var files embed.FS

// Dimensions of every embedding.
const Dimensions = 384

// A Vector is an embedding by all-MiniLM-L6-v2, of length 1 but for rounding.
type Vector [Dimensions]float32

// String is the vector as pgvector reads it: [0.1,-0.2,…].
func (v *Vector) String() string { return string(v.append(nil)) }

func (v *Vector) append(text []byte) []byte {
	text = append(text, '[')
	for i, x := range v {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendFloat(text, float64(x), 'g', -1, 32)
	}
	return append(text, ']')
}

// CosineDistance is what pgvector's <=> computes.
func (v *Vector) CosineDistance(w *Vector) float64 {
	var dot, vv, ww float64
	for i := range v {
		dot += float64(v[i]) * float64(w[i])
		vv += float64(v[i]) * float64(v[i])
		ww += float64(w[i]) * float64(w[i])
	}
	return 1 - dot/math.Sqrt(vv*ww)
}

// An Item is a Debian package; its embedding is that of name, summary and description.
type Item struct {
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	Section      string `json:"section"`
	Summary      string `json:"summary"`
	Description  string `json:"description"`
	Version      string `json:"version"`
	Homepage     string `json:"homepage"`
	InstalledKiB int    `json:"installed_kib"`
	Embedding    Vector `json:"-"`
}

// A Customer does not exist: the address is in example.*, the telephone number 555-01xx,
// the social security number of area 000. Every tenth one's notes repeat phone and
// email. The embedding is that of the notes.
type Customer struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Email     string `json:"email"`
	Phone     string `json:"phone"`
	SSN       string `json:"ssn"`
	City      string `json:"city"`
	Notes     string `json:"notes"`
	Embedding Vector `json:"-"`
}

// An Order links a customer to an item.
type Order struct {
	ID         int64  `json:"id"`
	CustomerID int64  `json:"customer_id"`
	ItemID     int64  `json:"item_id"`
	Quantity   int    `json:"quantity"`
	Cents      int64  `json:"cents"`
	Day        string `json:"day"` // 2026-12-31
}

// A Query is what somebody might search the items for.
type Query struct {
	ID        int64  `json:"id"`
	Text      string `json:"text"`
	Embedding Vector `json:"-"`
}

// Items are all items by ID, from 1.
func Items() []Item { return slices.Clone(load().items) }

// Customers are all customers by ID, from 1.
func Customers() []Customer { return slices.Clone(load().customers) }

// Orders are all orders by ID, from 1.
func Orders() []Order { return slices.Clone(load().orders) }

// Queries are some two dozen texts to search the items with.
func Queries() []Query { return slices.Clone(load().queries) }

type set struct {
	items     []Item
	customers []Customer
	orders    []Order
	queries   []Query
}

// load reads the embedded files once. They are part of the program, so that a fault in
// them is a fault of the program.
var load = sync.OnceValue(func() *set {
	s, err := read()
	if err != nil {
		panic(fmt.Sprintf("test/data is broken: %v", err))
	}
	return s
})

func read() (*set, error) {
	var s set
	err := errors.Join(
		readLines("items.jsonl.gz", &s.items), readLines("customers.jsonl.gz", &s.customers),
		readLines("orders.jsonl.gz", &s.orders), readLines("queries.jsonl.gz", &s.queries))
	if err != nil {
		return nil, err
	}
	packed, err := gunzip("embeddings.f16.gz")
	if err != nil {
		return nil, err
	}
	var vectors []*Vector
	for i := range s.items {
		vectors = append(vectors, &s.items[i].Embedding)
	}
	for i := range s.customers {
		vectors = append(vectors, &s.customers[i].Embedding)
	}
	for i := range s.queries {
		vectors = append(vectors, &s.queries[i].Embedding)
	}
	if len(packed) != len(vectors)*Dimensions*2 {
		return nil, fmt.Errorf("embeddings.f16.gz: %d bytes for %d vectors", len(packed), len(vectors))
	}
	for _, vector := range vectors {
		for i := range vector {
			vector[i] = float16(binary.LittleEndian.Uint16(packed))
			packed = packed[2:]
		}
	}
	for _, order := range s.orders {
		if _, err := time.Parse(time.DateOnly, order.Day); err != nil {
			return nil, fmt.Errorf("order %d: %w", order.ID, err)
		}
	}
	return &s, nil
}

func gunzip(name string) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	content, err := io.ReadAll(plain)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return content, nil
}

func readLines[Row any](name string, rows *[]Row) error {
	content, err := gunzip(name)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	for {
		var row Row
		if err := decoder.Decode(&row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read %s, row %d: %w", name, len(*rows)+1, err)
		}
		*rows = append(*rows, row)
	}
}

// float16 widens an IEEE 754 half; embeddings have no infinities and no NaN.
func float16(half uint16) float32 {
	sign, exponent, fraction := half>>15, int(half>>10&0x1f), float64(half&0x3ff)
	value := math.Ldexp(1024+fraction, exponent-25)
	if exponent == 0 {
		value = math.Ldexp(fraction, -24)
	}
	if sign == 1 {
		value = -value
	}
	return float32(value)
}
