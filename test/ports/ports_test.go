package ports_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/test/ports"
)

// wanted makes this test binary a process that asks for so many ports, prints them and waits for its input to end.
const wanted = "VECGATE_TEST_PORTS"

func TestMain(m *testing.M) {
	if os.Getenv(wanted) == "" {
		os.Exit(m.Run())
	}
	for range 200 {
		port, err := ports.Free()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(port)
	}
	fmt.Println("done")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

func TestNoTwoProcessesGetTheSamePort(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), wanted+"=1")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { in.Close(); cmd.Wait() }()
		for {
			var line string
			if _, err := fmt.Fscanln(out, &line); err != nil {
				t.Fatal(err)
			}
			if line == "done" {
				break
			}
			if seen[line] || strings.TrimLeft(line, "0123456789") != "" {
				t.Fatalf("port %s is given twice, or is none", line)
			}
			seen[line] = true
		}
	}
	if len(seen) != 600 {
		t.Errorf("%d ports, not 600", len(seen))
	}
}

func TestAPortInUseIsNotGiven(t *testing.T) {
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatalf("a port that is free cannot be listened on: %v", err)
	}
	defer l.Close()
	for range 50 {
		if again, err := ports.Free(); err != nil || again == port {
			t.Fatalf("port %d while it is in use; %v", again, err)
		}
	}
}
