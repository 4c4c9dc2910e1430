package cli

import (
	"net"
	"strings"
)

// notifySystemd tells systemd a state (sd_notify(3)) when it asked to be told; nothing depends on its success.
func notifySystemd(env *Env, state string) {
	path := env.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if name, ok := strings.CutPrefix(path, "@"); ok {
		path = "\x00" + name
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(state))
}
