// Package config reads the one file that says what a gateway is: where it listens, whom it believes, which databases it
// stands before, where it writes. It reads strictly, reports every fault at once, and makes every default explicit.
//
// It opens no listener, reads no policy and verifies no token. Start at Load; Watch follows the file while the gateway
// runs. docs/reference/config.md and docs/reference/config.schema.json are made from the structs of this package.
package config

import "time"

// Config is the configuration of a gateway, complete: what the file left out holds its default.
type Config struct {
	// Gateway says which gateway this is and where it keeps its own files.
	Gateway Gateway `yaml:"gateway" restart:"true"`
	// Listeners are the doors that clients of the databases come through. Nothing listens that is not named here.
	Listeners []Listener `yaml:"listeners" required:"true" restart:"true"`
	// Console is the web console, the API and the token endpoint. Without it there is none of them, and nothing that is
	// held can be released.
	Console *Console `yaml:"console" restart:"true"`
	// Ops is where the machines that watch the gateway ask: /healthz, /readyz, /metrics, /version.
	Ops *Ops `yaml:"ops" restart:"true"`
	// Identity says whose word is taken for who somebody is.
	Identity Identity `yaml:"identity"`
	// Targets are the databases.
	Targets []Target `yaml:"targets" required:"true"`
	// Tickets are the systems that keep change tickets. Without one, no ticket satisfies a rule that wants it reviewed.
	Tickets []Ticket `yaml:"tickets"`
	// Policy is the policy file.
	Policy Path `yaml:"policy" required:"true"`
	// Audit is the audit log.
	Audit Audit `yaml:"audit" restart:"true"`
	// Store is where the gateway keeps its state: access requests, sessions, identities seen, revocations.
	Store Store `yaml:"store" restart:"true"`
	// Secrets says how values that begin with "age:" are opened.
	Secrets Secrets `yaml:"secrets"`
	// Log is the operator's log on standard error. It is not the audit log.
	Log Log `yaml:"log" restart:"true"`
	// Limits bound what outsiders can make the gateway hold.
	Limits Limits `yaml:"limits" restart:"true"`

	// File is the file that was read; Files are it and every file that it refers to.
	File  string   `yaml:"-"`
	Files []string `yaml:"-"`
	// Digest is the SHA-256 of the file, in hex.
	Digest string `yaml:"-"`
}

// Gateway says which gateway this is.
type Gateway struct {
	// Name of this gateway, in the audit log and in its checkpoints. It must never change once a log exists.
	Name string `yaml:"name" required:"true"`
	// URL is where people reach the console and the API; links in notices begin with it.
	URL string `yaml:"url"`
	// Data is the directory of the gateway's own files.
	Data Path `yaml:"data" default:"./var"`
}

// Console is the web console and the API.
type Console struct {
	// Address to listen on, host:port. An address that is not loopback needs tls.
	Address string `yaml:"address" required:"true"`
	// TLS of this listener.
	TLS *ServerTLS `yaml:"tls"`
	// SignIn is the identity provider with which people sign in. It may be left out when there is only one for persons.
	SignIn string `yaml:"sign_in"`
	// ClientID of the console at that provider.
	ClientID string `yaml:"client_id" default:"vecgate-console"`
	// ClientSecret of the console at that provider; a public client has none and relies on PKCE.
	ClientSecret Secret `yaml:"client_secret"`
	// Session is how long a sign-in at the console lasts.
	Session time.Duration `yaml:"session" default:"8h"`
	// Auditors may read the log, sessions and recordings.
	Auditors Members `yaml:"auditors"`
	// Operators may end sessions, suspend subjects and see the configuration.
	Operators Members `yaml:"operators"`
}

// Members names people by their groups.
type Members struct {
	// Groups whose persons are meant; a subject in any of them is.
	Groups []string `yaml:"groups"`
}

// Ops is the listener for health and metrics.
type Ops struct {
	// Address to listen on, host:port. An address that is not loopback needs tls.
	Address string `yaml:"address" required:"true"`
	// TLS of this listener.
	TLS *ServerTLS `yaml:"tls"`
}

// Store is the state store.
type Store struct {
	// SQLite is the file of the embedded store; it is created readable by its owner only.
	SQLite Path `yaml:"sqlite" default:"./var/state.db"`
}

// Secrets says how sealed values are opened.
type Secrets struct {
	// Identity is a file with the age identity (AGE-SECRET-KEY-1…) that opens values written as age:….
	Identity Path `yaml:"identity"`
}

// Log is the operator's log.
type Log struct {
	// Level is the least important message that is written.
	Level string `yaml:"level" default:"info" enum:"debug|info|warn|error"`
	// Format of the lines.
	Format string `yaml:"format" default:"text" enum:"text|json"`
}

// Limits bound what outsiders can make the gateway hold.
type Limits struct {
	// Sessions is how many sessions may be open at once.
	Sessions int `yaml:"sessions" default:"2000" min:"1"`
	// SessionsPerSubject is how many of them one subject may have.
	SessionsPerSubject int `yaml:"sessions_per_subject" default:"200" min:"1"`
	// SignIn is how long a client may take to prove who it is.
	SignIn time.Duration `yaml:"sign_in" default:"10s" min:"1s"`
	// SignInsPerAddress is how many clients of one address may be signing in at once.
	SignInsPerAddress int `yaml:"sign_ins_per_address" default:"50" min:"1"`
	// Message is the largest single message taken from a client.
	Message Size `yaml:"message" default:"64MiB" min:"64KiB"`
	// Statement is the longest statement that is read and judged; a longer one is refused.
	Statement Size `yaml:"statement" default:"1MiB" min:"1KiB"`
	// Idle is how long a session may stay silent; 0 means as long as its credential lasts.
	Idle time.Duration `yaml:"idle" default:"1h"`
	// Session is how long a session may last; 0 means as long as its credential lasts.
	Session time.Duration `yaml:"session" default:"24h"`
	// OpenRequests is how many access requests of one subject may wait for a decision at once.
	OpenRequests int `yaml:"open_requests" default:"20" min:"1"`
	// Drain is how long live sessions may go on after the gateway was told to stop.
	Drain time.Duration `yaml:"drain" default:"30s"`
}
