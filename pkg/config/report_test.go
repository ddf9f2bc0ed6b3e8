package config

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	report := Report{
		{Path: "a.b", Message: "is wrong", Cure: "do this", Line: 3, Column: 7},
		{Path: "c", Message: "is odd", Severity: Warning},
		{Message: "is bad"},
	}
	if !report.HasErrors() || len(report.Errors()) != 2 || len(report.Warnings()) != 1 || report.Warnings().HasErrors() {
		t.Error("errors and warnings are mixed up")
	}
	if got, want := report.Err().Error(), "a.b: is wrong; do this\nis bad"; got != want {
		t.Errorf("Err() = %q, want %q", got, want)
	}
	if report.Warnings().Err() != nil {
		t.Error("warnings are an error")
	}
	if report[0].Position() != "3:7" || report[1].Position() != "" {
		t.Errorf("positions %q and %q", report[0].Position(), report[1].Position())
	}
	text, err := json.Marshal(report[:2])
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"path":"a.b","message":"is wrong","cure":"do this","severity":"error","line":3,"column":7},{"path":"c","message":"is odd","severity":"warning"}]`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("as JSON (-want +got):\n%s", diff)
	}
}
