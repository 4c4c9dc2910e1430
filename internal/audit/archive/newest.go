package archive

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/vecgate/vecgate/internal/audit"
)

// Newest returns the newest checkpoint in an archive, and the zero checkpoint when there is none. It looks around the size
// that is expected, so that a long history costs a few requests. One that the key did not sign is an incident.
func Newest(ctx context.Context, store Store, key note.Verifier, expected uint64) (audit.Checkpoint, error) {
	var found Object
	from := func(size uint64) error {
		after := checkpointsFolder
		if size > 0 {
			after = checkpointName(size - 1)
		}
		return store.List(ctx, checkpointsFolder, after, func(o Object) bool {
			found = o
			return true
		})
	}
	at, step := expected, uint64(1<<14)
	for {
		if err := from(at); err != nil {
			return audit.Checkpoint{}, err
		}
		if found.Name != "" || at == 0 {
			break
		}
		at -= min(at, step)
		step *= 8
	}
	if found.Name == "" {
		return audit.Checkpoint{}, nil
	}
	msg, err := store.Read(ctx, found.Name, maxCheckpoint)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	c, err := audit.ParseCheckpoint(msg, key)
	if err != nil {
		return c, &IncidentError{Fork: true, What: fmt.Sprintf("the newest checkpoint in the archive, %s, is none of this log (%v): %s", found.Name, err, wayOut)}
	}
	if checkpointName(c.Size) != found.Name {
		return c, &IncidentError{Fork: true, What: fmt.Sprintf("%s in the archive is checkpoint %d: %s", found.Name, c.Size, wayOut)}
	}
	c.Time = found.Time
	return c, nil
}
