package lightningd

import (
	"errors"

	"github.com/niftynei/glightning/glightning"
)

// Option is a command line or configuration option of the plugin. Only strings
// are needed so far.
type Option struct{ value optionValue }

type optionValue interface {
	glightning.Option
	values() []string
}

// StringOption is an option that can be given once.
func StringOption(name, description string) Option {
	return Option{&stringOption{glightning.NewStringOption(name, description, "")}}
}

// MultiOption is an option that can be given several times.
func MultiOption(name, description string) Option {
	return Option{&multiOption{name: name, desc: description}}
}

type stringOption struct{ *glightning.StringOption }

func (o *stringOption) values() []string {
	if o.Val == "" {
		return nil
	}
	return []string{o.Val}
}

// multiOption is what glightning lacks: lightningd hands its values over as an
// array.
type multiOption struct {
	name, desc string
	vals       []string
}

func (o *multiOption) GetName() string         { return o.name }
func (o *multiOption) GetDesc() string         { return o.desc }
func (o *multiOption) GetDefault() interface{} { return nil }
func (o *multiOption) GetValue() interface{}   { return o.vals }
func (o *multiOption) Type() string            { return "string" }
func (o *multiOption) values() []string        { return o.vals }

func (o *multiOption) Set(value interface{}) error {
	list, ok := value.([]interface{})
	if !ok {
		return errors.New("option " + o.name + ": not a list")
	}
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return errors.New("option " + o.name + ": not a list of strings")
		}
		o.vals = append(o.vals, s)
	}
	return nil
}
