package config

// Listener is a door for the clients of the databases.
type Listener struct {
	// Name of the listener, in logs and metrics.
	Name string `yaml:"name" required:"true"`
	// Protocol spoken there: postgres for databases of the engine postgres, http for all others, grpc for those of them
	// that have a gRPC interface. At a listener for http that reaches one database, it answers at the root; at one that
	// reaches several, the first segment of the path is the name of the target. It takes gRPC calls besides. A call names one
	// of several targets in the metadata x-vecgate-target, or as the first label of the host that it is sent to.
	Protocol string `yaml:"protocol" required:"true" enum:"postgres|http|grpc"`
	// Address to listen on, host:port. An address that is not loopback needs tls.
	Address string `yaml:"address" required:"true"`
	// TLS of this listener. Without it, tokens and data pass in clear over the loopback interface.
	TLS *ServerTLS `yaml:"tls"`
	// H2C takes HTTP/2 without TLS at a listener for http, for clients that speak REST and gRPC to one loopback port. A
	// listener for grpc always does.
	H2C bool `yaml:"h2c"`
	// Auth lists how clients may prove who they are. The default is token, oauthbearer and scram, and certificate when
	// tls has a client_ca. For http and grpc it is token, which stands where the client puts an API
	// key, and there is no other.
	Auth []string `yaml:"auth" enum:"token|oauthbearer|scram|certificate"`
	// Targets that can be reached here, by name; "*" in a name stands for anything.
	Targets []string `yaml:"targets" default:"*"`
}

// The protocols of listeners.
const (
	ProtocolPostgres = "postgres"
	ProtocolHTTP     = "http"
	ProtocolGRPC     = "grpc"
)

// The ways to prove who one is.
const (
	AuthToken       = "token"
	AuthOAuthBearer = "oauthbearer"
	AuthSCRAM       = "scram"
	AuthCertificate = "certificate"
)

// ServerTLS is the TLS of a listener.
type ServerTLS struct {
	// Cert is the certificate chain in PEM.
	Cert PEM `yaml:"cert" required:"true"`
	// Key is its private key in PEM.
	Key Secret `yaml:"key" required:"true"`
	// ClientCA are the authorities whose client certificates are accepted, in PEM. Listeners for PostgreSQL, where certificates sign clients in, follow the content of the file; sessions that are open stay until they end, or are suspended.
	ClientCA PEM `yaml:"client_ca"`
	// Min is the oldest version of TLS that is accepted.
	Min string `yaml:"min" default:"1.2" enum:"1.2|1.3"`
}
