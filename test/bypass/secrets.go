package bypass

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Customers is how many customers a world has; the last of them are in the table that inherits from customers.
const (
	Customers = 12
	inherited = 3
)

// A secret is what one customer's masked columns hold.
type secret struct {
	Email, Phone, SSN string
	Embedding         []float32
}

// secretsOf makes the secrets of a world. The worlds agree in the last four characters of a telephone number, which a
// partial mask may show, and in nothing else: not in values, lengths, order, nor in which customers share a number.
func secretsOf(world int) []secret {
	random := rand.New(rand.NewPCG(uint64(world), 0x5ec7e7))
	secrets := make([]secret, Customers)
	for i := range secrets {
		// Sorted by email, customers are in order of their number in world 0 and against it in world 1.
		first := byte('g' + i)
		if world == 1 {
			first = byte('g' + Customers - 1 - i)
		}
		secrets[i] = secret{
			Email: string(first) + word(random, 12+3*world) + "@example.net",
			Phone: word(random, 9+2*world) + "-0177",
			SSN:   word(random, 11+2*world),
		}
		secrets[i].Embedding = make([]float32, 384)
		for d := range secrets[i].Embedding {
			secrets[i].Embedding[d] = float32(random.NormFloat64() / math.Sqrt(384))
		}
	}
	if world == 0 {
		secrets[1].Phone, secrets[4].Phone = secrets[0].Phone, secrets[0].Phone
	} else {
		secrets[5].Phone = secrets[2].Phone
	}
	return secrets
}

// word is made of letters and digits of which few words consist; not all of it could be hexadecimal.
func word(random *rand.Rand, n int) string {
	const letters = "gjkqvwxzGJKQVWXZ379"
	var b strings.Builder
	for range n {
		b.WriteByte(letters[random.IntN(len(letters))])
	}
	return b.String()
}

// VectorText is an embedding as pgvector writes it.
func vectorText(v []float32) string {
	var b strings.Builder
	for i, x := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatFloat(float64(x), 'g', -1, 32))
	}
	return "[" + b.String() + "]"
}

func vectorBinary(v []float32) []byte {
	var out []byte
	for _, x := range v {
		out = binary.BigEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

// statements write the secrets into a world.
func (s secret) statements(id int) []string {
	table, key := "customers", id
	if id > Customers-inherited {
		table = "customers_archive"
	}
	return []string{
		fmt.Sprintf("UPDATE ONLY %s SET email = '%s', phone = '%s', ssn = '%s', embedding = '%s' WHERE id = %d", table, s.Email, s.Phone, s.SSN, vectorText(s.Embedding), key),
		fmt.Sprintf("UPDATE contacts SET email = '%s' WHERE id = %d", s.Email, key),
		fmt.Sprintf("UPDATE members SET email = '%s' WHERE id = %d", s.Email, key),
		fmt.Sprintf("UPDATE clerks SET email = '%s' WHERE id = %d", s.Email, key),
	}
}
