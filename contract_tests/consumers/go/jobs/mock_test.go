package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"calloff.invalid/consumer/jobs"
)

// All five cancels on the mock that `calloff mock --json` announced: accepted, and refused with the vendor's error.

type mock struct {
	States  string `json:"provider_states_url"`
	Control string `json:"control_url"`
	APIs    map[string]struct {
		BaseURL   string `json:"base_url"`
		ProjectID string `json:"project_id"`
	} `json:"apis"`
}

type keys struct {
	SecretID      string      `json:"secret_id"`
	AccessKey     string      `json:"access_key"`
	SecretKey     jobs.Secret `json:"secret_key"`
	SecurityToken jobs.Secret `json:"security_token"`
	Token         jobs.Secret `json:"token"`
}

// An entry is a request as the mock saw it; it names the headers, in lower case.
type entry struct {
	Method, Target string
	Headers        []string
}

func announced(t *testing.T) *mock {
	t.Helper()
	announcement := os.Getenv("CALLOFF_MOCK")
	if announcement == "" {
		t.Skip("put what `calloff mock --json` prints into CALLOFF_MOCK")
	}
	m := new(mock)
	if err := json.Unmarshal([]byte(announcement), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// ask sends JSON and reads JSON.
func ask[Result any](t *testing.T, method, url string, wanted any) Result {
	t.Helper()
	body, err := json.Marshal(wanted)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	told, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %d %s %v", method, url, response.StatusCode, told, err)
	}
	var result Result
	if len(told) > 0 {
		if err := json.Unmarshal(told, &result); err != nil {
			t.Fatal(err)
		}
	}
	return result
}

type job struct {
	ID    string `json:"job_id"`
	State string
}

func (m *mock) job(t *testing.T, operation, state string) string {
	t.Helper()
	api, name, _ := strings.Cut(operation, "/")
	wanted := map[string]string{"api": api, "operation": name, "state": state, "owner": "self"}
	return ask[job](t, http.MethodPost, m.States+"/jobs", wanted).ID
}

func (m *mock) state(t *testing.T, operation, id string) string {
	t.Helper()
	return ask[job](t, http.MethodGet, m.States+"/jobs/"+operation+"/"+id, nil).State
}

func (m *mock) keys(t *testing.T, operation, kind string) keys {
	t.Helper()
	api, _, _ := strings.Cut(operation, "/")
	return ask[keys](t, http.MethodPost, m.States+"/credentials", map[string]string{"api": api, "kind": kind})
}

// sent gives what the mock was sent by act.
func (m *mock) sent(t *testing.T, act func()) []entry {
	t.Helper()
	ask[struct{}](t, http.MethodDelete, m.Control+"/journal", nil)
	act()
	return ask[struct{ Entries []entry }](t, http.MethodGet, m.Control+"/journal", nil).Entries
}

func (m *mock) project(operation string) jobs.Project {
	api, _, _ := strings.Cut(operation, "/")
	return jobs.Project{Endpoint: jobs.Endpoint{URL: m.APIs[api].BaseURL}, ID: m.APIs[api].ProjectID}
}

func (k keys) dli() jobs.DLICredential {
	return jobs.DLICredential{Token: k.Token, AccessKey: k.AccessKey, SecretKey: k.SecretKey, SecurityToken: k.SecurityToken}
}

// canceller gives one cancel, which gives what the service told when it accepted.
func (m *mock) canceller(t *testing.T, operation string, k keys) func(context.Context, string) (string, error) {
	t.Helper()
	project := m.project(operation)
	ci, errCI := jobs.NewCI(project.Endpoint, jobs.CIKey{SecretID: k.SecretID, SecretKey: k.SecretKey, Token: k.SecurityToken})
	otc, errOTC := jobs.NewOTCDLI(project, k.dli())
	huaweiCloud, errHuaweiCloud := jobs.NewHuaweiCloudDLI(project, k.dli())
	var err error
	var call func(context.Context, string) (string, error)
	switch operation {
	case "tencent-ci/cancelInventoryTriggerJob":
		call, err = telling(ci.CancelInventoryTriggerJob), errCI
	case "tencent-ci/cancelAiJob":
		call, err = telling(ci.CancelAIJob), errCI
	case "otc-dli/cancelBatchJob":
		call, err = telling(otc.CancelBatchJob), errOTC
	case "otc-dli/cancelSqlJob":
		call, err = telling(otc.CancelSQLJob), errOTC
	case "huaweicloud-dli/cancelSqlJob":
		call, err = telling(huaweiCloud.CancelSQLJob), errHuaweiCloud
	}
	if err != nil || call == nil {
		t.Fatal(operation, err)
	}
	return call
}

func telling[Result any](method func(context.Context, string) (Result, error)) func(context.Context, string) (string, error) {
	return func(ctx context.Context, id string) (string, error) {
		result, err := method(ctx, id)
		if err != nil {
			return "", err
		}
		told, err := json.Marshal(result)
		return string(told), err
	}
}

var operations = []struct {
	name, open, cancelled, ended string
	kinds                        []string
	request, told                string
}{
	{
		"tencent-ci/cancelInventoryTriggerJob", "Submitted", "Cancel", "Success", []string{"good", "temporary"},
		"PUT /inventorytriggerjob/%s?cancel=", `{"RequestID":"`,
	},
	{
		"tencent-ci/cancelAiJob", "Submitted", "Cancel", "Success", []string{"good", "temporary"},
		"PUT /ai_jobs/%s?cancel=", `{"RequestID":"`,
	},
	{
		"otc-dli/cancelBatchJob", "running", "dead", "success", []string{"token", "good", "temporary"},
		"DELETE /v2.0/%s/batches/%s", `{"msg":"deleted"`,
	},
	{
		"otc-dli/cancelSqlJob", "RUNNING", "CANCELLED", "FINISHED", []string{"token", "good", "temporary"},
		"DELETE /v1.0/%s/jobs/%s", `{"is_success":true`,
	},
	{
		"huaweicloud-dli/cancelSqlJob", "RUNNING", "CANCELLED", "FINISHED", []string{"token", "good", "temporary"},
		"DELETE /v1.0/%s/jobs/%s", `{"is_success":true`,
	},
}

func TestMockAccepts(t *testing.T) {
	m := announced(t)
	for _, operation := range operations {
		for _, kind := range operation.kinds {
			t.Run(operation.name+" "+kind, func(t *testing.T) {
				id := m.job(t, operation.name, operation.open)
				cancel := m.canceller(t, operation.name, m.keys(t, operation.name, kind))
				var told string

				entries := m.sent(t, func() {
					var err error
					if told, err = cancel(t.Context(), id); err != nil {
						t.Fatal(err)
					}
				})

				if !strings.HasPrefix(told, operation.told) || told == `{"RequestID":""}` {
					t.Errorf("it is told %s", told)
				}
				if state := m.state(t, operation.name, id); state != operation.cancelled {
					t.Errorf("the state is %s", state)
				}
				arguments := []any{id}
				if project := m.project(operation.name).ID; project != "" {
					arguments = []any{project, id}
				}
				want := fmt.Sprintf(operation.request, arguments...)
				if len(entries) != 1 || entries[0].Method+" "+entries[0].Target != want {
					t.Fatalf("the mock was sent %v, want %s", entries, want)
				}
				ci := strings.HasPrefix(operation.name, "tencent-ci/")
				for header, wanted := range map[string]bool{
					"authorization":       kind != "token",
					"x-auth-token":        kind == "token",
					"x-security-token":    kind == "temporary" && !ci,
					"x-ci-security-token": kind == "temporary" && ci,
					"content-length":      ci,
				} {
					if slices.Contains(entries[0].Headers, header) != wanted {
						t.Errorf("header %s: %t, want %t", header, !wanted, wanted)
					}
				}
			})
		}
	}
}

func TestMockRefusesEndedJob(t *testing.T) {
	m := announced(t)
	for _, operation := range operations {
		t.Run(operation.name, func(t *testing.T) {
			id := m.job(t, operation.name, operation.ended)
			cancel := m.canceller(t, operation.name, m.keys(t, operation.name, operation.kinds[0]))

			_, err := cancel(t.Context(), id)

			refused := refusal(t, err)
			got := fmt.Sprintf("%d %s %t %t", refused.Status, refused.Code, refused.CI != nil, refused.DLI != nil)
			want := "400 DLI.0007 false true"
			if strings.HasPrefix(operation.name, "tencent-ci/") {
				want = "403 AccessDenied true false"
			}
			if got != want || refused.RequestID == "" {
				t.Errorf("it is refused with %s, request %q, want %s", got, refused.RequestID, want)
			}
			if refused.CI != nil && refused.CI.RequestId != refused.RequestID {
				t.Errorf("request id %s of the body is %s in the header", refused.CI.RequestId, refused.RequestID)
			}
			if state := m.state(t, operation.name, id); state != operation.ended {
				t.Errorf("the state is %s", state)
			}
		})
	}
}

func TestMockRefusesCredential(t *testing.T) {
	m := announced(t)
	for _, operation := range operations {
		t.Run(operation.name, func(t *testing.T) {
			id := m.job(t, operation.name, operation.open)
			ci := strings.HasPrefix(operation.name, "tencent-ci/")
			k := m.keys(t, operation.name, map[bool]string{true: "good", false: "expired-token"}[ci])
			if ci {
				k.SecretKey = "another" // pragma: allowlist secret
			}

			_, err := m.canceller(t, operation.name, k)(t.Context(), id)

			refused := refusal(t, err)
			if refused.Status != http.StatusUnauthorized || ci != (refused.CI != nil) || ci == (refused.Gateway != nil) {
				t.Errorf("it is refused with %+v", refused)
			}
			if state := m.state(t, operation.name, id); state != operation.open {
				t.Errorf("the state is %s", state)
			}
		})
	}
}

// reader gives the call that reads the state of what an operation cancels.
func (m *mock) reader(t *testing.T, operation string, k keys) jobs.Reader {
	t.Helper()
	project := m.project(operation)
	ci, errCI := jobs.NewCI(project.Endpoint, jobs.CIKey{SecretID: k.SecretID, SecretKey: k.SecretKey, Token: k.SecurityToken})
	otc, errOTC := jobs.NewOTCDLI(project, k.dli())
	huaweiCloud, errHuaweiCloud := jobs.NewHuaweiCloudDLI(project, k.dli())
	var err error
	var read jobs.Reader
	switch operation {
	case "tencent-ci/cancelInventoryTriggerJob":
		read, err = ci.InventoryTriggerJob, errCI
	case "tencent-ci/cancelAiJob":
		read, err = ci.AIJob, errCI
	case "otc-dli/cancelBatchJob":
		read, err = otc.BatchJobState, errOTC
	case "otc-dli/cancelSqlJob":
		read, err = otc.SQLJobStatus, errOTC
	case "huaweicloud-dli/cancelSqlJob":
		read, err = huaweiCloud.SQLJobStatus, errHuaweiCloud
	}
	if err != nil || read == nil {
		t.Fatal(operation, err)
	}
	return read
}

func TestMockTellsState(t *testing.T) {
	m := announced(t)
	for _, operation := range operations {
		for _, kind := range operation.kinds {
			t.Run(operation.name+" "+kind, func(t *testing.T) {
				read := m.reader(t, operation.name, m.keys(t, operation.name, kind))
				for state, final := range map[string]bool{operation.open: false, operation.cancelled: true, operation.ended: true} {
					got, err := read(t.Context(), m.job(t, operation.name, state))

					if err != nil || got.State != state || got.Final != final || got.RequestID == "" {
						t.Errorf("it is told %+v, %v, want %s, %t", got, err, state, final)
					}
				}
			})
		}
	}
}

func TestMockKnowsNoSuchJob(t *testing.T) {
	m := announced(t)
	for _, operation := range operations {
		t.Run(operation.name, func(t *testing.T) {
			read := m.reader(t, operation.name, m.keys(t, operation.name, operation.kinds[0]))

			_, err := read(t.Context(), "6d2146a0-c2d5-41bd-8ca0-000000000000")

			want := "the service refused with 400 DLI.0002, request "
			if strings.HasPrefix(operation.name, "tencent-ci/") {
				want = "the service refused with 200, the service knows no such job, request "
			}
			if refused := refusal(t, err); refused.Error() != want+refused.RequestID || refused.RequestID == "" {
				t.Errorf("it says %q, want %s…", err, want)
			}
		})
	}
}

func TestStateDecidesAfterAnUnclearAnswerOfTheMock(t *testing.T) {
	m := announced(t)
	for _, operation := range operations {
		t.Run(operation.name, func(t *testing.T) {
			id := m.job(t, operation.name, operation.open)
			k := m.keys(t, operation.name, operation.kinds[0])
			cancel := m.canceller(t, operation.name, k)
			lost := func(ctx context.Context, id string) (string, error) {
				if _, err := cancel(ctx, id); err != nil {
					return "", err
				}
				return "", &jobs.UnknownOutcomeError{Err: io.ErrUnexpectedEOF}
			}

			state, err := jobs.CancelAndWait(t.Context(), lost, m.reader(t, operation.name, k), id, time.Millisecond)

			if err != nil || state.State != operation.cancelled || !state.Final {
				t.Errorf("it ends as %+v, %v, want %s", state, err, operation.cancelled)
			}
		})
	}
}
