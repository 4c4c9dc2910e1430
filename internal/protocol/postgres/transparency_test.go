package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// Messages of a client, as short as a test wants them.
func msg(kind byte, body ...string) string {
	b, at := wire.Begin(nil, kind)
	for _, s := range body {
		b = append(b, s...)
	}
	return string(wire.End(b, at))
}
func z(s string) string { return s + "\x00" }
func i16(n int) string  { return string(binary.BigEndian.AppendUint16(nil, uint16(n))) }

func i32(n int) string                  { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
func query(t string) string             { return msg(wire.Query, z(t)) }
func syncing() string                   { return msg(wire.Sync) }
func flushing() string                  { return msg(wire.Flush) }
func execute(p string, n int) string    { return msg(wire.Execute, z(p), i32(n)) }
func parse(name, text string) string    { return msg(wire.Parse, z(name), z(text), i16(0)) }
func describe(what, name string) string { return msg(wire.Describe, what, z(name)) }
func closing(what, name string) string  { return msg(wire.Close, what, z(name)) }
func bind(portal, statement string, binary bool, values ...string) string {
	var b strings.Builder
	b.WriteString(z(portal) + z(statement) + i16(0) + i16(len(values)))
	for _, v := range values {
		b.WriteString(i32(len(v)) + v)
	}
	if binary {
		b.WriteString(i16(1) + i16(1))
	} else {
		b.WriteString(i16(0))
	}
	return msg(wire.Bind, b.String())
}

// raw is a connection that has started, by the byte.
type raw struct {
	t    testing.TB
	conn net.Conn
}

func dialRaw(t testing.TB, dsn string) *raw {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SyncConn(context.Background()); err != nil {
		t.Fatal(err)
	}
	h, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Conn.Close() })
	return &raw{t, h.Conn}
}

func (r *raw) send(s string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, s); err != nil {
		r.t.Fatal(err)
	}
}

// until reads messages until n of that type have come, or the connection ends.
func (r *raw) until(kind byte, n int) []byte {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	var all []byte
	for n > 0 {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r.conn, head); err != nil {
			if err == io.EOF {
				return append(all, "EOF"...)
			}
			r.t.Fatalf("after %s: %v", show(all), err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(r.conn, body); err != nil {
			r.t.Fatal(err)
		}
		all = append(append(all, head...), body...)
		if head[0] == kind {
			n--
		}
	}
	return all
}

// show writes messages for people.
func show(b []byte) string {
	var s strings.Builder
	for len(b) >= 5 {
		n := int(binary.BigEndian.Uint32(b[1:])) + 1
		if n > len(b) {
			break
		}
		body := b[5:n]
		if len(body) > 300 {
			body = append(append([]byte(nil), body[:100]...), fmt.Sprintf("… %d", len(body))...)
		}
		fmt.Fprintf(&s, "%c %q\n", b[0], body)
		b = b[n:]
	}
	fmt.Fprintf(&s, "%q", b)
	return s.String()
}

// step is what a client sends, and how it knows that it has the answer.
type exchangeStep struct {
	send  string
	until byte
	n     int
}

func TestTheGatewayIsTransparent(t *testing.T) {
	ready := func(n int, s ...string) exchangeStep { return exchangeStep{strings.Join(s, ""), wire.ReadyForQuery, n} }
	long := strings.Repeat("pipelined ", 20)
	var pipeline strings.Builder
	for i := range 3000 {
		pipeline.WriteString(parse("", "select $1::text, "+fmt.Sprint(i%7)) + bind("", "", false, long) + describe("P", "") + execute("", 0))
	}
	pipeline.WriteString(syncing())
	for name, steps := range map[string][]exchangeStep{
		"simple":            {ready(1, query("select 1, 'two', null"))},
		"empty":             {ready(1, query("")), ready(1, query(" ; ;"))},
		"several":           {ready(1, query("select 1; select 2 where false; select 'x'"))},
		"error":             {ready(1, query("select 1/0")), ready(1, query("select nonsense"))},
		"error in several":  {ready(1, query("select 1; select 1/0; select 3"))},
		"notice":            {ready(1, query("do $$begin raise notice 'hello %', 1; raise warning 'w' using hint = 'h', detail = 'd'; end$$"))},
		"transaction":       {ready(1, query("begin")), ready(1, query("select 1/0")), ready(1, query("select 1")), ready(1, query("rollback"))},
		"settings":          {ready(1, query("set timezone = 'Europe/Berlin'")), ready(1, query("show timezone")), ready(1, query("set application_name = 'x'"))},
		"extended":          {ready(1, parse("", "select $1::int + 1"), bind("", "", false, "41"), describe("P", ""), execute("", 0), syncing())},
		"binary":            {ready(1, parse("", "select $1::int, 'x', 2.5::float8"), bind("", "", true, "41"), describe("P", ""), execute("", 0), syncing())},
		"no rows":           {ready(1, parse("", "set datestyle = 'ISO'"), bind("", "", false), describe("P", ""), execute("", 0), syncing())},
		"empty extended":    {ready(1, parse("", ""), bind("", "", false), describe("P", ""), execute("", 0), syncing())},
		"named":             {ready(1, parse("a", "select $1::text"), describe("S", "a"), syncing()), ready(1, bind("", "a", false, "x"), execute("", 0), syncing(), ""), ready(1, closing("S", "a"), syncing())},
		"close unknown":     {ready(1, closing("S", "nobody"), closing("P", "nobody"), syncing())},
		"skip to sync":      {ready(1, parse("", "select 1/0"), bind("", "", false), execute("", 0), parse("", "select 1"), bind("", "", false), execute("", 0), syncing()), ready(1, query("select 1"))},
		"pipelined":         {ready(3, parse("", "select 1"), bind("", "", false), execute("", 0), syncing(), parse("", "select 1/0"), bind("", "", false), execute("", 0), syncing(), query("select 3"))},
		"suspended":         {ready(1, query("begin")), ready(1, parse("", "select generate_series(1,5)"), bind("c", "", false), execute("c", 2), execute("c", 2), syncing()), ready(1, execute("c", 2), syncing()), ready(1, query("commit"))},
		"flush":             {{parse("", "select 1") + bind("", "", false) + flushing(), wire.BindComplete, 1}, {execute("", 0) + flushing(), wire.CommandComplete, 1}, ready(1, syncing())},
		"flush and error":   {{parse("", "select 1/0") + bind("", "", false) + execute("", 0) + flushing(), wire.ErrorResponse, 1}, ready(1, parse("", "select 1"), bind("", "", false), query("select 'void'"), syncing()), ready(1, query("select 1"))},
		"query after parse": {ready(1, parse("", "select 1"), bind("", "", false), execute("", 0), query("select 2"))},
		"duplicate name":    {ready(1, parse("dup", "select 1"), syncing()), ready(1, parse("dup", "select 2"), syncing()), ready(1, bind("", "dup", false), execute("", 0), syncing())},
		"sql prepared":      {ready(1, query("prepare pp as select 'body'")), ready(1, query("execute pp")), ready(1, bind("", "pp", false), execute("", 0), syncing()), ready(1, query("deallocate pp"))},
		"cursor":            {ready(1, query("begin")), ready(1, query("declare cc cursor for select generate_series(1,5)")), ready(1, query("fetch 2 from cc")), ready(1, query("fetch all from cc")), ready(1, query("close cc")), ready(1, query("commit"))},
		"copy out":          {ready(1, query("copy (select generate_series(1,100)) to stdout"))},
		"copy in":           {ready(1, query("create table ci (a int)")), {query("copy ci from stdin"), wire.CopyInResponse, 1}, ready(1, msg(wire.CopyData, "1\n2\n"), msg(wire.CopyData, "3\n"), msg(wire.CopyDone)), ready(1, query("select a+0 from ci"))},
		"copy in, ahead":    {ready(1, query("create table ca (a int)")), ready(1, query("copy ca from stdin"), msg(wire.CopyData, "1\n"), msg(wire.CopyDone)), ready(1, query("select a+0 from ca"))},
		"copy in, failed":   {ready(1, query("create table cf (a int)")), {query("copy cf from stdin"), wire.CopyInResponse, 1}, ready(1, msg(wire.CopyData, "1\n"), msg(wire.CopyFail, z("changed my mind"))), ready(1, query("select a+0 from cf"))},
		"copy in, bad data": {ready(1, query("create table cb (a int)")), {query("copy cb from stdin"), wire.CopyInResponse, 1}, ready(1, msg(wire.CopyData, "x\n"), msg(wire.CopyData, "2\n"), msg(wire.CopyDone)), ready(1, query("select a+0 from cb"))},
		"copy in, extended": {
			ready(1, query("create table cx (a int)")),
			{parse("", "copy cx from stdin") + bind("", "", false) + describe("P", "") + execute("", 0) + syncing(), wire.CopyInResponse, 1},
			ready(1, msg(wire.CopyData, "1\n"), msg(wire.CopyDone), syncing()), ready(1, query("select a+0 from cx")),
		},
		"copy in, extended, bad": {
			ready(1, query("create table cy (a int)")),
			{parse("", "copy cy from stdin") + bind("", "", false) + execute("", 0) + syncing(), wire.CopyInResponse, 1},
			ready(1, msg(wire.CopyData, "x\n"), msg(wire.CopyDone), syncing()), ready(1, query("select a+0 from cy")),
		},
		"copy data astray": {ready(1, msg(wire.CopyData, "1\n"), msg(wire.CopyDone), query("select 1"))},
		"large":            {ready(1, query("select repeat('x', 3000000), generate_series(1,3)"))},
		"many rows":        {ready(1, query("select i, repeat('y', i % 100) from generate_series(1,20000) i"))},
		"long pipeline":    {ready(1, pipeline.String())},
		"notify to itself": {ready(1, query("listen ch")), ready(1, query("notify ch, 'payload'")), ready(1, query("unlisten ch"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var got [2][][]byte
			for j, dsn := range []string{w.db.App.String() + ` search_path='public, pg_temp' application_name=vecgate`, w.dsn()} {
				c := dialRaw(t, dsn)
				for _, s := range steps {
					done := make(chan struct{})
					go func() { defer close(done); c.send(s.send) }()
					got[j] = append(got[j], masked(c.until(s.until, s.n)))
					<-done
				}
				c.conn.Close()
				clean := dialRaw(t, w.db.App.String())
				clean.send(query("drop table if exists ci, ca, cf, cb, cx, cy"))
				clean.until(wire.ReadyForQuery, 1)
			}
			for i := range steps {
				if !bytes.Equal(got[0][i], got[1][i]) {
					t.Fatalf("step %d: %s", i, cmp.Diff(show(got[0][i]), show(got[1][i])))
				}
			}
		})
	}
}

// masked blanks what differs between two sessions: the process number of notifications.
func masked(b []byte) []byte {
	b = bytes.Clone(b)
	for rest := b; len(rest) >= 9; {
		n := int(binary.BigEndian.Uint32(rest[1:])) + 1
		if n > len(rest) {
			break
		}
		if rest[0] == wire.NotificationResponse {
			clear(rest[5:9])
		}
		rest = rest[n:]
	}
	return b
}
