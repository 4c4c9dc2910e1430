package server

import (
	"fmt"
	"net"
	"strings"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/protocol/astray"
)

// spoken is what protocols are called before people.
var spoken = map[string]string{config.ProtocolPostgres: "PostgreSQL", config.ProtocolHTTP: "HTTP", config.ProtocolGRPC: "gRPC"}

// notSQL is what a client of PostgreSQL is told at a port that speaks something else.
func (s *Server) notSQL(here string) astray.Words {
	w := astray.Words{Message: "this port of the gateway speaks " + here + ", not PostgreSQL", Hint: "this gateway has no listener for PostgreSQL"}
	if doors := s.doors(config.ProtocolPostgres); len(doors) > 0 {
		w.Hint = "PostgreSQL is spoken at " + strings.Join(doors, ", ")
	}
	return w
}

// notHTTP is what a client of HTTP is told at a port that speaks PostgreSQL.
func (s *Server) notHTTP(listener string) astray.Words {
	w := astray.Words{Message: fmt.Sprintf("This port of the gateway speaks PostgreSQL (listener %s), not HTTP.", listener)}
	var hints []string
	if doors := s.doors(config.ProtocolHTTP, config.ProtocolGRPC); len(doors) > 0 {
		hints = append(hints, "Databases that speak HTTP or gRPC are at "+strings.Join(doors, ", ")+".")
	}
	if s.config.Console != nil {
		hints = append(hints, "The console and the API are at "+s.config.Gateway.URL+".")
	}
	w.Hint = strings.Join(hints, "\n")
	return w
}

// doors are the ports of the listeners for some protocols. The addresses are nobody's business who has not signed in.
func (s *Server) doors(protocols ...string) []string {
	var all []string
	for _, protocol := range protocols {
		for i := range s.config.Listeners {
			l := &s.config.Listeners[i]
			if _, port, err := net.SplitHostPort(l.Address); err == nil && l.Protocol == protocol {
				all = append(all, fmt.Sprintf("port %s (listener %s)", port, l.Name))
			}
		}
	}
	return all
}
