package failure

// Codes returns a copy of the whole table, for documentation and tests.
func Codes() map[Name]int {
	out := make(map[Name]int, len(codes))
	for n, c := range codes {
		out[n] = c
	}
	return out
}
