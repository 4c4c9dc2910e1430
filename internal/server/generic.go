package server

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/protocol/generic"
)

// described makes the dialect of a target whose interface the configuration describes.
func described(t *config.Target) (*generic.Dialect, error) {
	api := generic.API{Health: t.API.Health, Message: t.API.Error.Message, Code: t.API.Error.Code}
	for i := range t.API.Operations {
		op := &t.API.Operations[i]
		api.Operations = append(api.Operations, generic.Operation{
			Name: op.Name, Method: op.Method, Path: op.Path, Action: access.Action(op.Action), Namespace: op.Namespace, Collection: op.Collection,
			IDs: op.IDs, Limit: op.Limit, Offset: op.Offset, Queries: op.Queries, WithVectors: op.WithVectors, All: op.All, OrderBy: op.OrderBy,
			Filter: op.Filter.At, Form: generic.Form(op.Filter.Form), Records: op.Records.At, RecordFields: op.Records.Fields,
			Members: op.Members, Parameters: op.Parameters,
			Answer: generic.Answer{
				Rows: op.Answer.Rows, ID: op.Answer.ID, Fields: op.Answer.Fields, Vectors: op.Answer.Vectors, Scores: op.Answer.Scores,
				Plain: op.Answer.Plain, RowPlain: op.Answer.RowPlain, Collections: op.Answer.Collections, Name: op.Answer.CollectionName,
			},
		})
	}
	d, err := generic.New(api)
	if err != nil {
		return nil, fmt.Errorf("describe its interface: %w", err)
	}
	return d, nil
}
