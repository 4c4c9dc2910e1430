package config

import (
	"slices"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Target is a registered database.
type Target struct {
	// Name by which clients and policies know the database.
	Name string `yaml:"name" required:"true" restart:"true"`
	// Engine that runs there.
	Engine string `yaml:"engine" required:"true" enum:"postgres|milvus|chroma|qdrant|opensearch|elasticsearch|generic|pinecone|weaviate" restart:"true"`
	// Address of the database: host:port, or /directory:port for a Unix socket of PostgreSQL.
	Address string `yaml:"address" required:"true" restart:"true"`
	// GRPCAddress is where the database speaks gRPC, host:port, when that is not at address.
	GRPCAddress string `yaml:"grpc_address" restart:"true"`
	// Database is the name of the database there, for postgres; the target's name when left out.
	Database string `yaml:"database" restart:"true"`
	// Index is the name of the index whose host the address is, for pinecone; without it the address is the control plane's.
	Index string `yaml:"index" restart:"true"`
	// Host is what the control plane's answers name as the host of that index, so that its clients come to the gateway:
	// where a listener that reaches this target answers, as clients see it.
	Host string `yaml:"host" restart:"true"`
	// TLS of the hop from the gateway to the database.
	TLS ClientTLS `yaml:"tls" restart:"true"`
	// Credential that the gateway shows to the database.
	Credential Credential `yaml:"credential"`
	// API describes the interface, for generic.
	API *API `yaml:"api" restart:"true"`
	// Reads says when a read may run: before-forward makes its audit record durable first, before-release runs it
	// meanwhile and releases no byte of the answer earlier. Writes always wait. audit.reads when left out.
	Reads string `yaml:"reads" enum:"before-forward|before-release" restart:"true"`
	// Record is how much is recorded when policy does not say.
	Record access.Level `yaml:"record" default:"full" enum:"full|requests|envelope" restart:"true"`
	// Hold is the longest that a client is kept waiting while people decide; its request stays open after that.
	Hold time.Duration `yaml:"hold" default:"10m" restart:"true"`
	// SearchPath is the search_path that every session starts with, for postgres.
	SearchPath []string `yaml:"search_path" default:"public" restart:"true"`
	// StatementTimeout is the longest that one statement may run, for postgres; 0 leaves it to the database.
	StatementTimeout time.Duration `yaml:"statement_timeout" restart:"true"`
	// AllowPrivileged accepts a credential that is superuser or may bypass row security; masking then no longer rests on
	// the database's own rights.
	AllowPrivileged bool `yaml:"allow_privileged" restart:"true"`
	// AllowWeakAuth accepts a database that asks for the password in clear or by MD5.
	AllowWeakAuth bool `yaml:"allow_weak_auth" restart:"true"`
}

// EnginePostgres is the engine that speaks PostgreSQL's protocol; all others speak HTTP.
const EnginePostgres = "postgres"

// EnginePinecone is the one whose targets are a control plane and the hosts of indexes.
const EnginePinecone = "pinecone"

// EngineGeneric is the engine whose interface the configuration describes.
const EngineGeneric = "generic"

// grpcEngines speak gRPC besides HTTP.
var grpcEngines = []string{"milvus", "pinecone", "qdrant", "weaviate"}

// Speaks reports whether clients of the database may speak a protocol to it.
func (t *Target) Speaks(protocol string) bool {
	switch protocol {
	case ProtocolPostgres:
		return t.Engine == EnginePostgres
	case ProtocolHTTP:
		return t.Engine != EnginePostgres
	}
	return protocol == ProtocolGRPC && slices.Contains(grpcEngines, t.Engine)
}

// ClientTLS is the TLS of a connection to a database.
type ClientTLS struct {
	// Mode is how the database's certificate is checked. The default is verify-full, and off for a Unix socket.
	Mode string `yaml:"mode" enum:"verify-full|verify-ca|off"`
	// CA are the authorities to trust, in PEM; the system's own when left out. They are read at the start.
	CA PEM `yaml:"ca"`
	// ServerName is the name to expect in the certificate, when it is not the host of the address.
	ServerName string `yaml:"server_name"`
	// Cert is the gateway's client certificate in PEM. The content of this file and the next is followed: connections that are made after a change show the new one.
	Cert PEM `yaml:"cert"`
	// Key is its private key in PEM.
	Key Secret `yaml:"key"`
}

// The modes of ClientTLS.
const (
	TLSVerifyFull = "verify-full"
	TLSVerifyCA   = "verify-ca"
	TLSOff        = "off"
)

// Credential is what the gateway shows to a database.
type Credential struct {
	// User at the database. It is required for postgres.
	User string `yaml:"user"`
	// Password of that user, or the API key; leave it out for a client certificate, a database that trusts its socket, or
	// one that asks for none.
	Password Secret `yaml:"password"`
	// Header says how the password is shown to a database that speaks HTTP or gRPC: bearer, basic and elastic-api-key in
	// Authorization, milvus there as Milvus wants it, sigv4 by signing requests to Amazon's services with it (user is the
	// access key's id), the others in the header of that name.
	Header string `yaml:"header" default:"bearer" enum:"bearer|basic|milvus|api-key|x-chroma-token|elastic-api-key|sigv4" restart:"true"`
	// Mint says that what is shown is not the password but made of it, for every request anew and good for nothing else.
	// jwt is for qdrant with jwt_rbac: the password is its API key, and signs a token that expires after a minute and opens
	// the request's collections only, for reading where the request reads.
	Mint string `yaml:"mint" enum:"jwt" restart:"true"`
	// Region of Amazon's where the database is, for sigv4.
	Region string `yaml:"region" restart:"true"`
	// Service of Amazon's that the database is, for sigv4: es is OpenSearch Service, aoss is OpenSearch Serverless.
	Service string `yaml:"service" default:"es" enum:"es|aoss" restart:"true"`
}

// MintJWT is the kind of Credential.Mint that Qdrant knows.
const MintJWT = "jwt"
