package lightningd

// manifest is the answer to getmanifest (CLN, "A day in the life of a
// plugin"). It is ours because glightning's knows neither filters nor the
// subscriptions, nonnumericids and cancheck.
type manifest struct {
	Options       []manifestOption `json:"options"`
	Methods       []manifestMethod `json:"rpcmethods"`
	Subscriptions []string         `json:"subscriptions"`
	Hooks         []manifestHook   `json:"hooks"`
	Dynamic       bool             `json:"dynamic"`
	StringIDs     bool             `json:"nonnumericids"`
	CanCheck      bool             `json:"cancheck"`
}

type manifestOption struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Multi       bool   `json:"multi,omitempty"`
}

type manifestMethod struct {
	Name            string `json:"name"`
	Usage           string `json:"usage"`
	Description     string `json:"description"`
	LongDescription string `json:"long_description,omitempty"`
	Category        string `json:"category,omitempty"`
}

type manifestHook struct {
	Name    string   `json:"name"`
	Before  []string `json:"before,omitempty"`
	Filters []string `json:"filters,omitempty"`
}

func (p *Plugin) manifest() manifest {
	m := manifest{
		Options:       []manifestOption{},
		Methods:       []manifestMethod{},
		Subscriptions: []string{topicShutdown},
		Hooks:         []manifestHook{},
		Dynamic:       true,
		StringIDs:     true,
		CanCheck:      true,
	}
	for _, o := range p.Options {
		_, multi := o.value.(*multiOption)
		m.Options = append(m.Options, manifestOption{
			Name: o.value.GetName(), Type: o.value.Type(), Description: o.value.GetDesc(), Multi: multi,
		})
	}
	for _, r := range p.Methods {
		m.Methods = append(m.Methods, manifestMethod{
			Name: r.Name, Usage: r.Usage, Description: r.Description,
			LongDescription: r.LongDescription, Category: r.Category,
		})
	}
	for _, s := range p.Subscriptions {
		m.Subscriptions = append(m.Subscriptions, s.Topic)
	}
	for _, h := range p.Hooks {
		m.Hooks = append(m.Hooks, manifestHook{Name: h.Name, Before: h.Before, Filters: h.Filters})
	}
	return m
}
