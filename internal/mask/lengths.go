package mask

import "regexp"

// OfLengths stands for an engine's own words where those are withheld and WrongLength knows them: the slip that is made most
// is a vector of another model, and who makes it must be told.
const OfLengths = "the database refused the request: a vector has not the length that the collection's have; the rest of its message is withheld because it could quote protected values"

// wrongLength are the engines' complaints about a vector of the wrong length. Each pins its numbers, so that none is taken for
// one that only quotes something of the kind.
var wrongLength = regexp.MustCompile(`` +
	`Vector dimension error: expected dim: \d+, got \d+` + // Qdrant
	`|Collection expecting embedding with dimension of \d+, got \d+` + // Chroma
	`|vector lengths don't match: \d+ vs \d+` + // Weaviate, a search
	`|new node has a vector with length \d+\. Existing nodes have vectors with length \d+` + // Weaviate, a write
	`|vector dimension mismatch, expected vector size\(byte\) \d+, actual \d+` + // Milvus, a search
	`|the dim \(\d+\) of field data\([\w$]+\) is not equal to schema dim \(\d+\)` + // Milvus, a write
	`|vector field '[\w$]+' expected dim \d+, got \d+` + // Milvus Lite
	`|Query vector has invalid dimension: \d+\. Dimension should be: \d+` + // OpenSearch, a search
	`|Vector dimension mismatch\. Expected: \d+, Given: \d+` + // OpenSearch, a write
	`|the query vector has a different (?:dimension|number of dimensions) \[\d+\] than the (?:index|document) vectors \[\d+\]` + // Elasticsearch, a search
	`|has a different number of dimensions \[\d+\] than defined in the mapping \[\d+\]` + // Elasticsearch, a write
	`|Vector dimension \d+ does not match the dimension of the index \d+`) // Pinecone

// WrongLength says whether an engine's message is about a vector of the wrong length.
func WrongLength(message string) bool { return wrongLength.MatchString(message) }
