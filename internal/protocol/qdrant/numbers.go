package qdrant

import (
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// roundNumber is a number as a rounded score is shown; one that is none of Go's becomes 0.
func roundNumber(v jsonstream.Value) jsonstream.Value {
	f, err := strconv.ParseFloat(string(v.Raw()), 64)
	if err != nil {
		return jsonstream.Int(0)
	}
	return literal(strconv.FormatFloat(mask.Round(f), 'f', -1, 64))
}

// canonicalUUID is the one spelling in which the record has a UUID; Qdrant takes it with and without dashes.
func canonicalUUID(s string) (string, bool) {
	plain := strings.ToLower(s)
	if len(plain) == 36 && plain[8] == '-' && plain[13] == '-' && plain[18] == '-' && plain[23] == '-' {
		plain = plain[:8] + plain[9:13] + plain[14:18] + plain[19:23] + plain[24:]
	}
	if len(plain) != 32 || strings.Trim(plain, "0123456789abcdef") != "" {
		return "", false
	}
	return plain[:8] + "-" + plain[8:12] + "-" + plain[12:16] + "-" + plain[16:20] + "-" + plain[20:], true
}
