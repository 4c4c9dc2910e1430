package server

import (
	"net"
	"strconv"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/protocol/pinecone"
	"github.com/vecgate/vecgate/internal/protocol/qdrant"
	"github.com/vecgate/vecgate/internal/protocol/weaviate"
)

// placed tells dialects what they must know of their target: Pinecone's which index it is, or which hosts the control plane
// is to name; Weaviate's how large the messages of clients may be; the doors of a Qdrant by which names they all go.
func (s *Server) placed(t *config.Target, dialect any) {
	switch d := dialect.(type) {
	case *pinecone.Dialect:
		d.Index, d.Hosts = t.Index, s.indexHosts()
	case *weaviate.Dialect:
		d.Message = int64(s.config.Limits.Message)
	case *pinecone.GRPC:
		d.Index = t.Index
	case interface{ Share(*qdrant.Names) }:
		if s.names[t.Name] == nil {
			s.names[t.Name] = qdrant.NewNames(s.options.Now)
		}
		d.Share(s.names[t.Name])
	}
}

// indexHosts are the gateway's own for the hosts of indexes.
func (s *Server) indexHosts() map[string]string {
	hosts := map[string]string{}
	for i := range s.config.Targets {
		t := &s.config.Targets[i]
		if t.Engine != config.EnginePinecone || t.Host == "" {
			continue
		}
		if host, port, err := t.HostPort(); err == nil {
			hosts[pinecone.Address(net.JoinHostPort(host, strconv.Itoa(int(port))))] = t.Host
		}
	}
	return hosts
}
