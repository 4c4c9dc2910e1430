package deploy

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/vecgate/vecgate/test/world"
)

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world.Root(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// last is the only instruction of a name in the last stage.
func last(t *testing.T, all []Instruction, name string) string {
	t.Helper()
	var found []string
	for _, in := range all {
		if in.Name == name && in.Stage == all[len(all)-1].Stage {
			found = append(found, in.Args)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the image has %d %s", len(found), name)
	}
	return found[0]
}

func image(t *testing.T) []Instruction {
	t.Helper()
	all, err := Dockerfile(file(t, "deploy/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheImageRunsTheStaticBinaryAsNobody(t *testing.T) {
	all := image(t)
	if from := last(t, all, "FROM"); from != "scratch" {
		t.Errorf("the image begins from %s", from)
	}
	user := last(t, all, "USER")
	if !regexp.MustCompile(`^[1-9][0-9]{3,}:[1-9][0-9]{3,}$`).MatchString(user) {
		t.Errorf("it runs as %s: an image without /etc/passwd needs numbers, not 0", user)
	}
	// The binary is where make build leaves it, is put where the entry point is, and needs nothing beside it.
	var made, kept bool
	for _, in := range all {
		made = made || in.Stage == 0 && in.Name == "RUN" && strings.Contains(in.Args, "make build") && strings.Contains(in.Args, "cp bin/vecgate /out/vecgate") && strings.Contains(in.Args, "mkdir -p /out/var/lib/vecgate")
		kept = kept || in.Stage == 1 && in.Name == "COPY" && in.Args == "--from=build --chown="+user+" /out /"
	}
	if !made || !kept {
		t.Errorf("the binary is made: %t, and copied for %s: %t", made, user, kept)
	}
	var entry, cmd []string
	if err := json.Unmarshal([]byte(last(t, all, "ENTRYPOINT")), &entry); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(last(t, all, "CMD")), &cmd); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(entry, []string{"/vecgate"}) || !slices.Equal(cmd, []string{"serve", "-c", "/etc/vecgate/vecgate.yaml"}) {
		t.Errorf("it runs %q %q", entry, cmd)
	}
	if dir, volume := last(t, all, "WORKDIR"), last(t, all, "VOLUME"); dir != "/var/lib/vecgate" || volume != dir {
		t.Errorf("it works in %s and keeps %s", dir, volume)
	}
}

func TestTheImageIsBuiltByTheGoOfGoMod(t *testing.T) {
	wants := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(file(t, "go.mod"))
	if from := image(t)[0]; wants == nil || from.Args != "golang:"+wants[1]+"-bookworm AS build" {
		t.Errorf("it is built from %s, and go.mod wants %v", from.Args, wants)
	}
}

func TestMakeBuildMakesAStaticBinary(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "vecgate")
	// The command of make build, to another place: this checkout may be read only.
	recipe, err := exec.CommandContext(ctx, "make", "-n", "-C", world.Root(), "--no-print-directory", "build").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(recipe, []byte(" -o bin/vecgate ")) {
		t.Fatalf("make build does not make bin/vecgate: %s", recipe)
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", strings.Replace(string(recipe), "-o bin/vecgate", "-o "+binary, 1))
	cmd.Dir = world.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	program, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a %v: it would not run in an empty image", p.Type)
		}
	}
	if out, err := exec.CommandContext(ctx, binary, "version").CombinedOutput(); err != nil {
		t.Errorf("vecgate version: %v\n%s", err, out)
	}
}

// compose is what a compose file of ours may have (compose-spec): anything else is a fault.
type compose struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       map[string]string `yaml:"build"`
		Environment map[string]string `yaml:"environment"`
		Secrets     []string          `yaml:"secrets"`
		Networks    []string          `yaml:"networks"`
		Volumes     []string          `yaml:"volumes"`
		Ports       []string          `yaml:"ports"`
		DependsOn   []string          `yaml:"depends_on"`
	} `yaml:"services"`
	Secrets  map[string]map[string]string `yaml:"secrets"`
	Networks map[string]map[string]bool   `yaml:"networks"`
	Volumes  map[string]map[string]string `yaml:"volumes"`
}

func TestTheComposeFileFits(t *testing.T) {
	var c compose
	if err := yaml.UnmarshalWithOptions([]byte(file(t, "deploy/compose.yaml")), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		if (s.Image == "") == (s.Build == nil) {
			t.Errorf("%s has an image and a build, or neither", name)
		}
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok && n != "default" {
				t.Errorf("%s is on the network %s, which is not there", name, n)
			}
		}
		for _, secret := range s.Secrets {
			if _, ok := c.Secrets[secret]; !ok {
				t.Errorf("%s wants the secret %s, which is not there", name, secret)
			}
		}
		for _, d := range s.DependsOn {
			if _, ok := c.Services[d]; !ok {
				t.Errorf("%s depends on %s, which is not there", name, d)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, ok := c.Volumes[from]; !ok && !strings.HasPrefix(from, "./") {
				t.Errorf("%s mounts %s, which is not there", name, from)
			}
		}
	}
	gateway, db := c.Services["vecgate"], c.Services["db"]
	if _, err := os.Stat(filepath.Join(world.Root(), "deploy", gateway.Build["context"], gateway.Build["dockerfile"])); err != nil {
		t.Errorf("the gateway is built from %v: %v", gateway.Build, err)
	}
	// Nobody goes around the gateway.
	if len(db.Ports) > 0 || !slices.Equal(db.Networks, []string{"inside"}) || !c.Networks["inside"]["internal"] {
		t.Errorf("the database can be reached beside the gateway: ports %v, networks %v, %v", db.Ports, db.Networks, c.Networks)
	}
	all := image(t)
	if state := "state:" + last(t, all, "VOLUME"); !slices.Contains(gateway.Volumes, state) || !slices.Contains(gateway.Volumes, "./etc:/etc/vecgate:ro") {
		t.Errorf("the gateway mounts %v", gateway.Volumes)
	}
	// The password of the database's owner is not the gateway's.
	if secret := c.Secrets["db"]["file"]; db.Environment["POSTGRES_PASSWORD_FILE"] != "/run/secrets/db" || secret == "" || strings.Contains(file(t, "docs/guide/getting-started.md"), filepath.Base(secret)+"\"") {
		t.Errorf("the database's owner has the password %v out of %s", db.Environment, secret)
	}
	// The ports are those of the guide.
	for _, port := range gateway.Ports {
		outside, inside, _ := strings.Cut(port, ":")
		if outside != inside || !strings.Contains(file(t, "docs/guide/getting-started.md"), `address: "127.0.0.1:`+inside+`"`) {
			t.Errorf("the port %s is not in the guide", port)
		}
	}
	if len(gateway.Ports) != 2 {
		t.Errorf("the gateway has the ports %v", gateway.Ports)
	}
}

// unit is the systemd unit with programs that are there, so that nothing but itself can be wrong.
func unit(t *testing.T) string {
	t.Helper()
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(file(t, "deploy/vecgate.service"), "/usr/local/bin/vecgate", binary)
	path := filepath.Join(t.TempDir(), "vecgate.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func analyze(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_PAGER=cat", "SYSTEMD_COLORS=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v (go run ./test/get tools installs it)\n%s", args[0], err, out)
	}
	return string(out)
}

func TestSystemdTakesTheUnit(t *testing.T) {
	if said := analyze(t, "verify", "--man=no", unit(t)); said != "" {
		t.Errorf("systemd says of the unit:\n%s", said)
	}
}

// TestTheUnitIsConfined keeps what systemd calls exposure, from 0 to 100, where it is.
func TestTheUnitIsConfined(t *testing.T) {
	analyze(t, "security", "--offline=true", "--threshold=19", unit(t))
}

func TestTheUnitFitsTheProgramAndTheGuide(t *testing.T) {
	text := file(t, "deploy/vecgate.service")
	guide := file(t, "docs/guide/operations.md")
	for _, line := range []string{"Type=notify", "User=vecgate", "Group=vecgate", "StateDirectory=vecgate", "WorkingDirectory=/var/lib/vecgate", "UMask=0077", "CapabilityBoundingSet="} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the unit does not say %s", line)
		}
	}
	for _, path := range []string{"data: /var/lib/vecgate}", "dir: /var/lib/vecgate/", "sqlite: /var/lib/vecgate/"} {
		if !strings.Contains(guide, path) {
			t.Errorf("the guide does not say %s, and the gateway may write nowhere else", path)
		}
	}
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^Exec\w+=/usr/local/bin/vecgate (\w+) -c `).FindAllStringSubmatch(text, -1)
	if len(commands) != 2 {
		t.Fatalf("the unit runs %d commands of the gateway", len(commands))
	}
	for _, m := range commands {
		out, err := exec.CommandContext(t.Context(), binary, m[1], "--help").CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("-c, --config")) {
			t.Errorf("vecgate %s takes no -c: %v\n%s", m[1], err, out)
		}
	}
}

func TestADockerfileThatNobodyWouldCheckIsAnError(t *testing.T) {
	for _, text := range []string{"FROM scratch\nADD x /x\n", "COPY a b\n", "FROM scratch\nUSER\n"} {
		if all, err := Dockerfile(text); err == nil {
			t.Errorf("%q is read as %v", text, all)
		}
	}
}
