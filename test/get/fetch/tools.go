package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A Tool is a program of the system that some tests or benchmarks use.
type Tool struct{ Program, Package, For string }

// SystemTools are what Debian packages and no cache can replace.
var SystemTools = []Tool{
	{"chromium", "chromium", "the tests of the console"},
	{"pgbouncer", "pgbouncer", "the benchmarks, to compare with"},
	{"haproxy", "haproxy", "the benchmarks, to compare with"},
	{"node", "nodejs", "the node-postgres client"},
	{"npm", "npm", "PostgreSQL's server package and the node-postgres client"},
	{"javac", "default-jdk-headless", "the JDBC client, and OpenSearch"},
	{"mvn", "maven", "the JDBC client, and OpenSearch"},
	{"systemd-analyze", "systemd", "the check of the systemd unit"},
}

// Tools installs the missing ones of SystemTools with apt-get. This changes the system,
// which is why only people call it, and it needs root.
func (f *Fetcher) Tools(ctx context.Context) error {
	var missing []Tool
	for _, tool := range SystemTools {
		if !installed(tool.Program) {
			missing = append(missing, tool)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	packages := []string{}
	for _, tool := range missing {
		f.Log.Info("missing", "program", tool.Program, "package", tool.Package, "for", tool.For)
		packages = append(packages, tool.Package)
	}
	byHand := "apt-get update && apt-get install --no-install-recommends " + strings.Join(packages, " ")
	if os.Geteuid() != 0 {
		return fmt.Errorf("installing Debian packages needs root: run %s as root", byHand)
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("this system has no apt-get: install " + strings.Join(packages, ", ") + " in its own way")
	}
	if _, err := f.run(ctx, "", "apt-get", "update", "--quiet"); err != nil {
		return err
	}
	install := append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--quiet", "--yes", "--no-install-recommends"}, packages...)
	if _, err := f.run(ctx, "", "env", install...); err != nil {
		return err
	}
	for _, tool := range missing {
		if !installed(tool.Program) {
			return fmt.Errorf("package %s was installed, but the program %s is still not found", tool.Package, tool.Program)
		}
	}
	return nil
}

// installed looks where Debian puts servers, too: /usr/sbin is not in everybody's PATH.
func installed(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	_, err := os.Stat("/usr/sbin/" + program)
	return err == nil
}
