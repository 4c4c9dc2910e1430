package vault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/vault"
)

var _ gate.Credentials = (*vault.Vault)(nil)

const canary = "hunter2-canary"

func put(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func source(t *testing.T, text string, o vault.SourceOptions) vault.Source {
	t.Helper()
	s, err := vault.ParseSource(text, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNoWayOfPrintingShowsASecret(t *testing.T) {
	secret := vault.NewSecret(canary)
	type outer struct {
		Shown  vault.Secret
		hidden vault.Secret // fmt asks no method of an unexported field
		List   []vault.Secret
		ByName map[string]vault.Secret
		cred   *vault.Credential
	}
	credential := vault.Credential{Name: "products@1", User: "app", Secret: secret, Version: 1}
	sealed := source(t, "age:"+base64.StdEncoding.EncodeToString([]byte("age-encryption.org/v1 "+canary)), vault.SourceOptions{Identity: "/nowhere"})
	all := []any{
		secret, &secret, credential, &credential,
		[]vault.Secret{secret},
		map[string]vault.Credential{"a": credential},
		sealed, &sealed,
		outer{secret, secret, []vault.Secret{secret}, map[string]vault.Secret{"a": secret}, &credential},
		struct{ s vault.Source }{sealed},
	}
	leaks := func(how, text string) {
		t.Helper()
		for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), base64.StdEncoding.EncodeToString([]byte(canary)), fmt.Sprint([]byte(canary))} {
			if strings.Contains(text, form) {
				t.Errorf("%s shows the secret: %s", how, text)
			}
		}
	}
	for _, v := range all {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
			for _, flags := range []string{"", "+", "#", " ", "0", "20", ".3", "+#"} {
				format := "%" + flags + string(verb)
				leaks(fmt.Sprintf("%s of %T", format, v), fmt.Sprintf(format, v))
			}
		}
		leaks("Print", fmt.Sprint(v)+fmt.Sprintln(v))
		leaks("an error", fmt.Errorf("use %v: %w", v, errors.New("no")).Error())
		if j, err := json.Marshal(v); err == nil {
			leaks("JSON", string(j))
		}
		if y, err := yaml.Marshal(v); err == nil {
			leaks("YAML", string(y))
		}
		var b bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
			slog.New(h).With("a", v).Info("x", "b", v, slog.Group("g", "c", v))
		}
		leaks("slog", b.String())
		leaks("cmp.Diff", func() (d string) {
			defer func() { _ = recover() }() // cmp refuses unexported fields
			return cmp.Diff(v, nil)
		}())
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%08.3f", "%t", "%U"} {
		if got := fmt.Sprintf(format, secret); got != "[redacted]" {
			t.Errorf("%s prints %s", format, got)
		}
	}
	if secret.Reveal() != canary || (vault.Secret{}).Reveal() != "" || !(vault.Secret{}).Empty() {
		t.Error("Reveal does not return the value")
	}
}

func TestSecretsAreReadFromWhereTheReferenceSays(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keys := put(t, "key.txt", "# created today\n"+identity.String()+"\n", 0o600)
	inline, err := vault.Seal(vault.NewSecret(canary), identity.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	binary, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(inline, "age:"))
	if err != nil {
		t.Fatal(err)
	}
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	_, _ = w.Write(binary)
	_ = w.Close()
	o := vault.SourceOptions{Identity: keys, Getenv: func(name string) string { return map[string]string{"PW": canary}[name] }}
	for name, text := range map[string]string{
		"file": "file:" + put(t, "pw", canary, 0o600), "one newline is cut": "file:" + put(t, "pw", canary+"\n", 0o400),
		"a carriage return too": "file:" + put(t, "pw", canary+"\r\n", 0o600), "variable": "${env:PW}", "mounted for a group": "file:" + put(t, "pw", canary, 0o440),
		"sealed file": "age:" + put(t, "pw.age", string(binary), 0o644), "armored file": "age:" + put(t, "pw.age", armored.String(), 0o644),
		"sealed value": inline, "armored value": "age:" + armored.String(),
	} {
		s := source(t, text, o)
		got, err := s.Read()
		if err != nil || got.Reveal() != canary {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
		if strings.Contains(s.String(), canary) {
			t.Errorf("%s: its place shows the secret: %s", name, s)
		}
		if exposed := s.Exposure() != ""; exposed != (name == "mounted for a group") {
			t.Errorf("%s: exposure %q", name, s.Exposure())
		}
	}
}

func TestWhatIsNoSafePlaceForASecretIsRefused(t *testing.T) {
	identity, _ := age.GenerateX25519Identity()
	other, _ := age.GenerateX25519Identity()
	keys := put(t, "key.txt", identity.String(), 0o600)
	toOther, _ := vault.Seal(vault.NewSecret(canary), other.Recipient().String())
	o := vault.SourceOptions{Identity: keys, Getenv: func(string) string { return "" }}
	open := o
	open.Identity = put(t, "open.txt", identity.String(), 0o644)
	garbage := o
	garbage.Identity = put(t, "garbage.txt", canary, 0o600)
	for name, c := range map[string]struct {
		text string
		o    vault.SourceOptions
		want string
	}{
		"the secret itself":         {canary, o, "does not stand in the file"},
		"no path":                   {"file:", o, "path must follow"},
		"bad variable":              {"${env:" + canary + "}", o, "letters, digits"},
		"no such variable":          {"${env:NONE}", o, "not set"},
		"no such file":              {"file:/does/not/exist", o, "no such file"},
		"file that all can read":    {"file:" + put(t, "pw", canary, 0o604), o, "chmod 600"},
		"file that group can write": {"file:" + put(t, "pw", canary, 0o620), o, "chmod 600"},
		"empty file":                {"file:" + put(t, "pw", "\n", 0o600), o, "it is empty"},
		"directory":                 {"file:" + t.TempDir(), o, "not a regular file"},
		"huge file":                 {"file:" + put(t, "pw", strings.Repeat("x", 1<<20+1), 0o600), o, "larger than"},
		"sealed to somebody else":   {toOther, o, "not sealed to the identity"},
		"no identity":               {toOther, vault.SourceOptions{}, "secrets.identity"},
		"identity all can read":     {toOther, open, "chmod 600"},
		"identity that is none":     {toOther, garbage, "no AGE-SECRET-KEY"},
		"not sealed at all":         {"age:" + put(t, "pw.age", canary, 0o600), o, "not something that age has sealed"},
	} {
		s, err := vault.ParseSource(c.text, c.o)
		if err == nil {
			_, err = s.Read()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

func TestAChangedPasswordIsPickedUpAndABrokenFileChangesNothing(t *testing.T) {
	path := put(t, "pw", "one", 0o600)
	v, err := vault.New([]vault.Entry{{Target: "products", User: "app", Password: source(t, "file:"+path, vault.SourceOptions{})}, {Target: "socket", User: "app"}})
	if err != nil {
		t.Fatal(err)
	}
	lease := func(wantName, wantSecret string) {
		t.Helper()
		c, err := v.Lease(t.Context(), "products")
		if err != nil || c.Name != wantName || c.Secret.Reveal() != wantSecret || c.User != "app" {
			t.Errorf("Lease = %s %q, %v, want %s %q", c.Name, c.Secret.Reveal(), err, wantName, wantSecret)
		}
	}
	lease("products@1", "one")
	if changed, err := v.Reload(); err != nil || changed != nil {
		t.Errorf("Reload of the same: %v, %v", changed, err)
	}
	lease("products@1", "one")
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := v.Reload(); err != nil || len(changed) != 1 || changed[0] != "products" {
		t.Errorf("Reload: %v, %v", changed, err)
	}
	lease("products@2", "two")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Reload(); err == nil {
		t.Error("Reload of a missing file succeeded")
	}
	lease("products@2", "two")
	if err := v.Replace([]vault.Entry{{Target: "other", User: "x", Password: source(t, "file:"+path, vault.SourceOptions{})}}); err == nil {
		t.Error("Replace with a missing file succeeded")
	}
	lease("products@2", "two")
	if c, err := v.Lease(t.Context(), "socket"); err != nil || !c.Secret.Empty() {
		t.Errorf("a target without a password: %v, %v", c, err)
	}
	if _, err := v.Lease(t.Context(), "unknown"); !errors.Is(err, vault.ErrNoCredential) {
		t.Errorf("Lease of an unknown target: %v", err)
	}
}

func TestLeasesGoOnWhileTheVaultReloads(t *testing.T) {
	v, err := vault.New([]vault.Entry{{Target: "products", User: "app", Password: source(t, "file:"+put(t, "pw", "one", 0o600), vault.SourceOptions{})}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if c, err := v.Lease(t.Context(), "products"); err != nil || c.Version != 1 {
					t.Errorf("Lease = %v, %v", c, err)
				}
			}
		})
	}
	for range 50 {
		if _, err := v.Reload(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func FuzzParseSource(f *testing.F) {
	for _, seed := range []string{"file:x", "${env:A}", "age:YWdlLWVuY3J5cHRpb24ub3Jn", "age:-----BEGIN AGE ENCRYPTED FILE-----\n", "plain", ""} {
		f.Add(seed)
	}
	identity, _ := age.GenerateX25519Identity()
	key := filepath.Join(f.TempDir(), "key")
	if err := os.WriteFile(key, []byte(identity.String()), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := vault.ParseSource(text, vault.SourceOptions{Dir: "/nonexistent/dir", Identity: key, Getenv: func(string) string { return "" }})
		if err != nil {
			if len(text) > 12 && strings.Contains(err.Error(), text) {
				t.Errorf("the error repeats the text: %v", err)
			}
			return
		}
		_, _ = s.Read()
	})
}
