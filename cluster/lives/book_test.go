package lives_test

import (
	"testing"
	"time"

	"keyquorum/cluster/lives"
)

const node = "00000000000000000000000000000002"

// process is the next one on a folder with a diary, nil for none.
func process(t *testing.T, diary []byte) (self *lives.Self, kept []byte) {
	t.Helper()
	d, err := lives.Begin(diary, 10, 3)
	if err == nil {
		kept, err = d.Encode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &lives.Self{Node: node, Diary: d}, kept
}

// A process waits for the end of the one before. If that goes on, it learns that there is a copy,
// and its next hello shows the copy that it is one.
func TestNextLifeWaitsForTheOneBefore(t *testing.T) {
	now, alive := time.Now(), true
	book := lives.NewBook(nil, func(string) bool { return true },
		func(string, lives.ID, time.Duration) bool { return alive })
	listen := func(m *lives.Self) lives.Judgement { return book.Listen(node, m.Hello(3, 10, 3), now) }
	first, diary := process(t, nil)
	if j := listen(first); !j.Begun || j.Answer.Word != "" {
		t.Fatalf("the first life is answered %+v", j)
	}
	next, _ := process(t, diary)
	now = now.Add(time.Hour)
	if j := listen(next); j.Begun || j.Answer.Word != lives.Wait {
		t.Fatalf("while the one before goes on the next is answered %+v", j)
	}
	deed, copied := first.Judge(listen(first).Answer)
	if deed != "" || !copied {
		t.Errorf("the first finds %q, and of a copy: %v", deed, copied)
	}
	listen(first)
	j := listen(next)
	if deed, _ := next.Judge(j.Answer); j.Answer.Word != lives.Copied || deed != lives.Copied {
		t.Errorf("the copy is answered %+v, and finds %q", j, deed)
	}
	if now = now.Add(time.Second); !listen(next).Named {
		t.Error("a copy that insists is not named")
	}
	alive = false
	after, _ := process(t, diary)
	if j := listen(after); !j.Begun {
		t.Errorf("after the end of the one before the next is answered %+v", j)
	}
}

// What was kept is held against a folder from before, and what a folder said is no proof to
// another.
func TestKeptWordsAreHeldAgainstAnOlderFolder(t *testing.T) {
	_, diary := process(t, nil)
	later, _ := process(t, diary)
	kept := []lives.Heard{{Node: node, Said: later.Hello(4, 20, 4).Said}}
	book := lives.NewBook(kept, func(string) bool { return true },
		func(string, lives.ID, time.Duration) bool { return false })
	back, _ := process(t, diary)
	j := book.Listen(node, back.Hello(4, 20, 4), time.Now())
	deed, _ := back.Judge(j.Answer)
	if j.Answer.Word != lives.PutBack || deed != lives.PutBack {
		t.Errorf("a folder that was put back is answered %+v, and finds %q", j, deed)
	}
	stranger, _ := process(t, nil)
	if deed, copied := stranger.Judge(j.Answer); deed != "" || copied {
		t.Errorf("another folder takes it for its own: %q, %v", deed, copied)
	}
}
