package httpwire

import "io"

// readAll reads a body whose length was announced, or says that it was not as long.
func readAll(body io.Reader, n int64) ([]byte, error) {
	text := make([]byte, n)
	_, err := io.ReadFull(body, text)
	return text, err
}
