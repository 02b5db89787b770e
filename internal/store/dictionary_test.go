package store

import "testing"

func TestTheTermsOfCustomersWhoAreNotAskedForAreForgotten(t *testing.T) {
	var all dictionaries
	const asked = 7
	for c := range int64(3 * maxDictionaries) {
		all.put(c, dictionary{revision: 1, count: c})
		if d := all.get(asked); c >= asked && d.count != asked {
			t.Fatalf("the terms that are asked for are forgotten after %d customers", c)
		}
	}
	if n := len(all.of); n != maxDictionaries {
		t.Errorf("the terms of %d customers are kept, want %d", n, maxDictionaries)
	}
	for c := int64(2*maxDictionaries) + 1; c < 3*maxDictionaries; c++ { // the newest
		if d := all.get(c); d.count != c {
			t.Errorf("the terms of customer %d are forgotten", c)
		}
	}
	all.put(asked, dictionary{revision: 0})
	if d := all.get(asked); d.revision != 1 {
		t.Error("older terms have taken the place of newer ones")
	}
}
