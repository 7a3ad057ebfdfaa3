package prove

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// sent is a request of a run, for the usage log's sake.
type sent struct {
	id     int32
	times  int  // that it may have reached the node
	status int  // of the answer; 0: there was none
	owed   bool // a line, whatever happened
}

func (r *Run) note(id int32, a *answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := a.status
	if a.inner == "Stalled" { // recorded as it was drawn, and then it was too old to leave
		status = 0
	}
	r.sent = append(r.sent, sent{id: id, times: a.sent, status: status, owed: a.owesLine()})
}

// owesLine says whether an answer promises that there is a usage record of it. A node that is
// sealed has no usage log, strangers are not all recorded, and the record itself may be what
// failed.
func (a *answer) owesLine() bool {
	switch {
	case a.status == 0 || a.strangersToken() || a.strangersSecret():
		return false
	case a.status >= http.StatusInternalServerError:
		return a.inner != "" && a.inner != "UsageRecordFailed"
	default:
		return true
	}
}

// CountUsage holds the usage logs of all nodes to the answers: each request that was answered has
// one line, one that was not has at most one, and the lines say what was answered. Lines of others,
// and of a program's own log, are passed over.
func (r *Run) CountUsage(logs ...[]byte) error {
	recorded := map[int32][]int{}
	for _, log := range logs {
		r.collect(recorded, log)
	}
	var wrong []error
	for _, s := range r.sent {
		if err := s.compare(recorded[s.id]); err != nil {
			wrong = append(wrong, fmt.Errorf("request %s-%d: %w", r.name, s.id, err))
		}
		delete(recorded, s.id)
	}
	if len(recorded) > 0 {
		wrong = append(wrong, fmt.Errorf("%d requests were recorded that nobody made", len(recorded)))
	}
	if len(wrong) > maxWrong {
		wrong = append(wrong[:maxWrong], fmt.Errorf("and %d more", len(wrong)-maxWrong))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("prove: seed %d: usage log: %w", r.options.Seed, errors.Join(wrong...))
	}
	return nil
}

// maxWrong is how many of CountUsage's findings are told.
const maxWrong = 10

// collect adds the recorded statuses of this run's requests, by request. A line that was torn by a
// full disk is none.
func (r *Run) collect(recorded map[int32][]int, log []byte) {
	ours := []byte(`"client_request_id":"` + r.name + "-")
	for line := range bytes.Lines(log) {
		if !bytes.Contains(line, ours) {
			continue
		}
		var l struct {
			Status  int    `json:"status"`
			Request string `json:"client_request_id"`
		}
		if json.Unmarshal(line, &l) != nil {
			continue
		}
		id, _ := strconv.Atoi(l.Request[len(r.name)+1:]) // 0 is nobody's
		recorded[int32(id)] = append(recorded[int32(id)], l.Status)
	}
}

// compare holds the lines of a request to what became of it.
func (s sent) compare(recorded []int) error {
	switch {
	case len(recorded) > s.times:
		return fmt.Errorf("sent %d times, recorded %d times", s.times, len(recorded))
	case len(recorded) == 0 && s.owed:
		return fmt.Errorf("answered %d, not recorded", s.status)
	case len(recorded) > 0 && s.status != 0 && !slices.Contains(recorded, recordedAs(s.status)):
		return fmt.Errorf("answered %d, recorded %d", s.status, recorded)
	}
	return nil
}

// recordedAs is the status of the usage record of an answer: any success is 200.
func recordedAs(status int) int {
	if status < 300 {
		return http.StatusOK
	}
	return status
}
