package placement

import (
	"fmt"
	"strings"
)

// An Outlook says what a cluster can still lose.
type Outlook struct {
	Voters, Up int      // voters, and those of them that answer
	Spare      int      // voters that may yet be lost, whichever they are; negative: so many are missing
	Loses      []string // regions without which writes stop
	Survives   []string // regions without which writes go on
	Sentences  []string // the same in words
}

// Look makes the outlook. A voter that is sealed votes, but cannot lead, so the last one that is
// not is not to be lost.
func Look(servers []Server) Outlook {
	voters, up, serving := count(servers, func(Server) bool { return true })
	o := Outlook{Voters: voters, Up: up, Spare: min(up-voters/2-1, serving-1)}
	o.say(spareSentence(o))
	if up > voters/2 && voters > 1 && serving == 1 {
		o.say("Only one voter is fit to lead: the others are sealed or in trouble. Unseal another.")
	}
	regions := Regions(servers)
	if len(regions) > 1 && o.Spare >= 0 {
		for _, region := range regions {
			_, stay, serve := count(servers, func(s Server) bool { return s.Region != region })
			if stay > voters/2 && serve > 0 {
				o.Survives = append(o.Survives, region)
			} else {
				o.Loses = append(o.Loses, region)
			}
		}
		if len(o.Survives) > 0 {
			o.say(fmt.Sprintf("%s may go.", regionList(o.Survives, "any one of ")))
		}
		if len(o.Loses) > 0 {
			o.say(fmt.Sprintf("Without %s writes stop, and soon reads.", regionList(o.Loses, "")))
		}
	}
	return o
}

func (o *Outlook) say(sentence string) { o.Sentences = append(o.Sentences, sentence) }

func count(servers []Server, stays func(Server) bool) (voters, up, serving int) {
	for _, s := range servers {
		if !s.Voter {
			continue
		}
		voters++
		if s.Up && stays(s) {
			up++
			if s.Serves {
				serving++
			}
		}
	}
	return voters, up, serving
}

func spareSentence(o Outlook) string {
	missing := o.Voters/2 + 1 - o.Up
	switch {
	case missing > 0:
		return fmt.Sprintf("Writes have stopped, and reads with them: %s must come back.",
			number(missing, "voter"))
	case o.Spare < 0:
		return "No voter is fit to lead, for all are sealed or in trouble: unseal one."
	case o.Spare == 0 && o.Voters == 1:
		return "The one voter must not be lost: everything stops without it."
	case o.Spare == 0 && o.Up > o.Voters/2+1:
		return "The voter that can lead must not be lost."
	case o.Spare == 0:
		return "No more voters may be lost: if one more fails, writes stop."
	case o.Spare == 1:
		return "One more voter may be lost."
	}
	return fmt.Sprintf("Any %d more voters may be lost.", o.Spare)
}

func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// regionList names regions at the beginning of a sentence, or in it where any is "".
func regionList(names []string, any string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		if quoted[i] = name; name == "" {
			quoted[i] = "(none named)"
		}
	}
	switch {
	case len(names) == 1 && any != "":
		return "Region " + quoted[0]
	case len(names) == 1:
		return "region " + quoted[0]
	case any != "":
		return "A" + any[1:] + "the regions " + strings.Join(quoted, ", ")
	}
	return "any one of the regions " + strings.Join(quoted, ", ")
}
