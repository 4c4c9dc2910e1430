package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func message(kind byte, body string) []byte {
	b, at := Begin(nil, kind)
	return End(append(b, body...), at)
}

func TestMessagesAreFramedHoweverTheyArrive(t *testing.T) {
	var stream []byte
	var want [][]byte
	for _, n := range []int{0, 1, 5, idleBuffer - 5, idleBuffer, busyBuffer, bulkBuffer + 3, 300_000, 2} {
		body := bytes.Repeat([]byte{byte('a' + n%26)}, n)
		want = append(want, body)
		stream = append(stream, message('Q', string(body))...)
	}
	for name, from := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "by the byte": iotest.OneByteReader(bytes.NewReader(stream)), "by halves": iotest.HalfReader(bytes.NewReader(stream)),
	} {
		r := NewReader(from)
		for i, body := range want {
			kind, got, err := r.Message(0, 1<<20)
			if err != nil || kind != 'Q' || !bytes.Equal(got, body) {
				t.Fatalf("%s, message %d: %q, %d bytes of %d, %v", name, i, kind, len(got), len(body), err)
			}
			r.Discard(Header + len(got))
			r.Release()
		}
		if err := r.More(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v at the end", name, err)
		}
	}
}

func TestPinnedBytesStayWhatTheyAre(t *testing.T) {
	first := message('Q', "the first message")
	rest := bytes.Repeat([]byte("x"), 200_000)
	r := NewReader(io.MultiReader(bytes.NewReader(first), bytes.NewReader(rest)))
	if err := r.Fill(len(first)); err != nil {
		t.Fatal(err)
	}
	kept := r.Bytes()[:len(first)]
	r.Pin()
	if err := r.Fill(len(first) + len(rest)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, first) {
		t.Error("pinned bytes changed")
	}
	r.Unpin()
	r.Discard(len(first))
	if !bytes.Equal(r.Bytes(), rest) {
		t.Error("what followed was lost")
	}
}

func TestLengthsThatCannotBeAreRefused(t *testing.T) {
	for _, n := range []uint32{0, 3, 1 << 31, 0xffffffff} {
		r := NewReader(bytes.NewReader(binary.BigEndian.AppendUint32([]byte{'Q'}, n)))
		if _, _, err := r.Message(0, 1<<20); !errors.Is(err, ErrLength) {
			t.Errorf("length %d: %v", n, err)
		}
	}
	r := NewReader(bytes.NewReader(message('Q', "too long")))
	if _, _, err := r.Message(0, 7); !errors.Is(err, ErrTooBig) {
		t.Errorf("%v", err)
	}
	r = NewReader(bytes.NewReader(message('Q', "cut")[:6]))
	if _, _, err := r.Message(0, 100); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

func TestReportsCannotBeForged(t *testing.T) {
	r := Report{Severity: "ERROR", SQLSTATE: "42501", Message: "no\x00Cforged", Hint: "h"}
	body := r.Append(nil)[Header:]
	if got := string(ErrorField(body, 'C')); got != "42501" {
		t.Errorf("code %q", got)
	}
	if got := string(ErrorField(body, 'M')); got != "no" {
		t.Errorf("message %q", got)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(append(message('Q', "select 1\x00"), message('S', "")...), 3)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		from := io.Reader(bytes.NewReader(stream))
		if step%2 == 1 {
			from = iotest.OneByteReader(from)
		}
		r := NewReader(from)
		var again []byte
		for {
			kind, body, err := r.Message(0, 1<<16)
			if err != nil {
				break
			}
			again = append(again, message(kind, string(body))...)
			r.Discard(Header + len(body))
			r.Release()
		}
		if !bytes.HasPrefix(stream, again) {
			t.Errorf("read %q out of %q", again, stream)
		}
	})
}

// FuzzFrontend checks that a body that is read can be put together again from what was read, byte for byte: then nothing
// in it was passed over.
func FuzzFrontend(f *testing.F) {
	f.Add(byte('Q'), []byte("select 1\x00"))
	f.Add(byte('P'), []byte("a\x00select $1\x00\x00\x01\x00\x00\x00\x17"))
	f.Add(byte('B'), []byte("p\x00s\x00\x00\x01\x00\x01\x00\x01\x00\x00\x00\x02xy\x00\x01\x00\x01"))
	f.Add(byte('D'), []byte("Sname\x00"))
	f.Add(byte('E'), []byte("p\x00\x00\x00\x00\x05"))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		var again []byte
		switch kind {
		case Query:
			text, err := ReadQuery(body)
			if err != nil {
				return
			}
			again = append(bytes.Clone(text), 0)
		case Parse:
			m, err := ReadParse(body)
			if err != nil {
				return
			}
			again = append(append(append(append(again, m.Name...), 0), m.Text...), 0)
			again = append(binary.BigEndian.AppendUint16(again, uint16(len(m.Types)/4)), m.Types...)
		case Bind:
			m, err := ReadBind(body)
			if err != nil {
				return
			}
			again = append(append(append(append(again, m.Portal...), 0), m.Statement...), 0)
			again = append(again, m.Values...)
			again = append(binary.BigEndian.AppendUint16(again, uint16(len(m.Results)/2)), m.Results...)
			n := 0
			EachValue(m.Values, func(int, int16, []byte) { n++ })
			if n != m.Count {
				t.Errorf("%d values of %d", n, m.Count)
			}
		case Describe, Close:
			what, name, err := ReadNamed(body)
			if err != nil {
				return
			}
			again = append(append([]byte{what}, name...), 0)
		case Execute:
			portal, rows, err := ReadExecute(body)
			if err != nil {
				return
			}
			again = binary.BigEndian.AppendUint32(append(bytes.Clone(portal), 0), uint32(rows))
		default:
			_, _ = ReadRowDescription(nil, body)
			_, _, _ = ReadParameter(body)
			_ = ErrorField(body, 'C')
			return
		}
		if !bytes.Equal(body, again) {
			t.Errorf("%q reads as %q", body, again)
		}
	})
}
