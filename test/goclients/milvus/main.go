// Command milvus is a working day of Milvus' own client for Go: milvus ADDRESS TOKEN WHAT. It prints what it saw, one JSON
// value a line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/entity"
	"github.com/milvus-io/milvus/client/v2/index"
	client "github.com/milvus-io/milvus/client/v2/milvusclient"

	"github.com/vecgate/vecgate/test/goclients/day"
)

type worker struct {
	*client.Client
	ctx context.Context
}

func main() {
	if len(os.Args) != 4 {
		day.Must(fmt.Errorf("usage: milvus ADDRESS TOKEN WHAT"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	c, err := client.New(ctx, &client.ClientConfig{Address: os.Args[1], APIKey: os.Args[2]})
	day.Must(err)
	w := worker{c, ctx}
	day.Run(os.Args[3], map[string]func(){"everything": w.everything, "look": w.look, "upsert": w.upsert})
	day.Must(c.Close(ctx))
}

func rows(from, to int) (all []any) {
	for i := from; i < to; i++ {
		city, tenant := "Rome", "acme"
		if i%2 == 1 {
			city = "Oslo"
		}
		if i >= 10 {
			tenant = "other"
		}
		meta, err := json.Marshal(map[string]any{"phone": fmt.Sprintf("0047-55-%04d", i), "n": i})
		day.Must(err)
		all = append(all, map[string]any{
			"id": int64(i), "vec": entity.FloatVector{float32(i), 1.5, -float32(i)}, "email": fmt.Sprintf("person%d@example.com", i), "city": city, "tenant": tenant,
			"meta": meta, "color": fmt.Sprintf("red%d", i),
		})
	}
	return all
}

func (w worker) fill(name string) {
	schema := entity.NewSchema().WithDynamicFieldEnabled(true).
		WithField(entity.NewField().WithName("id").WithDataType(entity.FieldTypeInt64).WithIsPrimaryKey(true)).
		WithField(entity.NewField().WithName("vec").WithDataType(entity.FieldTypeFloatVector).WithDim(3))
	for _, field := range []string{"email", "city", "tenant"} {
		schema.WithField(entity.NewField().WithName(field).WithDataType(entity.FieldTypeVarChar).WithMaxLength(100))
	}
	schema.WithField(entity.NewField().WithName("meta").WithDataType(entity.FieldTypeJSON))
	flat := client.NewCreateIndexOption(name, "vec", index.NewFlatIndex(entity.L2))
	day.Must(w.CreateCollection(w.ctx, client.NewCreateCollectionOption(name, schema).WithIndexOptions(flat)))
	r, err := w.Insert(w.ctx, client.NewRowBasedInsertOption(name, rows(0, 20)...))
	day.Saw("filled")(r.InsertCount, err)
}

// table is what a result holds, row by row.
func table(r client.ResultSet, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for i := range r.ResultCount {
		row := map[string]any{}
		for _, c := range r.Fields {
			if row[c.Name()], err = value(c, i); err != nil {
				return nil, err
			}
		}
		if r.IDs != nil {
			if row["id"], err = value(r.IDs, i); err != nil {
				return nil, err
			}
		}
		if i < len(r.Scores) {
			row["distance"] = r.Scores[i]
		}
		all = append(all, row)
	}
	return all, nil
}

func value(c column.Column, i int) (any, error) {
	if null, err := c.IsNull(i); err == nil && null {
		return nil, nil
	}
	v, err := c.Get(i)
	if text, ok := v.([]byte); ok {
		return json.RawMessage(text), err
	}
	return v, err
}

// tables are the results of several searches.
func tables(sets []client.ResultSet, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var all []any
	for _, r := range sets {
		t, err := table(r, r.Err)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func vectors(all ...[]float32) (out []entity.Vector) {
	for _, v := range all {
		out = append(out, entity.FloatVector(v))
	}
	return out
}

func (w worker) count(name string) (any, error) {
	return table(w.Query(w.ctx, client.NewQueryOption(name).WithFilter("id >= 0").WithOutputFields("count(*)").WithConsistencyLevel(entity.ClStrong)))
}

func (w worker) everything() {
	ctx, strong := w.ctx, entity.ClStrong
	version, err := w.GetServerVersion(ctx, client.NewGetServerVersionOption())
	day.Saw("version")(version != "", err)
	w.fill("day")
	day.Saw("has")(w.HasCollection(ctx, client.NewHasCollectionOption("day")))
	day.Saw("has not")(w.HasCollection(ctx, client.NewHasCollectionOption("night")))
	day.Saw("list")(w.ListCollections(ctx, client.NewListCollectionOption()))
	if d, err := w.DescribeCollection(ctx, client.NewDescribeCollectionOption("day")); err != nil {
		day.Saw("described")(nil, err)
	} else {
		var names []string
		for _, f := range d.Schema.Fields {
			names = append(names, f.Name)
		}
		day.Say("described", d.Name, names, d.Schema.EnableDynamicField)
	}
	task, err := w.LoadCollection(ctx, client.NewLoadCollectionOption("day"))
	day.Must(err)
	day.Saw("loaded")(nil, task.Await(ctx))
	state, err := w.GetLoadState(ctx, client.NewGetLoadStateOption("day"))
	day.Saw("load state")(state.State, err)
	up, err := w.Upsert(ctx, client.NewColumnBasedInsertOption("day").WithInt64Column("id", []int64{3}).WithFloatVectorColumn("vec", 3, [][]float32{{3, 1.5, -3}}).
		WithVarcharColumn("email", []string{"person3@example.com"}).WithVarcharColumn("city", []string{"Bergen"}).WithVarcharColumn("tenant", []string{"acme"}).
		WithColumns(column.NewColumnJSONBytes("meta", [][]byte{[]byte(`{"n":3}`)})))
	day.Saw("upsert")(up.UpsertCount, err)

	day.Saw("get")(table(w.Get(ctx, client.NewQueryOption("day").WithIDs(column.NewColumnInt64("id", []int64{3, 1})).WithOutputFields("email", "city", "meta", "vec").WithConsistencyLevel(strong))))
	day.Saw("query")(table(w.Query(ctx, client.NewQueryOption("day").WithFilter(`city == "Oslo" and meta["n"] > 5`).WithOutputFields("id", "color").WithLimit(3).WithConsistencyLevel(strong))))
	day.Saw("all")(table(w.Query(ctx, client.NewQueryOption("day").WithFilter("id >= 18").WithOutputFields("*").WithConsistencyLevel(strong))))
	day.Saw("count")(w.count("day"))
	day.Saw("search")(tables(w.Search(ctx, client.NewSearchOption("day", 3, vectors([]float32{1, 1, 1}, []float32{9.2, 1.5, -9.2})).WithANNSField("vec").WithOutputFields("email", "color").WithConsistencyLevel(strong))))
	day.Saw("filtered")(tables(w.Search(ctx, client.NewSearchOption("day", 2, vectors([]float32{1, 1, 1})).WithFilter(`tenant == "other"`).WithOutputFields("tenant", "vec").WithConsistencyLevel(strong))))
	day.Saw("near")(tables(w.Search(ctx, client.NewSearchOption("day", 2, vectors([]float32{1, 1, 1})).WithSearchParam("radius", "300").WithConsistencyLevel(strong))))
	day.Saw("hybrid")(tables(w.HybridSearch(ctx, client.NewHybridSearchOption("day", 3,
		client.NewAnnRequest("vec", 4, vectors([]float32{1, 1, 1})...).WithFilter("id < 9"), client.NewAnnRequest("vec", 4, vectors([]float32{1.2, 1, -1})...),
	).WithReranker(client.NewRRFReranker()).WithOutputFields("city").WithConsistencyLevel(strong))))
	w.iterate()
	day.Saw("stats")(w.GetCollectionStats(ctx, client.NewGetCollectionStatsOption("day")))

	day.Saw("alias")(nil, w.CreateAlias(ctx, client.NewCreateAliasOption("day", "today")))
	if a, err := w.DescribeAlias(ctx, client.NewDescribeAliasOption("today")); err != nil {
		day.Saw("stands for")(nil, err)
	} else {
		day.Say("stands for", a.CollectionName)
	}
	day.Saw("by alias")(w.count("today"))
	day.Saw("no alias")(nil, w.DropAlias(ctx, client.NewDropAliasOption("today")))
	day.Saw("partition")(nil, w.CreatePartition(ctx, client.NewCreatePartitionOption("day", "late")))
	day.Saw("partitions")(w.ListPartitions(ctx, client.NewListPartitionOption("day")))
	day.Saw("indexes")(w.ListIndexes(ctx, client.NewListIndexOption("day")))
	gone, err := w.Delete(ctx, client.NewDeleteOption("day").WithInt64IDs("id", []int64{0, 1}))
	day.Saw("deleted")(gone.DeleteCount, err)
	gone, err = w.Delete(ctx, client.NewDeleteOption("day").WithExpr(`city == "Rome"`))
	day.Saw("deleted by filter")(gone.DeleteCount, err)
	day.Saw("left")(w.count("day"))
	day.Saw("wrong")(table(w.Query(ctx, client.NewQueryOption("day").WithFilter("city > 5").WithOutputFields("id").WithConsistencyLevel(strong))))
	day.Saw("none")(table(w.Query(ctx, client.NewQueryOption("night").WithFilter("id > 1").WithOutputFields("id"))))
	day.Saw("released")(nil, w.ReleaseCollection(ctx, client.NewReleaseCollectionOption("day")))
	day.Saw("renamed")(nil, w.RenameCollection(ctx, client.NewRenameCollectionOption("day", "evening")))
	day.Saw("dropped")(nil, w.DropCollection(ctx, client.NewDropCollectionOption("evening")))
	day.Saw("list")(w.ListCollections(ctx, client.NewListCollectionOption()))
	day.Saw("database")(nil, w.CreateDatabase(ctx, client.NewCreateDatabaseOption("side")))
	names, err := w.ListDatabase(ctx, client.NewListDatabaseOption())
	slices.Sort(names)
	day.Saw("databases")(names, err)
	day.Saw("no database")(nil, w.DropDatabase(ctx, client.NewDropDatabaseOption("side")))
}

// iterate pages through a collection.
func (w worker) iterate() {
	pages, err := w.QueryIterator(w.ctx, client.NewQueryIteratorOption("day").WithBatchSize(7).WithOutputFields("id").WithFilter("id >= 0").WithConsistencyLevel(entity.ClStrong))
	if err != nil {
		day.Saw("iterated")(nil, err)
		return
	}
	for {
		page, err := pages.Next(w.ctx)
		if errors.Is(err, io.EOF) {
			return
		}
		day.Saw("iterated")(table(page, err))
		if err != nil {
			return
		}
	}
}

// look reads the customers, and tries what may not be.
func (w worker) look() {
	ctx := w.ctx
	shown := []string{"id", "email", "city", "meta", "color", "vec"}
	near := []float32{3, 1.5, -3.001}
	day.Saw("get")(table(w.Get(ctx, client.NewQueryOption("customers").WithIDs(column.NewColumnInt64("id", []int64{3})).WithOutputFields(shown...))))
	day.Saw("star")(table(w.Query(ctx, client.NewQueryOption("customers").WithFilter("id in [3]").WithOutputFields("*"))))
	day.Saw("search")(tables(w.Search(ctx, client.NewSearchOption("customers", 1, vectors(near)).WithOutputFields("*"))))
	day.Saw("named")(tables(w.Search(ctx, client.NewSearchOption("customers", 1, vectors(near)).WithOutputFields(shown...))))
	day.Saw("by email")(table(w.Query(ctx, client.NewQueryOption("customers").WithFilter(`email == "person3@example.com"`).WithOutputFields("id").WithLimit(1))))
	day.Saw("range")(tables(w.Search(ctx, client.NewSearchOption("customers", 1, vectors(near)).WithSearchParam("radius", "1"))))
	day.Saw("delete")(w.Delete(ctx, client.NewDeleteOption("customers").WithInt64IDs("id", []int64{3})))
	day.Saw("drop")(nil, w.DropCollection(ctx, client.NewDropCollectionOption("customers")))
}

// upsert writes one customer more.
func (w worker) upsert() {
	r, err := w.Upsert(w.ctx, client.NewRowBasedInsertOption("customers", rows(30, 31)...))
	day.Saw("upsert")(r.UpsertCount, err)
}
