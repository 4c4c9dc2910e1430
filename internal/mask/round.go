package mask

import "math"

// Round keeps two decimals of a distance. It makes reading a vector out of its distances more expensive, not
// impossible: only a bound on how many distances one subject sees does that.
func Round(distance float64) float64 {
	const exact = 1 << 52 / 100 // from here on there are no two decimals to keep
	if math.IsNaN(distance) || math.Abs(distance) >= exact {
		return distance
	}
	return math.Round(distance*100)/100 + 0 // no negative zero, whose sign would be one more bit
}
