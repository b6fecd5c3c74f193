package jobs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"calloff.invalid/consumer/jobs"
)

// What must hold whatever a server does; the servers are here.

const (
	secretWord = "word-of-the-secret" // pragma: allowlist secret
	sqlJob     = "6d2146a0-c2d5-41bd-8ca0-ca9694ada992"
	ciError    = "<Error><Code>TemporaryRedirect</Code><Message>a &amp; b</Message>" +
		"<RequestId>r</RequestId><TraceId>t</TraceId></Error>"
)

var (
	ciKey    = jobs.CIKey{SecretID: "an-id", SecretKey: secretWord}
	dliToken = jobs.DLICredential{Token: secretWord}
	dliKey   = jobs.DLICredential{AccessKey: "an-id", SecretKey: secretWord}
)

type cancel func(ctx context.Context, id string) error

// clients gives all five cancels of one server, by operation.
func clients(t *testing.T, endpoint jobs.Endpoint, credential jobs.DLICredential) map[string]cancel {
	t.Helper()
	ci, err := jobs.NewCI(endpoint, ciKey)
	if err != nil {
		t.Fatal(err)
	}
	project := jobs.Project{Endpoint: endpoint, ID: "p1"}
	otc, err := jobs.NewOTCDLI(project, credential)
	if err != nil {
		t.Fatal(err)
	}
	huaweiCloud, err := jobs.NewHuaweiCloudDLI(project, credential)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]cancel{
		"tencent-ci/cancelInventoryTriggerJob": only(ci.CancelInventoryTriggerJob),
		"tencent-ci/cancelAiJob":               only(ci.CancelAIJob),
		"otc-dli/cancelBatchJob":               only(otc.CancelBatchJob),
		"otc-dli/cancelSqlJob":                 only(otc.CancelSQLJob),
		"huaweicloud-dli/cancelSqlJob":         only(huaweiCloud.CancelSQLJob),
	}
}

func only[Result any](method func(context.Context, string) (Result, error)) cancel {
	return func(ctx context.Context, id string) error {
		_, err := method(ctx, id)
		return err
	}
}

// failure gives the error of a call, and sees that it tells no secret.
func failure(t *testing.T, err error) error {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	if told := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(told, secretWord) {
		t.Fatal("the error tells a secret")
	}
	return err
}

// serve starts a server that is asked nothing but what a test asks it.
func serve(t *testing.T, handler http.HandlerFunc) jobs.Endpoint {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return jobs.Endpoint{URL: server.URL, Timeout: 10 * time.Second}
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// socket takes one connection, keeps the head of its request, and answers as told.
func socket(t *testing.T, answer string) (jobs.Endpoint, <-chan []string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	heads := make(chan []string, 1)
	go func() {
		defer close(heads)
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		var head []string
		for lines := bufio.NewScanner(connection); lines.Scan() && lines.Text() != ""; {
			head = append(head, lines.Text())
		}
		heads <- head
		_, _ = io.WriteString(connection, answer)
	}()
	return jobs.Endpoint{URL: "http://" + listener.Addr().String(), Timeout: 10 * time.Second}, heads
}

func TestRequestOnTheWire(t *testing.T) {
	const ok, okOfCI = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	const length, date, token, signature = "Content-Length: 0", "X-Sdk-Date: ", "X-Auth-Token: " + secretWord, "Authorization: "
	tests := []struct {
		operation, id string
		credential    jobs.DLICredential
		line          string
		headers       []string
	}{
		{"tencent-ci/cancelInventoryTriggerJob", "b1", dliToken, "PUT /inventorytriggerjob/b1?cancel= HTTP/1.1", []string{length, signature + "q-sign"}},
		{"tencent-ci/cancelAiJob", "a1", dliToken, "PUT /ai_jobs/a1?cancel= HTTP/1.1", []string{length, signature + "q-sign"}},
		{"otc-dli/cancelBatchJob", sqlJob, dliToken, "DELETE /v2.0/p1/batches/" + sqlJob + " HTTP/1.1", []string{token}},
		{"otc-dli/cancelSqlJob", sqlJob, dliKey, "DELETE /v1.0/p1/jobs/" + sqlJob + " HTTP/1.1", []string{date, signature + "SDK-HMAC"}},
		{"huaweicloud-dli/cancelSqlJob", "j1", dliKey, "DELETE /v1.0/p1/jobs/j1 HTTP/1.1", []string{date, signature + "SDK-HMAC", "Content-Type: application/json"}},
	}
	for _, test := range tests {
		t.Run(test.operation, func(t *testing.T) {
			answer := ok
			if strings.HasPrefix(test.operation, "tencent-ci/") {
				answer = okOfCI
			}
			endpoint, heads := socket(t, answer)

			if err := clients(t, endpoint, test.credential)[test.operation](t.Context(), test.id); err != nil {
				t.Fatal(err)
			}

			head := <-heads
			if head[0] != test.line {
				t.Errorf("it sends %q, want %q", head[0], test.line)
			}
			for _, header := range test.headers {
				if !strings.Contains(strings.Join(head[1:], "\n")+"\n", "\n"+header) {
					t.Errorf("it does not send %s", header)
				}
			}
		})
	}
}

func TestHostileIDIsNotSent(t *testing.T) {
	endpoint := serve(t, func(_ http.ResponseWriter, req *http.Request) { t.Errorf("it sends %s %s", req.Method, req.URL) })
	for _, id := range []string{"", ".", "..", "a/b", "../..", "a?b", "a%2Fb", "a\n", "\na", "a#", "é", strings.Repeat("a", 65)} {
		for operation, cancel := range clients(t, endpoint, dliToken) {
			t.Run(fmt.Sprintf("%s %q", operation, id), func(t *testing.T) {
				if err := failure(t, cancel(t.Context(), id)); !errors.Is(err, jobs.ErrInvalidArgument) {
					t.Fatal(err)
				}
			})
		}
		if _, err := jobs.NewOTCDLI(jobs.Project{Endpoint: endpoint, ID: id}, dliToken); !errors.Is(err, jobs.ErrInvalidArgument) {
			t.Errorf("project %q: %v", id, err)
		}
	}
}

func TestCIURL(t *testing.T) {
	got, err := jobs.CIURL("examplebucket-1250000000", "ap-beijing")
	if want := "https://examplebucket-1250000000.ci.ap-beijing.myqcloud.com"; err != nil || got != want {
		t.Errorf("it gives %s, %v, want %s", got, err, want)
	}
	for _, place := range [][2]string{{"a@evil.example/x-1", "ap-beijing"}, {"a-1", "b.evil.example/"}} {
		if _, err := jobs.CIURL(place[0], place[1]); !errors.Is(err, jobs.ErrInvalidArgument) {
			t.Errorf("%s: %v", place, err)
		}
	}
}

func TestEndpointIsSchemeHostAndPort(t *testing.T) {
	for _, url := range []string{"", "a.example", "ftp://a.example", "http://", "http://:80", "https://a.example/b", "https://u@a", "https://a?b", "https://a#"} {
		if _, err := jobs.NewCI(jobs.Endpoint{URL: url}, ciKey); !errors.Is(err, jobs.ErrInvalidArgument) {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestUnfitCredentialIsRefusedAndNotTold(t *testing.T) {
	project := jobs.Project{Endpoint: jobs.Endpoint{URL: "http://127.0.0.1:9"}, ID: "p1"}
	for _, unfit := range []jobs.Secret{"", secretWord + "\n", " " + secretWord, secretWord + "\x00"} {
		_, ofCI := jobs.NewCI(project.Endpoint, jobs.CIKey{SecretID: "an-id", SecretKey: unfit})
		_, ofOTC := jobs.NewOTCDLI(project, jobs.DLICredential{Token: unfit})
		_, ofHuaweiCloud := jobs.NewHuaweiCloudDLI(project, jobs.DLICredential{AccessKey: "an-id", SecretKey: unfit})
		for _, err := range []error{ofCI, ofOTC, ofHuaweiCloud} {
			if !errors.Is(failure(t, err), jobs.ErrInvalidArgument) {
				t.Errorf("%q: %v", string(unfit), err)
			}
		}
	}
}

func TestKeyThatCannotSignIsNotSent(t *testing.T) {
	endpoint := serve(t, func(_ http.ResponseWriter, req *http.Request) { t.Errorf("it sends %s", req.URL) })
	ci, err := jobs.NewCI(endpoint, jobs.CIKey{SecretID: "a&b", SecretKey: secretWord})
	if err != nil {
		t.Fatal(err)
	}

	_, err = ci.CancelAIJob(t.Context(), "a1")

	if !errors.Is(failure(t, err), jobs.ErrInvalidArgument) {
		t.Fatal(err)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	endpoint := jobs.Endpoint{URL: "http://127.0.0.1:9"}
	ci, err := jobs.NewCI(endpoint, ciKey)
	if err != nil {
		t.Fatal(err)
	}
	otc, err := jobs.NewOTCDLI(jobs.Project{Endpoint: endpoint, ID: "p1"}, dliToken)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal([]any{ciKey, dliToken, dliKey})
	if err != nil {
		t.Fatal(err)
	}
	shown := string(asJSON)
	for _, value := range []any{ciKey, dliToken, dliKey, *ci, *otc} {
		shown += fmt.Sprintf("%v %+v %#v %s %q %d", value, value, value, value, value, value)
	}
	if strings.Contains(shown, secretWord) {
		t.Error("a secret is shown")
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	other := serve(t, func(_ http.ResponseWriter, req *http.Request) { t.Errorf("it follows to %s", req.URL) })
	endpoint := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", other.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = io.WriteString(w, ciError)
	})
	for operation, cancel := range clients(t, endpoint, dliToken) {
		t.Run(operation, func(t *testing.T) {
			refused := refusal(t, cancel(t.Context(), sqlJob))

			if refused.Status != http.StatusTemporaryRedirect {
				t.Errorf("the status is %d", refused.Status)
			}
			if strings.HasPrefix(operation, "tencent-ci/") != (refused.CI != nil) {
				t.Errorf("the body is %v", refused.CI)
			}
		})
	}
}

func TestNoAnswerLeavesTheOutcomeUnknown(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() },
		"no end of the body": func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
		},
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			endpoint := serve(t, handler)
			endpoint.Timeout = 50 * time.Millisecond
			for operation, cancel := range clients(t, endpoint, dliToken) {
				unknown(t, operation, cancel(t.Context(), sqlJob), context.DeadlineExceeded)
			}
		})
	}
	t.Run("a context that ends", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		endpoint := serve(t, func(_ http.ResponseWriter, req *http.Request) { stop(); <-req.Context().Done() })
		unknown(t, "", clients(t, endpoint, dliToken)["tencent-ci/cancelAiJob"](ctx, "a1"), context.Canceled)
	})
	t.Run("a connection that is cut", func(t *testing.T) {
		endpoint, _ := socket(t, "")
		unknown(t, "", clients(t, endpoint, dliToken)["tencent-ci/cancelAiJob"](t.Context(), "a1"), io.EOF)
	})
	t.Run("an answer that is cut", func(t *testing.T) {
		endpoint, _ := socket(t, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")
		unknown(t, "", clients(t, endpoint, dliToken)["otc-dli/cancelSqlJob"](t.Context(), "j1"), io.ErrUnexpectedEOF)
	})
}

func TestLongAnswerIsNotReadToItsEnd(t *testing.T) {
	for status, wanted := range map[int]string{http.StatusOK: "the answer is too long", http.StatusServiceUnavailable: "503"} {
		hungUp := make(chan bool, 1)
		endpoint := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			var err error
			for megabyte, left := strings.Repeat(" ", 1<<20), 64; err == nil && left > 0; left-- {
				_, err = io.WriteString(w, megabyte)
			}
			hungUp <- err != nil
		})
		for operation, cancel := range clients(t, endpoint, dliToken) {
			if err := failure(t, cancel(t.Context(), sqlJob)); !strings.Contains(err.Error(), wanted) {
				t.Errorf("%s: %v", operation, err)
			}
			if !<-hungUp {
				t.Errorf("%s reads on", operation)
			}
		}
	}
}

func Test200OfDLI(t *testing.T) {
	const accepted, refused, unclear = "accepted", "refused", "unknown"
	tests := map[string]string{
		`{"is_success":true,"message":""}`: accepted,
		`{}`:                               accepted,
		`{"message":"","new":1}`:           accepted,
		`{"is_success":null}`:              refused,
		`{"is_success":false}`:             refused,
		`{"is_success":"false"}`:           unclear,
		`{"is_success"`:                    unclear,
		`<html></html>`:                    unclear,
		`[]`:                               unclear,
		`null`:                             unclear,
		``:                                 unclear,
	}
	for body, want := range tests {
		cancels := clients(t, serve(t, answering(http.StatusOK, body)), dliToken)
		for _, operation := range []string{"otc-dli/cancelSqlJob", "huaweicloud-dli/cancelSqlJob"} {
			t.Run(operation+" "+body, func(t *testing.T) {
				got := accepted
				if err := cancels[operation](t.Context(), sqlJob); errors.As(err, new(*jobs.RefusedError)) {
					got = refused
				} else if err != nil {
					got = unclear
					unknown(t, operation, err, nil)
				}
				if got != want {
					t.Errorf("it is %s, want %s", got, want)
				}
			})
		}
	}
}

func TestFailureInsideA200TellsWhy(t *testing.T) {
	for _, operation := range []string{"otc-dli/cancelSqlJob", "huaweicloud-dli/cancelSqlJob"} {
		endpoint := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "r1")
			_, _ = io.WriteString(w, `{"is_success":false,"message":"why"}`)
		})

		refused := refusal(t, clients(t, endpoint, dliToken)[operation](t.Context(), sqlJob))

		if refused.Status != http.StatusOK || refused.RequestID != "r1" || refused.Result == nil || *refused.Result.Message != "why" {
			t.Errorf("%s: %+v", operation, *refused)
		}
	}
}

func TestAnswerThatIsNeitherYesNorNoLeavesTheOutcomeUnknown(t *testing.T) {
	const dliError = `{"error_code":"DLI.0999","error_msg":"m"}`
	for _, status := range []int{http.StatusAccepted, http.StatusInternalServerError, http.StatusGatewayTimeout} {
		for operation, body := range map[string]string{"tencent-ci/cancelAiJob": ciError, "otc-dli/cancelSqlJob": dliError} {
			endpoint := serve(t, answering(status, body))

			err := clients(t, endpoint, dliToken)[operation](t.Context(), "a1")

			unknown(t, operation, err, nil)
			var unclear *jobs.UnclearAnswerError
			if !errors.As(err, &unclear) || unclear.Status != status || unclear.Code == "" {
				t.Errorf("%s %d: %v", operation, status, err)
			}
			if errors.As(err, new(*jobs.RefusedError)) {
				t.Errorf("%s: %d is taken for a no", operation, status)
			}
		}
	}
}

func TestCodeForgesNoLineOfALog(t *testing.T) {
	endpoint := serve(t, answering(http.StatusBadRequest, `{"error_code":"DLI.0007\nforged","error_msg":"m"}`))

	refused := refusal(t, clients(t, endpoint, dliToken)["otc-dli/cancelSqlJob"](t.Context(), sqlJob))

	if want := "the service refused with 400"; refused.Error() != want || refused.Code != "DLI.0007\nforged" {
		t.Errorf("it says %q, want %q", refused.Error(), want)
	}
}

func Test200OfCIWithABodyLeavesTheOutcomeUnknown(t *testing.T) {
	for _, body := range []string{ciError, "<html></html>"} {
		cancels := clients(t, serve(t, answering(http.StatusOK, body)), dliToken)
		for _, operation := range []string{"tencent-ci/cancelAiJob", "tencent-ci/cancelInventoryTriggerJob"} {
			unknown(t, operation, cancels[operation](t.Context(), "a1"), nil)
		}
	}
}

// readers gives all five calls that read a state of one server, by operation.
func readers(t *testing.T, endpoint jobs.Endpoint, credential jobs.DLICredential) map[string]jobs.Reader {
	t.Helper()
	project := jobs.Project{Endpoint: endpoint, ID: "p1"}
	ci, errCI := jobs.NewCI(endpoint, ciKey)
	otc, errOTC := jobs.NewOTCDLI(project, credential)
	huaweiCloud, errHuaweiCloud := jobs.NewHuaweiCloudDLI(project, credential)
	if err := errors.Join(errCI, errOTC, errHuaweiCloud); err != nil {
		t.Fatal(err)
	}
	return map[string]jobs.Reader{
		"tencent-ci/describeInventoryTriggerJob": ci.InventoryTriggerJob,
		"tencent-ci/describeAiJob":               ci.AIJob,
		"otc-dli/getBatchJobState":               otc.BatchJobState,
		"otc-dli/getSqlJobStatus":                otc.SQLJobStatus,
		"huaweicloud-dli/getSqlJobStatus":        huaweiCloud.SQLJobStatus,
	}
}

func TestHostileIDIsNotReadEither(t *testing.T) {
	endpoint := serve(t, func(_ http.ResponseWriter, req *http.Request) { t.Errorf("it sends %s %s", req.Method, req.URL) })
	for operation, read := range readers(t, endpoint, dliToken) {
		for _, id := range []string{"", "..", "a/b", "a?b"} {
			if _, err := read(t.Context(), id); !errors.Is(failure(t, err), jobs.ErrInvalidArgument) {
				t.Errorf("%s %q: %v", operation, id, err)
			}
		}
	}
}

func TestStateThatIsNotToldIsToBeAskedForAgain(t *testing.T) {
	other := serve(t, func(_ http.ResponseWriter, req *http.Request) { t.Errorf("it follows to %s", req.URL) })
	const dli = `{"job_id":"another","id":"another","status":"FINISHED","state":"success"}`
	const ci = "<Response><JobsDetail><JobId>another</JobId><State>Success</State></JobsDetail></Response>"
	tests := map[string]http.HandlerFunc{
		"no end of the body": func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
		},
		"too long":            answering(http.StatusOK, strings.Repeat(" ", 2<<20)),
		"a page":              answering(http.StatusOK, "<html></html>"),
		"nothing":             answering(http.StatusOK, ""),
		"another status":      answering(http.StatusAccepted, "{}"),
		"a 504":               answering(http.StatusGatewayTimeout, ""),
		"no state":            answering(http.StatusOK, "{}"),
		"no state in XML":     answering(http.StatusOK, "<Response></Response>"),
		"another job":         answering(http.StatusOK, dli),
		"another job, in XML": answering(http.StatusOK, ci),
	}
	for name, handler := range tests {
		endpoint := serve(t, handler)
		if name == "no end of the body" {
			endpoint.Timeout = 50 * time.Millisecond
		}
		for operation, read := range readers(t, endpoint, dliToken) {
			_, err := read(t.Context(), sqlJob)
			if !errors.As(failure(t, err), new(*jobs.UnreadStateError)) || strings.Contains(err.Error(), "cancel") {
				t.Errorf("%s of %s: %v", name, operation, err)
			}
		}
	}
	endpoint := serve(t, func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, other.URL, http.StatusFound) })
	for operation, read := range readers(t, endpoint, dliToken) {
		_, err := read(t.Context(), sqlJob)
		if got := refusal(t, err); got.Status != http.StatusFound {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestStateThatIsTold(t *testing.T) {
	tests := []struct {
		operation, body, state string
		final                  bool
	}{
		{"otc-dli/getBatchJobState", `{"id":"` + strings.ToUpper(sqlJob) + `","state":"Success"}`, "success", true},
		{"otc-dli/getBatchJobState", `{"state":"New"}`, "New", false},
		{"huaweicloud-dli/getSqlJobStatus", `{"status":"FINISH"}`, "FINISH", false},
		{"tencent-ci/describeAiJob", "<Response><JobsDetail><State>Cancel</State><Input><Key/></Input></JobsDetail></Response>", "Cancel", true},
	}
	for _, test := range tests {
		got, err := readers(t, serve(t, answering(http.StatusOK, test.body)), dliToken)[test.operation](t.Context(), sqlJob)
		if err != nil || got.State != test.state || got.Final != test.final {
			t.Errorf("%s: %+v, %v", test.body, got, err)
		}
	}
}

func TestStateIsRefusedInsideA200(t *testing.T) {
	for operation, body := range map[string]string{
		"otc-dli/getSqlJobStatus":         `{"is_success":false,"status":"FINISHED"}`,
		"huaweicloud-dli/getSqlJobStatus": `{"error_code":"DLI.0999","error_msg":"m","status":"FINISHED"}`,
		"otc-dli/getBatchJobState":        `{"error_code":"DLI.0999","error_msg":"m","state":"dead"}`,
		"tencent-ci/describeAiJob":        "<Response><NonExistJobIds>" + sqlJob + "</NonExistJobIds></Response>",
	} {
		_, err := readers(t, serve(t, answering(http.StatusOK, body)), dliToken)[operation](t.Context(), sqlJob)
		if got := refusal(t, err); got.Status != http.StatusOK {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestBodyOfARefusalThatCannotBeReadTakesNothingFromIt(t *testing.T) {
	endpoint, _ := socket(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 20\r\n\r\n{")

	refused := refusal(t, clients(t, endpoint, dliToken)["otc-dli/cancelSqlJob"](t.Context(), sqlJob))

	if refused.Status != http.StatusForbidden || refused.Code != "" {
		t.Errorf("it is refused with %+v", refused)
	}
}

func TestErrorOfCI(t *testing.T) {
	const declaration = `<?xml version="1.0" encoding="UTF-8"?>`
	external := `<!DOCTYPE Error [<!ENTITY e SYSTEM "file:///etc/hostname">]>`
	tests := map[string]struct{ body, message string }{
		"with a declaration":           {declaration + "\n" + ciError, "a & b"},
		"with an element nobody knows": {strings.Replace(ciError, "</Error>", "<Resource>r</Resource></Error>", 1), "a & b"},
		"with a document type":         {external + ciError, ""},
		"with an external entity":      {external + strings.Replace(ciError, "a &amp; b", "&e;", 1), ""},
		"with an unknown entity":       {strings.Replace(ciError, "a &amp; b", "&e;", 1), ""},
		"without a trace id":           {strings.Replace(ciError, "<TraceId>t</TraceId>", "", 1), "a & b"},
		"without a code":               {strings.Replace(ciError, "<Code>TemporaryRedirect</Code>", "", 1), ""},
		"in another element":           {strings.ReplaceAll(ciError, "Error>", "Other>"), ""},
		"that is cut":                  {ciError[:len(ciError)-3], ""},
		"that is HTML":                 {"<html></html>", ""},
		"that is empty":                {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			endpoint := serve(t, answering(http.StatusForbidden, test.body))

			refused := refusal(t, clients(t, endpoint, dliToken)["tencent-ci/cancelAiJob"](t.Context(), "a1"))

			message := ""
			if refused.CI != nil {
				message = refused.CI.Message
			}
			if refused.Status != http.StatusForbidden || message != test.message {
				t.Errorf("it is %d %q, want 403 %q", refused.Status, message, test.message)
			}
		})
	}
}

func refusal(t *testing.T, err error) *jobs.RefusedError {
	t.Helper()
	var refused *jobs.RefusedError
	if !errors.As(failure(t, err), &refused) {
		t.Fatalf("it is no refusal: %v", err)
	}
	return refused
}

// unknown sees that an error says the outcome is not known, for a cause if one is given.
func unknown(t *testing.T, operation string, err, cause error) {
	t.Helper()
	if !errors.As(failure(t, err), new(*jobs.UnknownOutcomeError)) || cause != nil && !errors.Is(err, cause) {
		t.Errorf("%s: %v", operation, err)
	}
}
