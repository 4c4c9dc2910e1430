package mask

import (
	"math"
	"strconv"
)

// Round keeps two decimals of a distance, and three digits of one from 10 on: where a distance grows with the vector that
// is searched for, as inner products do, a vector a million times as long would else bring out all the digits that two
// decimals hide. It makes reading a vector out of its distances more expensive, not impossible: only a bound on how many
// distances one subject sees does that.
func Round(distance float64) float64 {
	switch {
	case math.IsNaN(distance) || math.IsInf(distance, 0):
		return distance
	case math.Abs(distance) < 10:
		return math.Round(distance*100)/100 + 0 // no negative zero, whose sign would be one more bit
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(distance, 'g', 3, 64), 64)
	if err != nil { // three digits of the largest numbers can be more than there is
		return math.Copysign(math.MaxFloat64, distance)
	}
	return short
}

// roundText appends a decimal number rounded so, or says that it is none.
func roundText(dst, value []byte) ([]byte, Kind) {
	v, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, Null
	}
	return strconv.AppendFloat(dst, Round(v), 'g', -1, 64), Number
}
