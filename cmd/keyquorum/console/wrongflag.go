package console

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wrongFlag is what a command line has wrong about a flag, and what would be right. The words of
// the package that reads them are those of whoever writes programs.
func wrongFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var lacking *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && onlyHolds(c) && isBelow(c, unknown.GetSpecifiedName()):
		return fmt.Errorf("--%s stands after the command, as in %s COMMAND --%[1]s",
			unknown.GetSpecifiedName(), c.CommandPath())
	case errors.As(err, &unknown):
		if meant := flagLike(c, unknown.GetSpecifiedName()); meant != "" {
			return fmt.Errorf("%w (did you mean --%s?)", err, meant)
		}
	case errors.As(err, &lacking):
		return fmt.Errorf("--%s lacks its value", lacking.GetFlag().Name)
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s %w", invalid.GetFlag().Name, WrongValue(invalid))
	}
	return err
}

// isBelow says whether a command that another holds has a flag.
func isBelow(c *cobra.Command, flag string) bool {
	all := map[string]bool{}
	collectFlags(c, all)
	return all[flag]
}

// WrongValue is what a value has wrong that a flag did not take, and what would be right.
func WrongValue(err error) error {
	if invalid := new(pflag.InvalidValueError); errors.As(err, &invalid) {
		return fmt.Errorf("%q: %w", invalid.GetValue(), wanted(invalid.GetFlag(), invalid.Unwrap()))
	}
	return err
}

// wanted is what the value of a flag looks like.
func wanted(f *pflag.Flag, err error) error {
	switch f.Value.Type() {
	case "int", "uint64":
		return errors.New("it is a whole number")
	case "float64":
		return errors.New("it is a number")
	case "bool":
		return errors.New("it is true or false")
	case "duration":
		return errors.New("it is a length of time, as in 90s, 10m or 720h")
	}
	return err
}

// flagLike is the one flag of a command that is nearly what was typed; "" where none is.
func flagLike(c *cobra.Command, typed string) string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return Nearest(names, typed, len(typed)/3)
}

// Nearest is the one name that is nearer than all others to what was typed, and no farther than
// most letters away; "" where there is none.
func Nearest(names []string, typed string, most int) (found string) {
	least := most + 1
	for _, name := range names {
		switch d := distance(name, typed); {
		case d < least:
			found, least = name, d
		case d == least:
			found = ""
		}
	}
	return found
}

// distance is how many letters have to be put in, left out, changed or swapped with the next to
// make one word of another.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			rows[i][j] = step(rows, a, b, i, j)
		}
	}
	return rows[len(a)][len(b)]
}

// step is the distance of the first i letters from the first j, from those of fewer.
func step(rows [][]int, a, b string, i, j int) int {
	if i == 0 || j == 0 {
		return i + j
	}
	changed := 1
	if a[i-1] == b[j-1] {
		changed = 0
	}
	least := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+changed)
	if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
		least = min(least, rows[i-2][j-2]+1)
	}
	return least
}
