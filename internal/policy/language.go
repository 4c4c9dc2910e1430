package policy

import (
	"math"
	"regexp"
	"sort"

	"github.com/vecgate/vecgate/internal/access"
)

// The shapes of a policy file. Parse checks a file against them, and the published JSON Schema is written from them.

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	// A resource pattern has one to three segments; "**" may only stand last. Blanks and control characters are not read.
	onPattern = regexp.MustCompile(`^(\*\*|[^\s/]+|[^\s/]+/\*\*|[^\s/]+/[^\s/]+|[^\s/]+/[^\s/]+/\*\*|[^\s/]+/[^\s/]+/[^\s/]+)$`)
	// A field pattern is a resource pattern, a dot, and a field.
	fieldPattern = regexp.MustCompile(`^([^\s/]+/){0,2}[^\s/.]+\.[^\s/]+$`)
)

// filterField is what a field of a filter looks like: nothing in it can mean anything else to an engine.
var filterField = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)

// How many values a filter has, and how long one may be in bytes.
const (
	maxFilterValues = 100
	maxFilterValue  = 256
)

const (
	oneDay  = 24 * 60 * 60
	maxList = 1000
)

var (
	shapeName     = &shape{kind: shapeText, max: 63, match: namePattern, says: "is not a name; write lower-case letters, digits and dashes", doc: "The name that reasons and records cite; unique in the file."}
	shapeBecause  = &shape{kind: shapeText, max: 300, doc: "A sentence for the person who is told no, or is asked to wait."}
	shapeWhen     = &shape{kind: shapeText, max: 4096, doc: "A CEL condition over subject, access and context."}
	shapeGlobs    = listOf(&shape{kind: shapeText, max: 256}, "Names, in which * stands for any run of characters.")
	shapeGroups   = listOf(&shape{kind: shapeText, max: 256}, "Groups; being in any of them is enough.")
	shapePatterns = listOf(&shape{kind: shapeText, max: 512, match: onPattern, says: `is not a resource pattern; write target/namespace/collection, with * for any part and ** as the last one for all that follows`},
		"Resource patterns: products/public/items, products/**, */public/*.")
	shapeFields = listOf(&shape{kind: shapeText, max: 512, match: fieldPattern, says: `is not a field pattern; write products/public/customers.email or **.phone`},
		"Field patterns: a resource pattern, a dot, a field.")
	shapeCan = listOf(&shape{kind: shapeText, max: 64}, "Duties and actions; schema.* names all actions that begin with schema., * all but unknown.")

	shapeWhoFields = []field{
		{name: "kind", shape: &shape{kind: shapeText, max: 16, enum: []string{string(access.Person), string(access.Workload)}, doc: "person or workload."}},
		{name: "id", shape: idShape(), required: false},
		{name: "groups", shape: shapeGroups},
		{name: "persons", shape: shapeGlobs},
		{name: "providers", shape: shapeGlobs},
	}
	shapeExcept = &shape{kind: shapeObject, fields: shapeWhoFields, doc: "Whom this statement is not about."}
	shapeWho    = &shape{
		kind: shapeObject, word: "anyone", fields: append(append([]field(nil), shapeWhoFields...), field{name: "except", shape: shapeExcept}),
		doc: "Whom the statement is about: every key that is given must match; of a list, one entry is enough.",
	}

	shapeApproval = &shape{kind: shapeObject, doc: "Persons who must release the request first.", fields: []field{
		{name: "by", required: true, shape: &shape{kind: shapeObject, doc: "Who may release it.", fields: []field{
			{name: "groups", shape: shapeGroups, required: true},
			{name: "except", shape: listOf(&shape{kind: shapeText, max: 256}, "Persons who may not release it, besides the requester.")},
		}}},
		{name: "persons", shape: &shape{kind: shapeNumber, min: 1, max: 10, doc: "How many different persons must agree; 1 when absent."}},
		{name: "within", shape: &shape{kind: shapeDuration, min: 10, max: 7 * oneDay, doc: "How long the request stays open; 15m when absent."}},
		{name: "grant", shape: &shape{kind: shapeDuration, min: 10, max: oneDay, doc: "How long the approval may be used once given; 10m when absent."}},
	}}
	shapeAfter = &shape{kind: shapeObject, doc: "What must have happened before; with both, both.", fields: []field{
		{name: "approval", shape: shapeApproval},
		{name: "ticket", shape: &shape{kind: shapeText, max: 16, enum: []string{"reviewed"}, doc: "A change ticket whose peer review is done is attached to the request."}},
	}}

	shapeAllow = &shape{kind: shapeObject, doc: "Lets subjects do something, if need be only after an approval or with a ticket.", fields: []field{
		{name: "name", shape: shapeName, required: true},
		{name: "who", shape: shapeWho, required: true},
		{name: "can", shape: shapeCan, required: true},
		{name: "on", shape: shapePatterns, required: true},
		{name: "when", shape: shapeWhen},
		{name: "after", shape: shapeAfter},
		{name: "because", shape: shapeBecause},
	}}
	shapeDeny = &shape{kind: shapeObject, doc: "Forbids; wins over every allow.", fields: []field{
		{name: "name", shape: shapeName, required: true},
		{name: "who", shape: shapeWho},
		{name: "except", shape: shapeExcept},
		{name: "can", shape: shapeCan},
		{name: "on", shape: shapePatterns},
		{name: "when", shape: shapeWhen},
		{name: "because", shape: shapeBecause},
	}}
	shapeLimit = &shape{kind: shapeObject, doc: "The most that one request may ask for.", fields: []field{
		{name: "top_k", shape: &shape{kind: shapeNumber, min: 1, max: math.MaxInt32, doc: "The k of a search."}},
		{name: "rows", shape: &shape{kind: shapeNumber, min: 1, max: math.MaxInt64, doc: "The rows of an answer."}},
	}}
	shapeFilter = &shape{kind: shapeObject, doc: "Which points of the collections named by on may be reached at all: those whose field has one of the values.", fields: []field{
		{name: "field", required: true, shape: &shape{kind: shapeText, max: 128, match: filterField, says: "is not the name of a field; write letters, digits, and ._-", doc: "The field of a point that is compared."}},
		{name: "values", required: true, shape: &shape{
			kind: shapeEither, doc: "A CEL expression over subject and context that gives a text or a list of texts, or a list of texts as they are.",
			text: &shape{kind: shapeText, max: 4096, doc: "A CEL expression: subject.claims.tenant."},
			item: &shape{kind: shapeList, item: &shape{kind: shapeText, max: maxFilterValue}, min: 1, max: maxFilterValues, doc: "Texts."},
		}},
	}}
	shapeProtect = &shape{kind: shapeObject, doc: "Hides fields and vectors, narrows what may be reached, caps answers, says what is recorded; every one that matches applies.", fields: []field{
		{name: "name", shape: shapeName, required: true},
		{name: "who", shape: shapeWho},
		{name: "except", shape: shapeExcept},
		{name: "on", shape: shapePatterns},
		{name: "when", shape: shapeWhen},
		{name: "fields", shape: shapeFields},
		{name: "vectors", shape: enumShape("Whether raw embeddings may be seen; without any statement about them they are withheld.", "withhold", "allow")},
		{name: "mask", shape: enumShape("How a value is hidden; redact when absent.", string(access.MaskRedact), string(access.MaskDrop), string(access.MaskHash), string(access.MaskPartial), string(access.MaskNull))},
		{name: "predicates", shape: enumShape("Whether a hidden field may shape which rows come back; deny when absent, knn for vectors.", "deny", "equality", "knn", "allow")},
		{name: "derived", shape: enumShape("What becomes of a value computed from a hidden field; deny when absent.", "deny", "null")},
		{name: "distance", shape: enumShape("What becomes of a distance from a hidden vector; round when absent.", "deny", "round", "allow")},
		{name: "limit", shape: shapeLimit},
		{name: "filter", shape: shapeFilter},
		{name: "record", shape: enumShape("How much of the conversation is recorded, at least.", string(access.LevelFull), string(access.LevelRequests), string(access.LevelEnvelope))},
		{name: "budget", shape: &shape{kind: shapeObject, doc: "How much of a collection may be seen over time. Not available in this version.", fields: []field{
			{name: "distinct", shape: &shape{kind: shapeText, max: 16, match: regexp.MustCompile(`^[0-9]{1,12}%?$`), says: "is not an amount; write 10% or 5000"}, required: true},
			{name: "per", shape: &shape{kind: shapeDuration, min: 60, max: 400 * oneDay}, required: true},
		}}},
	}}
	shapeSeparate = &shape{kind: shapeObject, doc: "Duties that one person may not combine. That nobody approves their own request needs no statement.", fields: []field{
		{name: "name", shape: shapeName, required: true},
		{name: "duties", shape: &shape{kind: shapeList, min: 2, max: 20, item: &shape{kind: shapeText, max: 64}, doc: "Two or more duties; approve is the duty of those who release requests."}, required: true},
		{name: "on", shape: shapePatterns},
		{name: "within", shape: &shape{kind: shapeDuration, min: 60, max: 400 * oneDay, doc: "Counts what was done before. Not available in this version."}},
		{name: "because", shape: shapeBecause},
	}}
	shapePolicy = &shape{kind: shapeObject, doc: "A vecgate policy.", fields: []field{
		{name: "duties", shape: &shape{
			kind: shapeTable, match: namePattern, says: "write lower-case letters, digits and dashes", doc: "Named groups of actions.",
			item: listOf(&shape{kind: shapeText, max: 64}, "Actions."),
		}},
		{name: "allow", shape: statements(shapeAllow)},
		{name: "deny", shape: statements(shapeDeny)},
		{name: "protect", shape: statements(shapeProtect)},
		{name: "separate", shape: statements(shapeSeparate)},
	}}
)

func listOf(item *shape, doc string) *shape {
	return &shape{kind: shapeList, item: item, min: 1, max: maxList, doc: doc}
}

func statements(item *shape) *shape {
	return &shape{kind: shapeList, item: item, max: maxList, doc: item.doc}
}

func enumShape(doc string, values ...string) *shape {
	return &shape{kind: shapeText, max: 32, enum: values, doc: doc}
}

func idShape() *shape {
	return &shape{kind: shapeText, max: 256, doc: "The subject's ID, in which * stands for any run of characters: github:acme/recommender:*."}
}

// approve is the duty of those who release requests; it is no action, and no duty of that name can be defined.
const approve = "approve"

// actionNames is the vocabulary in alphabetical order.
func actionNames() []string {
	all := access.Actions()
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a)
	}
	sort.Strings(names)
	return names
}
