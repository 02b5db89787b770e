package load

// delta is what has been counted since a master was told.
type delta struct{}

func (*delta) add(*sample) {}

func (*delta) exception(message, traceback string) { _, _ = message, traceback }
