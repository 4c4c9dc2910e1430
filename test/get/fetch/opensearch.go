package fetch

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// openSearchCopy is the Maven plugin that is asked to copy the jars.
const openSearchCopy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

// openSearchPlugins are the plugins of the node.
var openSearchPlugins = []string{
	"org.opensearch.transport.Netty4Plugin", "org.opensearch.analysis.common.CommonAnalysisPlugin", "org.opensearch.painless.PainlessPlugin",
	"org.opensearch.index.reindex.ReindexPlugin", "org.opensearch.join.ParentJoinPlugin", "org.opensearch.knn.plugin.KNNPlugin",
}

// An OpenSearch is a server that can be started.
type OpenSearch struct{ dir string }

// Command is what starts a node with its data in home. It listens on loopback.
func (o *OpenSearch) Command(home string, port, transport int) []string {
	path := strings.Join([]string{filepath.Join(o.dir, "classes"), filepath.Join(o.dir, "jars", "*")}, string(os.PathListSeparator))
	return append([]string{
		"java", "-Xms256m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", path,
		"Serve", home, fmt.Sprint(port), fmt.Sprint(transport),
	}, openSearchPlugins...)
}

// OpenSearch brings an OpenSearch server with its k-NN plugin: the jars, and a program that starts a node with plugins of
// the class path (the engine's own start needs its distribution, which no registry has). It needs a Java 17 or newer with its compiler.
func (f *Fetcher) OpenSearch(ctx context.Context) (*OpenSearch, error) {
	lock, err := clients.ReadFile("clients/opensearch/jars.txt")
	if err != nil {
		return nil, err
	}
	source, err := clients.ReadFile("clients/opensearch/Serve.java")
	if err != nil {
		return nil, err
	}
	dir, err := f.Once("opensearch-"+fingerprint(lock, source), func(dir string) error {
		f.Log.Info("downloading OpenSearch", "to", f.Cache)
		jars := filepath.Join(dir, "jars")
		if err := f.jars(ctx, dir, jars, string(lock)); err != nil {
			return err
		}
		classes := filepath.Join(dir, "classes")
		if err := os.Mkdir(classes, 0o755); err != nil {
			return err
		}
		for _, name := range []string{"Serve.java", "log4j2.properties"} {
			text, err := clients.ReadFile("clients/opensearch/" + name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(classes, name), text, 0o644); err != nil {
				return err
			}
		}
		_, err := f.run(ctx, classes, "javac", "-cp", filepath.Join(jars, "*"), "-d", classes, "Serve.java")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get OpenSearch: %w", err)
	}
	return &OpenSearch{dir}, nil
}

// jars copies what the lock names, and nothing else; the one zip among it is unpacked into the same directory.
func (f *Fetcher) jars(ctx context.Context, dir, to, lock string) error {
	type dependency struct {
		Group    string `xml:"groupId"`
		Artifact string `xml:"artifactId"`
		Version  string `xml:"version"`
		Type     string `xml:"type"`
		Without  struct {
			Group    string `xml:"groupId"`
			Artifact string `xml:"artifactId"`
		} `xml:"exclusions>exclusion"`
	}
	var all []dependency
	sums := map[string]string{}
	for line := range strings.Lines(lock) {
		name, sum, _ := strings.Cut(strings.TrimSpace(line), " ")
		parts := strings.Split(name, ":")
		if len(parts) != 4 {
			return fmt.Errorf("a line of the lock is not group:artifact:version:type sum: %q", line)
		}
		d := dependency{Group: parts[0], Artifact: parts[1], Version: parts[2], Type: parts[3]}
		d.Without.Group, d.Without.Artifact = "*", "*"
		all = append(all, d)
		sums[parts[1]+"-"+parts[2]+"."+parts[3]] = sum
	}
	project := struct {
		XMLName  xml.Name     `xml:"project"`
		Model    string       `xml:"modelVersion"`
		Group    string       `xml:"groupId"`
		Artifact string       `xml:"artifactId"`
		Version  string       `xml:"version"`
		Kind     string       `xml:"packaging"`
		All      []dependency `xml:"dependencies>dependency"`
	}{Model: "4.0.0", Group: "vecgate", Artifact: "opensearch", Version: "1", Kind: "pom", All: all}
	text, err := xml.Marshal(project)
	if err != nil {
		return err
	}
	pom, repository := filepath.Join(dir, "pom.xml"), filepath.Join(dir, "repository") // of this one run: the user's own stays as it is
	if err := os.WriteFile(pom, text, 0o644); err != nil {
		return err
	}
	if _, err := f.run(ctx, dir, "mvn", "--quiet", "--batch-mode", "-Dmaven.repo.local="+repository, "-f", pom, openSearchCopy, "-DoutputDirectory="+to); err != nil {
		return err
	}
	files, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	if len(files) != len(sums) {
		return fmt.Errorf("%d files were copied, and the lock has %d", len(files), len(sums))
	}
	for _, file := range files {
		path := filepath.Join(to, file.Name())
		if err := checkSum(path, sums[file.Name()]); err != nil {
			return err
		}
		if strings.HasSuffix(path, ".zip") {
			err := unzip(path, to, func(member string) string {
				if strings.HasSuffix(member, ".jar") && !strings.Contains(member, "/") {
					return member
				}
				return ""
			})
			if err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(repository)
}

// OpenSearchPython brings an interpreter with opensearch-py and elasticsearch.
func (f *Fetcher) OpenSearchPython(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "the Python clients of OpenSearch and Elasticsearch", "opensearch-python", "opensearch/requirements.txt",
		"opensearchpy, elasticsearch")
}

// OpenSearchNode brings both engines' JavaScript clients, and returns the directory for NODE_PATH.
func (f *Fetcher) OpenSearchNode(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "the clients of OpenSearch and Elasticsearch for Node", "opensearch-node", "opensearch",
		[]string{"@opensearch-project/opensearch", "@elastic/elasticsearch"})
}
