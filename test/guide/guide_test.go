package guide

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

// order is how the guides are followed: each after the first begins where the one before it ended, in the same terminals.
var order = []string{
	"getting-started.md",
	"../../README.md",
	"psql-and-drivers.md",
	"writing-a-policy.md",
	"pipelines.md",
	"auditors.md",
	"operations.md",
}

func TestEveryCommandOfTheGuidesWorksAsShown(t *testing.T) {
	server, err := postgrestest.Run(t.Context(), "", postgrestest.Options{})
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	d := newDesk(t, server)
	ctx := t.Context() // what one guide starts, the next one uses
	for _, name := range order {
		ok := t.Run(name, func(t *testing.T) {
			d.Log = t.Logf
			blocks := read(t, name)
			for _, b := range blocks {
				t.Logf("%s: %s %s %s", b.At(), b.Kind, b.Title, b.Terminal)
				if err := d.Follow(ctx, b); err != nil {
					t.Fatalf("%v\n%s", err, d.Said())
				}
			}
		})
		if !ok {
			t.FailNow() // the next guide begins where this one should have ended
		}
	}
	if left := d.Unfilled(); len(left) > 0 {
		t.Errorf("no guide sets %v any more", left)
	}
}

func read(t *testing.T, name string) []Block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world.Root(), "docs/guide", name))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := Read(name, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no blocks", name)
	}
	return blocks
}

// clients puts the drivers where a reader would have installed them.
func clients(t *testing.T, dir, bin string) (psqlOAuth string) {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	python, err := f.Python(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	modules, err := f.Node(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jdbc, err := f.JDBC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if psqlOAuth, err = f.PsqlOAuth(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "python"), []byte("#!/bin/sh\nexec "+python+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "trial"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(jdbc, filepath.Join(dir, "trial", "postgresql.jar")); err != nil {
		t.Fatal(err)
	}
	return psqlOAuth
}

func newDesk(t *testing.T, server *postgrestest.Server) *Desk {
	t.Helper()
	dir, root := t.TempDir(), world.Root()
	bin := filepath.Join(dir, "gopath", "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	// What a browser would do: whoever is asked who they are at the trial's provider is Sam.
	browser := filepath.Join(dir, "browser")
	script := "#!/bin/sh\nexec curl -sSL -m 20 -o /dev/null \"${1%%\\?*}\" --data \"${1#*\\?}&user=sam\"\n"
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	oauth := clients(t, dir, bin)
	admin := server.Database(postgrestest.Empty)
	replace := []string{
		"PGOAUTHDEBUG=UNSAFE psql ", "PGOAUTHDEBUG=UNSAFE " + oauth + " ", // the psql of the tests' server has no OAuth
		// The checkout is this one.
		"git clone --depth 1 https://github.com/vecgate/vecgate\n", "ln -s " + root + " vecgate\n",
		// go install would put the binary where the reader has it already.
		"(cd vecgate && go install ./cmd/vecgate)", "(cd vecgate && GOBIN=" + bin + " go install ./cmd/vecgate)",
		"(cd ../vecgate && go install filippo", "(cd ../vecgate && GOBIN=" + bin + " go install filippo",
		"$(go env GOPATH)/bin", bin,
		"mkdir trial\n", "mkdir -p trial\n", // the JDBC driver is there already
	}
	for _, port := range []string{"6432", "8443", "9464", "5556", "5557"} {
		free, err := ports.Free()
		if err != nil {
			t.Fatal(err)
		}
		replace = append(replace, port, strconv.Itoa(free))
	}
	d := &Desk{
		Dir: dir, Replace: strings.NewReplacer(replace...), Patience: 4 * time.Minute, Log: t.Logf,
		Values: map[string]string{
			"DB_HOST": server.Host, "DB_PORT": strconv.Itoa(server.Port), "DB_NAME": postgrestest.Empty, "DB_CA": server.CAFile, "DB_ADMIN": admin.String(),
		},
		Environ: append(plainEnvironment(), "HOME="+dir, "BROWSER="+browser, "PATH="+server.Bin+":"+os.Getenv("PATH"), "PSQLRC=/dev/null", "PAGER=cat", "TZ=UTC"),
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed: apt-get install chromium")
	}
	d.Browser = func(ctx context.Context, user, open, press, fill, see string) error {
		return Click(ctx, chromium, user, open, press, fill, see)
	}
	t.Cleanup(func() {
		d.Leave()
		if t.Failed() {
			t.Log(d.Said())
		}
	})
	return d
}

// plainEnvironment is ours without what would change how the commands behave, and with Go's caches where they are.
func plainEnvironment() []string {
	all := slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, prefix := range []string{"PG", "VECGATE_", "HOME=", "BROWSER=", "PATH=", "XDG_CONFIG_HOME=", "TZ="} {
			if strings.HasPrefix(v, prefix) {
				return true
			}
		}
		return false
	})
	if home, err := os.UserHomeDir(); err == nil {
		for _, v := range [][2]string{{"GOPATH", filepath.Join(home, "go")}, {"GOCACHE", filepath.Join(home, ".cache/go-build")}, {"GOMODCACHE", filepath.Join(home, "go/pkg/mod")}} {
			if os.Getenv(v[0]) == "" {
				all = append(all, v[0]+"="+v[1])
			}
		}
	}
	return all
}
