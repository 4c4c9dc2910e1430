// Command demo shows vecgate's main job on real data: a real PostgreSQL with pgvector, 2,000 texts with their embeddings, an identity
// provider, the gateway, and the stories of a scientist, an approver and two CI jobs. It prints every command that it runs.
//
//	go run ./test/demo          tells the story, then leaves everything running until Ctrl-C
//	go run ./test/demo --once   tells the story and ends
//	go run ./test/demo --engines [--once]   the same over real servers that do not speak SQL
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

func main() {
	once := flag.Bool("once", false, "end after the story instead of leaving everything running")
	port := flag.Int("port", 0, "first of five ports to listen on; free ones by default")
	others := flag.Bool("engines", false, "tell the story over engines that do not speak SQL")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := error(nil)
	if *others {
		err = demoEngines(ctx, *once)
	} else {
		err = demo(ctx, *once, *port)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, once bool, port int) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	say("Starting PostgreSQL with pgvector, an identity provider and vecgate …")
	// What the gateway leans on outlives Ctrl-C by the time that it takes to stop in good order.
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server, err := postgrestest.Run(alive, "", postgrestest.Options{Logger: log})
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer server.Stop()
	g, err := world.StartGateway(ctx, world.GatewayOptions{Postgres: server, Port: port})
	if err != nil {
		return err
	}
	defer g.Stop()
	file, err := environment(g)
	if err != nil {
		return err
	}
	t := &teller{ctx: ctx, env: file}
	if err := story(t, g); err != nil {
		return fmt.Errorf("%w\n\nThe gateway's log:\n%s", err, g.Output())
	}
	if once {
		return nil
	}
	say("\nEverything is still running. In another terminal:\n\n    cd %s; source env.sh\n\nthen repeat any command above, or make up your own.", g.Dir)
	say("The console is at %s (sign in as anybody; Arno approves, Audrey audits).\nCtrl-C ends it all and cleans up.", g.URL)
	<-ctx.Done()
	return nil
}

// environment writes the file that the story's commands, and people who repeat them, source.
func environment(g *world.Gateway) (string, error) {
	file := filepath.Join(g.Dir, "env.sh")
	text := fmt.Sprintf(`export PATH=%s:%s:$PATH
export VECGATE_GATEWAY=%s
export PGHOST=127.0.0.1 PGPORT=%d PGDATABASE=products PGSSLMODE=verify-full PGSSLROOTCERT=%s PGGSSENCMODE=disable
export AUDIT=%s
# as WHO COMMAND…: run a command as a person (sam, arno, …) or a CI job (nightly, retrain).
as() {
    local who=$1; shift
    local id
    case $who in
        nightly|retrain) id=$(vecgate dev token --issuer %s --client "$who" --secret "$who-secret") ;;
        *) id=$(vecgate dev token --issuer %s --user "$who") ;;
    esac || return
    VECGATE_ID_TOKEN=$id PGUSER=$who PGPASSWORD=$(VECGATE_ID_TOKEN=$id vecgate token) "$@"
}
`, filepath.Dir(g.Binary), g.Postgres.Bin, g.URL, g.TLSPort, g.CA, g.AuditDir, g.IDP.Issuer(world.CI), g.IDP.Issuer(world.Corp))
	return file, os.WriteFile(file, []byte(text), 0o600)
}
