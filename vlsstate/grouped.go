package vlsstate

import (
	"fmt"
	"slices"
	"strings"
)

// mostNamed is how many places a line names that is about more.
const mostNamed = 3

// Grouped are things to say about channels and entries; what is said of several
// is one line.
type Grouped struct {
	order []string
	where map[string][]string
}

// Add says text of a place.
func (g *Grouped) Add(text, where string) {
	if g.where == nil {
		g.where = map[string][]string{}
	}
	if _, ok := g.where[text]; !ok {
		g.order = append(g.order, text)
	}
	g.where[text] = append(g.where[text], where)
}

// Lines are in the order in which their texts came first. Of many places each
// names the first ones and how many more there are.
func (g *Grouped) Lines() []string {
	var out []string
	for _, text := range g.order {
		where := g.where[text]
		if extra := len(where) - mostNamed; extra > 0 {
			where = append(where[:mostNamed:mostNamed], fmt.Sprintf("and %d more", extra))
		}
		sep := ": "
		if strings.HasPrefix(text, "field ") {
			sep = ", "
		}
		out = append(out, strings.Join(where, ", ")+sep+text)
	}
	return out
}

// Lines tell problems to people, equal ones of many entries in one line. effects
// names those that count; without any all do.
func Lines(problems []*EntryError, effects ...Effect) []string {
	var g Grouped
	for _, p := range problems {
		if len(effects) > 0 && !slices.Contains(effects, p.Effect) {
			continue
		}
		text := fmt.Sprintf("%s (%s)", p.Reason, p.Effect)
		if p.Field != "" {
			text = "field " + p.Field + ": " + text
		}
		g.Add(text, p.Where())
	}
	return g.Lines()
}
