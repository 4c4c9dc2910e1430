package admin

import "slices"

// CallsForTest lists the calls of the API.
func CallsForTest() []string {
	var all []string
	for pattern := range (&API{}).calls() {
		all = append(all, pattern)
	}
	slices.Sort(all)
	return all
}
