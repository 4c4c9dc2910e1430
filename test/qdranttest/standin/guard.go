package standin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// guard knows the API key, and with jwt_rbac the tokens that are signed with it, as Qdrant's guide to security tells
// (https://qdrant.tech/documentation/guides/security/).
type guard struct {
	rbac bool

	mu    sync.Mutex
	key   string
	shown []Token
}

// Token is what a token says.
type Token struct {
	Method  string // what it was shown for
	Expires int64  `json:"exp"`
	Subject string `json:"subject"`
	Access  Access `json:"access"`
}

// Access is r or m for everything, or r or rw for some collections.
type Access struct {
	Global      string
	Collections map[string]string
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *Access) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &a.Global) == nil {
		return nil
	}
	a.Global = ""
	var list []struct{ Collection, Access string }
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	a.Collections = map[string]string{}
	for _, c := range list {
		a.Collections[c.Collection] = c.Access
	}
	return nil
}

// need is what an operation asks for: at a collection, or of the whole.
type need struct{ level, collection string }

const (
	nothing = ""
	read    = "r"
	write   = "rw"
	manage  = "m"
)

// meets says whether an access is enough.
func (a Access) meets(n need) bool {
	switch {
	case n.level == nothing, a.Global == manage:
		return true
	case a.Global == read:
		return n.level == read
	case n.level == manage || a.Collections == nil:
		return false
	case n.collection == "":
		return n.level == read // lists name what the token is good for
	}
	had := a.Collections[n.collection]
	return had == write || had == read && n.level == read
}

type accessKey struct{}

// lists says whether a list made for this token names a collection.
func lists(ctx context.Context, collection string) bool {
	a, ok := ctx.Value(accessKey{}).(Access)
	return !ok || a.meets(need{read, collection})
}

// admit says who is refused. What it returns knows the access.
func (g *guard) admit(ctx context.Context, method, apiKey, authorization string, n need) (context.Context, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	given := apiKey
	if given == "" {
		given = strings.TrimPrefix(authorization, "Bearer ")
	}
	switch {
	case g.key == "" || given == g.key:
		return ctx, nil
	case given == "":
		return nil, status.Error(codes.Unauthenticated, "Must provide an API key or an Authorization bearer token")
	case !g.rbac:
		return nil, status.Error(codes.Unauthenticated, "Invalid API key or JWT")
	}
	t := Token{Method: method, Access: Access{Global: manage}} // a token that does not say may do everything
	var claims jwt.Claims
	token, err := jwt.ParseSigned(given, []jose.SignatureAlgorithm{jose.HS256})
	if err == nil {
		err = token.UnsafeClaimsWithoutVerification(&t, &claims)
	}
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, "Invalid API key or JWT")
	}
	if !g.signed(given) {
		return nil, status.Error(codes.PermissionDenied, "InvalidSignature")
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Time: time.Now()}, 30*time.Second); err != nil {
		return nil, status.Error(codes.PermissionDenied, "ExpiredSignature")
	}
	g.shown = append(g.shown, t)
	if !t.Access.meets(n) {
		return nil, status.Errorf(codes.PermissionDenied, "Forbidden: %q access to collection %q is required", n.level, n.collection)
	}
	return context.WithValue(ctx, accessKey{}, t.Access), nil
}

// signed checks a signature as Qdrant does, with a key of any length.
func (g *guard) signed(token string) bool {
	dot := strings.LastIndexByte(token, '.')
	mac := hmac.New(sha256.New, []byte(g.key))
	mac.Write([]byte(token[:dot]))
	given, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	return err == nil && hmac.Equal(given, mac.Sum(nil))
}

// Shown are the tokens that it was shown since it was asked last.
func (s *Server) Shown() []Token {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	shown := s.guard.shown
	s.guard.shown = nil
	return shown
}

// Rotate puts another API key in the place of the one that it knows.
func (s *Server) Rotate(key string) {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	s.guard.key = key
}

// reading are the operations that need no more than reading, by their last segment at either door.
var reading = []string{
	"Get", "List", "CollectionExists", "ListAliases", "ListCollectionAliases", "Scroll", "Count", "Query", "QueryBatch", "QueryGroups", "Search", "Facet",
	"exists", "aliases", "{id}", "scroll", "count", "query", "batch", "groups", "search", "facet",
}

// restNeeds is what a route asks for.
func restNeeds(pattern, collection string) need {
	method, path, _ := strings.Cut(pattern, " ")
	last := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case pattern == "POST /collections/aliases", path == "/collections/{name}" && method != "GET":
		return need{level: manage}
	case method == "GET", pattern == "POST /collections/{name}/points":
		return need{read, collection}
	case strings.HasSuffix(path, "/points/batch"):
		return need{write, collection}
	case method == "POST" && slices.Contains(reading, last):
		return need{read, collection}
	}
	return need{write, collection}
}

// rpcNeeds is what a method asks for.
func rpcNeeds(method string, m any) need {
	named, _ := m.(interface{ GetCollectionName() string })
	collection := ""
	if named != nil {
		collection = named.GetCollectionName()
	}
	service, name := method[:strings.LastIndexByte(method, '/')], method[strings.LastIndexByte(method, '/')+1:]
	switch {
	case service == "/qdrant.Qdrant":
		return need{}
	case slices.Contains(reading, name):
		return need{read, collection}
	case service == "/qdrant.Collections":
		return need{level: manage}
	}
	return need{write, collection}
}
