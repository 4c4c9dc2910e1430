package vault

import "github.com/vecgate/vecgate/internal/access"

// Narrow makes of a target's credential one that is good for certain accesses of a subject and for nothing else, at a
// database that knows such credentials. For no access at all it is good for nothing that touches data. A nil Narrow leaves
// credentials as they are.
type Narrow func(c Credential, subject string, accesses []access.Access) (Credential, error)

// For is what is shown for a request.
func (n Narrow) For(c Credential, subject string, accesses []access.Access) (Credential, error) {
	if n == nil {
		return c, nil
	}
	return n(c, subject, accesses)
}

// ForReading is what is shown when the gateway itself asks something on behalf of a subject: it reads, of what the accesses
// are about, or anything at the target while it is not known yet what they are.
func (n Narrow) ForReading(c Credential, subject, target string, accesses []access.Access) (Credential, error) {
	if n == nil {
		return c, nil
	}
	reads := []access.Access{{Action: access.SchemaList, Resource: access.Resource{Target: target}}}
	if len(accesses) > 0 {
		reads = nil
		for i := range accesses {
			reads = append(reads, access.Access{Action: access.Fetch, Resource: accesses[i].Resource})
		}
	}
	return n(c, subject, reads)
}
