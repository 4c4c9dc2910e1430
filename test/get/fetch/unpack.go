package fetch

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A keep function says where, below the destination, a member of an archive goes,
// or "" to leave it out.
type keep func(member string) string

// place answers the path of a kept member, and refuses one that would leave dir.
func place(dir, member string, where keep) (string, error) {
	name := where(member)
	if name == "" {
		return "", nil
	}
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("archive member %q would be written outside its directory", member)
	}
	return filepath.Join(dir, name), nil
}

// mode keeps what matters of an archive's permissions: programs and libraries can
// be executed, everything can be read by the user that the server runs as.
func mode(path string, archived fs.FileMode) fs.FileMode {
	if archived&0o111 != 0 || strings.Contains(filepath.Dir(path), "/bin") || strings.Contains(filepath.Base(path), ".so") {
		return 0o755
	}
	return 0o644
}

func writeMember(path string, archived fs.FileMode, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode(path, archived))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// unzip unpacks the kept regular files of a zip archive, such as a Python wheel.
func unzip(archive, dir string, where keep) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", archive, err)
	}
	defer reader.Close()
	for _, member := range reader.File {
		path, err := place(dir, member.Name, where)
		if err != nil {
			return err
		}
		if path == "" || !member.Mode().IsRegular() {
			continue
		}
		content, err := member.Open()
		if err != nil {
			return fmt.Errorf("unpack %s: %w", member.Name, err)
		}
		err = errors.Join(writeMember(path, member.Mode(), content), content.Close())
		if err != nil {
			return fmt.Errorf("unpack %s: %w", member.Name, err)
		}
	}
	return nil
}

// untar unpacks the kept regular files of a .tgz, such as an npm package; links are left out.
func untar(archive, dir string, where keep) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("open %s: %w", archive, err)
	}
	for reader := tar.NewReader(plain); ; {
		member, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", archive, err)
		}
		path, err := place(dir, member.Name, where)
		if err != nil {
			return err
		}
		if path == "" || member.Typeflag != tar.TypeReg {
			continue
		}
		if err := writeMember(path, member.FileInfo().Mode(), reader); err != nil {
			return fmt.Errorf("unpack %s: %w", member.Name, err)
		}
	}
}
