package main

import "testing"

func TestWhoStartedThisProgram(t *testing.T) {
	for _, tt := range []struct {
		story string
		args  []string
		env   string
		want  bool
	}{
		{"a person", nil, "", false},
		{"a person with a command", []string{"inspect"}, "", false},
		{"lightningd", nil, "1", true},
		{"lightningd in developer mode", []string{"--developer"}, "1", true},
		{"a plugin's child with a command", []string{"inspect", "x"}, "1", false},
	} {
		got := startedByLightningd(tt.args, func(string) string { return tt.env })
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.story, got, tt.want)
		}
	}
}
