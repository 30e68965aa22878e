package onchain

// ClaimSat sums the outputs of a path, in sat.
func (c *Close) ClaimSat(path Path) uint64 {
	var sum uint64
	for i := range c.Outputs {
		if c.Outputs[i].Path == path {
			sum += c.Outputs[i].ValueSat
		}
	}
	return sum
}
