package mask

import (
	"math"
	"strconv"
)

// Round keeps two decimals of a distance. It makes reading a vector out of its distances more expensive, not
// impossible: only a bound on how many distances one subject sees does that.
func Round(distance float64) float64 {
	const exact = 1 << 52 / 100 // from here on there are no two decimals to keep
	if math.IsNaN(distance) || math.Abs(distance) >= exact {
		return distance
	}
	return math.Round(distance*100)/100 + 0 // no negative zero, whose sign would be one more bit
}

// roundText appends a decimal number with two decimals at most, or says that it is none.
func roundText(dst, value []byte) ([]byte, Kind) {
	v, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, Null
	}
	return strconv.AppendFloat(dst, Round(v), 'g', -1, 64), Number
}
