package weaviate

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/vecgate/vecgate/internal/access"
)

// The forms of names, as Weaviate checks them when a thing is created.
var (
	classForm    = regexp.MustCompile(`^[A-Za-z][_0-9A-Za-z]{0,254}$`)
	propertyForm = regexp.MustCompile(`^[_A-Za-z][_0-9A-Za-z]{0,230}$`)
	tenantForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	numberForm   = regexp.MustCompile(`^[0-9]{1,9}$`)
	wordForm     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)
)

// forms are those of parameters, by name.
var forms = map[string]*regexp.Regexp{
	"className": classForm, "class": classForm, "collection": classForm, "aliasName": classForm, "propertyName": propertyForm,
	"tenant": tenantForm, "tenantName": tenantForm, "limit": numberForm, "offset": numberForm, "shardName": wordForm, "shard": wordForm,
	"consistency_level": regexp.MustCompile(`^(ONE|QUORUM|ALL)$`), "node_name": wordForm, "output": regexp.MustCompile(`^(minimal|verbose)$`),
	"backend": wordForm, "id": wordForm, "user_id": regexp.MustCompile(`^[A-Za-z0-9_.@:-]{1,256}$`),
}

// upper gives a collection's name the first letter that Weaviate gives it.
func upper(name string) string {
	if name == "" {
		return name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// lower gives a property's name the first letter that Weaviate gives it.
func lower(name string) string {
	if name == "" {
		return name
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// isClass tells a reference's type from a value's: the one is a collection's name.
func isClass(dataType string) bool { return dataType != "" && unicode.IsUpper(rune(dataType[0])) }

// noTenant is the namespace of objects that belong to no tenant, and of collections as a whole.
const noTenant = "default"

// namespace is a tenant as a segment of a resource. Tenants' names have no colon, so none is taken for the namespace default.
func namespace(tenant string) string {
	if tenant == "" {
		return noTenant
	}
	return "tenant:" + tenant
}

func resource(target, tenant, class string) access.Resource {
	return access.Resource{Target: target, Namespace: namespace(tenant), Collection: class}
}

// uuid returns the one spelling of a UUID. Weaviate takes others too, which its clients never send.
func uuid(s string) (string, bool) {
	if len(s) != 36 {
		return "", false
	}
	s = strings.ToLower(s)
	for i := range len(s) {
		c := s[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return s, true
}

// beacons is what every beacon begins with.
const beacons = "weaviate://localhost/"

// beacon takes weaviate://localhost/Class/uuid apart. Without a class it could be an object of any collection.
func beacon(s string) (class, id string, ok bool) {
	rest, ok := strings.CutPrefix(s, beacons)
	if !ok {
		return "", "", false
	}
	class, id, ok = strings.Cut(rest, "/")
	if !ok || !classForm.MatchString(class) {
		return "", "", false
	}
	id, ok = uuid(id)
	return upper(class), id, ok
}
