// Package policy decides: what may this subject do, under which obligations, and who must first say yes.
//
// A policy is one YAML file of four kinds of statement (allow, deny, protect, separate). It is read strictly, compiled
// once, and never changes afterwards; Holder swaps whole policies. Default deny; whatever cannot be read, evaluated or
// fulfilled counts against the request.
//
// It refuses to know protocols, SQL, sessions, tokens, approvals and the log: it sees a subject, an operation and a
// context, and answers with a decision. It keeps no state of its own besides caches. Start at Policy.Decide.
package policy
