package pinecone

import (
	"regexp"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// defaultNamespace is what Pinecone calls the namespace that has no name.
const defaultNamespace = "__default__"

// nameForm is what names look like that a resource is made of: printable ASCII without what paths and patterns are made of.
var nameForm = regexp.MustCompile(`^[!-)+-.0-~]{1,512}$`)

// place is where requests of one target go: an index, or the control plane when it has no name.
type place struct{ target, index string }

// whole is the index with all its namespaces.
func (p place) whole() access.Resource {
	return access.Resource{Target: p.target, Namespace: p.index}
}

// in is a namespace of the index.
func (p place) in(namespace string) (access.Resource, error) {
	if namespace == "" {
		namespace = defaultNamespace
	}
	if !nameForm.MatchString(namespace) {
		return access.Resource{}, unclear("the name of its namespace has characters that a name cannot have here")
	}
	return access.Resource{Target: p.target, Namespace: p.index, Collection: namespace}, nil
}

// path is the request's path, rebuilt from what was read.
func path(r *httpwire.Request) string {
	segments := strings.Split(strings.TrimPrefix(r.Route.Path, "/"), "/")
	for i, s := range segments {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			segments[i] = r.Params[strings.TrimSuffix(name, "}")]
		}
	}
	return httpwire.Path(segments...)
}
