package mask

import (
	"math"
	"strconv"
)

// Round keeps two decimals of a distance, and no more than three digits. It makes reading a vector out of its distances more
// expensive, not impossible: only a bound on how many distances one subject sees does that. Without the bound on digits one
// query a thousand million times as long would show all of a number of the vector, as its inner product.
func Round(distance float64) float64 {
	if math.Abs(distance) < 10 {
		return math.Round(distance*100)/100 + 0 // no negative zero, whose sign would be one more bit
	}
	if math.IsNaN(distance) || math.IsInf(distance, 0) {
		return distance
	}
	var text [32]byte
	rounded, err := strconv.ParseFloat(string(strconv.AppendFloat(text[:0], distance, 'g', 3, 64)), 64)
	if err != nil { // rounded up it would be beyond the largest number
		return math.Copysign(1.79e308, distance)
	}
	return rounded
}

// roundText appends a decimal number rounded, or says that it is none.
func roundText(dst, value []byte) ([]byte, Kind) {
	v, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, Null
	}
	return strconv.AppendFloat(dst, Round(v), 'g', -1, 64), Number
}
