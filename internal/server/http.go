package server

import (
	"fmt"
	"time"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/protocol/chroma"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/milvus"
	"github.com/vecgate/vecgate/internal/protocol/opensearch"
	"github.com/vecgate/vecgate/internal/protocol/pinecone"
	"github.com/vecgate/vecgate/internal/protocol/qdrant"
	"github.com/vecgate/vecgate/internal/protocol/weaviate"
	"github.com/vecgate/vecgate/internal/vault"
)

// dialects are the engines that speak HTTP, by the name that a target's engine has in the configuration.
var dialects = map[string]func(now func() time.Time) httpwire.Dialect{
	"chroma":        func(now func() time.Time) httpwire.Dialect { return chroma.New(now) },
	"opensearch":    func(now func() time.Time) httpwire.Dialect { return opensearch.New(now) },
	"elasticsearch": func(now func() time.Time) httpwire.Dialect { return opensearch.New(now) },
	"qdrant":        func(now func() time.Time) httpwire.Dialect { return qdrant.NewREST(now) },
	"pinecone":      func(func() time.Time) httpwire.Dialect { return &pinecone.Dialect{} },
	"milvus":        func(now func() time.Time) httpwire.Dialect { return milvus.NewREST(now) },
	"weaviate":      func(now func() time.Time) httpwire.Dialect { return weaviate.New(now) },
}

// http makes the front end of one listener.
func (s *Server) http(l *config.Listener) (frontEnd, error) {
	tlsConfig, err := s.tls(l.Name, l.TLS)
	if err != nil {
		return nil, err
	}
	hider, err := s.hider()
	if err != nil {
		return nil, err
	}
	limits := s.config.Limits
	c := httpwire.Config{
		TLS: tlsConfig, H2C: l.H2C, Connections: newVisitors(roomForVisitors).see, Targets: map[string]httpwire.Target{}, Gate: s.gate, Identity: door{s.registry}, Discovery: s.discovery, Hider: hider, Log: s.log, Now: s.options.Now,
		Limits: httpwire.Limits{
			Body: int64(limits.Message), SignIn: limits.SignIn, Idle: min(limits.Idle, silence), Session: limits.Session,
			SignInsPerClient: limits.SignInsPerAddress,
		},
	}
	for i := range s.config.Targets {
		t := &s.config.Targets[i]
		if !l.Reaches(t) {
			continue
		}
		upstream, err := clientTLS(t)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		dialect, err := s.dialect(t)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		c.Targets[t.Name] = httpwire.Target{
			Gate: s.gateTarget(t), Dialect: dialect, Address: t.Address, TLS: upstream, Shows: httpwire.Scheme(t.Credential.Header),
			Signing: httpwire.Signing{Region: t.Credential.Region, Service: t.Credential.Service}, Narrow: s.narrow(t),
		}
	}
	if !s.speaksGRPC(l) {
		return httpwire.New(c)
	}
	calls, err := s.calls(l)
	if err != nil {
		return nil, err
	}
	c.GRPC = calls
	rest, err := httpwire.New(c)
	return both{rest, calls}, err
}

// dialect makes the dialect of a target: one that is built in, or one that the configuration describes. All listeners that
// reach the target have the same, so that what was changed or begun at one of them is known at the others.
func (s *Server) dialect(t *config.Target) (made httpwire.Dialect, err error) {
	if s.speaks[t.Name] != nil {
		return s.speaks[t.Name], nil
	}
	if t.Engine == config.EngineGeneric {
		made, err = described(t)
	} else {
		made = dialects[t.Engine](s.options.Now)
		s.placed(t, made)
	}
	if err == nil {
		s.speaks[t.Name] = made
	}
	return made, err
}

// narrow makes what is shown to a target of its credential, where the configuration says so.
func (s *Server) narrow(t *config.Target) vault.Narrow {
	if t.Credential.Mint == config.MintJWT {
		return qdrant.Mint(s.options.Now)
	}
	return nil
}

// silence ends a session of HTTP requests: no connection says when a client is done.
const silence = 5 * time.Minute

// discovery tells clients that have no token yet where people sign in.
func (s *Server) discovery() httpwire.Discovery {
	url, client, scope := s.registry.SignIn()
	return httpwire.Discovery{URL: url, ClientID: client, Scope: scope}
}
