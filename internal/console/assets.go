package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assets are the scripts, styles and images. Their address holds a digest of all of them, so that browsers may keep them
// for ever and modules can import each other by plain names.
type assets struct {
	prefix string
	files  map[string]asset
}

type asset struct {
	body []byte
	kind string
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func loadAssets() (*assets, error) {
	a := &assets{files: make(map[string]asset)}
	sum := sha256.New()
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		body, err := fs.ReadFile(staticFiles, "static/"+e.Name())
		if err != nil {
			return nil, err
		}
		kind, ok := assetKinds[path.Ext(e.Name())]
		if !ok {
			return nil, fmt.Errorf("asset %s has no content type", e.Name())
		}
		a.files[e.Name()] = asset{body, kind}
		fmt.Fprintf(sum, "%s %d\n%s", e.Name(), len(body), body)
	}
	a.prefix = "/static/" + hex.EncodeToString(sum.Sum(nil))[:16] + "/"
	return a, nil
}

func (a *assets) path(name string) string { return a.prefix + name }

// ServeHTTP implements http.Handler.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, a.prefix)
	f, found := a.files[name]
	if !ok || !found {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(f.body) // the client may have gone
}
