// Command weaviate is a working day of Weaviate's own client for Go: weaviate REST-ADDRESS GRPC-ADDRESS TOKEN WHAT. It
// prints what it saw, one JSON value a line.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/weaviate/weaviate-go-client/v5/weaviate"
	"github.com/weaviate/weaviate-go-client/v5/weaviate/alias"
	"github.com/weaviate/weaviate-go-client/v5/weaviate/auth"
	"github.com/weaviate/weaviate-go-client/v5/weaviate/filters"
	"github.com/weaviate/weaviate-go-client/v5/weaviate/graphql"
	"github.com/weaviate/weaviate-go-client/v5/weaviate/grpc"
	"github.com/weaviate/weaviate/entities/models"

	"github.com/vecgate/vecgate/test/goclients/day"
)

// worker is a client with both of Weaviate's protocols: batches and Search go by gRPC, all else by REST and GraphQL.
type worker struct {
	*weaviate.Client
	ctx context.Context
}

func main() {
	if len(os.Args) != 5 {
		day.Must(fmt.Errorf("usage: weaviate REST-ADDRESS GRPC-ADDRESS TOKEN WHAT"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	client, err := weaviate.NewClient(weaviate.Config{
		Host: os.Args[1], Scheme: "http", AuthConfig: auth.ApiKey{Value: os.Args[3]}, GrpcConfig: &grpc.Config{Host: os.Args[2]}, StartupTimeout: 10 * time.Second,
	})
	day.Must(err)
	w := worker{client, ctx}
	day.Run(os.Args[4], map[string]func(){"everything": w.everything, "look": w.look, "upsert": w.upsert})
}

func named(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012x", n) }

func object(class string, i int) *models.Object {
	owner, parity := "acme", "even"
	if i%2 == 1 {
		owner, parity = "globex", "odd"
	}
	return &models.Object{
		Class: class, ID: strfmt.UUID(named(i + 1)), Vectors: models.Vectors{"default": []float32{float32(i), 1.5, -float32(i)}},
		Properties: map[string]any{
			"title": fmt.Sprintf("text number %d", i), "email": fmt.Sprintf("person%d@example.com", i), "owner": owner, "n": i, "half": float64(i) / 2,
			"tags": []string{parity, fmt.Sprintf("t%d", i)}, "address": map[string]any{"street": fmt.Sprintf("Road %d", i), "email": fmt.Sprintf("nested%d@example.com", i)},
		},
	}
}

func text(name string) *models.Property {
	return &models.Property{Name: name, DataType: []string{"text"}, Tokenization: "field"}
}

func (w worker) fill(class string) {
	own := map[string]models.VectorConfig{"default": {Vectorizer: map[string]any{"none": map[string]any{}}, VectorIndexType: "hnsw"}}
	day.Must(w.Schema().ClassCreator().WithClass(&models.Class{Class: class, VectorConfig: own, Properties: []*models.Property{
		{Name: "title", DataType: []string{"text"}},
		text("email"),
		text("owner"),
		{Name: "n", DataType: []string{"int"}},
		{Name: "half", DataType: []string{"number"}},
		{Name: "tags", DataType: []string{"text[]"}},
		{Name: "address", DataType: []string{"object"}, NestedProperties: []*models.NestedProperty{{Name: "street", DataType: []string{"text"}}, {Name: "email", DataType: []string{"text"}}}},
	}}).Do(w.ctx))
	batch := w.Batch().ObjectsBatcher()
	for i := range 20 {
		batch.WithObjects(object(class, i))
	}
	day.Saw("filled")(faults(batch.Do(w.ctx)))
}

// faults are what a batch says of the objects that it did not take.
func faults(answers []models.ObjectsGetResponse, err error) (any, error) {
	said := []string{}
	for _, a := range answers {
		if a.Result != nil && a.Result.Errors != nil {
			for _, e := range a.Result.Errors.Error {
				said = append(said, e.Message)
			}
		}
	}
	return said, err
}

// objects are what a listing holds, without times, in the order of their ids.
func objects(list []*models.Object, err error) (any, error) {
	for _, o := range list {
		o.CreationTimeUnix, o.LastUpdateTimeUnix = 0, 0
	}
	slices.SortFunc(list, func(a, b *models.Object) int { return cmp.Compare(a.ID, b.ID) })
	return list, err
}

// answer is what GraphQL says.
func answer(r *models.GraphQLResponse, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if len(r.Errors) > 0 {
		return nil, fmt.Errorf("%s", r.Errors[0].Message)
	}
	return r.Data, nil
}

// groups is what GraphQL says of the groups of Day, which have no order of their own.
func groups(r *models.GraphQLResponse, err error) (any, error) {
	if _, err := answer(r, err); err != nil {
		return nil, err
	}
	of, _ := r.Data["Aggregate"].(map[string]any)
	list, _ := of["Day"].([]any)
	slices.SortFunc(list, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return list, nil
}

func (w worker) count(class string) (any, error) {
	return answer(w.GraphQL().Aggregate().WithClassName(class).WithFields(graphql.Field{Name: "meta", Fields: []graphql.Field{{Name: "count"}}}).Do(w.ctx))
}

func fields(names ...string) (all []graphql.Field) {
	for _, n := range names {
		all = append(all, graphql.Field{Name: n})
	}
	return all
}

func (w worker) everything() {
	ctx := w.ctx
	day.Saw("ready")(w.Misc().ReadyChecker().Do(ctx))
	day.Saw("live")(w.Misc().LiveChecker().Do(ctx))
	w.fill("Day")
	day.Saw("exists")(w.Schema().ClassExistenceChecker().WithClassName("Day").Do(ctx))
	day.Saw("absent")(w.Schema().ClassExistenceChecker().WithClassName("Night").Do(ctx))
	day.Saw("property")(nil, w.Schema().PropertyCreator().WithClassName("Day").WithProperty(text("later")).Do(ctx))
	day.Saw("schema")(w.Schema().ClassGetter().WithClassName("Day").Do(ctx))
	day.Saw("count")(w.count("Day"))

	day.Saw("id")(objects(w.Data().ObjectsGetter().WithClassName("Day").WithID(named(4)).WithVector().Do(ctx)))
	day.Saw("page")(objects(w.Data().ObjectsGetter().WithClassName("Day").WithLimit(3).WithOffset(2).Do(ctx)))
	after := ""
	for page := 0; ; page++ { // a cursor
		list, err := w.Data().ObjectsGetter().WithClassName("Day").WithLimit(8).WithAfter(after).Do(ctx)
		day.Saw(fmt.Sprint("scroll ", page))(len(list), err)
		if len(list) == 0 {
			break
		}
		after = string(list[len(list)-1].ID)
	}

	near := w.GraphQL().NearVectorArgBuilder().WithVector([]float32{3, 1.5, -3})
	more := graphql.Field{Name: "_additional", Fields: fields("id", "distance", "vectors{default}")}
	day.Saw("near")(answer(w.GraphQL().Get().WithClassName("Day").WithFields(append(fields("title", "email", "address{street email}"), more)...).WithNearVector(near).WithLimit(3).Do(ctx)))
	odd := filters.Where().WithOperator(filters.And).WithOperands([]*filters.WhereBuilder{
		filters.Where().WithPath([]string{"n"}).WithOperator(filters.GreaterThan).WithValueInt(15),
		filters.Where().WithPath([]string{"owner"}).WithOperator(filters.Equal).WithValueText("globex"),
	})
	day.Saw("filter")(answer(w.GraphQL().Get().WithClassName("Day").WithFields(fields("n", "owner", "tags")...).WithWhere(odd).WithSort(graphql.Sort{Path: []string{"n"}, Order: graphql.Desc}).WithLimit(5).Do(ctx)))
	words := w.GraphQL().Bm25ArgBuilder().WithQuery("7").WithProperties("title")
	day.Saw("words")(answer(w.GraphQL().Get().WithClassName("Day").WithFields(fields("title", "_additional{score}")...).WithBM25(words).WithLimit(1).Do(ctx)))
	hybrid := w.GraphQL().HybridArgumentBuilder().WithQuery("number 7").WithVector([]float32{7, 1.5, -7}).WithProperties([]string{"title"}).WithAlpha(0.5)
	day.Saw("hybrid")(answer(w.GraphQL().Get().WithClassName("Day").WithFields(fields("title", "_additional{score}")...).WithHybrid(hybrid).WithLimit(2).Do(ctx)))
	by := w.GraphQL().GroupByArgBuilder().WithPath([]string{"owner"}).WithGroups(2).WithObjectsPerGroup(2)
	day.Saw("group")(answer(w.GraphQL().Get().WithClassName("Day").WithFields(fields("owner", "_additional{group{groupedBy{value} count hits{n}}}")...).WithNearVector(near).WithGroupBy(by).WithLimit(10).Do(ctx)))
	day.Saw("sum")(groups(w.GraphQL().Aggregate().WithClassName("Day").WithFields(fields("groupedBy{value}", "n{sum maximum}")...).WithGroupBy("owner").Do(ctx)))
	day.Saw("raw")(answer(w.GraphQL().Raw().WithQuery(`{Get{Day(limit:1 where:{operator:Equal path:["n"] valueInt:7}){title email}}}`).Do(ctx)))

	meta := &graphql.Metadata{ID: true, Distance: true, Vectors: []string{"default"}}
	day.Saw("search")(w.Experimental().Search().WithCollection("Day").WithNearVector(near).WithLimit(3).WithProperties("title", "n").WithMetadata(meta).Do(ctx))
	day.Saw("search by filter")(w.Experimental().Search().WithCollection("Day").WithWhere(odd).WithSort(graphql.Sort{Path: []string{"n"}, Order: graphql.Asc}).WithLimit(5).WithProperties("n").Do(ctx))
	day.Saw("search by words")(w.Experimental().Search().WithCollection("Day").WithBM25(words).WithLimit(1).WithProperties("title").WithMetadata(&graphql.Metadata{ID: true, Score: true}).Do(ctx))

	day.Saw("merged")(nil, w.Data().Updater().WithMerge().WithClassName("Day").WithID(named(1)).WithProperties(map[string]any{"n": 100}).Do(ctx))
	day.Saw("replaced")(nil, w.Data().Updater().WithClassName("Day").WithID(named(2)).WithProperties(map[string]any{"title": "replaced"}).WithVectors(models.Vectors{"default": []float32{1, 2, 3}}).Do(ctx))
	day.Saw("updated")(objects(w.Data().ObjectsGetter().WithClassName("Day").WithID(named(1)).Do(ctx)))
	made, err := w.Data().Creator().WithClassName("Day").WithID(named(50)).WithProperties(map[string]any{"title": "ü \u2028 \"quoted\" 😀", "n": 50}).WithVectors(models.Vectors{"default": []float32{0, 0, 1}}).Do(ctx)
	if err == nil {
		day.Saw("created")(objects([]*models.Object{made.Object}, nil))
	} else {
		day.Saw("created")(nil, err)
	}
	day.Saw("there")(w.Data().Checker().WithClassName("Day").WithID(named(50)).Do(ctx))
	day.Saw("valid")(nil, w.Data().Validator().WithClassName("Day").WithID(named(51)).WithProperties(map[string]any{"n": 51}).Do(ctx))
	day.Saw("deleted")(nil, w.Data().Deleter().WithClassName("Day").WithID(named(50)).Do(ctx))
	day.Saw("gone")(w.Data().Checker().WithClassName("Day").WithID(named(50)).Do(ctx))
	gone := filters.Where().WithPath([]string{"n"}).WithOperator(filters.GreaterThanEqual).WithValueInt(15)
	for _, dry := range []bool{true, false} {
		r, err := w.Batch().ObjectsBatchDeleter().WithClassName("Day").WithWhere(gone).WithDryRun(dry).WithOutput("minimal").Do(ctx)
		if err == nil {
			day.Say("by filter", dry, r.Results.Matches, r.Results.Successful)
		} else {
			day.Saw("by filter")(nil, err)
		}
	}
	day.Saw("left")(w.count("Day"))
	day.Saw("wrong")(answer(w.GraphQL().Get().WithClassName("Day").WithFields(fields("nothing")...).WithLimit(1).Do(ctx)))

	w.references()
	w.tenants()
	day.Saw("alias")(nil, w.Alias().AliasCreator().WithAlias(&alias.Alias{Alias: "Today", Class: "Day"}).Do(ctx))
	day.Saw("stands for")(w.Alias().AliasGetter().WithAliasName("Today").Do(ctx))
	day.Saw("by alias")(w.count("Today"))
	day.Saw("no alias")(nil, w.Alias().AliasDeleter().WithAliasName("Today").Do(ctx))
	day.Saw("dropped")(nil, w.Schema().ClassDeleter().WithClassName("Day").Do(ctx))
	day.Saw("nothing")(w.count("Day"))
}

// references makes one object point at another, one at a time and in a batch.
func (w worker) references() {
	day.Saw("writers")(nil, w.Schema().ClassCreator().WithClass(&models.Class{Class: "Writer", Properties: []*models.Property{text("name")}}).Do(w.ctx))
	_, err := w.Data().Creator().WithClassName("Writer").WithID(named(1000)).WithProperties(map[string]any{"name": "Ann"}).Do(w.ctx)
	day.Saw("writer")(nil, err)
	day.Saw("property")(nil, w.Schema().PropertyCreator().WithClassName("Day").WithProperty(&models.Property{Name: "writer", DataType: []string{"Writer"}}).Do(w.ctx))
	to := w.Data().ReferencePayloadBuilder().WithClassName("Writer").WithID(named(1000)).Payload()
	day.Saw("reference")(nil, w.Data().ReferenceCreator().WithClassName("Day").WithID(named(3)).WithReferenceProperty("writer").WithReference(to).Do(w.ctx))
	from := w.Batch().ReferencePayloadBuilder().WithFromClassName("Day").WithFromID(named(4)).WithFromRefProp("writer").WithToClassName("Writer").WithToID(named(1000)).Payload()
	answers, err := w.Batch().ReferencesBatcher().WithReference(from).Do(w.ctx)
	day.Saw("references")(len(answers), err)
	ann := filters.Where().WithPath([]string{"writer", "Writer", "name"}).WithOperator(filters.Equal).WithValueText("Ann")
	day.Saw("of Ann")(answer(w.GraphQL().Get().WithClassName("Day").WithFields(fields("n", "writer{... on Writer{name}}")...).WithWhere(ann).WithSort(graphql.Sort{Path: []string{"n"}, Order: graphql.Asc}).WithLimit(5).Do(w.ctx)))
	day.Saw("no reference")(nil, w.Data().ReferenceDeleter().WithClassName("Day").WithID(named(3)).WithReferenceProperty("writer").WithReference(to).Do(w.ctx))
}

// tenants keeps notes for two of them.
func (w worker) tenants() {
	day.Saw("notes")(nil, w.Schema().ClassCreator().WithClass(&models.Class{Class: "Notes", MultiTenancyConfig: &models.MultiTenancyConfig{Enabled: true}, Properties: []*models.Property{text("text")}}).Do(w.ctx))
	day.Saw("tenants")(nil, w.Schema().TenantsCreator().WithClassName("Notes").WithTenants(models.Tenant{Name: "acme"}, models.Tenant{Name: "globex"}).Do(w.ctx))
	_, err := w.Data().Creator().WithClassName("Notes").WithTenant("acme").WithID(named(1)).WithProperties(map[string]any{"text": "for acme"}).Do(w.ctx)
	day.Saw("note")(nil, err)
	day.Saw("of acme")(answer(w.GraphQL().Get().WithClassName("Notes").WithTenant("acme").WithFields(fields("text")...).WithLimit(5).Do(w.ctx)))
	day.Saw("of globex")(answer(w.GraphQL().Get().WithClassName("Notes").WithTenant("globex").WithFields(fields("text")...).WithLimit(5).Do(w.ctx)))
	day.Saw("acme")(w.Schema().TenantsExists().WithClassName("Notes").WithTenant("acme").Do(w.ctx))
	list, err := w.Schema().TenantsGetter().WithClassName("Notes").Do(w.ctx)
	day.Saw("all tenants")(len(list), err)
	day.Saw("no notes")(nil, w.Schema().ClassDeleter().WithClassName("Notes").Do(w.ctx))
}

// look reads the customers, and tries what may not be.
func (w worker) look() {
	ctx := w.ctx
	day.Saw("id")(objects(w.Data().ObjectsGetter().WithClassName("Customers").WithID(named(4)).WithVector().Do(ctx)))
	near := w.GraphQL().NearVectorArgBuilder().WithVector([]float32{3, 1.5, -3.001})
	day.Saw("near")(answer(w.GraphQL().Get().WithClassName("Customers").WithFields(fields("title", "email", "address{email}", "_additional{distance vectors{default}}")...).WithNearVector(near).WithLimit(1).Do(ctx)))
	meta := &graphql.Metadata{ID: true, Distance: true, Vector: true, Vectors: []string{"default"}}
	day.Saw("search")(w.Experimental().Search().WithCollection("Customers").WithNearVector(near).WithLimit(1).WithProperties("title", "email").WithMetadata(meta).Do(ctx))
	email := filters.Where().WithPath([]string{"email"}).WithOperator(filters.Equal).WithValueText("person3@example.com")
	day.Saw("by email")(answer(w.GraphQL().Get().WithClassName("Customers").WithFields(fields("title")...).WithWhere(email).WithLimit(1).Do(ctx)))
	day.Saw("search by email")(w.Experimental().Search().WithCollection("Customers").WithWhere(email).WithLimit(1).WithProperties("title").Do(ctx))
	day.Saw("sort")(answer(w.GraphQL().Get().WithClassName("Customers").WithFields(fields("title")...).WithSort(graphql.Sort{Path: []string{"email"}}).WithLimit(1).Do(ctx)))
	day.Saw("top")(answer(w.GraphQL().Aggregate().WithClassName("Customers").WithFields(fields("email{topOccurrences{value}}")...).Do(ctx)))
	day.Saw("delete")(nil, w.Data().Deleter().WithClassName("Customers").WithID(named(1)).Do(ctx))
	day.Saw("drop")(nil, w.Schema().ClassDeleter().WithClassName("Customers").Do(ctx))
}

// upsert writes one customer more.
func (w worker) upsert() {
	day.Saw("upsert")(faults(w.Batch().ObjectsBatcher().WithObjects(&models.Object{
		Class: "Customers", ID: strfmt.UUID(named(400)), Vectors: models.Vectors{"default": []float32{1, 2, 3}}, Properties: map[string]any{"title": "hello"},
	}).Do(w.ctx)))
}
