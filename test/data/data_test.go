package data_test

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/test/data"
)

func TestItemsAreRealTextsWithEmbeddingsOfLengthOne(t *testing.T) {
	items := data.Items()
	if len(items) != 2000 {
		t.Fatalf("%d items, want 2000", len(items))
	}
	sections := map[string]bool{}
	for i, item := range items {
		sections[item.Section] = true
		if item.ID != int64(i+1) || item.Name == "" || item.Summary == "" || len(item.Description) < 200 {
			t.Errorf("item %d is %d %q %q %q", i, item.ID, item.Name, item.Summary, item.Description)
		}
		var square float64
		for _, x := range item.Embedding {
			square += float64(x) * float64(x)
		}
		if math.Abs(square-1) > 0.002 {
			t.Errorf("the embedding of %s has length² %v, want 1", item.Name, square)
		}
	}
	if len(sections) < 40 {
		t.Errorf("%d sections, want at least 40", len(sections))
	}
}

func TestQueriesFindWhatTheyMean(t *testing.T) {
	// One of the three nearest of all items, by exact search.
	means := map[string]*regexp.Regexp{
		"play chess against the computer":                regexp.MustCompile(`(?i)chess`),
		"draw the structure of molecules":                regexp.MustCompile(`(?i)molec|chemi`),
		"block spam in incoming mail":                    regexp.MustCompile(`(?i)spam`),
		"watch the night sky, planetarium":               regexp.MustCompile(`(?i)planetarium|astronom|sky`),
		"edit DNA sequences and align genomes":           regexp.MustCompile(`(?i)sequence|genom|align`),
		"typeset a scientific paper with formulas":       regexp.MustCompile(`(?i)tex|math`),
		"reverse proxy and load balancer for web sites":  regexp.MustCompile(`(?i)proxy|load.?balanc`),
		"simulate electronic circuits":                   regexp.MustCompile(`(?i)circuit|spice|simulat`),
		"a terminal program to read RSS news feeds":      regexp.MustCompile(`(?i)rss|feed|news`),
		"relational database server":                     regexp.MustCompile(`(?i)database|sql`),
		"make music with a software synthesizer":         regexp.MustCompile(`(?i)synth|music`),
		"convert video files from one format to another": regexp.MustCompile(`(?i)video|convert`),
	}
	items, asked := data.Items(), 0
	for _, query := range data.Queries() {
		want, listed := means[query.Text]
		if !listed {
			continue
		}
		asked++
		slices.SortFunc(items, func(a, b data.Item) int {
			return cmp.Compare(query.Embedding.CosineDistance(&a.Embedding), query.Embedding.CosineDistance(&b.Embedding))
		})
		found := slices.ContainsFunc(items[:3], func(item data.Item) bool {
			return want.MatchString(item.Name + " " + item.Summary + " " + item.Description)
		})
		if !found {
			t.Errorf("%q finds %s, %s, %s", query.Text, items[0].Name, items[1].Name, items[2].Name)
		}
	}
	if asked != len(means) {
		t.Errorf("%d of %d queries are in the data", asked, len(means))
	}
}

func TestNoCustomerCanBeARealPerson(t *testing.T) {
	customers := data.Customers()
	if len(customers) != 300 {
		t.Fatalf("%d customers, want 300", len(customers))
	}
	address := regexp.MustCompile(`^[a-z]+\.[a-z]+[0-9]+@example\.(com|org|net)$`)
	phone := regexp.MustCompile(`^\+1-[2-9][0-9]{2}-555-01[0-9]{2}$`)
	ssn := regexp.MustCompile(`^000-[0-9]{2}-[0-9]{4}$`) // no number was ever issued in area 000
	repeated := 0
	for _, c := range customers {
		if !address.MatchString(c.Email) || !phone.MatchString(c.Phone) || !ssn.MatchString(c.SSN) {
			t.Errorf("customer %d: %q, %q, %q", c.ID, c.Email, c.Phone, c.SSN)
		}
		if strings.Contains(c.Notes, c.Email) && strings.Contains(c.Notes, c.Phone) {
			repeated++
		}
	}
	if repeated != 30 {
		t.Errorf("%d customers' notes repeat their address and number, want 30", repeated)
	}
}

func TestOrdersLinkWhatExists(t *testing.T) {
	customers, items := int64(len(data.Customers())), int64(len(data.Items()))
	for _, order := range data.Orders() {
		if order.CustomerID < 1 || order.CustomerID > customers || order.ItemID < 1 || order.ItemID > items || order.Quantity < 1 || order.Cents < 1 {
			t.Errorf("order %+v", order)
		}
	}
}

func TestCallersCannotChangeEachOthersRows(t *testing.T) {
	data.Items()[0].Name = "changed"
	data.Items()[0].Embedding[0] = 7
	if again := data.Items()[0]; again.Name == "changed" || again.Embedding[0] == 7 {
		t.Error("a caller changed the row of the next one")
	}
}
