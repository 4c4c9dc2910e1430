package audit

import "encoding/base64"

func decode64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }
