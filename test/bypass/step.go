package bypass

import (
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"
)

// simple sends a text as a simple query.
func simple(sql string) Step {
	return Step{Send: encode(&pgproto3.Query{String: sql}), Ready: 1, Label: sql}
}

// extended sends a statement by the extended protocol, with the unnamed statement and portal, and results in format.
func extended(format int16, sql string, params ...string) Step {
	return Step{Send: encode(&pgproto3.Parse{Query: sql}, bind("", "", format, params), &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{}), Ready: 1, Label: sql}
}

// parse makes a named statement and describes it.
func parse(name, sql string) Step {
	return Step{Send: encode(&pgproto3.Parse{Name: name, Query: sql}, &pgproto3.Describe{ObjectType: 'S', Name: name}, &pgproto3.Sync{}), Ready: 1, Label: "Parse " + sql}
}

// execute runs a named statement without describing it, as a client does that knows its columns.
func execute(name string, format int16, params ...string) Step {
	return Step{Send: encode(bind("", name, format, params), &pgproto3.Execute{}, &pgproto3.Sync{}), Ready: 1, Label: "Execute " + name}
}

// send sends messages of which the last ones make the server say ready so many times.
func send(label string, ready int, messages ...pgproto3.FrontendMessage) Step {
	return Step{Send: encode(messages...), Ready: ready, Label: label}
}

// raw sends one message whose bytes pgproto3 would not make.
func raw(label string, kind byte, body string) Step {
	out := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return Step{Send: append(out, body...), Ready: 1, Label: label}
}

func bind(portal, name string, format int16, params []string) *pgproto3.Bind {
	b := &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: name, ResultFormatCodes: []int16{format}}
	for _, p := range params {
		b.Parameters = append(b.Parameters, []byte(p))
	}
	return b
}

func encode(messages ...pgproto3.FrontendMessage) []byte {
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			panic(fmt.Sprintf("encode %T: %v", m, err)) // only for messages of more than a gigabyte
		}
	}
	return out
}

// A carrier is a way of sending one statement that returns rows.
type carrier struct {
	name string
	// steps send the statement; name is free for a prepared statement or a cursor.
	steps func(sql, name string) []Step
	// whole says that the answer of an open statement comes through with only its hidden columns changed.
	whole bool
}

var carriers = []carrier{
	{"simple", func(sql, name string) []Step { return []Step{simple(sql)} }, true},
	{"extended", func(sql, name string) []Step { return []Step{extended(0, sql)} }, true},
	{"binary", func(sql, name string) []Step { return []Step{extended(1, sql)} }, true},
	{"named", func(sql, name string) []Step {
		return []Step{parse(name, sql), execute(name, 0), execute(name, 1)}
	}, true},
	{"prepared", func(sql, name string) []Step {
		return []Step{simple("PREPARE " + name + " AS " + sql), simple("EXECUTE " + name), extended(1, "EXECUTE "+name)}
	}, true},
	{"cursor", func(sql, name string) []Step {
		return []Step{simple("BEGIN"), simple("DECLARE " + name + " CURSOR FOR " + sql), simple("FETCH 2 FROM " + name), extended(1, "FETCH ALL FROM "+name), simple("ROLLBACK")}
	}, true},
	{"held cursor", func(sql, name string) []Step {
		return []Step{simple("DECLARE " + name + " CURSOR WITH HOLD FOR " + sql), simple("FETCH ALL FROM " + name), simple("CLOSE " + name)}
	}, true},
	{"portal", func(sql, name string) []Step {
		return []Step{send("a portal in pieces: "+sql, 1,
			&pgproto3.Parse{Query: sql}, bind("piece", "", 0, nil),
			&pgproto3.Execute{Portal: "piece", MaxRows: 1}, &pgproto3.Execute{Portal: "piece", MaxRows: 2}, &pgproto3.Execute{Portal: "piece"}, &pgproto3.Sync{})}
	}, true},
	{"pipeline", func(sql, name string) []Step {
		return []Step{send("a pipeline with "+sql, 1,
			&pgproto3.Parse{Query: "SELECT 1"}, bind("", "", 0, nil), &pgproto3.Execute{},
			&pgproto3.Parse{Query: sql}, bind("", "", 1, nil), &pgproto3.Execute{}, &pgproto3.Flush{},
			&pgproto3.Parse{Query: "SELECT 2"}, bind("", "", 0, nil), &pgproto3.Execute{}, &pgproto3.Sync{})}
	}, true},
	{"several", func(sql, name string) []Step { return []Step{simple("SELECT 1; " + sql + "; SELECT 2")} }, false},
	{"copy", func(sql, name string) []Step { return []Step{simple("COPY (" + sql + ") TO STDOUT")} }, false},
	{"copy binary", func(sql, name string) []Step { return []Step{simple("COPY (" + sql + ") TO STDOUT (FORMAT binary)")} }, false},
}
