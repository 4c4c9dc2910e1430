package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exitUsage is the exit status when a command line was not understood.
const exitUsage = 2

// understood makes c and all below it say what is wrong with a command line in one way: what was not understood, and what
// to write instead.
func understood(c *cobra.Command) {
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return misunderstood(c, err)
	})
	if !c.Runnable() {
		c.Args = oneOfBelow
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	} else {
		c.Args = words(c.Args)
	}
	for _, below := range c.Commands() {
		understood(below)
	}
}

// misunderstood is err with the way out, and the exit status of a command line that was not understood.
func misunderstood(c *cobra.Command, err error) error {
	return &ExitError{Code: exitUsage, Err: &HintError{Err: err, Hint: c.CommandPath() + " --help tells more"}}
}

// oneOfBelow refuses a word that no command below c has for a name.
func oneOfBelow(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("%s has no command %q", c.CommandPath(), args[0])
	c.SuggestionsMinimumDistance = 2 // letters that may be wrong
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return &ExitError{Code: exitUsage, Err: &HintError{Err: err, Hint: "did you mean " + c.CommandPath() + " " + near[0] + "?"}}
	}
	return misunderstood(c, err)
}

// words checks with count how many words a command got besides its flags, and names those that are missing or too many.
func words(count cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if count == nil || count(c, args) == nil {
			return nil
		}
		_, takes, _ := strings.Cut(c.Use, " ")
		usage := "usage: " + c.UseLine()
		err := fmt.Errorf("%s takes %s, not %q", c.CommandPath(), takes, args)
		switch {
		case len(args) == 0:
			err = fmt.Errorf("%s needs %s", c.CommandPath(), takes)
		case count(c, nil) == nil: // it has no word, or an optional one
			err = fmt.Errorf("%s takes no %q", c.CommandPath(), args[len(args)-1])
			if c.Flags().Lookup("config") != nil {
				usage = fmt.Sprintf("the configuration is named with a flag: %s --config %s", c.CommandPath(), args[0])
			}
		}
		return &ExitError{Code: exitUsage, Err: &HintError{Err: err, Hint: usage}}
	}
}

// missingFlags rewords cobra's error about flags that must be there.
func missingFlags(err error) error {
	list, ok := strings.CutPrefix(err.Error(), "required flag(s) ")
	if !ok {
		return err
	}
	list = strings.NewReplacer(`"`, "", " not set", "").Replace(list)
	var names []string
	for _, name := range strings.Split(list, ", ") {
		names = append(names, "--"+name)
	}
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	return &ExitError{Code: exitUsage, Err: errors.New(strings.Join(names, ", ") + " " + verb + " missing")}
}
