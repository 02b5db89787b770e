package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"upstream"
)

// The vocabulary imports only the standard library and can't say what its words
// look like in JSON: these stand for them in the document.
type (
	signalWord     string
	levelWord      string
	tierWord       string
	directionWord  string
	statusWord     string
	clockWord      string
	runStatusWord  string
	uploadWord     string
	roleWord       string
	sessionWord    string
	periodUnitWord string
)

func words[T ~string](all ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, word := range all {
		s.Enum = append(s.Enum, string(word))
	}
	return s
}

func (signalWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.DenialRate, upstream.DecisionTime, upstream.AllowedAmount, upstream.Takeback, upstream.Overturn)
}

func (levelWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.GroupLevel, upstream.PayerLevel, upstream.MarketLevel)
}

func (tierWord) Schema(huma.Registry) *huma.Schema { return words(upstream.Alert, upstream.Watch) }

func (directionWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.Worse, upstream.Better)
}

func (statusWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.Open, upstream.Acknowledged, upstream.Resolved, upstream.Noise)
}

func (clockWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.DecisionClock, upstream.PaymentClock, upstream.OverturnClock, upstream.TakebackClock)
}

func (runStatusWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.RunRunning, upstream.RunSuccess, upstream.RunFailed)
}

func (uploadWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.UploadQueued, upstream.UploadRunning, upstream.UploadSuccess, upstream.UploadFailed)
}

func (roleWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.Viewer, upstream.Analyst, upstream.Admin, upstream.Owner)
}

func (sessionWord) Schema(huma.Registry) *huma.Schema {
	return words(upstream.TokenSession, upstream.BrowserSession)
}

func (periodUnitWord) Schema(huma.Registry) *huma.Schema { return words(upstream.Week, upstream.Month) }

// aliases has the document show words and dates as they are written.
func aliases(registry huma.Registry) {
	for of, shown := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[upstream.Day]():          reflect.TypeFor[day](),
		reflect.TypeFor[upstream.Signal]():       reflect.TypeFor[signalWord](),
		reflect.TypeFor[upstream.Level]():        reflect.TypeFor[levelWord](),
		reflect.TypeFor[upstream.Tier]():         reflect.TypeFor[tierWord](),
		reflect.TypeFor[upstream.Direction]():    reflect.TypeFor[directionWord](),
		reflect.TypeFor[upstream.EventStatus]():  reflect.TypeFor[statusWord](),
		reflect.TypeFor[upstream.Clock]():        reflect.TypeFor[clockWord](),
		reflect.TypeFor[upstream.RunStatus]():    reflect.TypeFor[runStatusWord](),
		reflect.TypeFor[upstream.UploadStatus](): reflect.TypeFor[uploadWord](),
		reflect.TypeFor[upstream.Role]():         reflect.TypeFor[roleWord](),
		reflect.TypeFor[upstream.SessionKind]():  reflect.TypeFor[sessionWord](),
		reflect.TypeFor[upstream.PeriodUnit]():   reflect.TypeFor[periodUnitWord](),
	} {
		registry.RegisterTypeAlias(of, shown)
	}
}
