package mask

import (
	"strings"
	"testing"
)

func TestAVectorOfTheWrongLengthIsRecognized(t *testing.T) {
	for _, message := range []string{
		`{"status":{"error":"Wrong input: Vector dimension error: expected dim: 3, got 2"},"time":0.1}`,
		`Collection expecting embedding with dimension of 2, got 3`,
		`explorer: get class: vector search: distance between entrypoint and query node: vector lengths don't match: 3 vs 2`,
		`vector field 'vector' expected dim 2, got 3`,
		`vector dimension mismatch, expected vector size(byte) 8, actual 12.: invalid parameter`,
		`{"error":{"reason":"Query vector has invalid dimension: 2. Dimension should be: 3"}}`,
		`Vector dimension 2 does not match the dimension of the index 3`,
	} {
		if !WrongLength(message) {
			t.Errorf("not recognized: %s", message)
		}
	}
	for _, message := range []string{"", "vector lengths don't match", "expected dim: ann@example.com, got 2", `invalid value "3 vs 2" of field email`} {
		if WrongLength(message) {
			t.Errorf("taken for one: %s", message)
		}
	}
	if strings.ContainsAny(OfLengths, "0123456789") {
		t.Error("what stands for it tells a number")
	}
}
