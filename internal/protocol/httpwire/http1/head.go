package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
)

// Bounds of a head.
const (
	maxHead    = 64 << 10
	maxFields  = 256
	maxInterim = 8 // answers that say only that another one follows
)

// appendHead writes the head of a request. Nothing of it may end its line.
func appendHead(b []byte, r *http.Request) ([]byte, error) {
	uri := r.URL.RequestURI()
	if !token(r.Method) || !graphic(uri) || !graphic(r.Host) {
		return nil, errors.New("a request's method, path or host has a character that it cannot have")
	}
	if r.Body != nil && r.ContentLength < 0 {
		return nil, errors.New("a request's body has no length")
	}
	b = append(append(append(b, r.Method...), ' '), uri...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), r.Host...), "\r\n"...)
	if r.Body != nil {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), r.ContentLength, 10), "\r\n"...)
	}
	for name, values := range r.Header {
		if !token(name) || name == "Content-Length" || name == "Transfer-Encoding" || name == "Host" || name == "Connection" {
			return nil, fmt.Errorf("a request has a header %q, which is not its to set", name)
		}
		for _, v := range values {
			if !content([]byte(v)) {
				return nil, fmt.Errorf("a request's header %s has a control character", name)
			}
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	return append(b, "\r\n"...), nil
}

// head reads the head of an answer.
func (c *conn) head(r *http.Request) (*http.Response, error) {
	if _, err := c.in.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			err = errGone
		}
		return nil, err
	}
	for range maxInterim {
		left := maxHead
		status, newest, err := c.statusLine(&left)
		if err != nil {
			return nil, err
		}
		header, err := c.fields(&left)
		if err != nil {
			return nil, err
		}
		switch {
		case status == http.StatusSwitchingProtocols:
			return nil, errors.New("the server changes to another protocol")
		case status < 200:
			continue
		}
		return c.framed(r, status, newest, header)
	}
	return nil, errors.New("the server does not come to its answer")
}

// line reads a line; it is valid until the next read.
func (c *conn) line(left *int) ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read the head of the answer: %w", err)
	}
	if *left -= len(line); *left < 0 {
		return nil, errors.New("the head of the answer is too long")
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || !content(line) {
		return nil, errors.New("the head of the answer has a malformed line")
	}
	return line, nil
}

// statusLine reads "HTTP/1.1 200 OK".
func (c *conn) statusLine(left *int) (status int, newest bool, err error) {
	line, err := c.line(left)
	if err != nil {
		return 0, false, err
	}
	version, rest, _ := bytes.Cut(line, []byte(" "))
	newest = string(version) == "HTTP/1.1"
	if !newest && string(version) != "HTTP/1.0" || len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' || rest[0] < '1' || rest[0] > '5' {
		return 0, false, errors.New("the answer does not begin as HTTP/1.1 does")
	}
	for _, d := range rest[:3] {
		if d-'0' > 9 {
			return 0, false, errors.New("the answer's status is not a number")
		}
		status = status*10 + int(d-'0')
	}
	return status, newest, nil
}

func (c *conn) fields(left *int) (http.Header, error) {
	h := make(http.Header, 8)
	for range maxFields {
		line, err := c.line(left)
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			return h, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !token(string(name)) { // a name with a space, and a line that continues another, are not tokens
			return nil, errors.New("the head of the answer has a malformed field")
		}
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		h[key] = append(h[key], string(bytes.Trim(value, " \t")))
	}
	return nil, errors.New("the head of the answer has too many fields")
}

// framed says where the answer ends.
func (c *conn) framed(r *http.Request, status int, newest bool, h http.Header) (*http.Response, error) {
	resp := &http.Response{
		Status: strconv.Itoa(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: r, ContentLength: -1,
	}
	b := &body{conn: c, keep: newest}
	for _, v := range h["Connection"] {
		if strings.Contains(strings.ToLower(v), "close") {
			b.keep = false
		}
	}
	lengths, codings := h["Content-Length"], h["Transfer-Encoding"]
	if len(lengths) > 0 {
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if len(lengths) > 1 || len(codings) > 0 || err != nil || lengths[0][0] == '+' {
			return nil, errors.New("the answer has more than one length, or one that is not a number")
		}
		resp.ContentLength = int64(n)
	}
	if len(codings) > 0 && (len(codings) > 1 || !strings.EqualFold(codings[0], "chunked") || !newest) {
		return nil, errors.New("the answer has a transfer coding other than chunked")
	}
	switch {
	case r.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified:
		if r.Method != http.MethodHead && (resp.ContentLength > 0 || len(codings) > 0) {
			b.keep = false // it may believe that a body follows
		}
		resp.ContentLength = 0
		b.over = true
	case len(codings) > 0:
		b.chunks = httputil.NewChunkedReader(c.in)
	case resp.ContentLength >= 0:
		b.left = resp.ContentLength
		b.over = b.left == 0
	default:
		b.untilClose, b.keep = true, false
	}
	resp.Body = b
	return resp, nil
}

// token says whether a text is one of RFC 9110, section 5.6.2.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}

// graphic says whether a text is printable ASCII without spaces.
func graphic(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// content says whether there is no control character but tabs.
func content(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
