package policy

import (
	"bytes"
	"os"
	"testing"
)

const schemaFile = "../../docs/reference/policy.schema.json"

func TestThePublishedSchemaIsTheOneInForce(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaFile, Schema(), 0o644); err != nil { //nolint:gosec // a document for everybody
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, Schema()) {
		t.Errorf("%s differs from what policies are checked against; write it anew: go test ./internal/policy -update", schemaFile)
	}
}
