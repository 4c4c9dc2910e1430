package config

// API describes the HTTP interface of a database that the gateway does not know by itself. What is not described is
// refused.
type API struct {
	// Health is a path that a healthy server answers to GET with a status below 300.
	Health string `yaml:"health" required:"true"`
	// Error says what a refusal looks like.
	Error APIError `yaml:"error"`
	// Operations are the requests that clients may make.
	Operations []APIOperation `yaml:"operations" required:"true"`
}

// APIError is the form of an error, a JSON document.
type APIError struct {
	// Message is where the sentence stands.
	Message string `yaml:"message" default:"error.message"`
	// Code is where the gateway's code stands, such as no-rule; nowhere when left out.
	Code string `yaml:"code"`
}

// APIOperation is one request. A place is path:NAME for a segment {NAME} of the path, query:NAME for a parameter, body:a.b
// for a member of the JSON document, body: for all of it, or fixed:TEXT; |TEXT at its end counts when there is nothing.
type APIOperation struct {
	// Name of the operation, for the records.
	Name string `yaml:"name" required:"true"`
	// Method of the request.
	Method string `yaml:"method" required:"true" enum:"GET|POST|PUT|PATCH|DELETE"`
	// Path is a template; {NAME} is one whole segment: /v1/{index}/search.
	Path string `yaml:"path" required:"true"`
	// Action is what the request does, in the words of policies. With fetch and delete, ids, filter, limit and all decide: without ids, fetch
	// is scroll or export, and delete is delete_by_filter or delete_all.
	Action string `yaml:"action" required:"true"`
	// Namespace is the place of the resource's middle part.
	Namespace string `yaml:"namespace" default:"fixed:default"`
	// Collection is the place of the collection's name; leave it out when the request is about none.
	Collection string `yaml:"collection"`
	// IDs is the place of ids: one, a list, or in a parameter several with commas between them.
	IDs string `yaml:"ids"`
	// Limit is the place of the most points to return: body:top_k|10 when the server takes 10 by itself.
	Limit string `yaml:"limit"`
	// Offset is the place of how many are skipped.
	Offset string `yaml:"offset"`
	// Queries is the place of a list of searches in one request, each with limit.
	Queries string `yaml:"queries"`
	// WithVectors is the place of a flag that asks for vectors in the answer. When there is nothing, it is sent on as false, unless the place
	// ends in |true.
	WithVectors string `yaml:"with_vectors"`
	// All is the place of a flag that means every point.
	All string `yaml:"all"`
	// OrderBy is the place of a field, or a list of them, that the answer is ordered by.
	OrderBy string `yaml:"order_by"`
	// Filter is a condition that narrows everything that the request reaches, ids included.
	Filter APIFilter `yaml:"filter"`
	// Records are the points that a write carries.
	Records APIRecords `yaml:"records"`
	// Members of the document, as paths, that mean nothing to policy.
	Members []string `yaml:"members"`
	// Parameters of the query that mean nothing to policy.
	Parameters []string `yaml:"parameters"`
	// Answer says what comes back. What it does not name is hidden when anything is.
	Answer APIAnswer `yaml:"answer"`
}

// APIFilter is a condition in a request.
type APIFilter struct {
	// At is its place.
	At string `yaml:"at"`
	// Form is how it is written: mongo for {"field": {"$gt": 1}, "$and": […]}, equals for {"field": value} with all of them to hold, opaque for
	// what the gateway does not understand: it is refused where a field is hidden, and a filter of the policy cannot be put into it.
	Form string `yaml:"form" default:"opaque" enum:"opaque|mongo|equals"`
}

// APIRecords are the points that a write carries.
type APIRecords struct {
	// At is the place of the list, or of the one.
	At string `yaml:"at"`
	// Fields is where in each of them its fields are, as a path; "." for the record itself.
	Fields string `yaml:"fields" default:"."`
}

// APIAnswer says what an answer holds: a JSON document.
type APIAnswer struct {
	// Rows is where the points are: hits[], results[].matches[], [] when the document is a list, "." when it is one point, vectors.* for an object of
	// them by id.
	Rows string `yaml:"rows"`
	// ID is the path of the id in a row; "." when the row is the id.
	ID string `yaml:"id"`
	// Fields is the path of the fields in a row; "." for the row itself.
	Fields string `yaml:"fields"`
	// Vectors are the paths of vectors in a row.
	Vectors []string `yaml:"vectors"`
	// Scores are the paths of distances and scores in a row.
	Scores []string `yaml:"scores"`
	// Plain are the paths of members of the document that hold nothing of any point.
	Plain []string `yaml:"plain"`
	// RowPlain are the paths of such members of a row.
	RowPlain []string `yaml:"row_plain"`
	// Collections is where an answer lists collections: indexes[]. Those that the caller may not describe are left out.
	Collections string `yaml:"collections"`
	// CollectionName is the path of the name in each of them; "." when it is the name itself.
	CollectionName string `yaml:"collection_name" default:"."`
}
