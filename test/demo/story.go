package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/world"
)

var (
	requestID = regexp.MustCompile(`request ([0-9A-Z]{4}-[0-9A-Z]{4})`)
	waits     = regexp.MustCompile(`^HINT: .* (cancel it) to take it back`)
)

// story tells what vecgate is for. Every step fails loudly when what it shows does not happen.
func story(t *teller, g *world.Gateway) error {
	query := data.Queries()[0]
	if err := writeProbe(g, query.Embedding.String()); err != nil {
		return err
	}

	t.chapter("A scientist searches",
		"Sam is in Vector-Read. She signs in at the company's provider; psql shows vecgate's token where a password goes. The database's own password is known to the gateway only.")
	say("(The query vector is the embedding of %q.)", query.Text)
	if err := t.must(`as sam psql -v probe="$(cat probe.txt)" -f search.sql`, "rows)"); err != nil {
		return err
	}
	say("\nPersonal data is masked by where it comes from, whatever it is called on the way; embeddings are withheld:")
	if err := t.must(`as sam psql -c "SELECT c.name, c.email AS harmless_name, c.phone, c.embedding FROM customers c WHERE id = 7"`, "[redacted]"); err != nil {
		return err
	}
	say("\nGuessing does not help:")
	if err := t.refused(`as sam psql -c "SELECT name FROM customers WHERE email LIKE 'a%' LIMIT 5"`, "ERROR"); err != nil {
		return err
	}

	t.chapter("Her change waits for a person", "A scientist's write is held. psql says so and waits; nothing has reached the database.")
	upsert := t.start(`as sam psql -c "UPDATE items SET summary = 'A better summary' WHERE id = 42"`)
	id, err := upsert.find(requestID)
	if err != nil {
		return err
	}
	say("\nNobody approves their own work:")
	if err := t.refused("as sam vecgate requests approve " + id); err != nil {
		return err
	}
	say("\nArno is an approver. He looks at exactly what would run, and releases it:")
	if err := t.must("as arno vecgate requests show "+id, "A better summary"); err != nil {
		return err
	}
	upsert.keep()
	if err := t.must("as arno vecgate requests approve " + id + " --reason 'reviewed with the team'"); err != nil {
		return err
	}
	say("\nSam's psql, meanwhile:")
	if out, err := upsert.wait(true); err != nil || !strings.Contains(out, "UPDATE 1") {
		return orElse(err, "the approved update did not run")
	}

	t.chapter("A pipeline's bulk export is held, and denied", "The CI job wants everything. Embeddings it may not take out at all; for the rest somebody has to say yes, and says no.")
	if err := t.refused(`as retrain psql -c "COPY items TO STDOUT"`, "withheld"); err != nil {
		return err
	}
	export := t.start(`as retrain psql -c "COPY items (id, name, summary, description) TO STDOUT"`)
	if id, err = export.find(requestID); err != nil {
		return err
	}
	if _, err := export.find(waits); err != nil {
		return err
	}
	export.keep()
	if err := t.must("as anna vecgate requests deny " + id + " --reason 'use the nightly snapshot'"); err != nil {
		return err
	}
	say("\nThe job, meanwhile:")
	if _, err := export.wait(false); err != nil {
		return err
	}

	t.chapter("Two jobs of one service account are two identities", "Both have the same service account. Their tokens say which job it is, policy and record tell them apart.")
	if err := t.must(`as nightly psql -c "SELECT name FROM items WHERE id = 1"`, "1 row"); err != nil {
		return err
	}
	if err := t.must(`as retrain psql -c "SELECT name FROM customers WHERE id = 1"`, "1 row"); err != nil {
		return err
	}
	if err := t.refused(`as nightly psql -c "SELECT name FROM customers WHERE id = 1"`, "nightly"); err != nil {
		return err
	}
	if err := t.must("as aud vecgate sessions ls --past", "recommender nightly", "recommender retrain"); err != nil {
		return err
	}

	t.chapter("What happened?", "An approver replays the session; the replay itself is on record.")
	if err := t.must(`as arno vecgate sessions replay $(as arno vecgate sessions ls --past --subject corp:sam --json | python3 -c 'import json,sys; print([s["id"] for s in json.load(sys.stdin)["sessions"] if s["requests"]][-2])')`, "[redacted]"); err != nil {
		return err
	}

	t.chapter("Can you prove it?", "Every record was on disk before its request reached the database. The log is a Merkle tree with signed checkpoints; anyone with the public key can check it.")
	return t.must("vecgate audit verify --dir $AUDIT")
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return &unexpected{text}
}

type unexpected struct{ text string }

func (u *unexpected) Error() string { return u.text }

// writeProbe puts the query vector and the search into files beside the configuration, where the commands are run.
func writeProbe(g *world.Gateway, vector string) error {
	search := "SELECT id, name, left(summary, 60) AS summary, embedding FROM items ORDER BY embedding <=> :'probe' LIMIT 5;\n"
	return errors.Join(
		os.WriteFile(filepath.Join(g.Dir, "probe.txt"), []byte(vector), 0o600),
		os.WriteFile(filepath.Join(g.Dir, "search.sql"), []byte(search), 0o600),
	)
}
